"""The ECS service: cluster, task definition, capacity, and a rollout that goes back when it fails."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.config import ServiceConfig
from infra.image import Image
from infra.load_balancer import (
    APP_PORT,
    HEALTH_INTERVAL_SECONDS,
    HEALTH_TIMEOUT_SECONDS,
    UNHEALTHY_THRESHOLD,
    LoadBalancer,
)
from infra.network import ANYWHERE, Network
from infra.roles import Roles

CONTAINER = "app"
LOG_RETENTION_DAYS = 30
# The Dockerfile's USER; numeric, so that ECS and its security controls need not look into the image.
USER = "10001:10001"
# From the start of a task to its first health check that counts.
HEALTH_GRACE_SECONDS = 60
ROLLOUT_TIMEOUT = "20m"


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


class Service(pulumi.ComponentResource):
    """A Fargate service on one architecture, behind the load balancer's primary target group.

    Attributes:
        cluster_name: Name of the ECS cluster.
        name: Name of the ECS service.
        version: What the service calls itself.
    """

    def __init__(
        self,
        name: str,
        config: ServiceConfig,
        *,
        image: Image,
        network: Network,
        behind: LoadBalancer,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ecs-multiarch:index:Service", name, None, opts)
        self._name = name
        self._config = config
        self._child = pulumi.ResourceOptions(parent=self)
        self.version = config.version or image.tag
        cluster, capacity_providers = self._cluster()
        service = aws.ecs.Service(
            name,
            cluster=cluster.arn,
            task_definition=self._task_definition(image),
            desired_count=config.min_tasks,
            capacity_provider_strategies=capacity_strategy(config),
            # ECS takes a new capacity provider strategy only together with a new deployment.
            force_new_deployment=True,
            platform_version="LATEST",
            network_configuration={
                "subnets": network.private_subnet_ids,
                "security_groups": [self._security_group(network, behind)],
                "assign_public_ip": False,
            },
            load_balancers=[
                {"target_group_arn": behind.primary, "container_name": CONTAINER, "container_port": APP_PORT}
            ],
            health_check_grace_period_seconds=HEALTH_GRACE_SECONDS,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker={"enable": True, "rollback": True},
            availability_zone_rebalancing="ENABLED",
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            opts=pulumi.ResourceOptions(
                parent=self,
                # The target group joins the load balancer with the rule, and ECS refuses one that has not joined.
                depends_on=[behind.rule, capacity_providers],
                ignore_changes=["desiredCount"] if config.is_scaled else [],
                custom_timeouts=pulumi.CustomTimeouts(create=ROLLOUT_TIMEOUT, update=ROLLOUT_TIMEOUT),
            ),
        )
        self.cluster_name = cluster.name
        self.name = service.name
        self.register_outputs({})

    def _cluster(self) -> tuple[aws.ecs.Cluster, aws.ecs.ClusterCapacityProviders]:
        cluster = aws.ecs.Cluster(
            self._name, settings=[{"name": "containerInsights", "value": "enabled"}], opts=self._child
        )
        capacity_providers = aws.ecs.ClusterCapacityProviders(
            self._name,
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            opts=self._child,
        )
        return cluster, capacity_providers

    def _task_definition(self, image: Image) -> pulumi.Output[str]:
        log_group = aws.cloudwatch.LogGroup(self._name, retention_in_days=LOG_RETENTION_DAYS, opts=self._child)
        roles = Roles(self._name, repository_arn=image.repository_arn, log_group_arn=log_group.arn, opts=self._child)
        region = aws.get_region_output(opts=pulumi.InvokeOptions(parent=self)).region
        container = container_definition(image.reference, self.version, log_group.name, region)
        return aws.ecs.TaskDefinition(
            self._name,
            family=f"{self._name}-{pulumi.get_stack()}",
            cpu=str(self._config.cpu_units),
            memory=str(self._config.memory_mib),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform={
                "operating_system_family": "LINUX",
                "cpu_architecture": self._config.architecture.ecs,
            },
            execution_role_arn=roles.execution_role_arn,
            task_role_arn=roles.task_role_arn,
            container_definitions=pulumi.Output.json_dumps([container]),
            # ECS can't go back to a revision that was deregistered.
            skip_destroy=True,
            opts=self._child,
        ).arn

    def _security_group(self, network: Network, behind: LoadBalancer) -> pulumi.Output[str]:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-tasks",
            description="Tasks: the app's port from the load balancer alone",
            vpc_id=network.vpc_id,
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-tasks-from-load-balancer",
            security_group_id=group.id,
            description="The app's port from the load balancer",
            ip_protocol="tcp",
            from_port=APP_PORT,
            to_port=APP_PORT,
            referenced_security_group_id=behind.security_group_id,
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-tasks-out",
            security_group_id=group.id,
            description="Anywhere that the subnet's routes lead",
            ip_protocol="-1",
            cidr_ipv4=ANYWHERE,
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-load-balancer-to-tasks",
            security_group_id=behind.security_group_id,
            description="The app's port to the tasks",
            ip_protocol="tcp",
            from_port=APP_PORT,
            to_port=APP_PORT,
            referenced_security_group_id=group.id,
            opts=self._child,
        )
        return group.id


def capacity_strategy(config: ServiceConfig) -> list[aws.ecs.ServiceCapacityProviderStrategyArgsDict]:
    """Say which capacity providers run the tasks: on demand, or Spot above a floor that is on demand."""
    if not config.uses_spot:
        return [{"capacity_provider": "FARGATE", "weight": 1}]
    spot: aws.ecs.ServiceCapacityProviderStrategyArgsDict = {"capacity_provider": "FARGATE_SPOT", "weight": 1}
    if config.on_demand_base == 0:
        return [spot]
    # ECS never moves Spot tasks to on-demand capacity by itself: the base is what stays when Spot has none.
    return [{"capacity_provider": "FARGATE", "base": config.on_demand_base, "weight": 0}, spot]


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
