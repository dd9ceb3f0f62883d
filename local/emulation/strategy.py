"""Deployment strategies that shift traffic: their steps, and what of them is refused.

Source: the Amazon ECS API reference, `DeploymentConfiguration`.
"""

from collections.abc import Callable, Iterator
from itertools import count, takewhile
from typing import Any

from ministack.core.responses import error_response_json  # type: ignore[import-untyped]
from ministack.services import ecs  # type: ignore[import-untyped]

from local.emulation.extension import extend
from local.emulation.service_settings import find_service
from local.emulation.stopping import Record
from local.emulation.traffic import ROLLING, weights

STRATEGIES = (ROLLING, "BLUE_GREEN", "LINEAR", "CANARY")
NOTHING: Record = {"deploymentConfiguration": {}, "loadBalancers": []}
"""The fields of a service that its strategy is about, when none is given."""

ALL_PERCENT = 100


def install() -> None:
    """Extend the emulator's services."""
    extend(ecs, "_create_service", checked)
    extend(ecs, "_update_service", checked)


def checked(original: Callable[[Record], Any], data: Record) -> Any:
    """Create or update a service unless its strategy is unknown, lacks what it needs, or is not emulated like that."""
    service = find_service(data, data.get("service", "")) or NOTHING
    problem = next(_problems({**service, **data}), None) if data.keys() & NOTHING.keys() else None
    return error_response_json("InvalidParameterException", problem, 400) if problem else original(data)


def _problems(service: Record) -> Iterator[str]:
    configuration = service["deploymentConfiguration"]
    strategy = configuration.get("strategy", ROLLING)
    if strategy not in STRATEGIES:
        yield f"strategy {strategy} is unknown; allowed: {', '.join(STRATEGIES)}"
    if strategy == ROLLING:
        return
    if configuration.get("lifecycleHooks"):
        yield "lifecycleHooks are not emulated"
    for name in ("alarms", "deploymentCircuitBreaker"):
        method = configuration.get(name, {})
        if method.get("enable") and not method.get("rollback"):
            yield f"{name} without rollback are not emulated under {strategy}"
    for block in service["loadBalancers"]:
        advanced = block.get("advancedConfiguration")
        if not advanced:
            yield f"{strategy} needs advancedConfiguration in each of loadBalancers"
        elif advanced.get("testListenerRule"):
            yield "testListenerRule is not emulated"
        elif not {block["targetGroupArn"], advanced.get("alternateTargetGroupArn")} <= weights(block).keys():
            yield f"rule {advanced.get('productionListenerRule')} does not forward to both target groups"


def steps(configuration: Record) -> list[tuple[float, float]]:
    """List the shifts of a strategy: the percent that the new tasks get, and the minutes to wait after it."""
    last = (ALL_PERCENT, configuration.get("bakeTimeInMinutes", 0))
    match configuration["strategy"]:
        case "CANARY":
            canary = configuration.get("canaryConfiguration", {})
            return [(canary.get("canaryPercent", 5), canary.get("canaryBakeTimeInMinutes", 10)), last]
        case "LINEAR":
            linear = configuration.get("linearConfiguration", {})
            step, minutes = linear.get("stepPercent", 10), linear.get("stepBakeTimeInMinutes", 6)
            percents = takewhile(lambda percent: percent < ALL_PERCENT, count(step, step))
            return [*((percent, minutes) for percent in percents), last]
        case _:
            return [last]
