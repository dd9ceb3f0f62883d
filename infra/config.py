"""The stack's config: read once, checked as a whole before the first resource, then frozen.

`Pulumi.yaml` lists the keys with their descriptions and defaults; this module gives each its type and its limits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import pulumi
import pulumi.runtime.config

from infra.architecture import Architecture
from infra.config_reader import ConfigReader
from infra.task_size import MEMORY_MIB_BY_CPU_UNITS, memory_choices

# Tasks per service: https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
MAX_TASKS = 5000
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html and its members
MAX_BAKE_MINUTES = 1440
CANARY_PERCENT = (0.1, 100)
STEP_PERCENT = (3, 100)

CERTIFICATE_ARN = r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+"
HOST = r"[A-Za-z0-9.-]+(:\d{1,5})?"
IMAGE_REFERENCE = r"[A-Za-z0-9._-]+(:\d{1,5})?(/[a-z0-9._-]+)*(:[A-Za-z0-9._-]{1,128})?(@sha256:[0-9a-f]{64})?"
VERSION = r"[A-Za-z0-9._+-]{1,128}"


class Nat(Enum):
    """How tasks in private subnets reach the outside."""

    NONE = "none"
    SINGLE = "single"
    ONE_PER_AZ = "one-per-az"


class Strategy(Enum):
    """ECS's own deployment strategies."""

    ROLLING = "rolling"
    CANARY = "canary"
    LINEAR = "linear"
    BLUE_GREEN = "blue-green"


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The VPC's share of the config."""

    nat: Nat


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """The image's share.

    Attributes:
        architectures: Those it is built for, in the order of `Architecture`, without repetition.
        registry: Host of the registry in place of ECR's own; empty for ECR's own.
        base_image: Reference that replaces the Dockerfile's base; empty for the Dockerfile's own.
    """

    architectures: tuple[Architecture, ...]
    registry: str
    base_image: str


@dataclass(frozen=True, kw_only=True)
class FrontConfig:
    """The load balancer's share; without a certificate it serves plain HTTP."""

    certificate_arn: str


@dataclass(frozen=True, kw_only=True)
class RolloutConfig:
    """How ECS moves traffic to a new task definition.

    Attributes:
        strategy: ECS's strategy.
        canary_percent: Traffic for the first step of `canary`.
        step_percent: Traffic that each step of `linear` adds.
        bake_minutes: Wait after each shift, before the old tasks go.
    """

    strategy: Strategy
    canary_percent: float
    step_percent: float
    bake_minutes: int

    @property
    def shifts(self) -> int:
        """How often ECS moves traffic and then waits `bake_minutes`; 0 where it replaces task by task."""
        match self.strategy:
            case Strategy.ROLLING:
                return 0
            case Strategy.CANARY:
                return 2
            case Strategy.LINEAR:
                return math.ceil(100 / self.step_percent)
            case Strategy.BLUE_GREEN:
                return 1


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """The ECS service's share.

    Attributes:
        architecture: What the tasks run on.
        cpu_units: CPU of a task; 1024 units are one vCPU.
        memory_mib: Memory of a task in MiB.
        min_tasks: How many tasks run, or at least run where scaling owns their number.
        max_tasks: Above `min_tasks`, scaling owns the number.
        uses_spot: Whether all tasks but `on_demand_base` run on Fargate Spot.
        on_demand_base: Tasks that stay on demand.
        rollout: How a new task definition takes over.
        version: What the service calls itself; empty for the image's tag.
    """

    architecture: Architecture
    cpu_units: int
    memory_mib: int
    min_tasks: int
    max_tasks: int
    uses_spot: bool
    on_demand_base: int
    rollout: RolloutConfig
    version: str

    @property
    def is_scaled(self) -> bool:
        """Whether scaling owns the number of tasks."""
        return self.max_tasks > self.min_tasks

    def share(self, percent: int, architecture: Architecture) -> "ServiceConfig":
        """Take the part that serves `percent` of the traffic, on an architecture: at least one task."""

        def part(tasks: int) -> int:
            return max(1, math.ceil(tasks * percent / 100))

        return replace(
            self,
            architecture=architecture,
            min_tasks=part(self.min_tasks),
            max_tasks=part(self.max_tasks),
            on_demand_base=math.ceil(self.on_demand_base * percent / 100),
        )


@dataclass(frozen=True, kw_only=True)
class Config:
    """A stack's whole config, a slice for each component."""

    network: NetworkConfig
    image: ImageConfig
    front: FrontConfig
    service: ServiceConfig
    split: int

    @property
    def main(self) -> ServiceConfig:
        """What runs on `arch`: all of it, or the part that `split` leaves."""
        return self.service.share(100 - self.split, self.service.architecture)

    @property
    def other(self) -> ServiceConfig:
        """What runs on the other architecture where `split` is above 0."""
        return self.service.share(self.split, self.service.architecture.other)

    @classmethod
    def load(cls) -> "Config":
        """Read the running stack's config.

        Raises:
            ConfigError: A key or a value is wrong.
        """
        prefix = f"{pulumi.get_project()}:"
        values = pulumi.runtime.config.CONFIG.get()
        return cls.parse({key.removeprefix(prefix): str(v) for key, v in values.items() if key.startswith(prefix)})

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> "Config":
        """Check `values`, key by key and then together.

        Args:
            values: Every key of `Pulumi.yaml`, by its name without the project's.

        Raises:
            ConfigError: A key or a value is wrong.
        """
        read = ConfigReader(values)
        config = cls(
            network=NetworkConfig(nat=read.choice("nat", Nat)),
            image=_read_image(read),
            front=FrontConfig(
                certificate_arn=read.text(
                    "certificateArn",
                    CERTIFICATE_ARN,
                    allowed="an ACM certificate's ARN",
                    example="arn:aws:acm:REGION:ACCOUNT:certificate/ID",
                )
            ),
            service=_read_service(read),
            split=read.integer("split", at_least=0, at_most=99, example=0),
        )
        read.refuse_rest()
        _check_together(config, read)
        return config


def _read_image(read: ConfigReader) -> ImageConfig:
    return ImageConfig(
        architectures=read.architectures("platforms"),
        registry=read.text("registry", HOST, allowed="a host with an optional port", example="registry.example.com"),
        base_image=read.text(
            "baseImage",
            IMAGE_REFERENCE,
            allowed="an image reference",
            example="mirror.example.com/python:3.13-slim",
        ),
    )


def _read_service(read: ConfigReader) -> ServiceConfig:
    return ServiceConfig(
        architecture=read.architecture("arch"),
        cpu_units=read.take("cpu", _cpu_units, allowed=", ".join(map(str, MEMORY_MIB_BY_CPU_UNITS)), example="256"),
        memory_mib=read.integer("memory", at_least=512, at_most=122880, example=512),
        min_tasks=read.integer("minTasks", at_least=1, at_most=MAX_TASKS, example=2),
        max_tasks=read.integer("maxTasks", at_least=1, at_most=MAX_TASKS, example=2),
        uses_spot=read.boolean("spot"),
        on_demand_base=read.integer("onDemandBase", at_least=0, at_most=MAX_TASKS, example=1),
        rollout=_read_rollout(read),
        version=read.text("version", VERSION, allowed="letters, digits and . _ + -", example="1.4.2"),
    )


def _read_rollout(read: ConfigReader) -> RolloutConfig:
    return RolloutConfig(
        strategy=read.choice("rollout", Strategy),
        canary_percent=read.decimal("canaryPercent", at_least=CANARY_PERCENT[0], at_most=CANARY_PERCENT[1], example=5),
        step_percent=read.decimal("stepPercent", at_least=STEP_PERCENT[0], at_most=STEP_PERCENT[1], example=10),
        bake_minutes=read.integer("bakeMinutes", at_least=0, at_most=MAX_BAKE_MINUTES, example=10),
    )


def _cpu_units(text: str) -> int:
    if int(text) not in MEMORY_MIB_BY_CPU_UNITS:
        raise ValueError(text)
    return int(text)


def _check_together(config: Config, read: ConfigReader) -> None:
    service, image = config.service, config.image
    cpu, memory = service.cpu_units, MEMORY_MIB_BY_CPU_UNITS[service.cpu_units]
    if service.memory_mib not in memory:
        raise read.error(
            "memory", f"does not fit cpu {cpu}", allowed=f"{memory_choices(cpu)} MiB", example=str(memory[0])
        )
    if service.max_tasks < service.min_tasks:
        raise read.error(
            "maxTasks",
            f"is below minTasks {service.min_tasks}",
            allowed=f"{service.min_tasks} to {MAX_TASKS}",
            example=str(service.min_tasks),
        )
    if service.architecture not in image.architectures:
        raise read.error(
            "platforms",
            f"leaves out arch {service.architecture.label}",
            allowed=f"a list with {service.architecture.label} in it",
            example="amd64,arm64",
        )
    if config.split > 0 and service.rollout.strategy is not Strategy.ROLLING:
        raise read.error(
            "split",
            f"needs rollout rolling, because ECS owns the traffic's weights under {service.rollout.strategy.value}",
            allowed="0",
            example="0",
        )
    if config.split > 0 and service.architecture.other not in image.architectures:
        raise read.error(
            "platforms",
            f"leaves out {service.architecture.other.label}, which split sends traffic to",
            allowed="amd64,arm64",
            example="amd64,arm64",
        )
