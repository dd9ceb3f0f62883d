"""Tags: how each service sets, removes and lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.standins.aws.api import Api, Request, input_shape
from local.standins.aws.kind import TAGS
from local.standins.aws.mapping import from_api, to_api
from local.standins.wire import Props

OWN_PREFIX = "aws:"
"""Keys that AWS keeps for itself; Pulumi never shows them."""


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """A service's operations on tags; `{subject}` is the tagged resource, `{tags}` and `{keys}` what to do."""

    add: Request
    remove: Request
    read: Request | None = None
    """None where the resource's own description carries its tags."""


_ARN = {"resourceArn": "{subject}"}
_ARNS = {"ResourceArns": ["{subject}"]}

TAGGING: Mapping[str, Tagging] = {
    "ec2": Tagging(
        add=Request(operation="create_tags", parameters={"Resources": ["{subject}"], "Tags": "{tags}"}),
        remove=Request(operation="delete_tags", parameters={"Resources": ["{subject}"], "Tags": "{key_objects}"}),
    ),
    "elbv2": Tagging(
        add=Request(operation="add_tags", parameters=_ARNS | {"Tags": "{tags}"}),
        remove=Request(operation="remove_tags", parameters=_ARNS | {"TagKeys": "{keys}"}),
        read=Request(operation="describe_tags", parameters=_ARNS, result="TagDescriptions[0].Tags"),
    ),
    "iam": Tagging(
        add=Request(operation="tag_role", parameters={"RoleName": "{subject}", "Tags": "{tags}"}),
        remove=Request(operation="untag_role", parameters={"RoleName": "{subject}", "TagKeys": "{keys}"}),
    ),
    "ecs": Tagging(
        add=Request(operation="tag_resource", parameters=_ARN | {"tags": "{tags}"}),
        remove=Request(operation="untag_resource", parameters=_ARN | {"tagKeys": "{keys}"}),
    ),
    "ecr": Tagging(
        add=Request(operation="tag_resource", parameters=_ARN | {"tags": "{tags}"}),
        remove=Request(operation="untag_resource", parameters=_ARN | {"tagKeys": "{keys}"}),
        read=Request(operation="list_tags_for_resource", parameters=_ARN, result="tags"),
    ),
    "logs": Tagging(
        add=Request(operation="tag_resource", parameters=_ARN | {"tags": "{tags}"}),
        remove=Request(operation="untag_resource", parameters=_ARN | {"tagKeys": "{keys}"}),
        read=Request(operation="list_tags_for_resource", parameters=_ARN, result="tags"),
    ),
    "cloudwatch": Tagging(
        add=Request(operation="tag_resource", parameters={"ResourceARN": "{subject}", "Tags": "{tags}"}),
        remove=Request(operation="untag_resource", parameters={"ResourceARN": "{subject}", "TagKeys": "{keys}"}),
        read=Request(operation="list_tags_for_resource", parameters={"ResourceARN": "{subject}"}, result="Tags"),
    ),
}


def update_tags(api: Api, service: str, subject: str, *, old: Props, new: Props) -> None:
    """Changes the tags of a resource from the old ones to the new ones."""
    tagging = TAGGING[service]
    keys = sorted(old.keys() - new.keys())
    if keys:
        places = {"subject": subject, "keys": keys, "key_objects": [{"Key": key} for key in keys]}
        tagging.remove.send(api, service, places)
    added = {key: value for key, value in new.items() if old.get(key) != value}
    if added:
        tagging.add.send(api, service, {"subject": subject, "tags": _shaped(service, added)})


def read_tags(api: Api, service: str, subject: str, described: Any) -> Props:
    """All tags of a resource but AWS's own.

    Args:
        api: Where to ask.
        service: The service that keeps the tags.
        subject: What the service calls the resource.
        described: The resource's description, which may carry the tags.
    """
    read = TAGGING[service].read
    listed = read.send(api, service, {"subject": subject}) if read else None
    found = listed or described.get("Tags", described.get("tags"))
    tags = from_api(found or {}, TAGS, {})
    return {key: value for key, value in tags.items() if not key.startswith(OWN_PREFIX)}


def _shaped(service: str, tags: Props) -> Any:
    members = input_shape(service, TAGGING[service].add.operation).members
    return to_api(tags, TAGS, members.get("Tags") or members["tags"], {})
