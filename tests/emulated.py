"""The emulator on processes, run for tests: its clients, its services, and load on them."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import EndpointConnectionError  # type: ignore[import-untyped]

DIGEST = "sha256:" + "0" * 64
START_SECONDS = 30
ROLLOUT_SECONDS = 90
GRACE_SECONDS = 6
POLL_SECONDS = 0.1
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


class Emulator:
    """A running emulator, its clients, and one load balancer with two target groups."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.balancing, self.ecs, self.watch = (self._client(service) for service in ("elbv2", "ecs", "cloudwatch"))

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
        """Create a service of two tasks that rolls."""
        attachment = {"targetGroupArn": group, "containerName": "app", "containerPort": 8080}
        self.create(name, attachment, {"strategy": "ROLLING"}, **environment)

    def create(self, name: str, attachment: dict[str, Any], configuration: dict[str, Any], **environment: str) -> None:
        self.ecs.create_service(
            serviceName=name,
            taskDefinition=self.task_definition(**environment),
            desiredCount=2,
            capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
            loadBalancers=[attachment],
            healthCheckGracePeriodSeconds=GRACE_SECONDS,
            deploymentConfiguration=BREAKER | configuration,
            availabilityZoneRebalancing="ENABLED",
        )

    def update(self, name: str, changes: dict[str, Any] | None = None, /, **environment: str) -> None:
        self.ecs.update_service(
            **(changes or {}),
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


@contextmanager
def running() -> Iterator[Emulator]:
    """Run an emulator on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING", "PATH": ""}
    process = subprocess.Popen([sys.executable, "-m", "tests.emulator_on_processes"], env=environment)
    try:
        emulator = Emulator(port)
        wait_until(lambda: answers(emulator), seconds=START_SECONDS)
        yield emulator
    finally:
        process.terminate()
        process.wait()


def answers(emulator: Emulator) -> bool:
    try:
        emulator.ecs.create_cluster(clusterName="default")
    except EndpointConnectionError:
        return False
    return True
