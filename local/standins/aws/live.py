"""What the API says about a resource, as the properties that Pulumi shows."""

from typing import Any

from local.standins.aws.api import Api, Gone, fill
from local.standins.aws.comparison import overlay
from local.standins.aws.kind import Kind
from local.standins.aws.mapping import from_api
from local.standins.aws.schema import Schema, Type
from local.standins.aws.tags import read_tags
from local.standins.wire import Props


def describe(api: Api, kind: Kind, schema: Schema, *, id: str, known: Props) -> Props | None:
    """The live properties of a resource, `tagsAll` among them; None when it does not exist.

    Args:
        api: Where to ask.
        kind: The calls that describe the resource.
        schema: The properties to look for.
        id: The resource's id.
        known: What is known of it already, for the places in the calls.
    """
    places = {**known, "id": id, "region": api.region, "account": api.account}
    data: Props = {}
    for request in kind.reads:
        try:
            found = request.send(api, kind.service, places)
        except Gone:
            found = None
        if not found and request is kind.reads[0]:
            return None
        data |= found or {}
    live: Props = from_api(data, Type(fields=schema.outputs), kind.names)
    for path, value in _attributes(kind, schema, data.get("Attributes", [])):
        _put(live, path, value)
    live |= {prop: compute(places | live) for prop, compute in kind.computed.items()}
    if "tagsAll" in schema.outputs:
        live["tagsAll"] = read_tags(api, kind.service, fill(kind.tagged, places | live), data)
    if kind.ready:
        live["ready"] = data.get(kind.ready)
    return live


def wanted_in_truth(kind: Kind, wanted: Props, live: Props) -> Props:
    """The wanted properties, each with whatever is different in truth."""
    return {prop: _in_truth(kind, prop, value, live.get(prop)) for prop, value in wanted.items()}


def _in_truth(kind: Kind, prop: str, wanted: Any, live: Any) -> Any:
    normal = kind.normal.get(prop)
    if normal and live is not None and normal(wanted) == normal(live):
        return wanted
    return overlay(wanted, live)


def _attributes(kind: Kind, schema: Schema, pairs: list[Props]) -> list[tuple[list[str], Any]]:
    values = {pair["Key"]: pair["Value"] for pair in pairs if pair.get("Value")}
    found = []
    for dotted, key in kind.attributes.items():
        path, type = dotted.split("."), Type(fields=schema.outputs)
        for prop in path:
            type = type.fields[prop]
        if key in values:
            found.append((path, from_api(values[key], type, {})))
    return found


def _put(target: Props, path: list[str], value: Any) -> None:
    for prop in path[:-1]:
        target = target.setdefault(prop, {})
    target[path[-1]] = value
