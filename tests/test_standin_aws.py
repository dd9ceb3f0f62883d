"""The stand-in for the aws plugin: its tables against SDK and botocore, its life against the emulator."""

import json
import threading
from collections.abc import Iterator
from typing import Any, cast

import boto3  # type: ignore[import-untyped]
import grpc  # type: ignore[import-untyped]
import pytest

from local.standins.aws.api import Api, input_shape
from local.standins.aws.comparison import overlay, same
from local.standins.aws.containers import comparable_containers
from local.standins.aws.mapping import from_api
from local.standins.aws.network import route_id
from local.standins.aws.provider import KINDS
from local.standins.aws.schema import Type, schema_of
from local.standins.aws.service import EcsService
from local.standins.plugin import Call, ProviderError
from local.standins.wire import UNKNOWN, Props
from tests.plugin_process import Plugin, emulator, plugin

AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
CONFIG: Props = {"region": "us-east-1", "defaultTags": json.dumps({"tags": {"project": "test"}})}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]})
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "x:Y", "Resource": "*"}]})
CONTAINERS = json.dumps([{"name": "app", "image": "x", "portMappings": [{"containerPort": 8080}]}])
EXPIRY: Props = {
    "rulePriority": 1,
    "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
    "action": {"type": "expire"},
}

CLUSTER = "aws:ecs/cluster:Cluster"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
SERVICE = "aws:ecs/service:Service"
TARGET_GROUP = "aws:lb/targetGroup:TargetGroup"
TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
VPC = "aws:ec2/vpc:Vpc"

# In the order of creation. A text `@name.output` stands for an output, or the id, of one made before.
WORLD: dict[str, tuple[str, Props]] = {
    "vpc": (VPC, {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": {"Name": "x"}}),
    "gateway": ("aws:ec2/internetGateway:InternetGateway", {"vpcId": "@vpc.id"}),
    "one": (
        "aws:ec2/subnet:Subnet",
        {"vpcId": "@vpc.id", "cidrBlock": "10.0.0.0/24", "availabilityZone": "us-east-1a", "mapPublicIpOnLaunch": True},
    ),
    "two": (
        "aws:ec2/subnet:Subnet",
        {"vpcId": "@vpc.id", "cidrBlock": "10.0.1.0/24", "availabilityZone": "us-east-1b"},
    ),
    "table": ("aws:ec2/routeTable:RouteTable", {"vpcId": "@vpc.id"}),
    "association": (
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        {"subnetId": "@one.id", "routeTableId": "@table.id"},
    ),
    "route": (
        "aws:ec2/route:Route",
        {"routeTableId": "@table.id", "destinationCidrBlock": "0.0.0.0/0", "gatewayId": "@gateway.id"},
    ),
    "address": ("aws:ec2/eip:Eip", {"domain": "vpc"}),
    "nat": ("aws:ec2/natGateway:NatGateway", {"allocationId": "@address.id", "subnetId": "@one.id"}),
    "default": ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"vpcId": "@vpc.id"}),
    "group": ("aws:ec2/securityGroup:SecurityGroup", {"vpcId": "@vpc.id", "description": "x"}),
    "ingress": (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {
            "securityGroupId": "@group.id",
            "ipProtocol": "tcp",
            "fromPort": 80,
            "toPort": 80,
            "cidrIpv4": "0.0.0.0/0",
            "description": "x",
        },
    ),
    "egress": (
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        {"securityGroupId": "@group.id", "ipProtocol": "-1", "referencedSecurityGroupId": "@group.id"},
    ),
    "s3": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"vpcId": "@vpc.id", "serviceName": "com.amazonaws.us-east-1.s3", "routeTableIds": ["@table.id"]},
    ),
    "logs": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {
            "vpcId": "@vpc.id",
            "serviceName": "com.amazonaws.us-east-1.logs",
            "vpcEndpointType": "Interface",
            "privateDnsEnabled": True,
            "subnetIds": ["@one.id", "@two.id"],
            "securityGroupIds": ["@group.id"],
        },
    ),
    "balancer": (
        "aws:lb/loadBalancer:LoadBalancer",
        {
            "internal": False,
            "subnets": ["@one.id", "@two.id"],
            "securityGroups": ["@group.id"],
            "dropInvalidHeaderFields": True,
        },
    ),
    "targets": (
        TARGET_GROUP,
        {
            "targetType": "ip",
            "protocol": "HTTP",
            "port": 8080,
            "vpcId": "@vpc.id",
            "deregistrationDelay": 10,
            "healthCheck": {"path": "/healthz", "matcher": "200", "interval": 5, "timeout": 3},
        },
    ),
    "listener": (
        "aws:lb/listener:Listener",
        {
            "loadBalancerArn": "@balancer.arn",
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [
                {"type": "fixed-response", "fixedResponse": {"contentType": "text/plain", "statusCode": "404"}}
            ],
        },
    ),
    "rule": (
        "aws:lb/listenerRule:ListenerRule",
        {
            "listenerArn": "@listener.arn",
            "priority": 1,
            "conditions": [{"pathPattern": {"values": ["/*"]}}],
            "actions": [{"type": "forward", "forward": {"targetGroups": [{"arn": "@targets.arn", "weight": 100}]}}],
        },
    ),
    "role": ("aws:iam/role:Role", {"assumeRolePolicy": TRUST}),
    "policy": ("aws:iam/rolePolicy:RolePolicy", {"role": "@role.id", "policy": POLICY}),
    "attachment": (
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        {"role": "@role.name", "policyArn": "arn:aws:iam::aws:policy/AmazonECS_FullAccess"},
    ),
    "log": (LOG_GROUP, {"retentionInDays": 30}),
    "alarm": (
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        {
            "namespace": "AWS/ApplicationELB",
            "metricName": "HTTPCode_Target_5XX_Count",
            "statistic": "Sum",
            "period": 60,
            "evaluationPeriods": 1,
            "threshold": 1,
            "comparisonOperator": "GreaterThanOrEqualToThreshold",
            "dimensions": {"LoadBalancer": "@balancer.arnSuffix"},
        },
    ),
    "repository": (
        "aws:ecr/repository:Repository",
        {
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "forceDelete": True,
        },
    ),
    "lifecycle": (
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        {"repository": "@repository.name", "policy": {"rules": [EXPIRY]}},
    ),
    "cluster": (CLUSTER, {"settings": [{"name": "containerInsights", "value": "enabled"}]}),
    "capacity": (
        "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        {"clusterName": "@cluster.name", "capacityProviders": ["FARGATE", "FARGATE_SPOT"]},
    ),
    "task": (
        TASK_DEFINITION,
        {
            "family": "x",
            "cpu": "256",
            "memory": "512",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"},
            "containerDefinitions": CONTAINERS,
        },
    ),
    "service": (
        SERVICE,
        {
            "cluster": "@cluster.arn",
            "taskDefinition": "@task.arn",
            "capacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": {"subnets": ["@one.id", "@two.id"], "assignPublicIp": False},
            "loadBalancers": [{"targetGroupArn": "@targets.arn", "containerName": "app", "containerPort": 8080}],
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "forceNewDeployment": True,
            "waitForSteadyState": True,
        },
    ),
}

# What is changed in place afterwards.
CHANGES: dict[str, Props] = {
    "vpc": {"enableDnsHostnames": False, "tags": {"Name": "y"}},
    "one": {"mapPublicIpOnLaunch": False},
    "ingress": {"fromPort": 443, "toPort": 443},
    "logs": {"subnetIds": ["@one.id"], "privateDnsEnabled": False},
    "balancer": {"idleTimeout": 30, "dropInvalidHeaderFields": False},
    "targets": {"deregistrationDelay": 20, "healthCheck": {"path": "/", "matcher": "200-299", "interval": 10}},
    "rule": {"priority": 2, "conditions": [{"pathPattern": {"values": ["/x"]}}]},
    "role": {"assumeRolePolicy": TRUST.replace("Allow", "Deny"), "maxSessionDuration": 7200},
    "policy": {"policy": POLICY.replace("Allow", "Deny")},
    "log": {"retentionInDays": 0},
    "alarm": {"threshold": 2.5},
    "repository": {"imageTagMutability": "MUTABLE", "imageScanningConfiguration": {"scanOnPush": False}},
    "lifecycle": {"policy": {"rules": [EXPIRY | {"rulePriority": 2}]}},
    "cluster": {"settings": [{"name": "containerInsights", "value": "disabled"}], "tags": {"a": "b"}},
    "capacity": {"capacityProviders": ["FARGATE"]},
    "service": {
        "capacityProviderStrategies": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 1}],
        "deploymentCircuitBreaker": {"enable": True, "rollback": False},
        "healthCheckGracePeriodSeconds": 5,
    },
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with emulator() as address:
        yield address


@pytest.fixture(scope="module")
def aws(address: str) -> Iterator[Plugin]:
    with plugin("local.standins.aws", {**AWS, "AWS_ENDPOINT_URL": address}) as aws:
        aws.configure(CONFIG)
        yield aws


def resolved(value: Any, made: dict[str, Props]) -> Any:
    if isinstance(value, dict):
        return {key: resolved(item, made) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, made) for item in value]
    if isinstance(value, str) and value.startswith("@"):
        name, _, output = value[1:].partition(".")
        return made[name][output]
    return value


@pytest.mark.parametrize("token", KINDS)
def test_a_table_names_only_what_the_sdk_and_botocore_know(token: str) -> None:
    kind, schema = KINDS[token], schema_of(token)
    for request in (kind.create, *kind.after, *kind.reads, *kind.changes, *kind.delete):
        assert input_shape(kind.service, request.operation)
    inputs = schema.inputs.fields.keys()
    assert kind.replaces | kind.provider_only | kind.silent | set(kind.defaults) | set(kind.normal) <= inputs
    assert {path.split(".")[0] for path in kind.attributes} <= inputs
    assert kind.computed.keys() <= schema.outputs.keys()


def test_every_type_is_made_read_without_difference_changed_and_deleted(aws: Plugin) -> None:
    made: dict[str, Props] = {}
    states: dict[str, tuple[str, str, Props, Props]] = {}
    assert {type for type, _ in WORLD.values()} == KINDS.keys()
    for name, (type, properties) in WORLD.items():
        inputs, failures = aws.check(type, name, resolved(properties, made))
        assert not failures, name
        _, planned = aws.create(type, name, inputs, preview=True)
        id, outputs = aws.create(type, name, inputs)
        known = {prop: value for prop, value in planned.items() if value != UNKNOWN}
        assert known.items() <= outputs.items(), name
        made[name], states[name] = {**outputs, "id": id}, (type, id, outputs, inputs)
        assert id not in ("", "None"), name
    for name, (type, id, outputs, inputs) in states.items():
        live_id, live_outputs, live_inputs = aws.read(type, name, id, outputs, inputs)
        assert live_id == id, name
        assert list(aws.diff(type, name, id, live_outputs, live_inputs, inputs).diffs) == [], name
    for name, properties in CHANGES.items():
        type, id, outputs, inputs = states[name]
        new, _ = aws.check(type, name, resolved(WORLD[name][1] | properties, made), old=inputs)
        diff = aws.diff(type, name, id, outputs, inputs, new)
        assert set(diff.diffs) - {"tagsAll"} == properties.keys(), name
        assert not diff.replaces, name
        states[name] = (type, id, aws.update(type, name, id, outputs, inputs, new), new)
    for name in CHANGES:
        type, id, outputs, inputs = states[name]
        _, live_outputs, live_inputs = aws.read(type, name, id, outputs, inputs)
        assert live_inputs == inputs, name
        assert live_outputs == outputs, name
    for name, (type, id, outputs, inputs) in reversed(states.items()):
        aws.delete(type, name, id, outputs, inputs)
        aws.delete(type, name, id, outputs, inputs)
        gone = aws.read(type, name, id, outputs, inputs)[0] == ""
        kept = type in (TASK_DEFINITION, "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders")
        assert gone or kept or name == "default", name


def client(service: str, address: str) -> Any:
    return boto3.client(
        service, endpoint_url=address, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def test_a_route_has_the_id_that_pulumi_gives_it() -> None:
    # CRC-32 (IEEE) of "0.0.0.0/0" is 1080289494.
    assert KINDS["aws:ec2/route:Route"].id is route_id
    assert route_id({"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"}) == "r-rtb-11080289494"


def test_an_output_that_no_call_reports_is_unknown_in_a_preview(aws: Plugin) -> None:
    inputs, _ = aws.check(CLUSTER, "web", {})
    _, outputs = aws.create(CLUSTER, "web", inputs, preview=True)
    assert outputs["arn"] == UNKNOWN
    assert outputs["tagsAll"] == {"project": "test"}


def test_names_are_made_up_kept_and_renewed(aws: Plugin) -> None:
    first, _ = aws.check(CLUSTER, "web", {})
    assert first["name"].startswith("web-")
    assert len(first["name"]) == len("web-") + 7
    assert aws.check(CLUSTER, "web", {}, old=first)[0]["name"] == first["name"]


def test_a_replacement_comes_first_unless_its_name_was_given(aws: Plugin) -> None:
    properties: Props = {"port": 80, "protocol": "HTTP", "vpcId": "vpc-1"}
    for given, deletes_first in (({}, False), ({"name": "fixed"}, True)):
        old, _ = aws.check(TARGET_GROUP, "web", properties | given)
        new, _ = aws.check(TARGET_GROUP, "web", properties | given | {"port": 81}, old=old)
        diff = aws.diff(TARGET_GROUP, "web", "id", {**old, "tagsAll": {"project": "test"}}, old, new)
        assert list(diff.replaces) == ["port"]
        assert diff.deleteBeforeReplace == deletes_first


@pytest.mark.parametrize(
    ("type", "properties", "reason"),
    [
        (CLUSTER, {"nmae": "x"}, "unknown property nmae, allowed are configuration, name,"),
        (CLUSTER, {"settings": [{"name": "x", "vlaue": "y"}]}, "unknown property settings[0].vlaue"),
        (CLUSTER, {"name": 5}, "name=5 is not of type str"),
        (CLUSTER, {"region": "eu-west-1"}, "region=eu-west-1: the local target has one region, us-east-1"),
        (TASK_DEFINITION, {"family": "x"}, "missing required property containerDefinitions"),
        (TASK_DEFINITION, {"family": "x", "containerDefinitions": "["}, "containerDefinitions is not a JSON document"),
        (TARGET_GROUP, {"targetType": "bad"}, "targetType=bad: allowed are instance, ip, lambda, alb"),
        (VPC, {"ipv6IpamPoolId": "x", "ipv4IpamPoolId": 1}, "ipv4IpamPoolId=1 is not of type str"),
        ("aws:ec2/routeTable:RouteTable", {"vpcId": "x", "routes": []}, "routes is not supported by the stand-in"),
    ],
)
def test_what_is_wrong_is_named(aws: Plugin, type: str, properties: Props, reason: str) -> None:
    _, failures = aws.check(type, "web", properties)
    assert any(failure.startswith(reason) for failure in failures), failures


@pytest.mark.parametrize(
    ("type", "reason"),
    [
        ("aws:s3/bucket:Bucket", "aws:s3/bucket:Bucket is not supported by the stand-in for aws"),
        ("aws:appautoscaling/target:Target", "keep minTasks and maxTasks equal"),
    ],
)
def test_an_unknown_type_is_one_line(aws: Plugin, type: str, reason: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        aws.check(type, "web", {})
    assert reason in raised.value.details()
    assert "\n" not in raised.value.details()


@pytest.mark.parametrize("endpoint", ["https://ecs.us-east-1.amazonaws.com", "http://10.0.0.1:4566", ""])
def test_an_endpoint_that_is_not_loopback_is_refused(endpoint: str) -> None:
    with plugin("local.standins.aws", {**AWS, "AWS_ENDPOINT_URL": endpoint}) as aws:
        (reason,) = aws.check_config(CONFIG)
    assert reason.startswith(f"AWS_ENDPOINT_URL={endpoint or '(empty)'}: this stand-in")


def test_an_unknown_configuration_key_is_refused(aws: Plugin) -> None:
    assert aws.check_config(CONFIG | {"assumeRoles": "[]"}) == [
        "aws:assumeRoles is not supported by the stand-in for aws"
    ]


def test_drift_is_seen_and_mended(aws: Plugin, address: str) -> None:
    inputs, _ = aws.check(LOG_GROUP, "drift", {"retentionInDays": 30, "tags": {"own": "1"}})
    id, outputs = aws.create(LOG_GROUP, "drift", inputs)
    logs = client("logs", address)
    logs.put_retention_policy(logGroupName=id, retentionInDays=7)
    logs.tag_resource(resourceArn=outputs["arn"], tags={"own": "2", "alien": "3"})

    _, live_outputs, live_inputs = aws.read(LOG_GROUP, "drift", id, outputs, inputs)
    assert live_inputs["retentionInDays"] == 7
    assert live_inputs["tags"] == {"own": "2", "alien": "3"}
    diff = aws.diff(LOG_GROUP, "drift", id, live_outputs, live_inputs, inputs)
    assert list(diff.diffs) == ["retentionInDays", "tags", "tagsAll"]
    assert not diff.replaces

    outputs = aws.update(LOG_GROUP, "drift", id, live_outputs, live_inputs, inputs)
    assert outputs["retentionInDays"] == 30
    assert outputs["tagsAll"] == {"project": "test", "own": "1"}
    assert logs.describe_log_groups(logGroupNamePrefix=id)["logGroups"][0]["retentionInDays"] == 30


def test_functions(aws: Plugin) -> None:
    assert aws.invoke("aws:index/getRegion:getRegion", {})["region"] == "us-east-1"
    assert aws.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"] == "000000000000"
    zones = aws.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", {"state": "available"})
    assert zones["names"][:2] == ["us-east-1a", "us-east-1b"]
    assert aws.invoke("aws:ecr/getAuthorizationToken:getAuthorizationToken", {})["userName"] == "AWS"
    with pytest.raises(AssertionError, match="excludeNames is not supported"):
        aws.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", {"excludeNames": []})
    statement = {
        "actions": ["sts:AssumeRole"],
        "principals": [{"type": "Service", "identifiers": ["ecs.amazonaws.com"]}],
        "conditions": [{"test": "StringEquals", "variable": "aws:SourceAccount", "values": ["1"]}],
    }
    document = aws.invoke("aws:iam/getPolicyDocument:getPolicyDocument", {"statements": [statement]})
    assert json.loads(document["json"])["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "ecs.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": "1"}},
        }
    ]


def test_properties_that_share_an_api_structure_are_merged() -> None:
    kind, inputs = KINDS[SERVICE], schema_of(SERVICE).inputs
    advanced = {"alternateTargetGroupArn": "t", "productionListenerRule": "r", "roleArn": "a"}
    properties: Props = {
        "alarms": {"alarmNames": ["x"], "enable": True, "rollback": True},
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "deploymentConfiguration": {
            "strategy": "CANARY",
            "bakeTimeInMinutes": "5",
            "canaryConfiguration": {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": "1"},
        },
        "deploymentMaximumPercent": 200,
        "loadBalancers": [{"targetGroupArn": "p", "advancedConfiguration": advanced}],
        "networkConfiguration": {"subnets": ["s"], "assignPublicIp": False},
    }
    sent = kind.mapped(kind.create, inputs, properties)
    assert sent == {
        "deploymentConfiguration": {
            "alarms": {"alarmNames": ["x"], "enable": True, "rollback": True},
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "strategy": "CANARY",
            "bakeTimeInMinutes": 5,
            "canaryConfiguration": {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 1},
            "maximumPercent": 200,
        },
        "loadBalancers": [{"targetGroupArn": "p", "advancedConfiguration": advanced}],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"], "assignPublicIp": "DISABLED"}},
    }
    described = from_api(sent, Type(fields=schema_of(SERVICE).outputs), kind.names)
    assert overlay(properties, described) == properties


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"essential": True}, {}),
        (
            {"portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]},
            {"portMappings": [{"containerPort": 80}]},
        ),
        (
            {"healthCheck": {"command": ["x"], "interval": 30, "timeout": 5, "retries": 3}},
            {"healthCheck": {"command": ["x"]}},
        ),
        (
            {"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}], "cpu": 0, "mountPoints": []},
        ),
    ],
)
def test_containers_that_mean_the_same(left: Props, right: Props) -> None:
    documents = [json.dumps([{"name": "app", **container}]) for container in (left, right)]
    assert comparable_containers(documents[0]) == comparable_containers(documents[1])


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (["a", "b"], ["b", "a"], True),
        (["a", "a"], ["a", "b"], False),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
        ("arn:aws:ecs:us-east-1:1:cluster/web", "web", True),
        ("web", "arn:aws:ecs:us-east-1:1:cluster/other-web", False),
        (UNKNOWN, UNKNOWN, False),
        (1, True, True),
    ],
)
def test_sameness(left: Any, right: Any, expected: bool) -> None:
    assert same(left, right) is expected


def test_an_overlay_takes_what_is_reported_and_keeps_what_is_not() -> None:
    wanted = [{"arn": "a", "weight": 100}, {"arn": "b", "weight": 0, "kept": 1}]
    live = [{"arn": "b", "weight": 25}, {"arn": "a", "weight": 75, "extra": 1}]
    assert overlay(wanted, live) == [{"arn": "a", "weight": 75}, {"arn": "b", "weight": 25, "kept": 1}]


class Rollout:
    """An API whose service goes through given lists of deployments, one for each look."""

    region, account = "us-east-1", "1"

    def __init__(self, *looks: list[Props], running: int = 1) -> None:
        self._looks, self._running = list(looks), running

    def call(self, service: str, operation: str, parameters: Props) -> Any:
        assert (service, operation) == ("ecs", "describe_services")
        deployments = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return {"services": [{"deployments": deployments, "runningCount": self._running, "desiredCount": 1}]}


def deployment(id: str, status: str, state: str, reason: str = "") -> Props:
    return {"id": id, "status": status, "rolloutState": state, "rolloutStateReason": reason}


BEGUN = [deployment("new", "PRIMARY", "IN_PROGRESS"), deployment("old", "ACTIVE", "COMPLETED")]


def ignore(line: str) -> None:
    pass


CALL = Call(urn="u", name="web", timeout_seconds=0.01, log=ignore)


def settle(rollout: Rollout, call: Call = CALL) -> None:
    service = EcsService(SERVICE, KINDS[SERVICE], cast(Api, rollout), {})
    service.settled(call, "arn", {"waitForSteadyState": True, "cluster": "c"})


class Creation:
    """An API that makes a service, and keeps the names of the calls."""

    region, account = "us-east-1", "1"

    def __init__(self) -> None:
        self.operations: list[str] = []

    def call(self, service: str, operation: str, parameters: Props) -> Any:
        self.operations.append(operation)
        made = {"serviceArn": "arn", "serviceName": "web", "clusterArn": "c", "status": "ACTIVE"}
        return {"service": made, "services": [made]}


def test_a_new_service_is_not_updated_to_force_a_deployment_that_has_just_begun() -> None:
    creation = Creation()
    service = EcsService(SERVICE, KINDS[SERVICE], cast(Api, creation), {})
    inputs = {"name": "web", "cluster": "c", "taskDefinition": "t", "forceNewDeployment": True}
    service.create(Call(urn="u", name="web", log=ignore), inputs)
    assert "create_service" in creation.operations
    assert "update_service" not in creation.operations


def test_a_completed_deployment_is_steady() -> None:
    settle(
        Rollout(BEGUN, BEGUN[:1], [deployment("new", "PRIMARY", "COMPLETED")]), Call(urn="u", name="web", log=ignore)
    )


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ([deployment("new", "PRIMARY", "FAILED", "tasks died")], "its deployment ended FAILED: tasks died"),
        (
            [deployment("old", "PRIMARY", "COMPLETED"), deployment("new", "ACTIVE", "FAILED", "tasks died")],
            "its deployment ended ROLLBACK_SUCCESSFUL: tasks died",
        ),
        ([deployment("new", "PRIMARY", "COMPLETED"), BEGUN[1]], "the steady state of web: time-out after 0 s"),
    ],
)
def test_a_deployment_that_does_not_get_steady_fails(last: list[Props], reason: str) -> None:
    with pytest.raises(ProviderError, match=reason):
        settle(Rollout(BEGUN, last))


def test_an_interrupt_ends_the_wait() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(ProviderError, match="interrupted"):
        settle(Rollout(BEGUN), Call(urn="u", name="web", cancelled=cancelled, log=ignore))
