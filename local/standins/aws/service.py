"""The ECS service, whose life includes its deployments."""

from typing import Any

from local.standins.aws.api import Request, input_shape
from local.standins.aws.mapping import roots
from local.standins.aws.resource import AwsResource
from local.standins.plugin import Call, ProviderError
from local.standins.wire import Props


class EcsService(AwsResource):
    """A service that waits, where it is told to, until its last deployment is steady or has failed."""

    def settled(self, call: Call, id: str, outputs: Props) -> None:
        """Waits for the deployment that the create or update just began."""
        if not outputs.get("waitForSteadyState"):
            return
        cluster = str(outputs["cluster"])
        deployment = self._primary(self._service(cluster, id))["id"]
        self.wait(call, lambda: self._is_steady(call, cluster, id, deployment), "the steady state")

    def _sent_together(self, request: Request, props: Props, changed: frozenset[str]) -> Props:
        """What shares an API structure with a change, because ECS takes structures only whole."""
        members = input_shape(self.kind.service, request.operation).members
        touched = roots(changed, self.kind.names, members)
        touched |= {"cluster", "forceNewDeployment"}
        return {prop: value for prop, value in props.items() if roots({prop}, self.kind.names, members) & touched}

    def _service(self, cluster: str, id: str) -> Props:
        answer = self.api.call("ecs", "describe_services", {"cluster": cluster, "services": [id]})
        if not answer["services"]:
            raise ProviderError(f"ECS service {id} is gone while its deployment was awaited")
        service: Props = answer["services"][0]
        return service

    def _is_steady(self, call: Call, cluster: str, id: str, awaited: str) -> bool:
        service = self._service(cluster, id)
        primary = self._primary(service)
        own = next((item for item in service["deployments"] if item["id"] == awaited), None)
        if primary["id"] != awaited or primary.get("rolloutState") == "FAILED":
            if primary["id"] != awaited and primary.get("rolloutState") == "IN_PROGRESS":
                return False  # the way back is part of the deployment: it ends with ROLLBACK_SUCCESSFUL
            raise ProviderError(_failure(id, own or {}, primary, awaited))
        others = [item for item in service["deployments"] if item is not primary]
        call.log(f"{primary['rolloutState']}: {service['runningCount']} of {service['desiredCount']} tasks running")
        return (
            primary.get("rolloutState") == "COMPLETED"
            and service["runningCount"] == service["desiredCount"]
            and all(item.get("rolloutState") == "FAILED" for item in others)
        )

    @staticmethod
    def _primary(service: Props) -> Props:
        found: Props = next(item for item in service["deployments"] if item["status"] == "PRIMARY")
        return found


def _failure(id: str, own: Props, primary: Props, awaited: str) -> str:
    outcome = "FAILED" if primary["id"] == awaited else "ROLLBACK_SUCCESSFUL"
    reason: Any = own.get("rolloutStateReason") or "replaced by another deployment"
    return f"waiting for ECS service {id}: the deployment ended {outcome}: {reason}"
