"""The table of a resource type: which calls make, read, change and delete it, and by what rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.standins.aws.api import Request, input_shape
from local.standins.aws.mapping import Names, accepted, to_api
from local.standins.aws.schema import Type
from local.standins.wire import Props

if TYPE_CHECKING:
    from local.standins.aws.resource import AwsResource


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How one type of resource is made, read, changed and deleted."""

    service: str
    """boto3's name of the service."""
    create: Request
    reads: tuple[Request, ...]
    """What describes the resource; the first tells whether it exists."""
    delete: tuple[Request, ...] = ()
    id: str | Callable[[Props], str] = "{name}"
    after: tuple[Request, ...] = ()
    """What follows each creation."""
    changes: tuple[Request, ...] = ()
    """What changes properties in place, and sets those that `create` does not take."""
    names: Names = field(default_factory=dict)
    replaces: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    provider_only: frozenset[str] = frozenset()
    """Properties that tell the provider what to do and that no call conveys."""
    silent: frozenset[str] = frozenset()
    """Properties whose change alone is no change."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Properties that are keys of the API's list of attributes, `{attributes}` in a template."""
    computed: Mapping[str, Callable[[Props], Any]] = field(default_factory=dict)
    """Outputs that no call reports, made of the other outputs, `id`, `region` and `account`."""
    normal: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """What makes two values of a property comparable."""
    name_limit: int = 0
    """The longest name; 0 where names are not made up."""
    delete_first: bool = False
    """Whether a replacement always deletes the old one first."""
    tag_type: str = ""
    """EC2's name of the type in a tag specification."""
    tagged: str = "{arn}"
    """What the tagging calls name the resource by."""
    ready: str = ""
    """The member of the description that is true once the resource can be used."""
    drains: bool = False
    """Whether a deleted resource goes on existing for a while."""
    life: "type[AwsResource] | None" = None
    """A subclass, for a type whose life is not told by a table."""

    def conveyed(self, request: Request, inputs: Type) -> frozenset[str]:
        """Names of the input properties that a request sends."""
        names = request.conveys
        if "attributes" in names:
            names |= {path.split(".")[0] for path in self.attributes}
        if request.mapped:
            names |= accepted(inputs, input_shape(self.service, request.operation), self.names)
        return names & inputs.fields.keys()

    def mapped(self, request: Request, inputs: Type, props: Props) -> Props:
        """The parameters that properties become by their names."""
        if not request.mapped:
            return {}
        parameters = to_api(props, inputs, input_shape(self.service, request.operation), self.names)
        return {key: value for key, value in parameters.items() if value is not None}

    def tag_parameters(self, tags: Props) -> Props:
        """The parameters with which `create` tags; none where it cannot."""
        shape = input_shape(self.service, self.create.operation)
        if "TagSpecifications" in shape.members and self.tag_type:
            member = shape.members["TagSpecifications"].member.members["Tags"]
            pairs = to_api(tags, TAGS, member, {})
            return {"TagSpecifications": [{"ResourceType": self.tag_type, "Tags": pairs}]}
        name = next((name for name in ("Tags", "tags") if name in shape.members), None)
        return {name: to_api(tags, TAGS, shape.members[name], {})} if name else {}


TAGS = Type(values=Type(scalar=str))
