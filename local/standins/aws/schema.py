"""The properties of a resource type or function, as the installed pulumi_aws SDK declares them."""

import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pulumi import _types as sdk

from local.standins.plugin import ProviderError
from local.standins.wire import UNKNOWN, Props

_SCALARS: Mapping[type, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}


@dataclass(frozen=True, kw_only=True)
class Type:
    """The type of a property: a scalar, or a list, map or object of other types."""

    scalar: type | None = None
    items: "Type | None" = None
    """Of a list's elements."""
    values: "Type | None" = None
    """Of a map's values."""
    fields: Mapping[str, "Type"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What goes into a resource type, and what comes out."""

    inputs: Type
    outputs: Mapping[str, Type]


@cache
def schema_of(token: str) -> Schema:
    """The schema of a token such as `aws:ecs/cluster:Cluster`."""
    match = re.fullmatch(r"aws:(\w+)/(\w+):(\w+)", token)
    if not match:
        raise ProviderError(f"{token} is not the type of an aws resource")
    package, module, name = match.groups()
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", module).lower()
    source = importlib.import_module(f"pulumi_aws.{package}.{snake}")
    return Schema(
        inputs=_object(getattr(source, f"{name}Args")),
        outputs=_object(getattr(source, f"_{name}State")).fields,
    )


def problems(value: Any, type: Type, *, path: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a value, as pairs of a property's path and a reason."""
    if value is None or value == UNKNOWN:
        return
    if type.scalar:
        if not isinstance(value, _SCALARS[type.scalar]) or (isinstance(value, bool) and type.scalar is not bool):
            yield path, f"{path}={value!r} is not of type {type.scalar.__name__}"
    elif type.items:
        if not isinstance(value, list):
            yield path, f"{path}={value!r} is not a list"
            return
        for index, item in enumerate(value):
            yield from problems(item, type.items, path=f"{path}[{index}]")
    elif not isinstance(value, dict):
        yield path, f"{path}={value!r} is not an object"
    elif type.values:
        for key, item in value.items():
            yield from problems(item, type.values, path=f"{path}.{key}")
    else:
        yield from _object_problems(value, type, path=path)


def _object_problems(value: Props, type: Type, *, path: str) -> Iterator[tuple[str, str]]:
    def at(name: str) -> str:
        return f"{path}.{name}" if path else name

    for name in sorted(type.required - value.keys()):
        yield at(name), f"missing required property {at(name)}"
    for name, item in value.items():
        if name in type.fields:
            yield from problems(item, type.fields[name], path=at(name))
        else:
            yield at(name), f"unknown property {at(name)}, allowed are {', '.join(sorted(type.fields))}"


@cache
def _object(declared: Any) -> Type:
    names = sdk.input_type_py_to_pulumi_names(declared)
    parameters = inspect.signature(declared.__init__).parameters
    required = (names[key] for key in names if parameters[key].default is inspect.Parameter.empty)
    fields = {name: _type(kind) for name, kind in sdk.input_type_types(declared).items()}
    return Type(fields=fields, required=frozenset(required))


def _type(declared: Any) -> Type:
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin in (typing.Union, types.UnionType):
        return _type(arguments[0])
    if origin is Sequence:
        return Type(items=_type(arguments[0]))
    if origin is Mapping:
        return Type(values=_type(arguments[1]))
    if declared in _SCALARS:
        return Type(scalar=declared)
    if inspect.isclass(declared) and issubclass(declared, str):
        return Type(scalar=str)
    return _object(declared)
