"""The alarms that make ECS go back while a deployment is under way."""

import pulumi
import pulumi_aws as aws

from infra.load_balancer import LoadBalancer

NAMESPACE = "AWS/ApplicationELB"
PERIOD_SECONDS = 60
SERVER_ERRORS_PER_PERIOD = 10
LATENCY_SECONDS = 2.0
# Two periods in three: one bad minute of a new task that warms up does not end a rollout.
PERIODS = 3
BAD_PERIODS = 2


class Alarms(pulumi.ComponentResource):
    """Alarms on what users of the service would notice.

    Attributes:
        names: Names of the alarms, for the service's `alarms`.
    """

    def __init__(self, name: str, *, watching: LoadBalancer, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-multiarch:index:Alarms", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        front = {"LoadBalancer": watching.arn_suffix}
        server_errors = self._alarm(
            f"{name}-server-errors",
            description="Tasks answer with 5xx",
            metric="HTTPCode_Target_5XX_Count",
            dimensions=front,
            statistic="Sum",
            threshold=SERVER_ERRORS_PER_PERIOD,
        )
        latency = self._alarm(
            f"{name}-latency",
            description="Tasks answer slowly: the slowest percent of requests",
            metric="TargetResponseTime",
            dimensions=front,
            statistic="p99",
            threshold=LATENCY_SECONDS,
        )
        unhealthy = [
            self._alarm(
                f"{name}-unhealthy-{role}",
                description=f"Targets of the {role} target group fail their health checks",
                metric="UnHealthyHostCount",
                dimensions=front | {"TargetGroup": group.arn_suffix},
                statistic="Maximum",
                threshold=0,
            )
            for role, group in (("primary", watching.primary), ("alternate", watching.alternate))
        ]
        self.names = [server_errors, latency, *unhealthy]
        self.register_outputs({})

    def _alarm(
        self,
        name: str,
        *,
        description: str,
        metric: str,
        dimensions: dict[str, pulumi.Output[str]],
        statistic: str,
        threshold: float,
    ) -> pulumi.Output[str]:
        is_percentile = statistic.startswith("p")
        return aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=description,
            namespace=NAMESPACE,
            metric_name=metric,
            dimensions=dimensions,
            statistic=None if is_percentile else statistic,
            extended_statistic=statistic if is_percentile else None,
            comparison_operator="GreaterThanThreshold",
            threshold=threshold,
            period=PERIOD_SECONDS,
            evaluation_periods=PERIODS,
            datapoints_to_alarm=BAD_PERIODS,
            # No traffic, no data: nothing to go back for.
            treat_missing_data="notBreaching",
            opts=self._child,
        ).name
