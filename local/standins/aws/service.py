"""The ECS service, whose life includes its deployments and its tasks."""

from local.standins.aws.api import Request, input_shape
from local.standins.aws.mapping import roots
from local.standins.aws.resource import AwsResource
from local.standins.plugin import Call, ProviderError, State
from local.standins.wire import Props

ALWAYS_SENT = frozenset({"cluster", "forceNewDeployment"})


class EcsService(AwsResource):
    """A service that waits, where it is told to, until its last deployment is steady or has failed."""

    def settled(self, call: Call, id: str, outputs: Props) -> None:
        """Waits for the deployment that the create or update just began."""
        if outputs.get("waitForSteadyState"):
            cluster = str(outputs["cluster"])
            begun = _primary(self._service(cluster, id))
            self.wait(call, lambda: self._is_steady(call, cluster, id, begun["id"]), "the steady state")

    def delete(self, call: Call, state: State) -> None:
        """Scales to nothing, deletes, and waits until the last task has stopped."""
        super().delete(call, state)
        cluster, name = str(state.outputs["cluster"]), str(state.outputs["name"])
        self.wait(call, lambda: not self._has_tasks(cluster, name), "the last task")

    def sent_together(self, request: Request, props: Props, changed: frozenset[str]) -> Props:
        """What shares an API structure with a change, because ECS takes structures only whole."""
        members = input_shape(self.kind.service, request.operation).members

        def carrier(prop: str) -> set[str]:
            return roots({prop}, self.kind.names, members)

        touched = roots(changed, self.kind.names, members) | ALWAYS_SENT
        return {prop: value for prop, value in props.items() if carrier(prop) & touched}

    def _service(self, cluster: str, id: str) -> Props:
        found = self.api.call("ecs", "describe_services", {"cluster": cluster, "services": [id]})["services"]
        if not found:
            raise ProviderError(f"ECS service {id} is gone while its deployment was awaited")
        service: Props = found[0]
        return service

    def _is_steady(self, call: Call, cluster: str, id: str, awaited: str) -> bool:
        service = self._service(cluster, id)
        primary = _primary(service)
        others = [item for item in service["deployments"] if item is not primary]
        state = primary["rolloutState"]
        if primary["id"] != awaited and state != "IN_PROGRESS":
            begun: Props = next((item for item in others if item["id"] == awaited), {})
            raise ProviderError(_failure(id, "ROLLBACK_SUCCESSFUL", begun))
        if state == "FAILED":
            raise ProviderError(_failure(id, "FAILED", primary))
        call.log(f"{service['runningCount']} of {service['desiredCount']} tasks run; deployment {state}")
        return (
            state == "COMPLETED"
            and service["runningCount"] == service["desiredCount"]
            and all(item["rolloutState"] == "FAILED" for item in others)
        )

    def _has_tasks(self, cluster: str, name: str) -> bool:
        for wanted in ("RUNNING", "STOPPED"):
            listing = {"cluster": cluster, "serviceName": name, "desiredStatus": wanted}
            arns = self.api.call("ecs", "list_tasks", listing)["taskArns"]
            tasks = self.api.call("ecs", "describe_tasks", {"cluster": cluster, "tasks": arns})["tasks"] if arns else []
            if any(task["lastStatus"] != "STOPPED" for task in tasks):
                return True
        return False


def _primary(service: Props) -> Props:
    found = [item for item in service["deployments"] if item["status"] == "PRIMARY"]
    if not found:
        raise ProviderError(f"ECS service {service['serviceArn']} has no primary deployment")
    primary: Props = found[0]
    return primary


def _failure(id: str, outcome: str, deployment: Props) -> str:
    reason = deployment.get("rolloutStateReason") or "no reason was given"
    return f"waiting for ECS service {id}: its deployment ended {outcome}: {reason}"
