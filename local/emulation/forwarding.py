"""Application Load Balancer: a forward to several target groups by weight, and an address of this machine.

Source: the Elastic Load Balancing API reference, `ForwardActionConfig`.
"""

import math
import os
from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate, count
from typing import Any, cast

from ministack.services import alb  # type: ignore[import-untyped]

from local.emulation.extension import extend

Action = dict[str, Any]
"""An action of a listener or rule, keyed as in the API."""

Params = dict[str, Any]
"""The flattened parameters of a query API request."""

DEFAULT_WEIGHT = 1
NO_CAPACITY = 503

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
_draws = count(1)


def install() -> None:
    """Extend the emulator's load balancer."""
    extend(alb, "_parse_actions", parse_actions)
    extend(alb, "_action_xml", action_xml)
    extend(alb, "_execute_actions", execute_actions)
    extend(alb, "_lb_xml", load_balancer_xml)


def parse_actions(original: Callable[..., list[Action]], params: Params, prefix: str) -> list[Action]:
    """Read the actions of a request together with their `ForwardConfig`."""
    actions = original(params, prefix)
    for number, action in enumerate(actions, 1):
        if action["Type"] == "forward":
            action["ForwardConfig"] = forward_config(params, f"{prefix}.member.{number}", action)
            groups = action["ForwardConfig"]["TargetGroups"]
            if len(groups) == 1:
                action["TargetGroupArn"] = groups[0]["TargetGroupArn"]
    return actions


def forward_config(params: Params, prefix: str, action: Action) -> dict[str, Any]:
    """Read one action's `ForwardConfig`; a lone `TargetGroupArn` is a forward to that group alone."""
    base = f"{prefix}.ForwardConfig"
    groups = []
    for number in count(1):
        member = f"{base}.TargetGroups.member.{number}"
        arn = alb._p(params, f"{member}.TargetGroupArn")
        if not arn:
            break
        weight = int(alb._p(params, f"{member}.Weight", str(DEFAULT_WEIGHT)))
        groups.append({"TargetGroupArn": arn, "Weight": weight})
    if not groups:
        groups = [{"TargetGroupArn": action["TargetGroupArn"], "Weight": DEFAULT_WEIGHT}]
    sticky = f"{base}.TargetGroupStickinessConfig"
    stickiness: dict[str, Any] = {"Enabled": alb._p(params, f"{sticky}.Enabled", "false") == "true"}
    if seconds := alb._p(params, f"{sticky}.DurationSeconds"):
        stickiness["DurationSeconds"] = int(seconds)
    return {"TargetGroups": groups, "TargetGroupStickinessConfig": stickiness}


def action_xml(original: Callable[[Action], str], action: Action) -> str:
    """Describe an action with the `ForwardConfig` that it was given."""
    xml = original(action)
    if "ForwardConfig" not in action:
        return xml
    config = action["ForwardConfig"]
    groups = "".join(f"<member>{_elements(group)}</member>" for group in config["TargetGroups"])
    stickiness = _elements(config["TargetGroupStickinessConfig"])
    described = (
        f"<ForwardConfig><TargetGroups>{groups}</TargetGroups>"
        f"<TargetGroupStickinessConfig>{stickiness}</TargetGroupStickinessConfig></ForwardConfig>"
    )
    return f"{xml.removesuffix('</member>')}{described}</member>"


def _elements(record: dict[str, Any]) -> str:
    values = {key: str(value).lower() if isinstance(value, bool) else value for key, value in record.items()}
    return "".join(f"<{key}>{value}</{key}>" for key, value in values.items())


async def execute_actions(
    original: Callable[..., Any], actions: list[Action], *args: Any, **kwargs: Any
) -> tuple[int, dict[str, str], Any]:
    """Run a rule's actions, each forward going to one of its groups, drawn by weight.

    As on AWS, a group without healthy targets keeps its share, and weights that are all 0 answer 503.
    """
    chosen = [_with_chosen_group(action) for action in actions]
    response = await original(chosen, *args, **kwargs)
    return cast("tuple[int, dict[str, str], Any]", response)


def _with_chosen_group(action: Action) -> Action:
    if "ForwardConfig" not in action:
        return action
    groups = action["ForwardConfig"]["TargetGroups"]
    weights = [group["Weight"] for group in groups]
    if not any(weights):
        return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": str(NO_CAPACITY)}}
    group = groups[_draw(weights)]
    return {**action, "TargetGroupArn": group["TargetGroupArn"]}


def _draw(weights: Sequence[int]) -> int:
    """Draw a position by weight.

    The fractions of the golden ratio's multiples fill the unit interval more evenly than chance does (Knuth, The Art of
    Computer Programming, section 6.4), so that a thousand requests show the weights and not luck.
    """
    point = next(_draws) * GOLDEN_RATIO % 1 * sum(weights)
    return bisect(list(accumulate(weights)), point)


def load_balancer_xml(original: Callable[[dict[str, Any]], str], load_balancer: dict[str, Any]) -> str:
    """Describe a load balancer with a DNS name that leads to this machine, the emulator's port included.

    Names below `localhost` are loopback (RFC 6761, section 6.3); the emulator answers under this one.
    """
    port = os.environ["GATEWAY_PORT"]
    name = load_balancer["LoadBalancerName"].lower()
    return original({**load_balancer, "DNSName": f"{name}.alb.localhost:{port}"})
