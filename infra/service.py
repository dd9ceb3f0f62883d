"""An ECS service: task definition, capacity, and a rollout that goes back when it fails."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.alarms import Alarms
from infra.cluster import Cluster
from infra.config import RolloutConfig, ServiceConfig, Strategy
from infra.image import Image
from infra.load_balancer import (
    APP_PORT,
    HEALTH_INTERVAL_SECONDS,
    HEALTH_TIMEOUT_SECONDS,
    UNHEALTHY_THRESHOLD,
    LoadBalancer,
)
from infra.post_mortem import explain_failure
from infra.roles import TrafficRole

CONTAINER = "app"
# The Dockerfile's USER; numeric, so that ECS and its security controls need not look into the image.
USER = "10001:10001"
# From the start of a task to its first health check that counts.
HEALTH_GRACE_SECONDS = 60
# For tasks to start, drain and stop, and for a rollback; shifts of traffic come on top.
REPLACEMENT_MINUTES = 20


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
    """A Fargate service on one architecture.

    Attributes:
        name: Name of the ECS service.
        resource: The ECS service, for what must wait until it is steady.
        arch: The architecture that it runs on; known only once it does.
    """

    def __init__(
        self,
        name: str,
        config: ServiceConfig,
        *,
        cluster: Cluster,
        image: Image,
        behind: LoadBalancer,
        target_group_arn: pulumi.Input[str],
        rollback_on: Alarms,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ecs-multiarch:index:Service", name, None, opts)
        self._name = name
        self._config = config
        self._child = pulumi.ResourceOptions(parent=self)
        timeout = f"{timeout_minutes(config.rollout)}m"
        self.resource = aws.ecs.Service(
            name,
            cluster=cluster.arn,
            task_definition=self._task_definition(cluster, image),
            desired_count=config.min_tasks,
            capacity_provider_strategies=capacity_strategy(config),
            # ECS takes a new capacity provider strategy only together with a new deployment.
            force_new_deployment=True,
            platform_version="LATEST",
            network_configuration={
                "subnets": cluster.subnet_ids,
                "security_groups": [cluster.security_group_id],
                "assign_public_ip": False,
            },
            load_balancers=[self._attachment(behind, target_group_arn)],
            health_check_grace_period_seconds=HEALTH_GRACE_SECONDS,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_configuration=deployment_configuration(config.rollout),
            deployment_circuit_breaker={"enable": True, "rollback": True},
            alarms={"alarm_names": rollback_on.names, "enable": True, "rollback": True},
            availability_zone_rebalancing="ENABLED",
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            opts=pulumi.ResourceOptions(
                parent=self,
                # A target group joins the load balancer with the rule, and ECS refuses one that has not joined.
                depends_on=[behind.production_rule, cluster.capacity_providers],
                ignore_changes=["desiredCount"] if config.is_scaled else [],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
                hooks=pulumi.ResourceHookBinding(on_error=[explain_failure(f"{name}-post-mortem")]),
            ),
        )
        self.name = self.resource.name
        self.arch = self.resource.id.apply(lambda _: config.architecture.label)
        self.register_outputs({})

    def _task_definition(self, cluster: Cluster, image: Image) -> pulumi.Output[str]:
        region = aws.get_region_output(opts=pulumi.InvokeOptions(parent=self)).region
        version = self._config.version or image.tag
        container = container_definition(image.reference, version, cluster.log_group_name, region)
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
            execution_role_arn=cluster.roles.execution_role_arn,
            task_role_arn=cluster.roles.task_role_arn,
            container_definitions=pulumi.Output.json_dumps([container]),
            # ECS can't go back to a revision that was deregistered.
            skip_destroy=True,
            opts=self._child,
        ).arn

    def _attachment(
        self, behind: LoadBalancer, target_group_arn: pulumi.Input[str]
    ) -> aws.ecs.ServiceLoadBalancerArgsDict:
        attachment: aws.ecs.ServiceLoadBalancerArgsDict = {
            "target_group_arn": target_group_arn,
            "container_name": CONTAINER,
            "container_port": APP_PORT,
        }
        if self._config.rollout.strategy is Strategy.ROLLING:
            return attachment
        # Under the shifting strategies ECS itself tells the two groups' roles apart, by the rule's weights.
        attachment["target_group_arn"] = behind.primary.arn
        attachment["advanced_configuration"] = {
            "alternate_target_group_arn": behind.alternate.arn,
            "production_listener_rule": behind.production_rule.arn,
            "role_arn": TrafficRole(self._name, front=behind, opts=self._child).arn,
        }
        return attachment


def deployment_configuration(rollout: RolloutConfig) -> aws.ecs.ServiceDeploymentConfigurationArgsDict:
    """Say how ECS moves traffic to new tasks. The provider wants minutes as text.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
    """
    bake = str(rollout.bake_minutes)
    match rollout.strategy:
        case Strategy.ROLLING:
            return {"strategy": "ROLLING"}
        case Strategy.BLUE_GREEN:
            return {"strategy": "BLUE_GREEN", "bake_time_in_minutes": bake}
        case Strategy.CANARY:
            return {
                "strategy": "CANARY",
                "bake_time_in_minutes": bake,
                "canary_configuration": {
                    "canary_percent": rollout.canary_percent,
                    "canary_bake_time_in_minutes": bake,
                },
            }
        case Strategy.LINEAR:
            return {
                "strategy": "LINEAR",
                "bake_time_in_minutes": bake,
                "linear_configuration": {
                    "step_percent": rollout.step_percent,
                    "step_bake_time_in_minutes": bake,
                },
            }


def timeout_minutes(rollout: RolloutConfig) -> int:
    """How long a rollout may take until it counts as stuck: replacing the tasks, and a wait after each shift."""
    return REPLACEMENT_MINUTES + rollout.shifts * rollout.bake_minutes


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
