"""Elastic Load Balancing: load balancers, target groups, listeners and their rules."""

from local.standins.aws.api import Request
from local.standins.aws.kind import Kind
from local.standins.wire import Props

# The Config blocks of an action and a condition, and what their members are called in Pulumi.
_ACTIONS = {
    "forward": "ForwardConfig",
    "fixedResponse": "FixedResponseConfig",
    "redirect": "RedirectConfig",
    "targetGroups.arn": "TargetGroupArn",
    "forward.stickiness": "TargetGroupStickinessConfig",
    "stickiness.duration": "DurationSeconds",
}
_CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "httpHeader": ("http-header", "HttpHeaderConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "queryStrings": ("query-string", "QueryStringConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
}


def _conditions(rule: Props) -> list[Props]:
    """A rule's conditions for the API, which also wants the name of the field that each is about."""
    return [
        {"Field": field, config: _capitalized(condition[prop])}
        for condition in rule["conditions"]
        for prop, (field, config) in _CONDITIONS.items()
        if prop in condition
    ]


def _capitalized(block: Props) -> Props:
    return {key[0].upper() + key[1:]: value for key, value in block.items()}


def _attributes_of(noun: str, member: str) -> tuple[Request, Request]:
    """The calls that read and change the attributes of a load balancer or target group."""
    return (
        Request(
            operation=f"describe_{noun}_attributes",
            parameters={member: "{id}"},
            result="{Attributes: Attributes}",
        ),
        Request(
            operation=f"modify_{noun}_attributes",
            parameters={member: "{id}", "Attributes": "{attributes}"},
            when="attributes",
        ),
    )


_READ_BALANCER, _CHANGE_BALANCER = _attributes_of("load_balancer", "LoadBalancerArn")
_READ_GROUP, _CHANGE_GROUP = _attributes_of("target_group", "TargetGroupArn")

KINDS = {
    "aws:lb/loadBalancer:LoadBalancer": Kind(
        service="elbv2",
        create=Request(
            operation="create_load_balancer",
            mapped=True,
            parameters={"Name": "{name}"},
            result="LoadBalancers[0]",
        ),
        id="{arn}",
        reads=(
            Request(
                operation="describe_load_balancers",
                parameters={"LoadBalancerArns": ["{id}"]},
                result="LoadBalancers[*].merge(@, {Subnets: AvailabilityZones[].SubnetId,"
                " ready: State.Code=='active'}) | [0]",
            ),
            _READ_BALANCER,
        ),
        changes=(
            _CHANGE_BALANCER,
            Request(
                operation="set_security_groups",
                parameters={"LoadBalancerArn": "{id}", "SecurityGroups": "{securityGroups}"},
            ),
            Request(operation="set_subnets", parameters={"LoadBalancerArn": "{id}", "Subnets": "{subnets}"}),
        ),
        delete=(Request(operation="delete_load_balancer", parameters={"LoadBalancerArn": "{id}"}),),
        names={
            "name": "LoadBalancerName",
            "arn": "LoadBalancerArn",
            "internal": "Scheme",
            "loadBalancerType": "Type",
            "zoneId": "CanonicalHostedZoneId",
        },
        attributes={
            "clientKeepAlive": "client_keep_alive.seconds",
            "desyncMitigationMode": "routing.http.desync_mitigation_mode",
            "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
            "enableDeletionProtection": "deletion_protection.enabled",
            "enableHttp2": "routing.http2.enabled",
            "idleTimeout": "idle_timeout.timeout_seconds",
            "preserveHostHeader": "routing.http.preserve_host_header.enabled",
            "accessLogs.enabled": "access_logs.s3.enabled",
            "accessLogs.bucket": "access_logs.s3.bucket",
            "accessLogs.prefix": "access_logs.s3.prefix",
        },
        computed={"arnSuffix": lambda places: places["arn"].split(":loadbalancer/")[-1]},
        defaults={
            "desyncMitigationMode": "defensive",
            "dropInvalidHeaderFields": False,
            "enableDeletionProtection": False,
            "idleTimeout": 60,
            "loadBalancerType": "application",
        },
        replaces=frozenset({"name", "internal", "loadBalancerType"}),
        name_limit=32,
        ready="ready",
        drains=True,
    ),
    "aws:lb/targetGroup:TargetGroup": Kind(
        service="elbv2",
        create=Request(
            operation="create_target_group", mapped=True, parameters={"Name": "{name}"}, result="TargetGroups[0]"
        ),
        id="{arn}",
        reads=(
            Request(
                operation="describe_target_groups",
                parameters={"TargetGroupArns": ["{id}"]},
                result="TargetGroups[0]",
            ),
            _READ_GROUP,
        ),
        changes=(
            _CHANGE_GROUP,
            Request(operation="modify_target_group", mapped=True, parameters={"TargetGroupArn": "{id}"}),
        ),
        delete=(Request(operation="delete_target_group", parameters={"TargetGroupArn": "{id}"}),),
        names={
            "name": "TargetGroupName",
            "arn": "TargetGroupArn",
            "healthCheck": "",
            "healthCheck.enabled": "HealthCheckEnabled",
            "healthCheck.healthyThreshold": "HealthyThresholdCount",
            "healthCheck.interval": "HealthCheckIntervalSeconds",
            "healthCheck.matcher": "Matcher.HttpCode",
            "healthCheck.path": "HealthCheckPath",
            "healthCheck.port": "HealthCheckPort",
            "healthCheck.protocol": "HealthCheckProtocol",
            "healthCheck.timeout": "HealthCheckTimeoutSeconds",
            "healthCheck.unhealthyThreshold": "UnhealthyThresholdCount",
        },
        attributes={
            "deregistrationDelay": "deregistration_delay.timeout_seconds",
            "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
            "slowStart": "slow_start.duration_seconds",
            "stickiness.enabled": "stickiness.enabled",
            "stickiness.type": "stickiness.type",
            "stickiness.cookieDuration": "stickiness.lb_cookie.duration_seconds",
        },
        computed={"arnSuffix": lambda places: places["arn"].split(":")[-1]},
        defaults={"deregistrationDelay": 300, "slowStart": 0, "targetType": "instance"},
        replaces=frozenset({"name", "port", "protocol", "protocolVersion", "targetType", "vpcId"}),
        name_limit=32,
    ),
    "aws:lb/listener:Listener": Kind(
        service="elbv2",
        create=Request(operation="create_listener", mapped=True, result="Listeners[0]"),
        id="{arn}",
        reads=(Request(operation="describe_listeners", parameters={"ListenerArns": ["{id}"]}, result="Listeners[0]"),),
        changes=(Request(operation="modify_listener", mapped=True, parameters={"ListenerArn": "{id}"}),),
        delete=(Request(operation="delete_listener", parameters={"ListenerArn": "{id}"}),),
        names={"arn": "ListenerArn", "certificateArn": "Certificates.CertificateArn", **_ACTIONS},
        replaces=frozenset({"loadBalancerArn"}),
    ),
    "aws:lb/listenerRule:ListenerRule": Kind(
        service="elbv2",
        create=Request(
            operation="create_rule",
            mapped=True,
            parameters=lambda rule: {"Conditions": _conditions(rule)},
            result="Rules[0]",
        ),
        id="{arn}",
        reads=(Request(operation="describe_rules", parameters={"RuleArns": ["{id}"]}, result="Rules[0]"),),
        changes=(
            Request(
                operation="modify_rule",
                mapped=True,
                parameters=lambda rule: {"RuleArn": rule["id"], "Conditions": _conditions(rule)},
            ),
            Request(
                operation="set_rule_priorities",
                parameters={"RulePriorities": [{"RuleArn": "{id}", "Priority": "{priority}"}]},
            ),
        ),
        delete=(Request(operation="delete_rule", parameters={"RuleArn": "{id}"}),),
        names={
            "arn": "RuleArn",
            **_ACTIONS,
            **{f"conditions.{prop}": config for prop, (_, config) in _CONDITIONS.items()},
        },
        replaces=frozenset({"listenerArn"}),
    ),
}
