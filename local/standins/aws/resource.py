"""The life of an aws resource, run from its table."""

# ruff: noqa: ARG002 - the arguments are those of `ResourceType`, and of what subclasses need

import json
import time
from collections.abc import Callable
from typing import Any

from local.standins.aws.api import Api, Gone, Request, fill
from local.standins.aws.inputs import DEFAULTS, Inputs, bare
from local.standins.aws.kind import Kind
from local.standins.aws.live import describe, wanted_in_truth
from local.standins.aws.mapping import from_api
from local.standins.aws.schema import Type
from local.standins.aws.tags import update_tags
from local.standins.plugin import Call, Difference, PartialFailure, ProviderError, ResourceType, State
from local.standins.wire import UNKNOWN, Props

DEFAULT_TIMEOUT_SECONDS = 20 * 60
POLL_SECONDS = 0.5


class AwsResource(ResourceType):
    """One type of resource, at one emulator, under the provider's default tags."""

    def __init__(self, token: str, kind: Kind, api: Api, default_tags: Props) -> None:
        self.kind, self.api = kind, api
        self.inputs = Inputs(token=token, kind=kind, region=api.region, default_tags=default_tags)

    def check(self, call: Call, *, old: Props, new: Props) -> Props:
        """Inputs with a name and defaults; refuses what the SDK or the API does not know."""
        return self.inputs.check(call, old=old, new=new)

    def diff(self, call: Call, *, state: State, new: Props) -> Difference:
        """What differs in meaning, by the table's rules of replacement."""
        changed = self.inputs.changed(state.inputs, new)
        if self.inputs.taggable and state.outputs.get("tagsAll", {}) != self.inputs.all_tags(new):
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
        props, schema = bare(inputs), self.inputs.schema
        if call.preview:
            computed = schema.outputs.keys() - schema.inputs.fields.keys()
            return State(id="", outputs=dict.fromkeys(computed, UNKNOWN) | self._planned(props), inputs=inputs)
        sent = self.kind.mapped(self.kind.create, schema.inputs, props)
        if self.inputs.taggable and (tags := self.inputs.all_tags(props)):
            sent |= self.kind.tag_parameters(tags)
        answer = self.kind.create.send(self.api, self.kind.service, self._places(props), sent) or {}
        found = from_api(answer, Type(fields=schema.outputs), self.kind.names)
        places = answer | found | self._places(props)
        places["id"] = id = self._id(places)
        outputs = self._planned(found | props)
        try:
            self._complete(props, places)
            return State(id=id, outputs=self._settle(call, id, props, outputs), inputs=inputs)
        except ProviderError as error:
            raise PartialFailure(str(error), id=id, outputs=outputs, inputs=inputs) from error

    def read(self, call: Call, state: State) -> State | None:
        """The live resource; its inputs are the wanted ones, with whatever is different in truth."""
        live = self._describe(state.id, state.outputs)
        if live is None:
            return None
        known = self.inputs.schema.inputs.fields
        wanted = bare(state.inputs) or {prop: value for prop, value in live.items() if prop in known}
        inputs = wanted_in_truth(self.kind, wanted, live) | {DEFAULTS: state.inputs.get(DEFAULTS, [])}
        inputs |= {"tags": self.inputs.own_tags(live, wanted) or None}
        return State(id=state.id, outputs=self._outputs(wanted, live), inputs=inputs)

    def update(self, call: Call, *, state: State, new: Props) -> Props:
        """Changes in place what differs, call by call."""
        props = bare(new)
        changed = frozenset(self.inputs.changed(state.inputs, new))
        self.inputs.refuse_unchangeable(changed)
        planned = self._planned(state.outputs | props)
        if call.preview:
            return planned
        places = state.outputs | self._places(props) | {"id": state.id}
        try:
            for request in self._changing(changed):
                self._change(request, bare(state.inputs), props, places, changed)
            self._update_tags(state.outputs.get("tagsAll", {}), props, places)
            return self._settle(call, state.id, props, planned)
        except ProviderError as error:
            raise PartialFailure(str(error), id=state.id, outputs=planned, inputs=new) from error

    def delete(self, call: Call, state: State) -> None:
        """Deletes the resource, and waits where it lingers."""
        places = state.outputs | self._places(bare(state.inputs)) | {"id": state.id}
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

    def sent_together(self, request: Request, props: Props, changed: frozenset[str]) -> Props:
        """The properties to send for those that changed: here all, as most calls take the whole."""
        return props

    def _id(self, places: Props) -> str:
        template = self.kind.id
        return str(fill(template, places)) if isinstance(template, str) else template(places)

    def _changing(self, props: frozenset[str]) -> list[Request]:
        fields = self.inputs.schema.inputs
        return [request for request in self.kind.changes if self.kind.conveyed(request, fields) & props]

    def _complete(self, props: Props, places: Props) -> None:
        for request in self.kind.after:
            if request.is_due(places):
                request.send(self.api, self.kind.service, places)
        sent = self.kind.conveyed(self.kind.create, self.inputs.schema.inputs)
        missing = frozenset(props) - sent - self.kind.silent
        for request in self._changing(missing):
            self._change(request, {}, props, places, missing)
        if not self.kind.tag_parameters({}):
            self._update_tags({}, props, places)

    def _change(self, request: Request, old: Props, props: Props, places: Props, changed: frozenset[str]) -> None:
        places = places | _list_changes(old, props)
        places["attributes"] = [
            {"Key": key, "Value": value if isinstance(value, str) else json.dumps(value)}
            for path, key in self.kind.attributes.items()
            if path.split(".")[0] in changed and (value := _at(props, path)) is not None
        ]
        if request.is_due(places):
            together = self.sent_together(request, props, changed)
            sent = self.kind.mapped(request, self.inputs.schema.inputs, together)
            request.send(self.api, self.kind.service, places, sent)

    def _update_tags(self, old: Props, props: Props, places: Props) -> None:
        if self.inputs.taggable:
            subject = fill(self.kind.tagged, places)
            update_tags(self.api, self.kind.service, subject, old=old, new=self.inputs.all_tags(props))

    def _describe(self, id: str, known: Props) -> Props | None:
        return describe(self.api, self.kind, self.inputs.schema, id=id, known=known)

    def _settle(self, call: Call, id: str, props: Props, outputs: Props) -> Props:
        self.settled(call, id, outputs)
        live = self._describe(id, outputs)
        if live is None:
            raise ProviderError(f"{self.inputs.token} {id} is gone right after it was made or changed")
        return self._outputs(props, live)

    def _outputs(self, wanted: Props, live: Props) -> Props:
        own = {"region": self.api.region, "tags": self.inputs.own_tags(live, wanted) or None}
        return self._declared(live | wanted_in_truth(self.kind, wanted, live) | own)

    def _planned(self, props: Props) -> Props:
        own = {"region": self.api.region, "tagsAll": self.inputs.all_tags(props)}
        return self._declared(props | own)

    def _declared(self, props: Props) -> Props:
        return {prop: value for prop, value in props.items() if prop in self.inputs.schema.outputs}

    def _places(self, props: Props) -> Props:
        return props | {"region": self.api.region, "account": self.api.account}


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
