"""The emulator's extensions, on processes in place of containers: no Docker is needed."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from local import emulator
from local.emulation.probe import matches
from local.emulation.service_settings import PinnedArguments
from tests.emulated import Emulator, Load, primary, running, wait_until

REQUESTS_AT_ONCE = 12


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


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
    assert abs(seen["1"] / seen.total() - 0.25) < 0.02


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


def test_a_rollout_in_place_of_an_unfinished_one_drops_no_request(aws: Emulator) -> None:
    aws.serve("superseded", aws.balance("superseded")[0], VERSION="1")
    aws.rolled_out("superseded")
    with Load(aws, "superseded") as load:
        aws.update("superseded", VERSION="2", HEALTHY_AFTER="1000")
        wait_until(lambda: primary(aws.service("superseded"))["runningCount"] == 2)
        aws.update("superseded", VERSION="3", HEALTHY_AFTER="1")
        service = aws.rolled_out("superseded")
    assert load.failures == 0
    assert [one["rolloutState"] for one in service["deployments"]] == ["COMPLETED"]
    assert aws.get("superseded") == (200, "3")


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


def test_a_target_whose_address_swallows_everything_fails_no_request(aws: Emulator) -> None:
    group = aws.balance("swallowed")[0]
    with standing("127.0.67.1") as stays, standing("127.0.67.2") as goes:
        for server in (stays, goes):
            host, port = server.server_address[:2]
            aws.balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": host, "Port": port}])
        wait_until(lambda: aws.states(group) == {"healthy": 2})
        goes.shutdown()
        with swallowing(goes.socket):
            assert [aws.get("swallowed") for _ in range(8)] == [(200, "1")] * 8
            wait_until(lambda: aws.states(group)["unhealthy"] == 1)


@contextmanager
def standing(host: str) -> Iterator[HTTPServer]:
    """A target that is healthy and answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"version": "1"}')

    with HTTPServer((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def swallowing(listener: socket.socket) -> Iterator[None]:
    """Let every further attempt to connect go unanswered, as the address of a container does that has gone."""
    listener.listen(0)  # With its queue full, a listener drops what comes.
    with ExitStack() as stack:
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield


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
