"""Roles, each with the least it needs: for ECS to start a task, for the code inside, for ECS to move traffic."""

import pulumi
import pulumi_aws as aws

from infra.load_balancer import LoadBalancer


class TaskRoles(pulumi.ComponentResource):
    """The two roles of a task.

    Attributes:
        execution_role_arn: Lets ECS pull from the one repository and write to the one log group.
        task_role_arn: What the code inside may do: nothing, until you attach a policy.
    """

    def __init__(
        self,
        name: str,
        *,
        repository_arn: pulumi.Input[str],
        log_group_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ecs-multiarch:index:TaskRoles", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        trust = ecs_trust("ecs-tasks.amazonaws.com", parent=self)
        execution = aws.iam.Role(f"{name}-execution", assume_role_policy=trust, opts=child)
        policy = aws.iam.RolePolicy(
            f"{name}-execution",
            role=execution.id,
            policy=pulumi.Output.json_dumps(execution_policy(repository_arn, log_group_arn)),
            opts=child,
        )
        # A task that starts before its role may pull fails; whoever takes the ARN waits for the policy too.
        self.execution_role_arn = pulumi.Output.all(execution.arn, policy.id).apply(lambda both: str(both[0]))
        self.task_role_arn = aws.iam.Role(f"{name}-task", assume_role_policy=trust, opts=child).arn
        self.register_outputs({})


class TrafficRole(pulumi.ComponentResource):
    """Lets ECS shift traffic between two target groups of one listener.

    A narrower copy of the managed policy AmazonECSInfrastructureRolePolicyForLoadBalancers:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AmazonECSInfrastructureRolePolicyForLoadBalancers.html

    Attributes:
        arn: ARN of the role, once its policy is there.
    """

    def __init__(self, name: str, *, front: LoadBalancer, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-multiarch:index:TrafficRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        trust = ecs_trust("ecs.amazonaws.com", parent=self)
        role = aws.iam.Role(f"{name}-traffic", assume_role_policy=trust, opts=child)
        policy = aws.iam.RolePolicy(
            f"{name}-traffic", role=role.id, policy=pulumi.Output.json_dumps(traffic_policy(front)), opts=child
        )
        self.arn = pulumi.Output.all(role.arn, policy.id).apply(lambda both: str(both[0]))
        self.register_outputs({})


def ecs_trust(service: str, *, parent: pulumi.Resource) -> pulumi.Output[str]:
    """Trust one of ECS's services, for this account and region alone.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    invoke = pulumi.InvokeOptions(parent=parent)
    account = aws.get_caller_identity_output(opts=invoke).account_id
    region = aws.get_region_output(opts=invoke).region
    partition = aws.get_partition_output(opts=invoke).partition
    return pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": account},
                        "ArnLike": {
                            "aws:SourceArn": pulumi.Output.format("arn:{0}:ecs:{1}:{2}:*", partition, region, account)
                        },
                    },
                }
            ],
        }
    )


def execution_policy(repository_arn: pulumi.Input[str], log_group_arn: pulumi.Input[str]) -> dict[str, object]:
    """Allow what Fargate does before and beside the container: pull the image, write the log."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            # AWS offers no narrower resource for this action.
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": [
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:GetDownloadUrlForLayer",
                ],
                "Resource": repository_arn,
            },
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": pulumi.Output.format("{0}:*", log_group_arn),
            },
        ],
    }


def traffic_policy(front: LoadBalancer) -> dict[str, object]:
    """Allow what a shift of traffic takes: look at the load balancer, move targets, set the rule's weights."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            # Elastic Load Balancing offers no narrower resource for its Describe actions.
            {
                "Effect": "Allow",
                "Action": [
                    "elasticloadbalancing:DescribeListeners",
                    "elasticloadbalancing:DescribeRules",
                    "elasticloadbalancing:DescribeTargetGroups",
                    "elasticloadbalancing:DescribeTargetHealth",
                ],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
                "Resource": [front.primary.arn, front.alternate.arn],
            },
            {
                "Effect": "Allow",
                "Action": ["elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"],
                "Resource": [front.listener_arn, front.production_rule.arn],
            },
        ],
    }
