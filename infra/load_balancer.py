"""The front: an application load balancer with two target groups, and the rule that ECS shifts traffic by."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from infra.config import FrontConfig
from infra.network import ANYWHERE, HTTPS_PORT, Network

HTTP_PORT = 80
APP_PORT = 8080
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"

# Behind the rule of infra/split.py.
PRODUCTION_PRIORITY = 10
EVERY_PATH: aws.lb.ListenerRuleConditionArgsDict = {"path_pattern": {"values": ["/*"]}}

# Against the defaults these make a new task take traffic after 10 s instead of 150 s:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/load-balancer-healthcheck.html
HEALTH_PATH = "/healthz"
HEALTH_INTERVAL_SECONDS = 5
HEALTH_TIMEOUT_SECONDS = 3
HEALTHY_THRESHOLD = 2
UNHEALTHY_THRESHOLD = 2
# For short requests; a service with long ones needs more, below the two minutes that a Spot interruption leaves.
DEREGISTRATION_DELAY_SECONDS = 10


class LoadBalancer(pulumi.ComponentResource):
    """A load balancer open to the world on HTTP, or with a certificate on HTTPS.

    Its production rule forwards to both target groups. The rule's weights are ECS's from the first rollout that shifts
    traffic: it moves them from one group to the other, and they stay where it leaves them.

    Attributes:
        url: What a browser opens.
        arn_suffix: The load balancer's name in CloudWatch metrics.
        security_group_id: Source of all traffic to the tasks.
        primary: The target group that has the traffic at first.
        alternate: The other one.
        production_rule: The rule; a target group takes targets only once it exists.
        live: ARN of the target group that has the traffic now.
        spare: ARN of the other one.
    """

    def __init__(
        self, name: str, config: FrontConfig, *, network: Network, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ecs-multiarch:index:LoadBalancer", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        self.security_group_id = self._security_group(config, network)
        balancer = aws.lb.LoadBalancer(
            name,
            load_balancer_type="application",
            internal=False,
            security_groups=[self.security_group_id],
            subnets=network.public_subnet_ids,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            opts=self._child,
        )
        self.primary = self._target_group("primary", network)
        self.alternate = self._target_group("alternate", network)
        self.listener_arn = self._listener(balancer, config).arn
        self.production_rule = aws.lb.ListenerRule(
            name,
            listener_arn=self.listener_arn,
            priority=PRODUCTION_PRIORITY,
            conditions=[EVERY_PATH],
            actions=[forward({self.primary.arn: 100, self.alternate.arn: 0})],
            # https://github.com/hashicorp/terraform-provider-aws/issues/43905
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["actions"]),
        )
        groups = pulumi.Output.all(self.production_rule.actions.apply(weights), self.primary.arn, self.alternate.arn)
        self.live = groups.apply(lambda known: heavier(*known))
        self.spare = groups.apply(lambda known: known[2] if heavier(*known) == known[1] else known[1])
        scheme = "https" if config.certificate_arn else "http"
        self.url = pulumi.Output.format("{0}://{1}", scheme, balancer.dns_name)
        self.arn_suffix = balancer.arn_suffix
        self.register_outputs({})

    def _security_group(self, config: FrontConfig, network: Network) -> pulumi.Output[str]:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-load-balancer",
            description="Load balancer: HTTP and HTTPS from anywhere, the app's port to the tasks",
            vpc_id=network.vpc_id,
            opts=self._child,
        )
        for port in (HTTP_PORT, HTTPS_PORT) if config.certificate_arn else (HTTP_PORT,):
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-load-balancer-{port}",
                security_group_id=group.id,
                description=f"Port {port} from anywhere",
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_ipv4=ANYWHERE,
                opts=self._child,
            )
        return group.id

    def _target_group(self, role: str, network: Network) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            f"{self._name}-{role}",
            target_type="ip",
            protocol="HTTP",
            port=APP_PORT,
            vpc_id=network.vpc_id,
            deregistration_delay=DEREGISTRATION_DELAY_SECONDS,
            health_check={
                "path": HEALTH_PATH,
                "protocol": "HTTP",
                "matcher": "200",
                "interval": HEALTH_INTERVAL_SECONDS,
                "timeout": HEALTH_TIMEOUT_SECONDS,
                "healthy_threshold": HEALTHY_THRESHOLD,
                "unhealthy_threshold": UNHEALTHY_THRESHOLD,
            },
            opts=self._child,
        )

    def _listener(self, balancer: aws.lb.LoadBalancer, config: FrontConfig) -> aws.lb.Listener:
        nothing_here: aws.lb.ListenerDefaultActionArgsDict = {
            "type": "fixed-response",
            "fixed_response": {
                "content_type": "text/plain",
                "message_body": "Not found",
                "status_code": "404",
            },
        }
        if not config.certificate_arn:
            return aws.lb.Listener(
                f"{self._name}-http",
                load_balancer_arn=balancer.arn,
                port=HTTP_PORT,
                protocol="HTTP",
                default_actions=[nothing_here],
                opts=self._child,
            )
        aws.lb.Listener(
            f"{self._name}-http",
            load_balancer_arn=balancer.arn,
            port=HTTP_PORT,
            protocol="HTTP",
            default_actions=[
                {
                    "type": "redirect",
                    "redirect": {"port": str(HTTPS_PORT), "protocol": "HTTPS", "status_code": "HTTP_301"},
                }
            ],
            opts=self._child,
        )
        return aws.lb.Listener(
            f"{self._name}-https",
            load_balancer_arn=balancer.arn,
            port=HTTPS_PORT,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=config.certificate_arn,
            default_actions=[nothing_here],
            opts=self._child,
        )


def forward(shares: dict[pulumi.Output[str], int]) -> aws.lb.ListenerRuleActionArgs:
    """Forward to target groups by weight."""
    groups = [aws.lb.ListenerRuleActionForwardTargetGroupArgs(arn=arn, weight=weight) for arn, weight in shares.items()]
    return aws.lb.ListenerRuleActionArgs(
        type="forward", forward=aws.lb.ListenerRuleActionForwardArgs(target_groups=groups)
    )


def weights(actions: Sequence[aws.lb.outputs.ListenerRuleAction]) -> dict[str, int]:
    """Read the weights of target groups, by ARN, from a rule's actions."""
    forwards = [action.forward for action in actions if action.forward]
    return {group.arn: group.weight or 0 for forward in forwards for group in forward.target_groups}


def heavier(weights: Mapping[str, int], primary: str, alternate: str) -> str:
    """Tell which of two target groups gets more of the traffic; the primary one where they are equal."""
    return alternate if weights.get(alternate, 0) > weights.get(primary, 0) else primary
