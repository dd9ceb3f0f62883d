"""The functions of the aws package that a program may invoke."""

import json
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.standins.aws.api import Api
from local.standins.plugin import InvalidInputs
from local.standins.wire import Props

PARTITION = {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def _region(api: Api, args: Props) -> Props:
    name = args.get("region", api.region)
    return {
        "id": name,
        "name": name,
        "region": name,
        "description": name,
        "endpoint": f"ec2.{name}.amazonaws.com",
    }


def _availability_zones(api: Api, args: Props) -> Props:
    filters = [{"Name": item["name"], "Values": item["values"]} for item in args.get("filters", [])]
    state = [{"Name": "state", "Values": [args["state"]]}] if "state" in args else []
    answer = api.call("ec2", "describe_availability_zones", {"Filters": filters + state})
    zones = sorted(answer["AvailabilityZones"], key=lambda zone: str(zone["ZoneName"]))
    return {
        **args,
        "id": api.region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone.get("ZoneId", "") for zone in zones],
        "groupNames": sorted({zone.get("GroupName", api.region) for zone in zones}),
        "region": api.region,
    }


def _caller_identity(api: Api, _args: Props) -> Props:
    answer = api.call("sts", "get_caller_identity", {})
    return {
        "id": answer["Account"],
        "accountId": answer["Account"],
        "arn": answer["Arn"],
        "userId": answer["UserId"],
    }


def _authorization_token(api: Api, _args: Props) -> Props:
    data = api.call("ecr", "get_authorization_token", {})["authorizationData"][0]
    user, _, password = b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        "id": api.region,
        "region": api.region,
        "authorizationToken": data["authorizationToken"],
        "expiresAt": data["expiresAt"].isoformat(),
        "proxyEndpoint": data["proxyEndpoint"],
        "userName": user,
        "password": password,
    }


def _policy_document(_api: Api, args: Props) -> Props:
    document = {
        "Version": args.get("version", "2012-10-17"),
        "Statement": [_statement(item) for item in args.get("statements", [])],
    }
    text = json.dumps(document, indent=2)
    return {**args, "id": str(zlib.crc32(text.encode())), "json": text, "minifiedJson": json.dumps(document)}


def _statement(item: Props) -> Props:
    statement: Props = {"Sid": item.get("sid"), "Effect": item.get("effect", "Allow")}
    for prop in ("actions", "notActions", "resources", "notResources"):
        name = prop.removesuffix("s")
        statement[name[0].upper() + name[1:]] = _one_or_many(item.get(prop))
    for prop in ("principals", "notPrincipals"):
        found = {one["type"]: _one_or_many(one["identifiers"]) for one in item.get(prop, [])}
        statement[prop[0].upper() + prop[1:-1]] = "*" if found == {"*": "*"} else found or None
    conditions: Props = {}
    for one in item.get("conditions", []):
        conditions.setdefault(one["test"], {})[one["variable"]] = _one_or_many(one["values"])
    statement["Condition"] = conditions or None
    return {key: value for key, value in statement.items() if value is not None}


def _one_or_many(values: list[Any] | None) -> Any:
    return values[0] if values and len(values) == 1 else values


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function, and the names of the arguments that it takes."""

    call: Callable[[Api, Props], Props]
    arguments: frozenset[str] = frozenset()


FUNCTIONS: Mapping[str, Function] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": Function(
        call=_availability_zones, arguments=frozenset({"filters", "state"})
    ),
    "aws:index/getCallerIdentity:getCallerIdentity": Function(call=_caller_identity),
    "aws:index/getPartition:getPartition": Function(call=lambda _api, _args: PARTITION),
    "aws:index/getRegion:getRegion": Function(call=_region, arguments=frozenset({"region"})),
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": Function(call=_authorization_token),
    "aws:iam/getPolicyDocument:getPolicyDocument": Function(
        call=_policy_document, arguments=frozenset({"statements", "version"})
    ),
}


def invoke(api: Api, token: str, args: Props) -> Props:
    """The result of a function; `InvalidInputs` names what the stand-in does not know."""
    function = FUNCTIONS.get(token)
    if not function:
        raise InvalidInputs({"": f"{token} is not supported by the stand-in for aws"})
    if unknown := sorted(args.keys() - function.arguments):
        raise InvalidInputs({unknown[0]: f"{unknown[0]} is not supported by the stand-in for {token}"})
    return function.call(api, args)
