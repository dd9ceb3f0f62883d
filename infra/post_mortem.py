"""Says why a rollout failed: which task stopped, why, and the last lines of its log."""

from collections.abc import Mapping, Sequence
from typing import Any

import boto3  # type: ignore[import-untyped]
import pulumi
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

MAX_TASKS = 100  # DescribeTasks takes no more at once
LOG_LINES = 10


def explain_failure(name: str) -> pulumi.ErrorHook:
    """Make a hook that explains a service's failed create or update, and does not try again.

    The provider's own error says that a deployment failed, and not what its tasks died of.
    """

    def hook(args: pulumi.ErrorHookArgs) -> bool:
        inputs = args.new_inputs or {}
        session = boto3.Session(region_name=pulumi.Config("aws").get("region"))
        try:
            explanation = explain(session, cluster=inputs["cluster"], service=inputs["name"])
        except (BotoCoreError, ClientError, KeyError) as error:
            explanation = f"what its tasks died of could not be read: {error}"
        pulumi.log.error(f"{args.name}: {explanation}")
        return False

    return pulumi.ErrorHook(name, hook)


def explain(session: boto3.Session, *, cluster: str, service: str) -> str:
    """Describe the last task of a service that failed.

    Args:
        session: Credentials and region.
        cluster: Name or ARN.
        service: Name.

    Returns:
        A line about the task, then the last lines of its log, indented.
    """
    ecs = session.client("ecs")
    arns = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="STOPPED", maxResults=MAX_TASKS)
    if not arns["taskArns"]:
        return "no task of it has stopped; its events: aws ecs describe-services"
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns["taskArns"])["tasks"]
    task = max(tasks, key=lambda stopped: str(stopped.get("stoppedAt", stopped.get("createdAt"))))
    return "\n".join([summary(task), *(f"    {line}" for line in last_lines(session, task))])


def summary(task: Mapping[str, Any]) -> str:
    """Tell in a line which task stopped, and why."""
    id_ = task["taskArn"].rsplit("/", 1)[-1]
    definition = task["taskDefinitionArn"].rsplit("/", 1)[-1]
    reasons = [task.get("stoppedReason"), *(_container_reason(container) for container in task["containers"])]
    return (
        f"task {id_} ({definition}) stopped: {'; '.join(reason for reason in reasons if reason) or 'no reason given'}"
    )


def _container_reason(container: Mapping[str, Any]) -> str:
    code = container.get("exitCode")
    said = [container.get("reason"), f"exit code {code}" if code is not None else None]
    return ", ".join(part for part in said if part)


def last_lines(session: boto3.Session, task: Mapping[str, Any]) -> Sequence[str]:
    """Read the end of a task's log; empty where the task never wrote."""
    definition = session.client("ecs").describe_task_definition(taskDefinition=task["taskDefinitionArn"])
    [container] = definition["taskDefinition"]["containerDefinitions"]
    options = container["logConfiguration"]["options"]
    id_ = task["taskArn"].rsplit("/", 1)[-1]
    logs = session.client("logs")
    try:
        events = logs.get_log_events(
            logGroupName=options["awslogs-group"],
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html: prefix/container/task
            logStreamName=f"{options['awslogs-stream-prefix']}/{container['name']}/{id_}",
            limit=LOG_LINES,
            startFromHead=False,
        )["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in events]
