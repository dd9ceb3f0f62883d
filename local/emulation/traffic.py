"""Which target group a service's tasks register in, and how its production rule divides the traffic between two.

Source: the Amazon ECS API reference, `AdvancedConfiguration`, and the developer guide, "Blue/green deployments".
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from ministack.core.concurrency import resource_lock  # type: ignore[import-untyped]
from ministack.services import alb, ecs  # type: ignore[import-untyped]

from local.emulation.extension import extend
from local.emulation.stopping import Record, tasks_of

ROLLING = "ROLLING"


class Stage(Enum):
    """How far a deployment has got with the traffic."""

    WAITING = auto()
    SHIFTING = auto()
    DONE = auto()
    ABANDONED = auto()


@dataclass(frozen=True)
class Side:
    """A deployment's side of one production rule: its own target group, and the other one."""

    rule_arn: str
    own: str
    other: str


@dataclass
class Shift:
    """A deployment's way to the traffic.

    Attributes:
        sides: Its side of each rule; its tasks register there.
        stage: How far it has got.
    """

    sides: list[Side]
    stage: Stage

    @property
    def groups(self) -> set[str]:
        """The target groups that its tasks register in."""
        return {side.own for side in self.sides}

    def give(self, percent: float) -> None:
        """Give the tasks their share of the traffic, in whole weights as rules take them."""
        scale = 1 if percent == int(percent) else 10
        share = round(percent * scale)
        for side in self.sides:
            _weigh(side.rule_arn, {side.own: share, side.other: 100 * scale - share})

    def abandon(self) -> None:
        """Give the traffic back, unless the shift is over."""
        if self.stage is Stage.SHIFTING:
            self.give(0)
        if self.stage is not Stage.DONE:
            self.stage = Stage.ABANDONED


SHIFTS: dict[str, Shift] = {}
"""Shifts by the deployment's id."""


def install() -> None:
    """Extend the emulator's registration of tasks."""
    extend(ecs, "_sync_service_targets", sync_targets)


def is_shifted(service: Record) -> bool:
    """Tell whether ECS shifts the service's traffic from one target group to another."""
    strategy = service["deploymentConfiguration"].get("strategy", ROLLING)
    return strategy != ROLLING and bool(service["loadBalancers"])


def target_groups(service: Record) -> set[str]:
    """List the target groups that the service's tasks may register in."""
    blocks = service["loadBalancers"]
    if is_shifted(service):
        return {group for block in blocks for group in _both(block)}
    return {block["targetGroupArn"] for block in blocks}


def _both(block: Record) -> tuple[str, str]:
    return block["targetGroupArn"], block["advancedConfiguration"]["alternateTargetGroupArn"]


def place(service: Record) -> None:
    """Choose the groups of deployments that have none: those without traffic if an earlier deployment has it."""
    deployments = service["deployments"] if is_shifted(service) else []
    for deployment in deployments:
        if deployment["id"] not in SHIFTS:
            others = [one for one in deployments if one is not deployment]
            is_new = deployment["status"] == "PRIMARY" and any(one["rolloutState"] == "COMPLETED" for one in others)
            sides = [_side(block, has_traffic=not is_new) for block in service["loadBalancers"]]
            SHIFTS[deployment["id"]] = Shift(sides, Stage.WAITING if is_new else Stage.DONE)


def _side(block: Record, *, has_traffic: bool) -> Side:
    by_weight = weights(block)
    heavy, light = sorted(_both(block), key=by_weight.__getitem__, reverse=True)
    own, other = (heavy, light) if has_traffic else (light, heavy)
    return Side(block["advancedConfiguration"]["productionListenerRule"], own, other)


def weights(block: Record) -> dict[str, int]:
    """Read the production rule of a load balancer block: weights by target group, none where there is no rule."""
    forwards = _forwards(block["advancedConfiguration"].get("productionListenerRule"))
    return {
        one["TargetGroupArn"]: one["Weight"] for action in forwards for one in action["ForwardConfig"]["TargetGroups"]
    }


def _weigh(rule_arn: str, by_group: dict[str, int]) -> None:
    for action in _forwards(rule_arn):
        config = action["ForwardConfig"]
        members = [{**one, "Weight": by_group.get(one["TargetGroupArn"], 0)} for one in config["TargetGroups"]]
        action["ForwardConfig"] = {**config, "TargetGroups": members}  # one assignment: no request sees half of it


def _forwards(rule_arn: str | None) -> list[Record]:
    actions = alb._rules.get(rule_arn, {}).get("Actions", [])
    return [action for action in actions if action["Type"] == "forward"]


def sync_targets(original: Callable[[str, Record], None], cluster_name: str, service: Record) -> None:
    """Register each task in its deployment's groups, and withdraw what stands in groups no longer named."""
    if is_shifted(service):
        for block in service["loadBalancers"]:
            for group in _both(block):
                _publish(service, group, _members(service, block, group))
    else:
        original(cluster_name, service)
    for group in service.get("_published_targets", {}).keys() - target_groups(service):
        _publish(service, group, ())


def _members(service: Record, block: Record, group: str) -> Iterator[tuple[str, int]]:
    for task in tasks_of(service) if service["status"] == "ACTIVE" else ():
        shift = SHIFTS.get(task["_deployment_id"])
        groups = shift.groups if shift else {_side(block, has_traffic=True).own}
        if task["lastStatus"] == "RUNNING" and group in groups and (host := ecs._task_ip(task)):
            yield host, block["containerPort"]


def _publish(service: Record, group: str, members: Iterable[tuple[str, int]]) -> None:
    published = service.setdefault("_published_targets", {})
    with resource_lock("elbv2-targets", group):
        targets = list(members)
        alb.set_targets_for_group(group, targets, published.get(group, ()))
        published[group] = [host for host, _ in targets]
