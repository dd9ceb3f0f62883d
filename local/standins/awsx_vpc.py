"""The component `awsx:ec2:Vpc` with subnet strategy Auto: children, names, parents and inputs are awsx's."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_aws as aws

from local.standins.awsx_subnets import TYPES, Subnet, layout

VPC_INPUTS = {
    "enableDnsHostnames": "enable_dns_hostnames",
    "enableDnsSupport": "enable_dns_support",
    "enableNetworkAddressUsageMetrics": "enable_network_address_usage_metrics",
    "instanceTenancy": "instance_tenancy",
}
"""Inputs that go to the VPC itself, with their Python spelling."""

INPUTS = VPC_INPUTS.keys() | {
    *("availabilityZoneCidrMask", "availabilityZoneNames", "cidrBlock", "natGateways"),
    *("numberOfAvailabilityZones", "subnetSpecs", "subnetStrategy", "tags"),
}
SPEC_INPUTS = frozenset({"cidrMask", "name", "tags", "type"})
NAT_INPUTS = frozenset({"strategy"})
NAT_STRATEGIES = ("None", "Single", "OnePerAz")
DEFAULT_CIDR_BLOCK = "10.0.0.0/16"
DEFAULT_ZONES = 3
INTERNET = "0.0.0.0/0"


class Vpc(pulumi.ComponentResource):
    """A VPC with its gateways, subnets and routes."""

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions | None) -> None:
        super().__init__("awsx:ec2:Vpc", name, {}, opts)
        refuse_unsupported(inputs)
        self._name = name
        self._tags: pulumi.Output[dict[str, str]] = pulumi.Output.from_input(inputs.get("tags", {}))
        self._nat: str = inputs.get("natGateways", {}).get("strategy", "OnePerAz")
        self._zones = inputs.get("availabilityZoneNames") or self._default_zones(inputs)
        cidr_block = inputs.get("cidrBlock", DEFAULT_CIDR_BLOCK)
        mask, specs = inputs.get("availabilityZoneCidrMask"), inputs.get("subnetSpecs")
        planned = layout(name, IPv4Network(cidr_block), self._zones, specs, mask)
        refuse_idle_nat(self._nat, planned)

        own = {python: inputs[wire] for wire, python in VPC_INPUTS.items() if wire in inputs}
        tags = self._tagged(before={"Name": name})
        self._vpc = aws.ec2.Vpc(name, cidr_block=cidr_block, tags=tags, **own, opts=pulumi.ResourceOptions(parent=self))
        self._gateway = aws.ec2.InternetGateway(name, vpc_id=self._vpc.id, tags=tags, opts=below(self._vpc))
        self._children: dict[str, list[pulumi.CustomResource]] = defaultdict(list)
        for subnet in planned:
            if subnet.type != "Unused":
                self._add(subnet)
        self.outputs = self._outputs(specs or [])
        self.register_outputs(self.outputs)

    def _default_zones(self, inputs: Mapping[str, Any]) -> list[str]:
        wanted = int(inputs.get("numberOfAvailabilityZones", DEFAULT_ZONES))
        zones = aws.get_availability_zones(opts=pulumi.InvokeOptions(parent=self)).names
        if len(zones) < wanted:
            raise ValueError(
                f"numberOfAvailabilityZones: {wanted}: the region has {len(zones)}; choose fewer, or another"
            )
        return list(zones[:wanted])

    def _tagged(
        self, *, before: Mapping[str, str] | None = None, after: Mapping[str, str] | None = None
    ) -> pulumi.Output[dict[str, str]]:
        """Merge the component's tags between what they override and what overrides them."""
        return self._tags.apply(lambda tags: {**(before or {}), **tags, **(after or {})})

    def _add(self, planned: Subnet) -> None:
        own = {"Name": planned.name, "SubnetType": planned.type}
        subnet = aws.ec2.Subnet(
            planned.name,
            vpc_id=self._vpc.id,
            availability_zone=planned.zone,
            map_public_ip_on_launch=planned.type == "Public",
            cidr_block=str(planned.cidr_block),
            tags=self._tagged(before={"Name": self._name}, after=planned.tags | own),
            opts=below(self._vpc),
        )
        table = aws.ec2.RouteTable(
            planned.name,
            vpc_id=self._vpc.id,
            tags=self._tagged(before={"Name": self._name}, after=own),
            opts=below(subnet),
        )
        association = aws.ec2.RouteTableAssociation(
            planned.name, route_table_id=table.id, subnet_id=subnet.id, opts=below(table)
        )
        self._children[planned.type].append(subnet)
        self._children["subnets"].append(subnet)
        self._children["routeTables"].append(table)
        self._children["routeTableAssociations"].append(association)
        zone = self._zones.index(planned.zone)
        if planned.type == "Public" and self._needs_nat(zone):
            self._add_nat_gateway(zone, subnet)
        self._add_route(planned, zone, table)

    def _needs_nat(self, zone: int) -> bool:
        most = {"None": 0, "Single": 1, "OnePerAz": zone + 1}[self._nat]
        return len(self._children["natGateways"]) < most

    def _add_nat_gateway(self, zone: int, subnet: aws.ec2.Subnet) -> None:
        name = f"{self._name}-{zone + 1}"
        tags = self._tagged(after={"Name": name})
        eip = aws.ec2.Eip(name, tags=tags, opts=below(subnet))
        gateway = aws.ec2.NatGateway(
            name, subnet_id=subnet.id, allocation_id=eip.allocation_id, tags=tags, opts=below(subnet)
        )
        self._children["eips"].append(eip)
        self._children["natGateways"].append(gateway)

    def _add_route(self, planned: Subnet, zone: int, table: aws.ec2.RouteTable) -> None:
        """Lead a public subnet to the internet, a private one to its NAT gateway, an isolated one nowhere."""
        if planned.type == "Public":
            way = {"gateway_id": self._gateway.id}
        elif planned.type == "Private" and self._nat != "None":
            way = {"nat_gateway_id": self._children["natGateways"][0 if self._nat == "Single" else zone].id}
        else:
            return
        route = aws.ec2.Route(
            planned.name, route_table_id=table.id, destination_cidr_block=INTERNET, opts=below(table), **way
        )
        self._children["routes"].append(route)

    def _outputs(self, specs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        lists = ("eips", "natGateways", "routeTableAssociations", "routeTables", "routes", "subnets")
        typed: dict[str, Any] = {}
        for kind in ("public", "private", "isolated"):
            typed[f"{kind}Subnets"] = self._children[kind.title()]
            typed[f"{kind}SubnetIds"] = [subnet.id for subnet in self._children[kind.title()]]
        return {
            **{name: self._children[name] for name in lists},
            **typed,
            "internetGateway": self._gateway,
            "subnetLayout": [{key: spec[key] for key in SPEC_INPUTS - {"tags"} if key in spec} for spec in specs],
            "vpc": self._vpc,
            "vpcEndpoints": [],
            "vpcId": self._vpc.id,
        }


def below(parent: pulumi.Resource) -> pulumi.ResourceOptions:
    """Make a child of a resource, after it."""
    return pulumi.ResourceOptions(parent=parent, depends_on=[parent])


def refuse_unsupported(inputs: Mapping[str, Any]) -> None:
    """Name the first input that the stand-in does not have.

    Raises:
        ValueError: for that input.
    """
    nat = inputs.get("natGateways", {})
    allowed = [
        (inputs, INPUTS),
        (nat, NAT_INPUTS),
        *((spec, SPEC_INPUTS) for spec in inputs.get("subnetSpecs", [])),
    ]
    for given, known in allowed:
        if unknown := sorted(given.keys() - known):
            raise ValueError(f"{unknown[0]}: not supported by the stand-in; it has {', '.join(sorted(known))}")
    if (strategy := inputs.get("subnetStrategy", "Legacy")) != "Auto":
        raise ValueError(f"subnetStrategy: {strategy}: the stand-in has Auto alone; set it")
    if (strategy := nat.get("strategy", "OnePerAz")) not in NAT_STRATEGIES:
        raise ValueError(f"Unknown NAT Gateway strategy '{strategy}'; it is one of {', '.join(NAT_STRATEGIES)}")
    if "availabilityZoneNames" in inputs and "numberOfAvailabilityZones" in inputs:
        raise ValueError("Only one of [availabilityZoneNames] and [numberOfAvailabilityZones] can be specified")
    for spec in inputs.get("subnetSpecs", []):
        if spec.get("type") not in TYPES:
            raise ValueError(f"subnetSpecs: type {spec.get('type')!r}: it is one of {', '.join(TYPES)}")


def refuse_idle_nat(strategy: str, planned: Sequence[Subnet]) -> None:
    """Refuse NAT gateways without a private subnet to use them and a public one to hold them.

    Raises:
        ValueError: a type is missing.
    """
    if strategy != "None" and not {"Public", "Private"} <= {subnet.type for subnet in planned}:
        raise ValueError(
            "If NAT Gateway strategy is 'OnePerAz' or 'Single', both private and public subnets must be "
            "declared: the private one needs the NAT Gateway, and the public one hosts it."
        )
