"""When two values of a property mean the same, and what a live resource says about wanted inputs."""

import json
from typing import Any

from local.standins.wire import has_unknown


def same(left: Any, right: Any) -> bool:
    """Whether two values mean the same to AWS.

    The order of a list does not count, nor the layout of a JSON document, nor whether a resource
    is named by its name or its ARN. What is not known yet is never the same.
    """
    if has_unknown(left) or has_unknown(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and sorted(map(_text, left)) == sorted(map(_text, right))
    if isinstance(left, str) and isinstance(right, str):
        return left == right or _names(left, right) or _names(right, left) or _same_json(left, right)
    return bool(left == right)


def overlay(wanted: Any, live: Any) -> Any:
    """The wanted value with whatever the live resource reports differently.

    What the API does not report stays as it was wanted, and what it reports beyond that is its own default.
    """
    if live is None or same(wanted, live):
        return wanted
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {key: overlay(value, live.get(key)) for key, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        rest = list(live)
        return [overlay(item, rest.pop(_nearest(item, rest))) for item in wanted]
    return live


def _nearest(item: Any, candidates: list[Any]) -> int:
    def likeness(index: int) -> int:
        candidate = candidates[index]
        if isinstance(item, dict) and isinstance(candidate, dict):
            return sum(same(value, candidate.get(key)) for key, value in item.items())
        return int(same(item, candidate))

    return max(range(len(candidates)), key=likeness)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _names(arn: str, name: str) -> bool:
    return arn.startswith("arn:") and bool(name) and arn.endswith((f"/{name}", f":{name}"))


def _same_json(left: str, right: str) -> bool:
    if not (left.lstrip().startswith(("{", "[")) and right.lstrip().startswith(("{", "["))):
        return False
    try:
        return bool(json.loads(left) == json.loads(right))
    except ValueError:
        return False
