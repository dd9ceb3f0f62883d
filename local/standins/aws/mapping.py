"""Conversion between a resource's properties and an API's parameters and results.

A property finds its API member by name, in any case, singular or plural. Where the names differ a `Names` table
tells: its keys are properties, preceded by the enclosing property where that matters (`targetGroups.arn`), and its
values are members, with dots where the API nests deeper (`deploymentConfiguration.alarms`) and empty where it nests
less. Values are converted between the SDK's type on one side and botocore's shape on the other.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from local.standins.aws.schema import Type
from local.standins.plugin import ProviderError
from local.standins.wire import UNKNOWN, Props

Names = Mapping[str, str]

_TRUE = frozenset({"true", "enabled", "internal"})
_NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


def accepted(type: Type, shape: Any, names: Names) -> frozenset[str]:
    """Names of the properties that have a member in an operation's input shape."""
    return frozenset(prop for prop in type.fields if _route(prop, "", names, shape.members) is not None)


def roots(props: Iterable[str], names: Names, members: Iterable[str]) -> set[str]:
    """The top-level members that carry some properties."""
    found = (_route(prop, "", names, members) for prop in props)
    return {route[0] for route in found if route}


def to_api(value: Any, type: Type, shape: Any, names: Names, *, path: str = "") -> Any:
    """A property's value as an API parameter; properties without a member are left out at the top alone."""
    if value == UNKNOWN:
        return value
    if shape.type_name == "list":
        if isinstance(value, str) and type.scalar:
            return _document(value, path)
        if type.values:
            return _pairs(value, shape.member)
        items = value if isinstance(value, list) else [value]
        inner = type.items or type
        return [to_api(item, inner, shape.member, names, path=path) for item in items]
    if shape.type_name == "map" or (shape.type_name == "structure" and type.scalar):
        return _document(value, path) if isinstance(value, str) else value
    if shape.type_name == "structure":
        if type.items:
            return to_api(value[0], type.items, shape, names, path=path) if value else {}
        return _structure(value, type, shape, names, path=path)
    return _scalar(value, shape, path=path)


def from_api(value: Any, type: Type, names: Names, *, path: str = "") -> Any:
    """An API result as a property's value; None where the result does not tell."""
    if value is None:
        return None
    if type.scalar:
        return _property(value, type.scalar)
    if type.items:
        items = value if isinstance(value, list) else [value]
        return [from_api(item, type.items, names, path=path) for item in items]
    if type.values:
        return _mapping(value) if isinstance(value, list) else value
    if isinstance(value, list):
        return from_api(value[0], type, names, path=path) if value else None
    found = {prop: _read(prop, kind, value, names, path=path) for prop, kind in type.fields.items()}
    return {prop: item for prop, item in found.items() if item is not None}


def _structure(props: Props, type: Type, shape: Any, names: Names, *, path: str) -> Props:
    result: Props = {}
    for prop, value in props.items():
        route = _route(prop, path, names, shape.members)
        if route is None and not path:
            continue
        if route is None:
            raise ProviderError(f"{path}.{prop} has no counterpart in {shape.name}: the stand-in does not know it")
        target, inner = result, shape
        for member in route[:-1]:
            inner = inner.members[member]
            target = _descend(target, member, inner)
            inner = inner.member if inner.type_name == "list" else inner
        if route:
            found = to_api(value, type.fields[prop], inner.members[route[-1]], names, path=prop)
            before = target.get(route[-1])
            target[route[-1]] = before | found if isinstance(before, dict) else found
        else:
            result |= _structure(value, type.fields[prop], shape, names, path=prop)
    return result


def _descend(target: Props, member: str, shape: Any) -> Props:
    inner: Props = target.setdefault(member, [{}])[0] if shape.type_name == "list" else target.setdefault(member, {})
    return inner


def _read(prop: str, type: Type, data: Any, names: Names, *, path: str) -> Any:
    route = _route(prop, path, names, data)
    if route is None:
        return None
    value = data
    for member in route:
        value = value[0] if isinstance(value, list) and value else value
        value = value.get(member) if isinstance(value, dict) else None
    return from_api(value, type, names, path=prop)


def _route(prop: str, path: str, names: Names, members: Iterable[str]) -> list[str] | None:
    """The members that lead to a property's value; None where there are none."""
    name = names.get(f"{path}.{prop}", names.get(prop))
    if name == "":
        return []
    if name is not None and name.split(".")[0] in members:
        return name.split(".")
    key = _singular(prop)
    return next(([member] for member in members if _singular(member) == key), None)


def _singular(name: str) -> str:
    lower = name.lower()
    return lower.removesuffix("ies") + "y" if lower.endswith("ies") else lower.removesuffix("s")


def _pairs(value: Props, member: Any) -> list[Props]:
    key, content = sorted(member.members, key=str.lower)  # Key and Value, or Name and Value
    return [{key: name, content: item} for name, item in value.items()]


def _mapping(pairs: list[Props]) -> Props:
    lowered = [{key.lower(): item for key, item in pair.items()} for pair in pairs]
    return {str(pair.get("key", pair.get("name"))): pair.get("value", "") for pair in lowered}


def _document(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ProviderError(f"{path} is not a JSON document: {error}") from error


def _scalar(value: Any, shape: Any, *, path: str) -> Any:
    kind = shape.type_name
    if kind in _NUMBERS:
        return _NUMBERS[kind](value)
    if kind != "string":
        return value
    if isinstance(value, bool):
        value = _of_bool(value, shape.enum)
    text = value if isinstance(value, str) else json.dumps(value)
    if shape.enum and text not in shape.enum:
        raise ProviderError(f"{path}={text}: allowed are {', '.join(shape.enum)}")
    return text


def _of_bool(value: bool, enum: list[str]) -> str:
    if not enum:
        return json.dumps(value)
    return next(text for text in enum if (text.lower() in _TRUE) == value)


def _property(value: Any, scalar: type) -> Any:
    if scalar is bool:
        return value if isinstance(value, bool) else str(value).lower() in _TRUE
    if scalar in (int, float):
        return scalar(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
