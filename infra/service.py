"""An ECS service: what runs, on which capacity, and how a new task definition takes over."""

import pulumi
import pulumi_aws as aws

from infra.alarms import Alarms
from infra.cluster import Cluster
from infra.config import RolloutConfig, ServiceConfig, Strategy
from infra.deployment import explain_failure, steady
from infra.image import Image
from infra.load_balancer import APP_PORT, LoadBalancer
from infra.roles import TrafficRole
from infra.task import CONTAINER, task_definition

# From the start of a task to its first health check that counts.
HEALTH_GRACE_SECONDS = 60
# For tasks to start, drain and stop, and for a rollback; shifts of traffic come on top.
REPLACEMENT_MINUTES = 20


class Service(pulumi.ComponentResource):
    """A Fargate service on one architecture.

    Attributes:
        name: Name of the ECS service.
        target_group_arn: ARN of its target group; known once its tasks there are steady.
        arch: The architecture that it runs on; known once it does.
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
        service = aws.ecs.Service(
            name,
            cluster=cluster.arn,
            task_definition=task_definition(name, config, cluster=cluster, image=image, opts=self._child),
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
        self.name = service.name
        settled = self._settled(service)
        self.arch = settled.apply(lambda _: config.architecture.label)
        self.target_group_arn = pulumi.Output.all(target_group_arn, settled).apply(lambda both: str(both[0]))
        self.register_outputs({})

    def _settled(self, service: aws.ecs.Service) -> pulumi.Output[object]:
        """Wait for the steady state, in an `up` that changes nothing too; a preview does not wait."""
        if pulumi.runtime.is_dry_run():
            return service.id
        return pulumi.Output.all(service.cluster, service.name, service.task_definition).apply(
            lambda known: steady(
                cluster=known[0],
                service=known[1],
                task_definition=known[2],
                timeout_minutes=timeout_minutes(self._config.rollout),
            )
        )

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
