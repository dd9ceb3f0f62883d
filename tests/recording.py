"""A recording of what a program asks Pulumi to create, made with Pulumi's mocks."""

import asyncio
import atexit
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
import pulumi.runtime.config
import yaml
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor

ROOT = Path(__file__).parent.parent
PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
DEFAULTS: dict[str, str] = {key: entry["default"] for key, entry in PROJECT["config"].items() if ":" not in key}

ACCOUNT = "123456789012"
# The mocks take the thread's event loop, and any `asyncio.run` leaves the thread without one. Theirs stays open until
# the end, because its threads have loops of their own, which nobody closes.
LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)

DIGEST = f"sha256:{'d' * 64}"


@dataclass(frozen=True)
class Recorded:
    """One resource: its type, name and inputs as they go to the provider, in camelCase."""

    type: str
    name: str
    inputs: dict[str, Any]


@dataclass
class Recording(pulumi.runtime.Mocks):
    """Answers as AWS would, and keeps every resource."""

    digest: str = DIGEST
    resources: list[Recorded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.monitor = MockMonitor(self)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources.append(Recorded(args.typ, args.name, args.inputs))
        if args.typ.startswith("awsx:"):
            return "", self._component_outputs(args.typ)
        computed = {"arn": f"arn:{args.name}", "name": args.name}
        match args.typ:
            case "docker-build:index:Image":
                computed |= {"digest": self.digest}
            case "aws:lb/loadBalancer:LoadBalancer":
                computed |= {"dnsName": "web.elb.example"}
        return f"{args.name}-id", computed | args.inputs

    def _component_outputs(self, type_: str) -> dict[str, Any]:
        if type_ == "awsx:ec2:Vpc":
            return {
                "vpcId": "vpc-1",
                "publicSubnetIds": ["public-1", "public-2"],
                "privateSubnetIds": ["private-1", "private-2"],
                "routeTables": [],
            }
        repository = self.monitor.ResourceRegistration(
            "urn:pulumi:test::ecs-multiarch::aws:ecr/repository:Repository::web", "web-1", {"arn": "arn:web"}
        )
        self.monitor.resources[repository.urn] = repository
        reference = {rpc._special_sig_key: rpc._special_resource_sig, "urn": repository.urn, "id": repository.id}
        return {"url": f"{ACCOUNT}.ecr.example/web-1", "repository": reference}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getRegion:getRegion": {"region": "eu-west-1"},
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
            "aws:index/getPartition:getPartition": {"partition": "aws"},
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "token"},
        }
        return answers[args.token], []

    def of(self, type_: str) -> list[Recorded]:
        """All resources of a type by name; the order of their registration is the scheduler's."""
        return sorted((one for one in self.resources if one.type == type_), key=lambda one: one.name)

    def one(self, type_: str) -> dict[str, Any]:
        """The inputs of the only resource of a type."""
        [resource] = self.of(type_)
        return resource.inputs


def record(
    program: Callable[[], Any], config: dict[str, str] | None = None, preview: bool = False, digest: str = DIGEST
) -> Recording:
    """Run `program` with the defaults of Pulumi.yaml and `config` over them."""
    recording = Recording(digest=digest)
    asyncio.set_event_loop(LOOP)
    pulumi.runtime.set_mocks(
        recording, project=PROJECT["name"], stack="test", preview=preview, monitor=recording.monitor
    )
    values = {f"{PROJECT['name']}:{key}": value for key, value in (DEFAULTS | (config or {})).items()}
    pulumi.runtime.config.set_all_config(values)
    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]
    return recording
