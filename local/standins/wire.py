"""Conversion between the engine's protobuf structs and plain Python values.

On the Python side an unknown is the string `UNKNOWN`, a whole number is an `int`, and secrets and outputs
are their bare values: the engine marks results as secret itself when a plugin does not accept secrets.
"""

from typing import Any

from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]

Props = dict[str, Any]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's spelling of a value that a preview cannot know yet."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


def from_struct(struct: struct_pb2.Struct) -> Props:
    """Properties in a message, as Python values; null members are left out."""
    plain = json_format.MessageToDict(struct)
    return {key: _plain(value) for key, value in plain.items() if value is not None}


def to_struct(props: Props) -> struct_pb2.Struct:
    """Python properties as a message; members that are None are left out."""
    return json_format.ParseDict({k: v for k, v in props.items() if v is not None}, struct_pb2.Struct())


def has_unknown(value: Any) -> bool:
    """Whether an unknown stands anywhere in a value, also inside a text made of one."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return isinstance(value, str) and UNKNOWN in value


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get(_SIGNATURE):
        case None:
            return {key: _plain(item) for key, item in value.items() if item is not None}
        case str(kind) if kind in (_SECRET, _OUTPUT):
            return _plain(value["value"]) if "value" in value else UNKNOWN
        case kind:
            raise ValueError(f"unsupported kind of value {kind} (an asset, an archive or a resource)")
