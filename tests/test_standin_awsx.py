"""The awsx stand-in: what it makes, how it divides a network, and what it refuses."""

import json
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi.runtime
import pytest

from local.standins.awsx import Awsx
from local.standins.awsx_repository import Repository, lifecycle_policy
from local.standins.awsx_subnets import layout
from local.standins.awsx_vpc import Vpc, refuse_unsupported

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
PUBLIC, PRIVATE, ISOLATED = {"type": "Public"}, {"type": "Private"}, {"type": "Isolated"}
AUTO: dict[str, Any] = {"subnetStrategy": "Auto", "numberOfAvailabilityZones": 2, "subnetSpecs": [PUBLIC, PRIVATE]}


class Mocks(pulumi.runtime.Mocks):
    """Keeps the inputs of each child by type and name."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str], dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        package, _, type_ = args.typ.split(":")
        if package == "aws":
            self.made[type_, args.name] = args.inputs
        computed = {"allocationId": f"{args.name}-allocation", "name": args.name, "repositoryUrl": f"ecr/{args.name}"}
        outputs = computed | args.inputs
        if "policy" in outputs:
            outputs["policy"] = json.dumps(outputs["policy"])
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        assert args.token == "aws:index/getAvailabilityZones:getAvailabilityZones"
        return {"id": "us-east-1", "names": list(ZONES)}, []


def made(component: Callable[[], pulumi.ComponentResource]) -> dict[tuple[str, str], dict[str, Any]]:
    mocks = Mocks()
    pulumi.runtime.set_mocks(mocks)

    def program() -> None:
        component()

    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]
    return mocks.made


def vpc(**inputs: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return made(lambda: Vpc("Web", AUTO | inputs, None))


def blocks(*specs: dict[str, Any], zones: int = 2, cidr: str = "10.0.0.0/16") -> dict[str, str]:
    subnets = layout("web", IPv4Network(cidr), ZONES[:zones], specs or None, None)
    return {subnet.name: str(subnet.cidr_block) for subnet in subnets}


def test_subnets_divide_the_network_evenly() -> None:
    assert blocks(PUBLIC, PRIVATE) == {
        "web-public-1": "10.0.0.0/18",
        "web-private-1": "10.0.64.0/18",
        "web-public-2": "10.0.128.0/18",
        "web-private-2": "10.0.192.0/18",
    }


def test_blocks_follow_the_specifications_and_resources_the_types() -> None:
    assert list(blocks(ISOLATED, PRIVATE, PUBLIC, zones=1).items()) == [
        ("web-public-1", "10.0.128.0/18"),
        ("web-private-1", "10.0.64.0/18"),
        ("web-isolated-1", "10.0.0.0/18"),
    ]


def test_a_block_is_aligned_to_its_own_size() -> None:
    small, large = {"type": "Public", "cidrMask": 24, "name": "edge"}, {"type": "Private", "cidrMask": 20}
    assert blocks(small, large, zones=1) == {"web-edge-1": "10.0.0.0/24", "web-private-1": "10.0.16.0/20"}


def test_without_specifications_the_private_subnet_is_the_larger_one() -> None:
    assert blocks(zones=3) == {
        "web-public-1": "10.0.32.0/20",
        "web-private-1": "10.0.0.0/19",
        "web-public-2": "10.0.96.0/20",
        "web-private-2": "10.0.64.0/19",
        "web-public-3": "10.0.160.0/20",
        "web-private-3": "10.0.128.0/19",
    }


@pytest.mark.parametrize(
    ("specs", "cidr", "reason"),
    [
        pytest.param([{"type": "Public", "cidrMask": 16}], "10.0.0.0/16", "too large for VPC", id="too large"),
        pytest.param([], "10.0.0.0/28", "at least /26 available per AZ", id="too small"),
    ],
)
def test_subnets_that_do_not_fit_are_refused(specs: list[dict[str, Any]], cidr: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        blocks(*specs, cidr=cidr)


def test_a_vpc_without_nat() -> None:
    found = vpc(natGateways={"strategy": "None"}, enableDnsHostnames=True, tags={"project": "x"})
    assert Counter(type_ for type_, _ in found) == {
        "Vpc": 1,
        "InternetGateway": 1,
        "Subnet": 4,
        "RouteTable": 4,
        "RouteTableAssociation": 4,
        "Route": 2,
    }
    assert found["Vpc", "Web"] == {
        "cidrBlock": "10.0.0.0/16",
        "enableDnsHostnames": True,
        "tags": {"Name": "Web", "project": "x"},
    }
    assert found["Subnet", "Web-private-2"] == {
        "availabilityZone": "us-east-1b",
        "cidrBlock": "10.0.192.0/18",
        "mapPublicIpOnLaunch": False,
        "tags": {"Name": "Web-private-2", "SubnetType": "Private", "project": "x"},
        "vpcId": "Web-id",
    }
    assert found["Route", "Web-public-1"]["gatewayId"] == "Web-id"


@pytest.mark.parametrize(
    ("strategy", "gateways", "second"),
    [("Single", ["Web-1"], "Web-1-id"), ("OnePerAz", ["Web-1", "Web-2"], "Web-2-id")],
)
def test_private_subnets_go_out_through_nat(strategy: str, gateways: list[str], second: str) -> None:
    found = vpc(natGateways={"strategy": strategy})
    assert sorted(name for type_, name in found if type_ == "NatGateway") == gateways
    assert found["NatGateway", "Web-1"]["allocationId"] == "Web-1-allocation"
    assert found["Route", "Web-private-2"]["natGatewayId"] == second


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"subnetStrategy": "Legacy"}, "subnetStrategy: Legacy: the stand-in has Auto alone"),
        ({"vpcEndpointSpecs": []}, "vpcEndpointSpecs: not supported by the stand-in"),
        ({"subnetSpecs": [{"type": "Public", "size": 256}]}, "size: not supported"),
        ({"subnetSpecs": [{"type": "public"}]}, "type 'public': it is one of Public"),
        ({"natGateways": {"strategy": "Two"}}, "Unknown NAT Gateway strategy 'Two'"),
        ({"availabilityZoneNames": ["us-east-1a"]}, "Only one of"),
    ],
)
def test_what_a_vpc_refuses_by_name(inputs: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refuse_unsupported(AUTO | inputs)


def test_nat_without_a_private_subnet_is_refused() -> None:
    with pytest.raises(ValueError, match="both private and public subnets must be declared"):
        vpc(subnetSpecs=[PUBLIC])


def test_more_zones_than_the_region_has_are_refused() -> None:
    with pytest.raises(ValueError, match="numberOfAvailabilityZones: 4: the region has 3"):
        vpc(numberOfAvailabilityZones=4, natGateways={"strategy": "None"})


def test_a_repository_has_a_lifecycle_policy() -> None:
    found = made(lambda: Repository("Web", {"forceDelete": True}, None))
    assert found["Repository", "web"] == {"forceDelete": True}
    assert found["LifecyclePolicy", "web"]["repository"] == "web"
    assert found["LifecyclePolicy", "web"]["policy"]["rules"] == [
        {
            "rulePriority": 1,
            "description": "remove untagged images",
            "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
            "action": {"type": "expire"},
        }
    ]


def test_a_policy_can_be_skipped() -> None:
    found = made(lambda: Repository("web", {"lifecyclePolicy": {"skip": True}}, None))
    assert [type_ for type_, _ in found if type_ == "LifecyclePolicy"] == []


def test_the_rule_for_any_image_comes_last() -> None:
    any_image = {"tagStatus": "any", "maximumNumberOfImages": 9}
    tagged = {"tagStatus": "tagged", "tagPrefixList": ["v"], "maximumAgeLimit": 30}
    rules = lifecycle_policy([any_image, tagged])["rules"]
    assert [(rule["rulePriority"], rule["selection"]["tagStatus"]) for rule in rules] == [(1, "tagged"), (2, "any")]
    assert rules[0]["selection"]["countUnit"] == "days"


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([{"tagStatus": "any", "maximumAgeLimit": 1}] * 2, "At most one"),
        ([{"tagStatus": "untagged"}], "Either .* must be provided"),
        ([{"tagStatus": "tagged", "maximumAgeLimit": 1}], "tagPrefixList cannot be empty"),
        ([{"tagStatus": "any", "maximumAgeLimit": 1, "tagPattern": "*"}], "tagPattern: not supported"),
    ],
)
def test_what_a_policy_refuses(rules: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        lifecycle_policy(rules)


def test_other_components_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="awsx:ecs:FargateService: not supported by the stand-in"):
        Awsx().construct("web", "awsx:ecs:FargateService", {})
