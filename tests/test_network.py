import pytest

from infra.config import Nat, NetworkConfig
from infra.network import Network
from tests.recording import Recording, record


def network(nat: Nat) -> Recording:
    return record(lambda: Network("web", NetworkConfig(nat=nat)) and None)


def services(recording: Recording) -> list[str]:
    return sorted(endpoint.inputs["serviceName"] for endpoint in recording.of("aws:ec2/vpcEndpoint:VpcEndpoint"))


def test_without_nat_there_is_an_endpoint_for_all_that_fargate_needs() -> None:
    recording = network(Nat.NONE)
    assert services(recording) == [f"com.amazonaws.eu-west-1.{name}" for name in ("ecr.api", "ecr.dkr", "logs", "s3")]
    interfaces = [
        endpoint.inputs
        for endpoint in recording.of("aws:ec2/vpcEndpoint:VpcEndpoint")
        if endpoint.inputs["vpcEndpointType"] == "Interface"
    ]
    assert all(endpoint["privateDnsEnabled"] for endpoint in interfaces)
    assert all(endpoint["subnetIds"] == ["private-1", "private-2"] for endpoint in interfaces)


@pytest.mark.parametrize("nat", [Nat.SINGLE, Nat.ONE_PER_AZ], ids=lambda nat: str(nat.value))
def test_with_nat_only_the_free_endpoint_stays(nat: Nat) -> None:
    recording = network(nat)
    assert services(recording) == ["com.amazonaws.eu-west-1.s3"]
    assert recording.of("aws:ec2/securityGroup:SecurityGroup") == []


@pytest.mark.parametrize(
    ("nat", "strategy"), [(Nat.NONE, "None"), (Nat.SINGLE, "Single"), (Nat.ONE_PER_AZ, "OnePerAz")]
)
def test_the_vpc_spans_two_zones_and_its_subnets_do_not_depend_on_nat(nat: Nat, strategy: str) -> None:
    vpc = network(nat).one("awsx:ec2:Vpc")
    assert vpc["numberOfAvailabilityZones"] == 2
    assert vpc["natGateways"] == {"strategy": strategy}
    assert [spec["type"] for spec in vpc["subnetSpecs"]] == ["Public", "Private"]
