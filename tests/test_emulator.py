"""The emulator's extensions, on processes in place of containers: no Docker is needed."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ClientError, EndpointConnectionError  # type: ignore[import-untyped]

from local import emulator
from local.emulation.probe import matches
from local.emulation.service_settings import PinnedArguments

DIGEST = "sha256:" + "0" * 64
START_SECONDS = 30
ROLLOUT_SECONDS = 90
GRACE_SECONDS = 6
REQUESTS_AT_ONCE = 12
POLL_SECONDS = 0.1


class Emulator:
    """A running emulator, its clients, and one load balancer with two target groups."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.balancing, self.ecs = self._client("elbv2"), self._client("ecs")

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(parameter_validation=False),  # AWS takes no interval below 5 s; the tests are quicker
        )

    def balance(self, name: str, *, weights: tuple[int, int] = (100, 0)) -> list[str]:
        balancer = self.balancing.create_load_balancer(Name=name, Subnets=["subnet-1"])["LoadBalancers"][0]
        groups = [self._target_group(f"{name}-{number}") for number in range(2)]
        self.balancing.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[forward(groups, weights)],
        )
        return groups

    def _target_group(self, name: str) -> str:
        group = self.balancing.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId="vpc-1",
            TargetType="ip",
            HealthCheckPath="/healthz",
            HealthCheckIntervalSeconds=1,
            HealthCheckTimeoutSeconds=1,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "10"}
        self.balancing.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
        return str(group)

    def task_definition(self, **environment: str) -> str:
        container = {
            "name": "app",
            "image": f"registry/web@{DIGEST}",
            "stopTimeout": 5,
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
        }
        registered = self.ecs.register_task_definition(
            family="web", networkMode="awsvpc", containerDefinitions=[container]
        )
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    def serve(self, name: str, group: str, **environment: str) -> None:
        self.ecs.create_service(
            serviceName=name,
            taskDefinition=self.task_definition(**environment),
            desiredCount=2,
            capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
            loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}],
            healthCheckGracePeriodSeconds=GRACE_SECONDS,
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
            availabilityZoneRebalancing="ENABLED",
        )

    def update(self, name: str, **environment: str) -> None:
        self.ecs.update_service(
            service=name,
            taskDefinition=self.task_definition(**environment),
            capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
            forceNewDeployment=True,
        )

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(services=[name])["services"][0]
        return found

    def rolled_out(self, name: str) -> dict[str, Any]:
        """Wait for the end of the service's deployment."""
        wait_until(lambda: primary(self.service(name))["rolloutState"] != "IN_PROGRESS")
        return self.service(name)

    def tasks(self, name: str) -> list[str]:
        """ARNs of the service's tasks, stopped ones included."""
        listed = [self.ecs.list_tasks(serviceName=name, desiredStatus=one) for one in ("RUNNING", "STOPPED")]
        return [arn for listing in listed for arn in listing["taskArns"]]

    def states(self, group: str) -> Counter[str]:
        described = self.balancing.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return Counter(one["TargetHealth"]["State"] for one in described)

    def get(self, name: str, path: str = "/") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers={"Host": f"{name}.alb.localhost:{self.port}"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, json.loads(body)["version"] if response.status == 200 else body.decode()


class Load:
    """Requests one after another, counted by what answered, until the block ends."""

    def __init__(self, emulator: Emulator, name: str) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self._target = (emulator, name)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        emulator, name = self._target
        while not self._ended.wait(0.02):
            self.answers[emulator.get(name)] += 1

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def failures(self) -> int:
        return sum(number for (status, _), number in self.answers.items() if status != 200)


def forward(groups: list[str], weights: tuple[int, int]) -> dict[str, Any]:
    members = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, weights, strict=True)]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": members}}


def primary(service: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in service["deployments"] if one["status"] == "PRIMARY")


def wait_until(holds: Callable[[], bool], *, seconds: float = ROLLOUT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(POLL_SECONDS)


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING", "PATH": ""}
    process = subprocess.Popen([sys.executable, "-m", "tests.emulator_on_processes"], env=environment)
    try:
        running = Emulator(port)
        wait_until(lambda: answers(running), seconds=START_SECONDS)
        yield running
    finally:
        process.terminate()
        process.wait()


def answers(running: Emulator) -> bool:
    try:
        running.ecs.create_cluster(clusterName="default")
    except EndpointConnectionError:
        return False
    return True


def test_a_forward_to_two_groups_is_described_as_it_was_given(aws: Emulator) -> None:
    groups = aws.balance("described", weights=(75, 25))
    balancer = aws.balancing.describe_load_balancers(Names=["described"])["LoadBalancers"][0]
    listener = aws.balancing.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]
    assert listener["DefaultActions"][0]["ForwardConfig"] == {
        "TargetGroups": [
            {"TargetGroupArn": groups[0], "Weight": 75},
            {"TargetGroupArn": groups[1], "Weight": 25},
        ],
        "TargetGroupStickinessConfig": {"Enabled": False},
    }
    assert "TargetGroupArn" not in listener["DefaultActions"][0]


def test_a_load_balancer_s_name_leads_to_this_machine(aws: Emulator) -> None:
    aws.balance("named")
    balancer = aws.balancing.describe_load_balancers(Names=["named"])["LoadBalancers"][0]
    assert balancer["DNSName"] == f"named.alb.localhost:{aws.port}"


@pytest.mark.parametrize("weights", [(100, 0), (0, 0)], ids=["no targets", "no weights"])
def test_without_a_healthy_target_the_answer_is_503(aws: Emulator, weights: tuple[int, int]) -> None:
    name = f"empty-{weights[0]}"
    aws.balance(name, weights=weights)
    status, _ = aws.get(name)
    assert status == 503


def test_traffic_is_divided_by_weight(aws: Emulator) -> None:
    groups = aws.balance("divided", weights=(75, 25))
    for number, group in enumerate(groups):
        aws.serve(f"divided-{number}", group, VERSION=str(number))
    for number in range(2):
        aws.rolled_out(f"divided-{number}")
    seen = Counter(aws.get("divided")[1] for _ in range(400))
    assert 0.17 < seen["1"] / seen.total() < 0.33


def test_a_service_is_rolled_out_once_its_targets_are_healthy(aws: Emulator) -> None:
    group = aws.balance("slow")[0]
    aws.serve("slow", group, VERSION="1", HEALTHY_AFTER="1")
    assert primary(aws.service("slow"))["rolloutState"] == "IN_PROGRESS"
    assert aws.get("slow")[0] == 503
    assert primary(aws.rolled_out("slow"))["rolloutState"] == "COMPLETED"
    assert aws.states(group) == {"healthy": 2}
    assert aws.get("slow") == (200, "1")
    assert aws.service("slow")["availabilityZoneRebalancing"] == "ENABLED"


def test_a_service_never_has_more_tasks_than_it_wants(aws: Emulator) -> None:
    group = aws.balance("counted")[0]
    aws.serve("counted", group, VERSION="1")
    aws.rolled_out("counted")
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        for _ in range(REQUESTS_AT_ONCE):
            pool.submit(aws.ecs.update_service, service="counted", desiredCount=4)
    assert len(aws.tasks("counted")) == 4
    aws.ecs.delete_service(service="counted", force=True)


def test_a_rollout_drops_no_request_and_reports_its_end(aws: Emulator) -> None:
    group = aws.balance("rolled")[0]
    aws.serve("rolled", group, VERSION="1")
    aws.rolled_out("rolled")
    with Load(aws, "rolled") as load:
        aws.update("rolled", VERSION="2", HEALTHY_AFTER="2")
        service = aws.rolled_out("rolled")
    assert load.failures == 0
    assert load.answers[200, "1"] > 0 < load.answers[200, "2"]
    assert [one["rolloutState"] for one in service["deployments"]] == ["COMPLETED"]
    assert primary(service)["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE_SPOT"
    assert aws.states(group) == {"healthy": 2}


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"DIE_AFTER": "0.1"}, id="exits at start"),
        pytest.param({"HEALTHY_AFTER": "1000"}, id="never gets healthy"),
    ],
)
def test_a_rollout_that_fails_is_rolled_back_and_drops_no_request(aws: Emulator, environment: dict[str, str]) -> None:
    name = "-".join(environment).lower().replace("_", "-")
    aws.serve(name, aws.balance(name)[0], VERSION="1")
    before = aws.rolled_out(name)["taskDefinition"]
    with Load(aws, name) as load:
        aws.update(name, VERSION="2", **environment)
        service = aws.rolled_out(name)
    assert load.failures == 0
    assert service["taskDefinition"] == before
    assert {one["rolloutState"] for one in service["deployments"]} == {"COMPLETED", "FAILED"}
    assert aws.get(name) == (200, "1")


def test_a_task_that_dies_soon_after_it_is_healthy_does_not_count(aws: Emulator) -> None:
    aws.serve("dying", aws.balance("dying")[0], VERSION="1")
    aws.rolled_out("dying")
    with Load(aws, "dying") as load:
        aws.update("dying", VERSION="2", DIE_AFTER="2.5")
        service = aws.rolled_out("dying")
    failed = next(one for one in service["deployments"] if one["rolloutState"] == "FAILED")
    assert load.failures <= failed["failedTasks"], "no more than what the dead tasks held"
    assert aws.get("dying") == (200, "1")


def test_a_task_that_turns_unhealthy_is_replaced(aws: Emulator) -> None:
    aws.serve("ill", aws.balance("ill")[0], VERSION="1", UNHEALTHY_AFTER="12")
    aws.rolled_out("ill")
    before = set(aws.ecs.list_tasks(serviceName="ill")["taskArns"])
    wait_until(lambda: before.isdisjoint(aws.ecs.list_tasks(serviceName="ill")["taskArns"]))
    stopped = aws.ecs.describe_tasks(tasks=list(before))["tasks"]
    assert all("failed ELB health checks" in task["stoppedReason"] for task in stopped)
    aws.ecs.delete_service(service="ill", force=True)


def test_a_stopped_task_finishes_what_it_has_and_takes_nothing_new(aws: Emulator) -> None:
    group = aws.balance("drained")[0]
    aws.serve("drained", group, VERSION="1")
    aws.rolled_out("drained")
    slow: list[tuple[int, str]] = []
    threads = [threading.Thread(target=lambda: slow.append(aws.get("drained", "/slow"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    task = aws.ecs.list_tasks(serviceName="drained")["taskArns"][0]
    stopping = aws.ecs.stop_task(task=task, reason="by hand")["task"]
    assert (stopping["lastStatus"], stopping["desiredStatus"]) == ("DEACTIVATING", "STOPPED")
    assert aws.states(group)["draining"] == 1
    for thread in threads:
        thread.join()
    assert slow == [(200, "1")] * 8
    wait_until(lambda: aws.ecs.describe_tasks(tasks=[task])["tasks"][0]["lastStatus"] == "STOPPED")


def test_a_deleted_service_drains_before_it_is_inactive(aws: Emulator) -> None:
    group = aws.balance("deleted")[0]
    aws.serve("deleted", group, VERSION="1")
    aws.rolled_out("deleted")
    for _ in range(30):
        aws.get("deleted")
    aws.ecs.delete_service(service="deleted", force=True)
    assert aws.service("deleted")["status"] == "DRAINING"
    assert aws.states(group) == {"draining": 2}
    wait_until(lambda: aws.service("deleted")["status"] == "INACTIVE")
    assert not aws.states(group)


def test_health_of_an_unknown_group_is_refused(aws: Emulator) -> None:
    with pytest.raises(ClientError, match="TargetGroupNotFound"):
        aws.states("arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/none/1")


@pytest.mark.parametrize(
    ("codes", "status", "is_match"),
    [("200", 200, True), ("200", 204, False), ("200,204", 204, True), ("200-299", 299, True), ("200-299", 300, False)],
)
def test_matcher(codes: str, status: int, is_match: bool) -> None:
    assert matches(codes, status) is is_match


def test_a_container_keeps_its_platform() -> None:
    arguments = PinnedArguments(platform="linux/arm64", name="app")
    assert arguments.pop("platform", None) is None
    assert arguments.pop("name") == "app"
    assert arguments == {"platform": "linux/arm64"}


def test_another_version_of_the_emulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "EMULATOR_VERSION", "0.0.1")
    with pytest.raises(SystemExit, match=r"ministack: 1\.5\.33; the extensions need 0\.0\.1: run `pip install"):
        emulator.require_version()
