"""EC2: the VPC and what stands in it."""

import zlib
from collections.abc import Callable
from typing import Any

from local.standins.aws.api import Request
from local.standins.aws.kind import Kind
from local.standins.wire import Props


def arn_of(type: str) -> Callable[[Props], str]:
    """What computes the ARN of an EC2 resource of one type."""
    return lambda places: f"arn:aws:ec2:{places['region']}:{places['account']}:{type}/{places['id']}"


def _vpc_attribute(name: str) -> Request:
    """A call that describes one attribute of a VPC; the API has one call for each."""
    member = name[0].upper() + name[1:]
    return Request(
        operation="describe_vpc_attribute",
        parameters={"VpcId": "{id}", "Attribute": name},
        result=f"{{{name}: {member}.Value}}",
    )


def _vpc_attribute_change(name: str) -> Request:
    member = name[0].upper() + name[1:]
    return Request(operation="modify_vpc_attribute", parameters={"VpcId": "{id}", member: {"Value": f"{{{name}}}"}})


def _of_vpc(operation: str, result: str, filters: dict[str, str]) -> Request:
    named = [{"Name": name, "Values": [value]} for name, value in {"vpc-id": "{id}", **filters}.items()]
    return Request(operation=operation, parameters={"Filters": named}, result=result)


def _simple(
    noun: str,
    *,
    tag_type: str,
    id: str,
    replaces: str = "",
    filters: str = "[*]",
    result: str = "",
    **more: Any,
) -> Kind:
    """A kind whose calls are create_NOUN, describe_NOUNs and delete_NOUN, and which is named by one id.

    Args:
        noun: What the API calls the type.
        tag_type: What tag specifications call it.
        id: The member that carries the id.
        replaces: Properties, with blanks between, whose change replaces.
        filters: A condition on the described item, where a deleted one is still described.
        result: What becomes of a described item.
        more: The other fields of the kind.
    """
    camel = "".join(map(str.capitalize, noun.split("_")))
    described = f"{camel}s{filters}{result} | [0]"
    return Kind(
        service="ec2",
        create=Request(operation=f"create_{noun}", mapped=True, result=camel),
        id=f"{{{id}}}",
        reads=(
            Request(operation=f"describe_{noun}s", parameters={f"{id}s": ["{id}"]}, result=described),
            *more.pop("reads", ()),
        ),
        delete=more.pop("delete", (Request(operation=f"delete_{noun}", parameters={id: "{id}"}),)),
        replaces=frozenset(replaces.split()),
        computed=more.pop("computed", {"arn": arn_of(tag_type)}),
        tag_type=tag_type,
        tagged="{id}",
        **more,
    )


def route_id(places: Props) -> str:
    """The id that Pulumi gives to a route, which has none in the API."""
    destination = places.get("destinationCidrBlock") or places["destinationIpv6CidrBlock"]
    return f"r-{places['routeTableId']}{zlib.crc32(destination.encode())}"


_ROUTE = {
    "RouteTableId": "{routeTableId}",
    "DestinationCidrBlock": "{destinationCidrBlock}",
    "DestinationIpv6CidrBlock": "{destinationIpv6CidrBlock}",
}
_ROUTE_TARGETS = {
    "GatewayId": "{gatewayId}",
    "NatGatewayId": "{natGatewayId}",
    "VpcEndpointId": "{vpcEndpointId}",
}

KINDS = {
    "aws:ec2/vpc:Vpc": _simple(
        "vpc",
        tag_type="vpc",
        id="VpcId",
        replaces="cidrBlock",
        defaults={"enableDnsSupport": True, "instanceTenancy": "default"},
        changes=(_vpc_attribute_change("enableDnsSupport"), _vpc_attribute_change("enableDnsHostnames")),
        reads=(
            _vpc_attribute("enableDnsSupport"),
            _vpc_attribute("enableDnsHostnames"),
            _of_vpc(
                "describe_security_groups",
                "{defaultSecurityGroupId: SecurityGroups[0].GroupId}",
                {"group-name": "default"},
            ),
            _of_vpc(
                "describe_route_tables",
                "{mainRouteTableId: RouteTables[0].RouteTableId, defaultRouteTableId: RouteTables[0].RouteTableId}",
                {"association.main": "true"},
            ),
            _of_vpc(
                "describe_network_acls",
                "{defaultNetworkAclId: NetworkAcls[0].NetworkAclId}",
                {"default": "true"},
            ),
        ),
    ),
    "aws:ec2/internetGateway:InternetGateway": _simple(
        "internet_gateway",
        tag_type="internet-gateway",
        id="InternetGatewayId",
        replaces="vpcId",
        changes=(
            Request(operation="attach_internet_gateway", parameters={"InternetGatewayId": "{id}", "VpcId": "{vpcId}"}),
        ),
        delete=(
            Request(operation="detach_internet_gateway", parameters={"InternetGatewayId": "{id}", "VpcId": "{vpcId}"}),
            Request(operation="delete_internet_gateway", parameters={"InternetGatewayId": "{id}"}),
        ),
        names={"vpcId": "Attachments.VpcId"},
    ),
    "aws:ec2/subnet:Subnet": _simple(
        "subnet",
        tag_type="subnet",
        id="SubnetId",
        replaces="vpcId cidrBlock availabilityZone availabilityZoneId",
        defaults={"mapPublicIpOnLaunch": False},
        changes=(
            Request(
                operation="modify_subnet_attribute",
                parameters={"SubnetId": "{id}", "MapPublicIpOnLaunch": {"Value": "{mapPublicIpOnLaunch}"}},
            ),
        ),
    ),
    "aws:ec2/routeTable:RouteTable": _simple(
        "route_table", tag_type="route-table", id="RouteTableId", replaces="vpcId"
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Kind(
        service="ec2",
        create=Request(operation="associate_route_table", mapped=True),
        id="{AssociationId}",
        reads=(
            Request(
                operation="describe_route_tables",
                parameters={"RouteTableIds": ["{routeTableId}"]},
                result="RouteTables[0].Associations[?RouteTableAssociationId=='{id}'] | [0]",
            ),
        ),
        delete=(Request(operation="disassociate_route_table", parameters={"AssociationId": "{id}"}),),
        replaces=frozenset({"subnetId", "gatewayId", "routeTableId"}),
    ),
    "aws:ec2/route:Route": Kind(
        service="ec2",
        create=Request(operation="create_route", parameters=_ROUTE | _ROUTE_TARGETS, result="{made: Return}"),
        id=route_id,
        reads=(
            Request(
                operation="describe_route_tables",
                parameters={"RouteTableIds": ["{routeTableId}"]},
                result="RouteTables[0].Routes[?DestinationCidrBlock=='{destinationCidrBlock}'] | [0]",
            ),
        ),
        changes=(Request(operation="replace_route", parameters=_ROUTE | _ROUTE_TARGETS),),
        delete=(Request(operation="delete_route", parameters=_ROUTE),),
        replaces=frozenset({"routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock"}),
    ),
    "aws:ec2/eip:Eip": Kind(
        service="ec2",
        create=Request(operation="allocate_address", mapped=True),
        id="{AllocationId}",
        reads=(Request(operation="describe_addresses", parameters={"AllocationIds": ["{id}"]}, result="Addresses[0]"),),
        delete=(Request(operation="release_address", parameters={"AllocationId": "{id}"}),),
        replaces=frozenset({"domain"}),
        computed={"arn": arn_of("elastic-ip")},
        tag_type="elastic-ip",
        tagged="{id}",
    ),
    "aws:ec2/natGateway:NatGateway": _simple(
        "nat_gateway",
        tag_type="natgateway",
        id="NatGatewayId",
        replaces="allocationId subnetId connectivityType",
        filters="[?State!='deleted']",
        result=".merge(@, {ready: State=='available'})",
        ready="ready",
        drains=True,
        computed={},
        defaults={"connectivityType": "public"},
        names={
            "allocationId": "NatGatewayAddresses.AllocationId",
            "publicIp": "NatGatewayAddresses.PublicIp",
            "privateIp": "NatGatewayAddresses.PrivateIp",
            "networkInterfaceId": "NatGatewayAddresses.NetworkInterfaceId",
            "associationId": "NatGatewayAddresses.AssociationId",
        },
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _simple(
        "vpc_endpoint",
        tag_type="vpc-endpoint",
        id="VpcEndpointId",
        replaces="serviceName vpcId vpcEndpointType",
        filters="[?State!='deleted']",
        result=".merge(@, {SecurityGroupIds: Groups[].GroupId, ready: contains(['available', 'Available'], State)})",
        ready="ready",
        drains=True,
        defaults={"vpcEndpointType": "Gateway"},
        changes=(
            Request(
                operation="modify_vpc_endpoint",
                parameters={
                    "VpcEndpointId": "{id}",
                    "AddSubnetIds": "{+subnetIds}",
                    "RemoveSubnetIds": "{-subnetIds}",
                    "AddSecurityGroupIds": "{+securityGroupIds}",
                    "RemoveSecurityGroupIds": "{-securityGroupIds}",
                    "AddRouteTableIds": "{+routeTableIds}",
                    "RemoveRouteTableIds": "{-routeTableIds}",
                    "PrivateDnsEnabled": "{privateDnsEnabled}",
                    "PolicyDocument": "{policy}",
                },
            ),
        ),
        delete=(Request(operation="delete_vpc_endpoints", parameters={"VpcEndpointIds": ["{id}"]}),),
        names={"policy": "PolicyDocument"},
    ),
}
