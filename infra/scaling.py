"""Scaling: how many tasks run, where the config leaves that open."""

import pulumi
import pulumi_aws as aws

from infra.cluster import Cluster
from infra.config import ServiceConfig
from infra.service import Service

CPU_TARGET_PERCENT = 60.0
SCALE_OUT_COOLDOWN_SECONDS = 60
SCALE_IN_COOLDOWN_SECONDS = 300


class Scaling(pulumi.ComponentResource):
    """Keeps the tasks' mean CPU use near its target, between `min_tasks` and `max_tasks`.

    Makes no resource where the two are equal.
    """

    def __init__(
        self,
        name: str,
        config: ServiceConfig,
        *,
        cluster: Cluster,
        of: Service,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ecs-multiarch:index:Scaling", name, None, opts)
        if config.is_scaled:
            self._add_target(name, config, cluster, of)
        self.register_outputs({})

    def _add_target(self, name: str, config: ServiceConfig, cluster: Cluster, service: Service) -> None:
        child = pulumi.ResourceOptions(parent=self)
        target = aws.appautoscaling.Target(
            name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.format("service/{0}/{1}", cluster.name, service.name),
            min_capacity=config.min_tasks,
            max_capacity=config.max_tasks,
            opts=child,
        )
        aws.appautoscaling.Policy(
            f"{name}-cpu",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration={
                "predefined_metric_specification": {
                    "predefined_metric_type": "ECSServiceAverageCPUUtilization",
                },
                "target_value": CPU_TARGET_PERCENT,
                "scale_out_cooldown": SCALE_OUT_COOLDOWN_SECONDS,
                "scale_in_cooldown": SCALE_IN_COOLDOWN_SECONDS,
            },
            opts=child,
        )
