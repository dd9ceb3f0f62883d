"""Gradual rollouts under load on the local target: nothing dropped, and the truth after a failure."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3  # type: ignore[import-untyped]
import pytest

from local.daemons import ENDPOINT
from local.load import Load, Report, run, share
from local.repository import Repository
from tests.pulumi_stack import PulumiStack, kill

pytestmark = pytest.mark.local

RATE = 60
SHARE_REQUESTS = 2000
SHARE_TOLERANCE = 3.0
SERVICE = "aws:ecs/service:Service"
CUT_OFF = re.compile(r"502 .*(Remote end closed connection|Connection reset by peer|Broken pipe)")
SHIFTING = ("canary", "linear", "blue-green")

# Ways to break the service, as text of app/main.py and what takes its place.
READY = 'return JSONResponse({"status": "ok"})'
BROKEN = {
    "exits at start": ('if __name__ == "__main__":', 'if __name__ == "__main__":\n    sys.exit("broken on purpose")'),
    "never gets healthy": (READY, 'return JSONResponse({"status": "broken on purpose"}, status_code=500)'),
    "dies after it became healthy": (READY, f"asyncio.get_running_loop().call_later(5, os._exit, 3)\n        {READY}"),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulumiStack]:
    stack = PulumiStack.create(tmp_path_factory.mktemp("project"))
    stack.up(arch="amd64")
    yield stack
    stack.try_run("pulumi", "cancel", "--yes")
    stack.try_run("pulumi", "destroy", "--yes", "--skip-preview")


@contextmanager
def nothing_dropped(stack: PulumiStack) -> Iterator[Load]:
    """Keep load on the service, and demand that every request was answered well."""
    with Load(stack.outputs()["url"], rate=RATE) as load:
        yield load
    assert_nothing_dropped(load.report)


def assert_nothing_dropped(report: Report) -> None:
    assert report.total > RATE, "there was load"
    assert report.failed == 0, report.examples


def assert_settled(stack: PulumiStack) -> None:
    stack.run("pulumi", "preview", "--expect-no-changes", "--refresh")


def aws(service: str) -> Any:
    """A client of the local target."""
    return boto3.client(
        service, endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def service(stack: PulumiStack) -> dict[str, Any]:
    """The main service as ECS describes it."""
    outputs = stack.outputs()
    listed = aws("ecs").describe_services(cluster=outputs["cluster"], services=[outputs["service"]])
    [described] = listed["services"]
    found: dict[str, Any] = described
    return found


def healthy(described: dict[str, Any]) -> int:
    """How many targets of a service its load balancer sends traffic to."""
    [block] = described["loadBalancers"]
    targets = aws("elbv2").describe_target_health(TargetGroupArn=block["targetGroupArn"])["TargetHealthDescriptions"]
    return [target["TargetHealth"]["State"] for target in targets].count("healthy")


def tasks(stack: PulumiStack) -> list[str]:
    """Ids of this stack's containers; another stack may run the same image."""
    return list(stack.containers())


def test_a_switch_there_and_back_drops_nothing(stack: PulumiStack) -> None:
    with nothing_dropped(stack) as load:
        stack.up(arch="arm64")
        stack.up(arch="amd64")
    assert set(load.report.by_arch) == {"amd64", "arm64"}
    assert_settled(stack)


def test_a_split_shares_traffic_and_every_move_of_it_drops_nothing(stack: PulumiStack) -> None:
    image = stack.outputs()["image"]
    for percent in (25, 60):
        with nothing_dropped(stack):
            stack.up(split=str(percent))
        report = run(stack.outputs()["url"], rate=150, count=SHARE_REQUESTS)
        assert_nothing_dropped(report)
        assert abs(share(report, "arm64") - percent) <= SHARE_TOLERANCE
        assert set(stack.running_images()) == {image}
        assert_settled(stack)
    with nothing_dropped(stack):
        stack.up(split="0")
    assert stack.answer()["arch"] == "amd64"
    assert_settled(stack)


def test_a_move_that_is_finished_in_one_up_drops_nothing(stack: PulumiStack) -> None:
    stack.up(split="50")
    with nothing_dropped(stack):
        stack.up(split="0", arch="arm64")
    assert {stack.answer()["arch"] for _ in range(10)} == {"arm64"}
    assert_settled(stack)
    stack.up(arch="amd64")


def test_spot_comes_and_goes_in_place(stack: PulumiStack) -> None:
    name = stack.outputs()["service"]
    with nothing_dropped(stack):
        stack.up(spot="true")
        on_demand, spot = service(stack)["capacityProviderStrategy"]
        assert (on_demand["capacityProvider"], on_demand["base"], on_demand["weight"]) == ("FARGATE", 1, 0)
        assert (spot["capacityProvider"], spot["weight"]) == ("FARGATE_SPOT", 1)
        stack.up(spot="false")
    assert [item["capacityProvider"] for item in service(stack)["capacityProviderStrategy"]] == ["FARGATE"]
    assert stack.outputs()["service"] == name
    assert_settled(stack)


def test_tasks_that_get_sigterm_one_after_another_drop_nothing(stack: PulumiStack) -> None:
    with nothing_dropped(stack):
        for task in tasks(stack):
            stack.run("docker", "kill", "--signal", "TERM", task)
            wait_until_whole(stack, without=task)


def test_after_sigkill_the_service_is_whole_again_by_itself(stack: PulumiStack) -> None:
    killed = tasks(stack)
    stack.run("docker", "kill", *killed)
    for task in killed:
        wait_until_whole(stack, without=task)
    assert stack.answer()["arch"] == "amd64"
    with nothing_dropped(stack):
        stack.up(arch="arm64")


def wait_until_whole(stack: PulumiStack, *, without: str) -> None:
    """Wait until the wanted number of tasks serves, and the one that was ended is not among them."""
    deadline = time.monotonic() + 90
    while True:
        described, running = service(stack), tasks(stack)
        wanted = described["desiredCount"]
        if without not in running and {len(running), described["runningCount"], healthy(described)} == {wanted}:
            return
        assert time.monotonic() < deadline, f"{len(running)} tasks run"
        time.sleep(1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: str(number.name))
def test_an_up_that_is_interrupted_drops_nothing_and_can_be_repeated(
    stack: PulumiStack, number: signal.Signals
) -> None:
    wanted = "arm64" if stack.outputs()["arch"] == "amd64" else "amd64"
    with nothing_dropped(stack):
        stack.configure({"arch": wanted})
        process = stack.start("pulumi", "up", "--yes", "--skip-preview")
        wait_for(process, "aws:ecs:Service web updating")
        kill(process, number)
        process.communicate(timeout=60)
        stack.try_run("pulumi", "cancel", "--yes")
        stack.up()
    assert stack.answer()["arch"] == stack.outputs()["arch"] == wanted
    assert_settled(stack)


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read a command's output until a text appears in it."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it ended without: {text}")


@pytest.fixture
def app(stack: PulumiStack) -> Iterator[Path]:
    """The app's code, whole again after the test, whatever becomes of it."""
    main = stack.directory / "app" / "main.py"
    whole = main.read_text()
    yield main
    main.write_text(whole)


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_app_fails_the_up_and_the_old_side_serves_on(stack: PulumiStack, app: Path, how: str) -> None:
    whole, before = app.read_text(), stack.outputs()
    assert whole.count(BROKEN[how][0]) == 1
    app.write_text(whole.replace(*BROKEN[how]))
    with Load(before["url"], rate=RATE) as load:
        done = stack.try_run("pulumi", "up", "--yes", "--skip-preview")
    assert done.code != 0
    assert re.search(r"task \S+ \(web-local:\d+\) stopped: ", done.output)
    if how == "exits at start":
        assert "    broken on purpose" in done.output, "the last lines of its log"
    if how.startswith("dies"):
        assert_only_held_requests_dropped(load.report)
    else:
        assert_nothing_dropped(load.report)
    assert stack.outputs() == before
    assert set(stack.running_images()) == {before["image"]}
    app.write_text(whole)
    stack.up()
    assert_settled(stack)


def assert_only_held_requests_dropped(report: Report) -> None:
    """A task that dies takes with it the requests that it held: connected, and cut off. No other one fails."""
    assert all(CUT_OFF.search(failure.what) for failure in report.examples), report.examples
    assert report.failed == len(report.examples), report.by_status


def test_an_image_whose_platform_is_missing_fails_the_up(stack: PulumiStack, app: Path) -> None:
    whole = app.read_text()
    app.write_text(whole + "# An image that arm64 has never run.\n")
    stack.up(arch="amd64")
    before = stack.outputs()
    remove_manifest(before["image"], "arm64")
    stack.configure({"arch": "arm64"})
    with nothing_dropped(stack):
        done = stack.try_run("pulumi", "up", "--yes", "--skip-preview")
    assert done.code != 0
    assert stack.outputs() == before
    assert stack.answer()["arch"] == "amd64"
    app.write_text(whole)
    stack.up()
    assert stack.answer()["arch"] == "arm64"
    assert_settled(stack)


def remove_manifest(image: str, architecture: str) -> None:
    """Delete one platform's manifest from under an image index."""
    repository, digest = Repository.of(image), image.partition("@")[2]
    entries = repository.manifest(digest)["manifests"]
    [child] = [entry["digest"] for entry in entries if entry["platform"]["architecture"] == architecture]
    host, _, name = repository.name.partition("/")
    with urlopen(Request(f"http://{host}/v2/{name}/manifests/{child}", method="DELETE"), timeout=10) as response:
        assert response.status == 202


@pytest.mark.parametrize("rollout", SHIFTING)
def test_a_shifting_rollout_switches_and_drops_nothing(stack: PulumiStack, rollout: str) -> None:
    wanted = "arm64" if stack.outputs()["arch"] == "amd64" else "amd64"
    with nothing_dropped(stack):
        stack.up(rollout=rollout, bakeMinutes="0", canaryPercent="20", stepPercent="50")
        stack.up(arch=wanted)
    assert stack.answer()["arch"] == wanted
    assert service(stack)["deploymentConfiguration"]["strategy"] == rollout.upper().replace("-", "_")
    assert_settled(stack)


def test_a_shifting_rollout_that_is_turned_off_leaves_nothing_behind(stack: PulumiStack) -> None:
    with nothing_dropped(stack):
        stack.up(rollout="rolling")
    assert_settled(stack)
    described = service(stack)
    assert described["deploymentConfiguration"]["strategy"] == "ROLLING"
    assert "advancedConfiguration" not in described["loadBalancers"][0]


@pytest.mark.parametrize("rollout", SHIFTING)
def test_a_service_can_begin_with_a_shifting_rollout(stack: PulumiStack, rollout: str) -> None:
    [urn] = [resource["urn"] for resource in stack.resources() if resource["type"] == SERVICE]
    stack.run("pulumi", "destroy", "--yes", "--skip-preview", "--target", urn)
    stack.up(rollout=rollout)
    assert stack.answer()["arch"] == stack.outputs()["arch"]
    assert_settled(stack)
