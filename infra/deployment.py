"""What became of a service's deployment: waits until it is steady, and says why it failed."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import boto3  # type: ignore[import-untyped]
import pulumi
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

MAX_TASKS = 100  # DescribeTasks takes no more at once
LOG_LINES = 10
# Of their own accord, and not by the scheduler: API_Task.stopCode
FAILURES = ("EssentialContainerExited", "TaskFailedToStart")
POLL_SECONDS = 3


async def steady(*, cluster: str, service: str, task_definition: str, timeout_minutes: int) -> None:
    """Wait until a service runs a task definition and nothing else.

    The provider waits too, but only in an `up` that changes the service. One that was interrupted leaves a deployment
    under way, and the next `up` has nothing to change.

    Args:
        cluster: Name or ARN.
        service: Name.
        task_definition: ARN of the revision that was asked for.
        timeout_minutes: How long a rollout may take.

    Raises:
        RunError: ECS went back to another revision, or the time is over.
    """
    client = _session().client("ecs")
    deadline = time.monotonic() + timeout_minutes * 60
    while True:
        described = await asyncio.to_thread(client.describe_services, cluster=cluster, services=[service])
        [found] = described["services"]
        if found["taskDefinition"] != task_definition:
            went_back = f"{service}: ECS went back from {_last(task_definition)} to {_last(found['taskDefinition'])}"
            raise pulumi.RunError(f"{went_back}; {_explained(cluster, service, task_definition)}")
        if is_steady(found):
            return
        if time.monotonic() > deadline:
            raise pulumi.RunError(
                f"{service}: not steady after {timeout_minutes} minutes; run pulumi up again to wait on"
            )
        await asyncio.sleep(POLL_SECONDS)


def is_steady(service: Mapping[str, Any]) -> bool:
    """Tell from DescribeServices whether the last deployment has ended well and every task runs."""
    primary = next(deployment for deployment in service["deployments"] if deployment["status"] == "PRIMARY")
    is_complete: bool = primary["rolloutState"] == "COMPLETED"
    return is_complete and service["runningCount"] == service["desiredCount"]


def explain_failure(name: str) -> pulumi.ErrorHook:
    """Make a hook that explains a service's failed create or update, and does not try again.

    The provider's own error says that a deployment failed, and not what its tasks died of.
    """

    def hook(args: pulumi.ErrorHookArgs) -> bool:
        inputs = args.new_inputs or {}
        asked_for = (inputs.get(key, "") for key in ("cluster", "name", "taskDefinition"))
        pulumi.log.error(f"{args.name}: {_explained(*asked_for)}")
        return False

    return pulumi.ErrorHook(name, hook)


def _session() -> boto3.Session:
    """Credentials and region as the aws provider has them."""
    config = pulumi.Config("aws")
    return boto3.Session(region_name=config.get("region"), profile_name=config.get("profile"))


def _explained(cluster: str, service: str, task_definition: str) -> str:
    try:
        return explain(_session(), cluster=cluster, service=service, task_definition=task_definition)
    except (BotoCoreError, ClientError) as error:
        return f"what its tasks died of could not be read: {error}"


def _last(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def explain(session: boto3.Session, *, cluster: str, service: str, task_definition: str) -> str:
    """Describe the last task of a service's revision that failed.

    Args:
        session: Credentials and region.
        cluster: Name or ARN.
        service: Name.
        task_definition: ARN of the revision.

    Returns:
        A line about the task, then the last lines of its log, indented.
    """
    ecs = session.client("ecs")
    arns = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="STOPPED", maxResults=MAX_TASKS)
    stopped = ecs.describe_tasks(cluster=cluster, tasks=arns["taskArns"])["tasks"] if arns["taskArns"] else []
    tasks = [task for task in stopped if task["taskDefinitionArn"] == task_definition]
    if not tasks:
        return f"no task of {_last(task_definition)} has stopped; see the events of aws ecs describe-services"
    task = max(tasks, key=lambda task: (task.get("stopCode") in FAILURES, str(task.get("stoppedAt"))))
    return "\n".join([summary(task), *(f"    {line}" for line in last_lines(session, task))])


def summary(task: Mapping[str, Any]) -> str:
    """Tell in a line which task stopped, and why."""
    id_, definition = _last(task["taskArn"]), _last(task["taskDefinitionArn"])
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
    logs = session.client("logs")
    try:
        events = logs.get_log_events(
            logGroupName=options["awslogs-group"],
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html: prefix/container/task
            logStreamName=f"{options['awslogs-stream-prefix']}/{container['name']}/{_last(task['taskArn'])}",
            limit=LOG_LINES,
            startFromHead=False,
        )["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in events]
