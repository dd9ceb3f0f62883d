"""ECS, ECR and CloudWatch: what a container service runs on, comes from and writes to."""

import json
from typing import Any

from local.standins.aws.api import Request
from local.standins.aws.kind import Kind
from local.standins.aws.service import EcsService
from local.standins.wire import Props

_CONTAINER_DEFAULTS = {"essential": True, "cpu": 0}
_PORT_DEFAULTS = {"protocol": "tcp", "hostPort": 0}
_HEALTH_CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}


def comparable_containers(document: Any) -> Any:
    """Container definitions without what ECS adds itself and without an order that does not count."""
    if not isinstance(document, str) or not document.startswith("["):
        return document
    return sorted(map(_comparable_container, json.loads(document)), key=lambda container: container["name"])


def _comparable_container(container: Props) -> Props:
    kept = _without(container, _CONTAINER_DEFAULTS)
    for prop in ("environment", "secrets"):
        if prop in kept:
            kept[prop] = sorted(kept[prop], key=lambda variable: variable["name"])
    if "portMappings" in kept:
        kept["portMappings"] = [
            _without(
                port, _PORT_DEFAULTS | {"hostPort": port["containerPort"]} if port.get("hostPort") else _PORT_DEFAULTS
            )
            for port in kept["portMappings"]
        ]
    if "healthCheck" in kept:
        kept["healthCheck"] = _without(kept["healthCheck"], _HEALTH_CHECK_DEFAULTS)
    return kept


def _without(block: Props, defaults: Props) -> Props:
    return {
        key: value
        for key, value in block.items()
        if value is not None and value != [] and not (key in defaults and defaults[key] == value)
    }


_CLUSTER = {"cluster": "{id}"}
_PUT_PROVIDERS = Request(operation="put_cluster_capacity_providers", mapped=True, result="cluster")
_NO_PROVIDERS: Props = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
_REPOSITORY = {"repositoryName": "{id}"}
_LOG_GROUP = {"logGroupName": "{id}"}

_TASK_DEFINITION = """
    containerDefinitions cpu enableFaultInjection ephemeralStorage executionRoleArn family ipcMode memory networkMode
    pidMode placementConstraints proxyConfiguration requiresCompatibilities runtimePlatform taskRoleArn volumes
"""
"""What makes a new revision: everything but tags."""

KINDS = {
    "aws:ecs/cluster:Cluster": Kind(
        service="ecs",
        create=Request(operation="create_cluster", mapped=True, result="cluster"),
        id="{arn}",
        reads=(
            Request(
                operation="describe_clusters",
                parameters={"clusters": ["{id}"], "include": ["CONFIGURATIONS", "SETTINGS", "TAGS"]},
                result="clusters[?status=='ACTIVE'] | [0]",
            ),
        ),
        changes=(Request(operation="update_cluster", mapped=True, parameters=_CLUSTER),),
        delete=(Request(operation="delete_cluster", parameters=_CLUSTER),),
        names={"name": "clusterName", "arn": "clusterArn"},
        replaces=frozenset({"name"}),
        name_limit=255,
    ),
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": Kind(
        service="ecs",
        create=_PUT_PROVIDERS,
        id="{clusterName}",
        reads=(
            Request(
                operation="describe_clusters",
                parameters={"clusters": ["{id}"]},
                result="clusters[?status=='ACTIVE'] | [0]",
            ),
        ),
        changes=(_PUT_PROVIDERS,),
        delete=(
            Request(
                operation="put_cluster_capacity_providers",
                parameters=lambda props: {"cluster": props["id"], **_NO_PROVIDERS},
            ),
        ),
        names={"clusterName": "cluster"},
        replaces=frozenset({"clusterName"}),
        # The API wants both lists, if only empty.
        defaults={"capacityProviders": [], "defaultCapacityProviderStrategies": []},
    ),
    "aws:ecs/taskDefinition:TaskDefinition": Kind(
        service="ecs",
        create=Request(operation="register_task_definition", mapped=True, result="taskDefinition"),
        id="{family}",
        reads=(
            Request(
                operation="describe_task_definition",
                parameters={"taskDefinition": "{arn}", "include": ["TAGS"]},
                result="[merge(taskDefinition, {tags: tags})][?status!='INACTIVE'] | [0]",
            ),
        ),
        delete=(
            Request(
                operation="deregister_task_definition", parameters={"taskDefinition": "{arn}"}, unless="skipDestroy"
            ),
        ),
        names={"arn": "taskDefinitionArn"},
        provider_only=frozenset({"skipDestroy", "trackLatest"}),
        defaults={"skipDestroy": False, "trackLatest": False},
        replaces=frozenset(_TASK_DEFINITION.split()),
        normal={"containerDefinitions": comparable_containers},
        computed={"arnWithoutRevision": lambda places: places["arn"].rpartition(":")[0]},
    ),
    "aws:ecs/service:Service": Kind(
        service="ecs",
        create=Request(operation="create_service", mapped=True, result="service"),
        id="{arn}",
        reads=(
            Request(
                operation="describe_services",
                parameters={"cluster": "{cluster}", "services": ["{id}"], "include": ["TAGS"]},
                result="services[?status!='INACTIVE'] | [0]",
            ),
        ),
        changes=(Request(operation="update_service", mapped=True, parameters={"service": "{id}"}, on=("triggers",)),),
        delete=(
            Request(
                operation="update_service",
                parameters=lambda service: {
                    "cluster": service["cluster"],
                    "service": service["id"],
                    "desiredCount": 0,
                },
                unless="forceDelete",
            ),
            Request(
                operation="delete_service",
                parameters={"cluster": "{cluster}", "service": "{id}", "force": "{forceDelete}"},
            ),
        ),
        names={
            "name": "serviceName",
            "arn": "serviceArn",
            "cluster": "clusterArn",
            "iamRole": "roleArn",
            "alarms": "deploymentConfiguration.alarms",
            "deploymentCircuitBreaker": "deploymentConfiguration.deploymentCircuitBreaker",
            "deploymentMaximumPercent": "deploymentConfiguration.maximumPercent",
            "deploymentMinimumHealthyPercent": "deploymentConfiguration.minimumHealthyPercent",
            "networkConfiguration": "networkConfiguration.awsvpcConfiguration",
            "elbName": "loadBalancerName",
        },
        replaces=frozenset({"cluster", "iamRole", "launchType", "name", "schedulingStrategy"}),
        defaults={
            "deploymentMaximumPercent": 200,
            "deploymentMinimumHealthyPercent": 100,
            "desiredCount": 0,
            "enableEcsManagedTags": False,
            "enableExecuteCommand": False,
            "schedulingStrategy": "REPLICA",
            "waitForSteadyState": False,
        },
        provider_only=frozenset(
            {"forceDelete", "forceNewDeployment", "sigintRollback", "triggers", "waitForSteadyState"}
        ),
        silent=frozenset({"forceNewDeployment"}),
        name_limit=255,
        drains=True,
        life=EcsService,
    ),
    "aws:ecr/repository:Repository": Kind(
        service="ecr",
        create=Request(operation="create_repository", mapped=True, result="repository"),
        reads=(
            Request(
                operation="describe_repositories",
                parameters={"repositoryNames": ["{id}"]},
                result="repositories[0]",
            ),
        ),
        changes=(
            Request(operation="put_image_tag_mutability", mapped=True, parameters=_REPOSITORY),
            Request(operation="put_image_scanning_configuration", mapped=True, parameters=_REPOSITORY),
        ),
        delete=(Request(operation="delete_repository", parameters=_REPOSITORY | {"force": "{forceDelete}"}),),
        names={"name": "repositoryName", "arn": "repositoryArn", "repositoryUrl": "repositoryUri"},
        replaces=frozenset({"name", "encryptionConfigurations"}),
        defaults={"imageTagMutability": "MUTABLE"},
        provider_only=frozenset({"forceDelete"}),
        name_limit=256,
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Kind(
        service="ecr",
        create=Request(operation="put_lifecycle_policy", mapped=True),
        id="{repository}",
        reads=(Request(operation="get_lifecycle_policy", parameters=_REPOSITORY),),
        changes=(Request(operation="put_lifecycle_policy", mapped=True),),
        delete=(Request(operation="delete_lifecycle_policy", parameters=_REPOSITORY),),
        names={"repository": "repositoryName", "policy": "lifecyclePolicyText"},
        replaces=frozenset({"repository"}),
        delete_first=True,
    ),
    "aws:cloudwatch/logGroup:LogGroup": Kind(
        service="logs",
        create=Request(operation="create_log_group", mapped=True),
        reads=(
            Request(
                operation="describe_log_groups",
                parameters={"logGroupNamePrefix": "{id}"},
                result="logGroups[?logGroupName=='{id}'] | [0]",
            ),
        ),
        changes=(
            Request(
                operation="put_retention_policy",
                parameters=_LOG_GROUP | {"retentionInDays": "{retentionInDays}"},
                when="retentionInDays",
            ),
            Request(
                operation="delete_retention_policy",
                parameters=_LOG_GROUP,
                on=("retentionInDays",),
                unless="retentionInDays",
            ),
        ),
        delete=(Request(operation="delete_log_group", parameters=_LOG_GROUP, unless="skipDestroy"),),
        names={"name": "logGroupName", "arn": "logGroupArn"},
        replaces=frozenset({"name", "logGroupClass"}),
        defaults={"retentionInDays": 0, "skipDestroy": False},
        provider_only=frozenset({"skipDestroy"}),
        name_limit=255,
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Kind(
        service="cloudwatch",
        create=Request(operation="put_metric_alarm", mapped=True),
        reads=(Request(operation="describe_alarms", parameters={"AlarmNames": ["{id}"]}, result="MetricAlarms[0]"),),
        changes=(Request(operation="put_metric_alarm", mapped=True),),
        delete=(Request(operation="delete_alarms", parameters={"AlarmNames": ["{id}"]}),),
        names={"name": "AlarmName", "arn": "AlarmArn", "metricQueries": "Metrics"},
        replaces=frozenset({"name"}),
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        name_limit=255,
    ),
}
