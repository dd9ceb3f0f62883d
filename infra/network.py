"""The VPC: public subnets for the load balancer, private ones for the tasks, and their way to AWS's own APIs."""

import pulumi
import pulumi_aws as aws
import pulumi_awsx as awsx

from infra.config import Nat, NetworkConfig

ANYWHERE = "0.0.0.0/0"
CIDR_BLOCK = "10.0.0.0/16"
# An application load balancer needs two zones (ELB.13).
ZONES = 2
HTTPS_PORT = 443
# What Fargate asks for before a task starts:
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
INTERFACE_ENDPOINTS = ("ecr.api", "ecr.dkr", "logs")

NAT_STRATEGIES = {
    Nat.NONE: awsx.ec2.NatGatewayStrategy.NONE,
    Nat.SINGLE: awsx.ec2.NatGatewayStrategy.SINGLE,
    Nat.ONE_PER_AZ: awsx.ec2.NatGatewayStrategy.ONE_PER_AZ,
}


class Network(pulumi.ComponentResource):
    """A VPC over two zones. Without NAT gateways, endpoints serve what Fargate needs, and nothing else is reachable.

    Attributes:
        vpc_id: Id of the VPC.
        public_subnet_ids: One for each zone; for the load balancer alone.
        private_subnet_ids: One for each zone; for the tasks.
    """

    def __init__(self, name: str, config: NetworkConfig, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-multiarch:index:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        vpc = awsx.ec2.Vpc(
            name,
            cidr_block=CIDR_BLOCK,
            number_of_availability_zones=ZONES,
            enable_dns_hostnames=True,
            subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
            subnet_specs=[
                awsx.ec2.SubnetSpecArgs(type=awsx.ec2.SubnetType.PUBLIC),
                awsx.ec2.SubnetSpecArgs(type=awsx.ec2.SubnetType.PRIVATE),
            ],
            nat_gateways=awsx.ec2.NatGatewayConfigurationArgs(strategy=NAT_STRATEGIES[config.nat]),
            opts=child,
        )
        self.vpc_id = vpc.vpc_id
        self.public_subnet_ids = vpc.public_subnet_ids
        self.private_subnet_ids = vpc.private_subnet_ids

        region = aws.get_region_output(opts=pulumi.InvokeOptions(parent=self)).region
        # Free of charge, and image layers come from S3: worth having with NAT gateways too.
        aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=vpc.vpc_id,
            service_name=pulumi.Output.format("com.amazonaws.{0}.s3", region),
            vpc_endpoint_type="Gateway",
            route_table_ids=vpc.route_tables.apply(lambda tables: [table.id for table in tables]),
            opts=child,
        )
        if config.nat is Nat.NONE:
            self._add_interface_endpoints(name, region, child)
        self.register_outputs({})

    def _add_interface_endpoints(self, name: str, region: pulumi.Output[str], child: pulumi.ResourceOptions) -> None:
        security_group = aws.ec2.SecurityGroup(
            f"{name}-endpoints",
            description="VPC endpoints: HTTPS from inside the VPC",
            vpc_id=self.vpc_id,
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-endpoints-https",
            security_group_id=security_group.id,
            description="HTTPS from inside the VPC",
            ip_protocol="tcp",
            from_port=HTTPS_PORT,
            to_port=HTTPS_PORT,
            cidr_ipv4=CIDR_BLOCK,
            opts=child,
        )
        for service in INTERFACE_ENDPOINTS:
            aws.ec2.VpcEndpoint(
                f"{name}-{service.replace('.', '-')}",
                vpc_id=self.vpc_id,
                service_name=pulumi.Output.format("com.amazonaws.{0}.{1}", region, service),
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.private_subnet_ids,
                security_group_ids=[security_group.id],
                opts=child,
            )
