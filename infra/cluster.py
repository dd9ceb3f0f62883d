"""What every service of the stack runs in: the cluster, the log group, the roles and the tasks' security group."""

import pulumi
import pulumi_aws as aws

from infra.image import Image
from infra.load_balancer import APP_PORT, LoadBalancer
from infra.network import ANYWHERE, Network
from infra.roles import TaskRoles

LOG_RETENTION_DAYS = 30


class Cluster(pulumi.ComponentResource):
    """An ECS cluster that runs tasks on Fargate, on demand and Spot.

    Attributes:
        arn: ARN of the cluster.
        name: Name of the cluster.
        log_group_name: Where the tasks write.
        roles: Execution role and task role.
        subnet_ids: Where the tasks run.
        security_group_id: Lets the load balancer in, and the tasks out.
        capacity_providers: Must be there before a service names one.
    """

    def __init__(
        self,
        name: str,
        *,
        image: Image,
        network: Network,
        behind: LoadBalancer,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ecs-multiarch:index:Cluster", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        cluster = aws.ecs.Cluster(name, settings=[{"name": "containerInsights", "value": "enabled"}], opts=self._child)
        self.arn = cluster.arn
        self.name = cluster.name
        self.capacity_providers = aws.ecs.ClusterCapacityProviders(
            name, cluster_name=cluster.name, capacity_providers=["FARGATE", "FARGATE_SPOT"], opts=self._child
        )
        log_group = aws.cloudwatch.LogGroup(name, retention_in_days=LOG_RETENTION_DAYS, opts=self._child)
        self.log_group_name = log_group.name
        self.roles = TaskRoles(name, repository_arn=image.repository_arn, log_group_arn=log_group.arn, opts=self._child)
        self.subnet_ids = network.private_subnet_ids
        self.security_group_id = self._security_group(network, behind)
        self.register_outputs({})

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
