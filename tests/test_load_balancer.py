import pytest

from infra.config import FrontConfig, Nat, NetworkConfig
from infra.load_balancer import LoadBalancer, heavier
from infra.network import Network
from tests.recording import Recording, record

CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
LISTENER = "aws:lb/listener:Listener"


def front(certificate_arn: str = "") -> Recording:
    def program() -> None:
        network = Network("web", NetworkConfig(nat=Nat.SINGLE))
        LoadBalancer("web", FrontConfig(certificate_arn=certificate_arn), network=network)

    return record(program)


def test_the_rule_names_both_target_groups_and_the_alternate_one_has_no_weight() -> None:
    [action] = front().one("aws:lb/listenerRule:ListenerRule")["actions"]
    assert action["forward"]["targetGroups"] == [
        {"arn": "arn:web-primary", "weight": 100},
        {"arn": "arn:web-alternate", "weight": 0},
    ]


@pytest.mark.parametrize(
    ("weights", "live"),
    [
        pytest.param({"arn:primary": 100, "arn:alternate": 0}, "arn:primary", id="as made"),
        pytest.param({"arn:primary": 0, "arn:alternate": 100}, "arn:alternate", id="after a shift"),
        pytest.param({}, "arn:primary", id="unknown"),
    ],
)
def test_the_service_stays_where_ecs_left_the_traffic(weights: dict[str, int], live: str) -> None:
    assert heavier(weights, "arn:primary", "arn:alternate") == live


def test_without_a_certificate_there_is_http_alone() -> None:
    recording = front()
    assert recording.one(LISTENER)["port"] == 80
    ports = [
        rule.inputs["fromPort"] for rule in recording.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    ]
    assert ports == [80]


def test_with_a_certificate_http_redirects_and_the_rule_is_on_https() -> None:
    recording = front(CERTIFICATE)
    http, https = recording.of(LISTENER)
    assert http.inputs["defaultActions"][0]["redirect"] == {
        "port": "443",
        "protocol": "HTTPS",
        "statusCode": "HTTP_301",
    }
    assert https.inputs["certificateArn"] == CERTIFICATE
    assert https.inputs["sslPolicy"].startswith("ELBSecurityPolicy-TLS13")
    assert recording.one("aws:lb/listenerRule:ListenerRule")["listenerArn"] == "arn:web-https"


def test_what_matches_no_rule_is_not_forwarded() -> None:
    assert front().one(LISTENER)["defaultActions"][0]["type"] == "fixed-response"


def test_security_controls_of_the_load_balancer() -> None:
    balancer = front().one("aws:lb/loadBalancer:LoadBalancer")
    assert balancer["dropInvalidHeaderFields"] is True
    assert balancer["desyncMitigationMode"] == "defensive"
    assert balancer["subnets"] == ["public-1", "public-2"]


def test_a_spot_warning_is_longer_than_the_deregistration_delay() -> None:
    for group in front().of("aws:lb/targetGroup:TargetGroup"):
        assert group.inputs["deregistrationDelay"] < 120
