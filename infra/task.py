"""The task: one container, what it is told, and how it stops."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.cluster import Cluster
from infra.config import ServiceConfig
from infra.image import Image
from infra.load_balancer import APP_PORT, HEALTH_INTERVAL_SECONDS, HEALTH_TIMEOUT_SECONDS, UNHEALTHY_THRESHOLD

CONTAINER = "app"
# The Dockerfile's USER; numeric, so that ECS and its security controls need not look into the image.
USER = "10001:10001"


@dataclass(frozen=True)
class StopBudget:
    """How the time between SIGTERM and SIGKILL is spent.

    Attributes:
        drain: Seconds until the load balancer has surely seen the red health check.
        quiet: Seconds without a request, health checks included, that tell that it has let go before.
        finish: Seconds for requests in flight; the load balancer's idle time-out ends them anyway.
        total: `stopTimeout`, at most 120 s on Fargate, which is also the warning that Spot gives.
    """

    drain: int = HEALTH_INTERVAL_SECONDS * UNHEALTHY_THRESHOLD + HEALTH_TIMEOUT_SECONDS
    quiet: int = HEALTH_INTERVAL_SECONDS + HEALTH_TIMEOUT_SECONDS
    finish: int = 60
    total: int = 120


STOP = StopBudget()


def task_definition(
    name: str, config: ServiceConfig, *, cluster: Cluster, image: Image, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """Register a revision for one architecture, and return its ARN.

    The image's reference is the same for every architecture: ECS takes the right manifest out of the index.
    """
    region = aws.get_region_output(opts=pulumi.InvokeOptions(parent=opts.parent)).region
    version = config.version or image.tag
    container = container_definition(image.reference, version, cluster.log_group_name, region)
    return aws.ecs.TaskDefinition(
        name,
        family=f"{name}-{pulumi.get_stack()}",
        cpu=str(config.cpu_units),
        memory=str(config.memory_mib),
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform={
            "operating_system_family": "LINUX",
            "cpu_architecture": config.architecture.ecs,
        },
        execution_role_arn=cluster.roles.execution_role_arn,
        task_role_arn=cluster.roles.task_role_arn,
        container_definitions=pulumi.Output.json_dumps([container]),
        # ECS can't go back to a revision that was deregistered.
        skip_destroy=True,
        opts=opts,
    ).arn


def container_definition(
    reference: pulumi.Input[str], version: str, log_group: pulumi.Input[str], region: pulumi.Input[str]
) -> dict[str, object]:
    """Describe the one container of the task, as RegisterTaskDefinition takes it."""
    environment = {
        "DRAIN_SECONDS": str(STOP.drain),
        "PORT": str(APP_PORT),
        "QUIET_SECONDS": str(STOP.quiet),
        "STOP_SECONDS": str(STOP.finish),
        "VERSION": version,
    }
    return {
        "name": CONTAINER,
        "image": reference,
        "essential": True,
        "user": USER,
        "readonlyRootFilesystem": True,
        "stopTimeout": STOP.total,
        "portMappings": [{"containerPort": APP_PORT, "protocol": "tcp"}],
        "environment": [{"name": key, "value": value} for key, value in environment.items()],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": CONTAINER,
            },
        },
    }
