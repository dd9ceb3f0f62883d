"""The inputs of a resource: what is accepted, what is filled in, and what has changed."""

import json
import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.standins.aws.comparison import same
from local.standins.aws.kind import Kind
from local.standins.aws.schema import Schema, Type, problems, schema_of
from local.standins.plugin import Call, InvalidInputs, ProviderError
from local.standins.wire import UNKNOWN, Props, has_unknown

DEFAULTS = "__defaults"
"""Pulumi's own list, among the inputs, of those that the program did not give."""
SUFFIX_DIGITS = 7
COMMON = frozenset({"region", "tags"})


def bare(inputs: Props) -> Props:
    """Inputs without Pulumi's own list of defaults."""
    return {prop: value for prop, value in inputs.items() if prop != DEFAULTS}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The rules for the inputs of one resource type."""

    token: str
    kind: Kind
    region: str
    default_tags: Props

    @cached_property
    def schema(self) -> Schema:
        """The properties, as the SDK declares them."""
        return schema_of(self.token)

    @cached_property
    def taggable(self) -> bool:
        """Whether the type has tags."""
        return "tagsAll" in self.schema.outputs

    def check(self, call: Call, *, old: Props, new: Props) -> Props:
        """Inputs with a name and defaults; refuses what the SDK or the API does not know."""
        given = {prop: self._document(prop, value) for prop, value in bare(new).items()}
        reasons = dict(problems(given, self.schema.inputs, path=""))
        defaults = {prop: value for prop, value in self.kind.defaults.items() if prop not in given}
        if self.kind.name_limit and "name" not in given:
            defaults["name"] = self._auto_name(call, old)
        inputs = given | defaults
        for prop in sorted(inputs.keys() & self.schema.inputs.fields.keys() - self._supported):
            reasons.setdefault(prop, f"{prop} is not supported by the stand-in for {self.token}")
        if not reasons and (refusal := self._refusal(inputs)):
            reasons[""] = refusal
        if reasons:
            raise InvalidInputs(reasons)
        return inputs | {DEFAULTS: sorted(defaults)}

    def changed(self, old: Props, new: Props) -> list[str]:
        """Names of the properties that do not mean the same, or are not known yet."""

        def is_same(prop: str) -> bool:
            normal = self.kind.normal.get(prop, lambda value: value)
            before, after = old.get(prop), new.get(prop)
            return not has_unknown([before, after]) and same(normal(before), normal(after))

        props = (bare(old).keys() | bare(new).keys()) - self.kind.silent
        return [prop for prop in sorted(props) if not is_same(prop)]

    def refuse_unchangeable(self, changed: frozenset[str]) -> None:
        """Raises for properties that no call changes in place."""
        conveyed = (self.kind.conveyed(request, self.schema.inputs) for request in self.kind.changes)
        stuck = changed - self.kind.provider_only - COMMON - frozenset().union(*conveyed)
        if stuck:
            raise ProviderError(f"the stand-in for {self.token} cannot change {', '.join(sorted(stuck))} in place")

    def all_tags(self, props: Props) -> Any:
        """A resource's own tags and the provider's default ones; its own win."""
        tags = props.get("tags", {})
        return tags if tags == UNKNOWN else self.default_tags | tags

    def own_tags(self, live: Props, wanted: Props) -> Props:
        """The tags of a live resource that are not there by default alone."""
        named = wanted.get("tags", {})
        tags: Props = live.get("tagsAll", {})
        return {key: value for key, value in tags.items() if key in named or self.default_tags.get(key) != value}

    @cached_property
    def _supported(self) -> frozenset[str]:
        requests = (self.kind.create, *self.kind.changes)
        conveyed = (self.kind.conveyed(request, self.schema.inputs) for request in requests)
        return self.kind.provider_only | COMMON | frozenset().union(*conveyed)

    def _document(self, prop: str, value: Any) -> Any:
        """A JSON document given as an object becomes its text, as in Pulumi's own plugin."""
        type = self.schema.inputs.fields.get(prop, Type())
        if type.scalar is str and isinstance(value, dict | list):
            return UNKNOWN if has_unknown(value) else json.dumps(value, separators=(",", ":"))
        return value

    def _auto_name(self, call: Call, old: Props) -> str:
        if "name" in old.get(DEFAULTS, ()):
            return str(old["name"])
        if len(call.name) + 1 + SUFFIX_DIGITS > self.kind.name_limit:
            raise ProviderError(
                f"name {call.name!r} plus {SUFFIX_DIGITS + 1} characters is longer than {self.kind.name_limit}"
            )
        suffix = random.Random(call.seed).randbytes(SUFFIX_DIGITS).hex()[:SUFFIX_DIGITS]
        return f"{call.name}-{suffix}"

    def _refusal(self, inputs: Props) -> str:
        if inputs.get("region", self.region) != self.region:
            return f"region={inputs['region']}: the local target has one region, {self.region}"
        try:
            self.kind.mapped(self.kind.create, self.schema.inputs, inputs)
        except ProviderError as error:
            return str(error)
        return ""
