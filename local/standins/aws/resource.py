"""The life of an aws resource, run from its table."""

# ruff: noqa: ARG002 - the arguments are those of `ResourceType`, and of what subclasses need

import json
import random
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from local.standins.aws.api import Api, Gone, Request, fill
from local.standins.aws.comparison import same
from local.standins.aws.kind import Kind
from local.standins.aws.live import describe, wanted_in_truth
from local.standins.aws.mapping import from_api
from local.standins.aws.schema import Schema, Type, problems, schema_of
from local.standins.aws.tags import update_tags
from local.standins.plugin import (
    Call,
    Difference,
    InvalidInputs,
    PartialFailure,
    ProviderError,
    ResourceType,
    State,
)
from local.standins.wire import UNKNOWN, Props, has_unknown

DEFAULTS = "__defaults"
"""Pulumi's own list, among the inputs, of those that the program did not give."""
SUFFIX_DIGITS = 7
DEFAULT_TIMEOUT_SECONDS = 20 * 60
POLL_SECONDS = 0.5


class AwsResource(ResourceType):
    """One type of resource, at one emulator, under the provider's default tags."""

    def __init__(self, token: str, kind: Kind, api: Api, default_tags: Props) -> None:
        self.token, self.kind, self.api, self.default_tags = token, kind, api, default_tags

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
        given = {prop: self._document(prop, value) for prop, value in _bare(new).items()}
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

    def diff(self, call: Call, *, state: State, new: Props) -> Difference:
        """What differs in meaning, by the table's rules of replacement."""
        changed = self._changed(_bare(state.inputs), _bare(new))
        if self.taggable and state.outputs.get("tagsAll", {}) != self._all_tags(new):
            changed.append("tagsAll")
        replacing = [prop for prop in changed if prop in self.kind.replaces]
        keeps_name = self.kind.name_limit > 0 and "name" not in [*new.get(DEFAULTS, ()), *changed]
        return Difference(
            changed=changed,
            replacing=replacing,
            delete_first=bool(replacing) and (self.kind.delete_first or keeps_name),
        )

    def create(self, call: Call, inputs: Props) -> State:
        """Makes the resource; one that exists but could not be finished is kept as a partial failure."""
        props = _bare(inputs)
        if call.preview:
            computed = self.schema.outputs.keys() - self.schema.inputs.fields.keys()
            return State(id="", outputs=dict.fromkeys(computed, UNKNOWN) | self._planned(props), inputs=inputs)
        sent = self.kind.mapped(self.kind.create, self.schema.inputs, props)
        if self.taggable and self._all_tags(props):
            sent |= self.kind.tag_parameters(self._all_tags(props))
        answer = self.kind.create.send(self.api, self.kind.service, self._places(props), sent) or {}
        found = from_api(answer, Type(fields=self.schema.outputs), self.kind.names)
        places = answer | found | self._places(props)
        places["id"] = id = str(fill(self.kind.id, places))
        outputs = self._planned(found | props)
        try:
            self._complete(props, places)
            return State(id=id, outputs=self._settle(call, id, props, outputs), inputs=inputs)
        except ProviderError as error:
            raise PartialFailure(str(error), id=id, outputs=outputs, inputs=inputs) from error

    def read(self, call: Call, state: State) -> State | None:
        """The live resource; its inputs are the wanted ones, with whatever is different in truth."""
        live = describe(self.api, self.kind, self.schema, id=state.id, known=state.outputs)
        if live is None:
            return None
        wanted = _bare(state.inputs) or {p: v for p, v in live.items() if p in self.schema.inputs.fields}
        inputs = wanted_in_truth(self.kind, wanted, live)
        if own := self._own_tags(live, wanted):
            inputs["tags"] = own
        else:
            inputs.pop("tags", None)
        outputs = self._outputs(wanted, live)
        return State(id=state.id, outputs=outputs, inputs=inputs | {DEFAULTS: state.inputs.get(DEFAULTS, [])})

    def update(self, call: Call, *, state: State, new: Props) -> Props:
        """Changes in place what differs, call by call."""
        old, props = _bare(state.inputs), _bare(new)
        changed = frozenset(self._changed(old, props))
        self._refuse_unchangeable(changed)
        planned = self._planned(state.outputs | props)
        if call.preview:
            return planned
        places = state.outputs | self._places(props) | {"id": state.id}
        try:
            for request in self.kind.changes:
                if self.kind.conveyed(request, self.schema.inputs) & changed:
                    self._change(request, old, props, places, changed)
            if self.taggable:
                self._update_tags(state.outputs.get("tagsAll", {}), props, places)
            return self._settle(call, state.id, props, planned)
        except ProviderError as error:
            raise PartialFailure(str(error), id=state.id, outputs=planned, inputs=new) from error

    def delete(self, call: Call, state: State) -> None:
        """Deletes the resource, and waits where it lingers."""
        places = state.outputs | self._places(_bare(state.inputs)) | {"id": state.id}
        for request in self.kind.delete:
            if request.is_due(places):
                try:
                    request.send(self.api, self.kind.service, places)
                except Gone:
                    return
        if self.kind.drains:
            self.wait(call, lambda: self._describe(state.id, state.outputs) is None, "deletion")

    def settled(self, call: Call, id: str, outputs: Props) -> None:
        """Waits until the resource is what it was told to be."""
        if self.kind.ready:
            self.wait(call, lambda: bool((self._describe(id, outputs) or {}).get("ready")), "readiness")

    def wait(self, call: Call, is_done: Callable[[], bool], event: str) -> None:
        """Polls until something is done, the time-out is over, or the user interrupts."""
        limit = call.timeout_seconds or DEFAULT_TIMEOUT_SECONDS
        deadline = time.monotonic() + limit
        while not is_done():
            if time.monotonic() > deadline:
                raise ProviderError(f"waiting for {event} of {call.name}: time-out after {limit:.0f} s")
            if call.cancelled.wait(POLL_SECONDS):
                raise ProviderError(f"waiting for {event} of {call.name}: interrupted")

    @cached_property
    def _supported(self) -> frozenset[str]:
        requests = (self.kind.create, *self.kind.changes)
        conveyed = (self.kind.conveyed(request, self.schema.inputs) for request in requests)
        return self.kind.provider_only | {"region", "tags", "name"} | frozenset().union(*conveyed)

    def _describe(self, id: str, known: Props) -> Props | None:
        return describe(self.api, self.kind, self.schema, id=id, known=known)

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
        if inputs.get("region", self.api.region) != self.api.region:
            return f"region={inputs['region']}: the local target has one region, {self.api.region}"
        try:
            self.kind.mapped(self.kind.create, self.schema.inputs, inputs)
        except (ProviderError, ValueError) as error:
            return str(error)
        return ""

    def _changed(self, old: Props, new: Props) -> list[str]:
        def is_same(prop: str) -> bool:
            normal = self.kind.normal.get(prop, lambda value: value)
            values = [props.get(prop) for props in (old, new)]
            return not any(map(has_unknown, values)) and same(*(normal(value) for value in values))

        return [prop for prop in sorted((old.keys() | new.keys()) - self.kind.silent) if not is_same(prop)]

    def _refuse_unchangeable(self, changed: frozenset[str]) -> None:
        conveyed = (self.kind.conveyed(request, self.schema.inputs) for request in self.kind.changes)
        stuck = changed - self.kind.provider_only - {"tags"} - frozenset().union(*conveyed)
        if stuck:
            raise ProviderError(f"the stand-in for {self.token} cannot change {', '.join(sorted(stuck))} in place")

    def _complete(self, props: Props, places: Props) -> None:
        for request in self.kind.after:
            if request.is_due(places):
                request.send(self.api, self.kind.service, places)
        taken = self.kind.conveyed(self.kind.create, self.schema.inputs)
        for request in self.kind.changes:
            missing = self.kind.conveyed(request, self.schema.inputs) & props.keys() - taken
            if missing:
                self._change(request, {}, props, places, missing)
        if self.taggable and not self.kind.tag_parameters({}):
            self._update_tags({}, props, places)

    def _change(self, request: Request, old: Props, props: Props, places: Props, changed: frozenset[str]) -> None:
        places = places | _list_changes(old, props)
        places["attributes"] = [
            {"Key": key, "Value": value if isinstance(value, str) else json.dumps(value)}
            for path, key in self.kind.attributes.items()
            if path.split(".")[0] in changed and (value := _at(props, path)) is not None
        ]
        if request.is_due(places):
            sent = self.kind.mapped(request, self.schema.inputs, self._sent_together(request, props, changed))
            request.send(self.api, self.kind.service, places, sent)

    def _sent_together(self, request: Request, props: Props, changed: frozenset[str]) -> Props:
        """The properties to send for those that changed: here all, as most calls take the whole."""
        return props

    def _update_tags(self, old: Props, props: Props, places: Props) -> None:
        update_tags(self.api, self.kind.service, fill(self.kind.tagged, places), old=old, new=self._all_tags(props))

    def _settle(self, call: Call, id: str, props: Props, outputs: Props) -> Props:
        self.settled(call, id, outputs)
        live = self._describe(id, outputs)
        if live is None:
            raise ProviderError(f"{self.token} {id} is gone right after it was made or changed")
        return self._outputs(props, live)

    def _outputs(self, wanted: Props, live: Props) -> Props:
        outputs = live | wanted_in_truth(self.kind, wanted, live)
        own = self._own_tags(live, wanted)
        shown = outputs | {"region": self.api.region, "tags": own or None}
        return {prop: value for prop, value in shown.items() if prop in self.schema.outputs}

    def _planned(self, props: Props) -> Props:
        planned = props | {"region": self.api.region, "tagsAll": self._all_tags(props)}
        return {prop: value for prop, value in planned.items() if prop in self.schema.outputs}

    def _places(self, props: Props) -> Props:
        return props | {"region": self.api.region, "account": self.api.account}

    def _all_tags(self, props: Props) -> Any:
        tags = props.get("tags", {})
        return tags if tags == UNKNOWN else self.default_tags | tags

    def _own_tags(self, live: Props, wanted: Props) -> Props:
        named = wanted.get("tags", {})
        tags: Props = live.get("tagsAll", {})
        return {key: value for key, value in tags.items() if key in named or self.default_tags.get(key) != value}


def _bare(inputs: Props) -> Props:
    return {prop: value for prop, value in inputs.items() if prop != DEFAULTS}


def _at(props: Props, path: str) -> Any:
    value: Any = props
    for prop in path.split("."):
        value = value.get(prop) if isinstance(value, dict) else None
    return value


def _list_changes(old: Props, new: Props) -> Props:
    """Places `+x` and `-x`: what the list x gains and loses."""
    changes: Props = {}
    for prop in old.keys() | new.keys():
        before, after = old.get(prop) or [], new.get(prop) or []
        if isinstance(before, list) and isinstance(after, list):
            changes[f"+{prop}"] = [item for item in after if item not in before]
            changes[f"-{prop}"] = [item for item in before if item not in after]
    return changes
