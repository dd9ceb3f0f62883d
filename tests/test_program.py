"""The whole program on Pulumi's mocks."""

import json
import runpy
from typing import Any

import pytest

from infra.config_reader import ConfigError
from infra.task import STOP
from tests.recording import ACCOUNT, DIGEST, ROOT, Recording, record

TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE = "aws:ecs/service:Service"
IMAGE = "docker-build:index:Image"
RULE = "aws:lb/listenerRule:ListenerRule"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SCALING = "aws:appautoscaling/target:Target"


def run(
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, str] | None = None,
    *,
    preview: bool = False,
    digest: str = DIGEST,
) -> Recording:
    monkeypatch.chdir(ROOT / "infra")
    # There is no ECS to ask for the steady state.
    monkeypatch.setattr("infra.service.steady", lambda **_: None)
    return record(lambda: runpy.run_path("__main__.py", run_name="__main__") and None, config, preview, digest)


def container(recording: Recording) -> dict[str, Any]:
    [container] = json.loads(recording.one(TASK_DEFINITION)["containerDefinitions"])
    assert isinstance(container, dict)
    return container


@pytest.mark.parametrize(("arch", "cpu_architecture"), [("amd64", "X86_64"), ("arm64", "ARM64"), ("aarch64", "ARM64")])
def test_arch_is_the_tasks_architecture(monkeypatch: pytest.MonkeyPatch, arch: str, cpu_architecture: str) -> None:
    task = run(monkeypatch, {"arch": arch}).one(TASK_DEFINITION)
    assert task["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": cpu_architecture}


def test_arch_changes_the_task_definition_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {(r.type, r.name): r.inputs for r in run(monkeypatch, {"arch": "amd64"}).resources}
    after = {(r.type, r.name): r.inputs for r in run(monkeypatch, {"arch": "arm64"}).resources}
    assert before.keys() == after.keys()
    assert [key for key in before if before[key] != after[key]] == [(TASK_DEFINITION, "web")]


def test_the_task_names_the_image_by_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert container(run(monkeypatch))["image"] == f"{ACCOUNT}.ecr.example/web-1@{DIGEST}"


def test_registry_replaces_the_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = run(monkeypatch, {"registry": "localhost:5000"})
    assert container(recording)["image"] == f"localhost:5000/web-1@{DIGEST}"
    assert recording.one(IMAGE)["registries"][0]["address"] == "localhost:5000"


def test_a_preview_that_would_build_shows_no_broken_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider gives a known, empty digest when only the context changed."""
    task = run(monkeypatch, preview=True, digest="").one(TASK_DEFINITION)
    assert "containerDefinitions" not in task or "@" not in str(task["containerDefinitions"])


def test_one_image_for_both_platforms_is_pushed_and_never_built_in_a_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    image = run(monkeypatch).one(IMAGE)
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]
    assert image["push"] is True
    assert image["buildOnPreview"] is False
    assert image["context"] == {"location": "../app"}


def test_the_container_keeps_the_security_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = container(run(monkeypatch))
    assert definition["readonlyRootFilesystem"] is True
    assert definition["user"] == "10001:10001"
    assert "privileged" not in definition
    assert definition["logConfiguration"]["logDriver"] == "awslogs"


def test_draining_fits_into_the_stop_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = container(run(monkeypatch))
    environment = {entry["name"]: entry["value"] for entry in definition["environment"]}
    assert int(environment["DRAIN_SECONDS"]) + int(environment["STOP_SECONDS"]) < definition["stopTimeout"] <= 120
    assert STOP.quiet < STOP.drain


def test_the_service_waits_rolls_back_and_keeps_all_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    service = run(monkeypatch).one(SERVICE)
    assert service["waitForSteadyState"] is True
    assert service["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert service["deploymentMinimumHealthyPercent"] == 100
    assert service["deploymentMaximumPercent"] == 200
    assert service["networkConfiguration"]["assignPublicIp"] is False
    assert service["networkConfiguration"]["subnets"] == ["private-1", "private-2"]


@pytest.mark.parametrize(
    ("config", "strategy"),
    [
        pytest.param({}, [{"capacityProvider": "FARGATE", "weight": 1}], id="on demand"),
        pytest.param(
            {"spot": "true", "onDemandBase": "2"},
            [
                {"capacityProvider": "FARGATE", "base": 2, "weight": 0},
                {"capacityProvider": "FARGATE_SPOT", "weight": 1},
            ],
            id="spot above a floor",
        ),
        pytest.param(
            {"spot": "true", "onDemandBase": "0"}, [{"capacityProvider": "FARGATE_SPOT", "weight": 1}], id="all spot"
        ),
    ],
)
@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_capacity_is_a_strategy_and_never_a_launch_type(
    monkeypatch: pytest.MonkeyPatch, arch: str, config: dict[str, str], strategy: list[dict[str, object]]
) -> None:
    service = run(monkeypatch, {"arch": arch} | config).one(SERVICE)
    assert service["capacityProviderStrategies"] == strategy
    assert "launchType" not in service
    assert service["forceNewDeployment"] is True


@pytest.mark.parametrize(
    ("rollout", "deployment"),
    [
        ("rolling", {"strategy": "ROLLING"}),
        ("blue-green", {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": "7"}),
        (
            "canary",
            {
                "strategy": "CANARY",
                "bakeTimeInMinutes": "7",
                "canaryConfiguration": {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": "7"},
            },
        ),
        (
            "linear",
            {
                "strategy": "LINEAR",
                "bakeTimeInMinutes": "7",
                "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": "7"},
            },
        ),
    ],
)
def test_rollout_is_ecs_own_strategy(
    monkeypatch: pytest.MonkeyPatch, rollout: str, deployment: dict[str, object]
) -> None:
    config = {"rollout": rollout, "bakeMinutes": "7", "canaryPercent": "12.5", "stepPercent": "25"}
    service = run(monkeypatch, config).one(SERVICE)
    assert service["deploymentConfiguration"] == deployment


@pytest.mark.parametrize("rollout", ["canary", "linear", "blue-green"])
def test_a_shifting_rollout_gives_ecs_the_rule_and_a_role_for_it_alone(
    monkeypatch: pytest.MonkeyPatch, rollout: str
) -> None:
    recording = run(monkeypatch, {"rollout": rollout})
    [attachment] = recording.one(SERVICE)["loadBalancers"]
    assert attachment["targetGroupArn"] == "arn:web-primary"
    assert attachment["advancedConfiguration"] == {
        "alternateTargetGroupArn": "arn:web-alternate",
        "productionListenerRule": "arn:web",
        "roleArn": "arn:web-traffic",
    }
    [policy] = [policy.inputs["policy"] for policy in recording.of(ROLE_POLICY) if policy.name == "web-traffic"]
    resources = {json.dumps(statement["Resource"]) for statement in json.loads(policy)["Statement"]}
    assert resources == {'"*"', '["arn:web-primary", "arn:web-alternate"]', '["arn:web-http", "arn:web"]'}


def test_a_rolling_rollout_leaves_no_role_and_no_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = run(monkeypatch)
    [attachment] = recording.one(SERVICE)["loadBalancers"]
    assert "advancedConfiguration" not in attachment
    assert [role.name for role in recording.of("aws:iam/role:Role")] == ["web-execution", "web-task"]


@pytest.mark.parametrize("rollout", ["rolling", "canary", "linear", "blue-green"])
def test_alarms_send_every_rollout_back(monkeypatch: pytest.MonkeyPatch, rollout: str) -> None:
    recording = run(monkeypatch, {"rollout": rollout})
    alarms = {alarm.name: alarm.inputs for alarm in recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")}
    wanted = recording.one(SERVICE)["alarms"]
    in_order = wanted | {"alarmNames": sorted(wanted["alarmNames"])}
    assert in_order == {"alarmNames": list(alarms), "enable": True, "rollback": True}
    assert {alarm["metricName"] for alarm in alarms.values()} == {
        "HTTPCode_Target_5XX_Count",
        "TargetResponseTime",
        "UnHealthyHostCount",
    }


def test_without_a_split_there_is_one_service_and_no_rule_before_the_production_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = run(monkeypatch)
    assert [service.name for service in recording.of(SERVICE)] == ["web"]
    assert [rule.name for rule in recording.of(RULE)] == ["web"]


def test_a_split_runs_the_same_digest_on_both_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = run(monkeypatch, {"split": "25", "minTasks": "4", "maxTasks": "4", "spot": "true"})
    tasks = {task.name: task.inputs for task in recording.of(TASK_DEFINITION)}
    assert [task["runtimePlatform"]["cpuArchitecture"] for task in tasks.values()] == ["X86_64", "ARM64"]
    images = {json.loads(task["containerDefinitions"])[0]["image"] for task in tasks.values()}
    assert images == {f"{ACCOUNT}.ecr.example/web-1@{DIGEST}"}
    services = {service.name: service.inputs for service in recording.of(SERVICE)}
    assert {name: service["desiredCount"] for name, service in services.items()} == {"web": 3, "web-other": 1}
    groups = {name: service["loadBalancers"][0]["targetGroupArn"] for name, service in services.items()}
    assert groups == {"web": "arn:web-primary", "web-other": "arn:web-alternate"}
    [split] = [rule.inputs for rule in recording.of(RULE) if rule.name == "web-split"]
    assert split["actions"][0]["forward"]["targetGroups"] == [
        {"arn": "arn:web-primary", "weight": 75},
        {"arn": "arn:web-alternate", "weight": 25},
    ]
    [production] = [rule.inputs for rule in recording.of(RULE) if rule.name == "web"]
    assert split["priority"] < production["priority"]


def test_scaling_exists_only_where_max_tasks_is_above_min_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch).of(SCALING) == []
    target = run(monkeypatch, {"minTasks": "2", "maxTasks": "6"}).one(SCALING)
    assert (target["minCapacity"], target["maxCapacity"]) == (2, 6)
    assert target["resourceId"] == "service/web/web"


def test_scaling_is_shared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = run(monkeypatch, {"minTasks": "4", "maxTasks": "12", "split": "25"})
    limits = {
        target.name: (target.inputs["minCapacity"], target.inputs["maxCapacity"]) for target in recording.of(SCALING)
    }
    assert limits == {"web": (3, 9), "web-other": (1, 3)}


def test_the_tag_changes_with_the_base_and_not_with_the_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    def tag(config: dict[str, str]) -> str:
        [tag] = run(monkeypatch, config).one(IMAGE)["tags"]
        return str(tag)

    assert tag({"arch": "amd64"}) == tag({"arch": "arm64"})
    assert tag({"platforms": "arm64", "arch": "arm64"}) != tag({"arch": "arm64"})


def test_the_log_group_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch).one("aws:cloudwatch/logGroup:LogGroup")["retentionInDays"] == 30


def test_the_repository_is_immutable_scanned_and_keeps_tagged_images(monkeypatch: pytest.MonkeyPatch) -> None:
    repository = run(monkeypatch).one("awsx:ecr:Repository")
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert [rule["tagStatus"] for rule in repository["lifecyclePolicy"]["rules"]] == ["untagged"]


def test_the_roles_may_do_only_what_a_task_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = run(monkeypatch)
    [policy] = recording.of("aws:iam/rolePolicy:RolePolicy")
    statements = json.loads(policy.inputs["policy"])["Statement"]
    assert {s["Resource"] for s in statements if s["Action"] != "ecr:GetAuthorizationToken"} == {
        "arn:web",
        "arn:web:*",
    }
    for role in recording.of("aws:iam/role:Role"):
        [trust] = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert recording.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment") == []


def test_a_bad_value_stops_the_program_before_the_first_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording()
    monkeypatch.setattr("tests.recording.Recording", lambda **_: recording)
    with pytest.raises(ConfigError, match=r"^arch: "):
        run(monkeypatch, {"arch": "riscv"})
    assert recording.resources == []
