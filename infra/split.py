"""Both architectures at once: a share of the traffic for each of two services."""

import pulumi
import pulumi_aws as aws

from infra.load_balancer import EVERY_PATH, PRODUCTION_PRIORITY, LoadBalancer, forward
from infra.service import Service

PRIORITY = PRODUCTION_PRIORITY - 1


class Split(pulumi.ComponentResource):
    """A rule in front of the production rule, with weights of its own.

    It is made or changed once both services are steady, and goes before either of them does: traffic always has
    somewhere healthy to go.
    """

    def __init__(
        self,
        name: str,
        percent: int,
        *,
        front: LoadBalancer,
        main: Service,
        other: Service,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ecs-multiarch:index:Split", name, None, opts)
        aws.lb.ListenerRule(
            f"{name}-split",
            listener_arn=front.listener_arn,
            priority=PRIORITY,
            conditions=[EVERY_PATH],
            actions=[forward({main.target_group_arn: 100 - percent, other.target_group_arn: percent})],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
