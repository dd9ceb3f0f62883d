"""Stand-in for Pulumi's docker-build plugin: `python -m local.standins.docker_build`.

One resource type, `docker-build:index:Image`, pushed to a registry on this machine by a BuildKit on this
machine. Diff is update or nothing, create and update do the same work, and the id stays the first digest.
"""

# ruff: noqa: ARG002 - the arguments are those of the base classes

from pathlib import Path

from local.standins.buildkit import Builder, build
from local.standins.docker_build_context import context_hash
from local.standins.docker_build_inputs import changed_inputs, problems, with_defaults
from local.standins.plugin import (
    Call,
    Difference,
    InvalidInputs,
    Provider,
    ProviderError,
    ResourceType,
    State,
)
from local.standins.registry import Reference, Registry, credentials_of
from local.standins.servicer import serve
from local.standins.wire import UNKNOWN, Props, has_unknown

CONFIG = frozenset({"host", "version"})
COMPUTED = ("contextHash", "digest", "ref")


class Image(ResourceType):
    """An image, built for all its platforms at once and pushed under all its tags."""

    def check(self, call: Call, *, old: Props, new: Props) -> Props:
        """Fill in defaults and refuse what the real plugin refuses, or what the stand-in cannot do."""
        inputs = with_defaults(new)
        if reasons := problems(inputs):
            raise InvalidInputs(reasons)
        return inputs

    def diff(self, call: Call, *, state: State, new: Props) -> Difference:
        """Compare input by input, registry passwords apart, and the hash of the context."""
        changed = changed_inputs(old=state.outputs, new=new)
        if new.get("pull") or _hash(new) != state.outputs.get("contextHash"):
            changed.append("contextHash")
        return Difference(changed=changed)

    def create(self, call: Call, inputs: Props) -> State:
        """Build and push; a preview knows none of the outputs."""
        if call.preview:
            if has_unknown(inputs):
                call.log("Skipping preview build because some inputs are unknown.")
            return State(id="", outputs=inputs | dict.fromkeys(COMPUTED, UNKNOWN), inputs=inputs)
        outputs = _built(call, inputs)
        return State(id=outputs["digest"], outputs=outputs, inputs=inputs)

    def update(self, call: Call, *, state: State, new: Props) -> Props:
        """Build and push again; the id stays.

        A preview knows outputs only if no input changed; the digest is empty then, as in the real plugin.
        """
        if not call.preview:
            return _built(call, new)
        if changed_inputs(old=state.outputs, new=new):
            return new | dict.fromkeys(COMPUTED, UNKNOWN)
        return new | {"contextHash": _hash(new), "digest": "", "ref": new["tags"][0]}

    def read(self, call: Call, state: State) -> State | None:
        """Keep the tags whose digest the registry still has; without any the image is gone."""
        if "digest" not in state.outputs:
            raise ProviderError(f"{call.name}: import of an Image is not supported by the stand-in")
        registry = Registry(credentials_of(state.outputs.get("registries", [])))
        kept = [tag for tag in state.outputs["tags"] if _is_pushed(call, registry, tag, state.outputs["digest"])]
        if not kept:
            return None
        return State(id=state.id, outputs=state.outputs | {"tags": kept}, inputs=state.inputs)

    def delete(self, call: Call, state: State) -> None:
        """Delete the manifest from each repository that it was pushed to."""
        registry = Registry(credentials_of(state.outputs.get("registries", [])))
        references = {
            (reference.registry, reference.repository): reference
            for reference in map(Reference.parse, state.outputs["tags"])
        }
        for reference in references.values():
            if not registry.delete(reference, state.outputs["digest"]):
                call.log(f"{reference.at(state.outputs['digest'])} not found")


class DockerBuild(Provider):
    """The package `docker-build`."""

    version = "0.0.22"

    def configure(self, config: Props) -> None:
        """Accept the SDK's defaults; the daemon at `host` is not used, the builder is."""
        if unknown := sorted(set(config) - CONFIG):
            raise ProviderError(f"docker-build:{unknown[0]}: not supported by the stand-in; remove it")

    def resource_type(self, token: str) -> ResourceType:
        """Return the only resource type."""
        if token != "docker-build:index:Image":
            raise ProviderError(f"{token}: not supported by the stand-in, which has docker-build:index:Image alone")
        return Image()

    def invoke(self, token: str, args: Props) -> Props:
        """Refuse: the package has no functions."""
        raise ProviderError(f"{token}: docker-build has no functions")


def _hash(inputs: Props) -> str:
    context = inputs["context"]
    if has_unknown([context["location"], inputs["dockerfile"]]):
        return UNKNOWN
    named = {name: one["location"] for name, one in context.get("named", {}).items()}
    return context_hash(Path(context["location"]), Path(inputs["dockerfile"]["location"]), named)


def _built(call: Call, inputs: Props) -> Props:
    fingerprint = _hash(inputs)  # before the build, so that a file changed meanwhile counts the next time
    digest = build(inputs, builder=Builder.find(inputs.get("builder", {}).get("name")), call=call)
    return inputs | {
        "contextHash": fingerprint,
        "digest": digest,
        "ref": Reference.parse(inputs["tags"][0]).at(digest),
    }


def _is_pushed(call: Call, registry: Registry, tag: str, digest: str) -> bool:
    """Ask the registry; an answer other than yes or no leaves the state as it is."""
    try:
        return registry.has(Reference.parse(tag), digest)
    except ProviderError as error:
        call.log(f"warning: {error}")
        return True


if __name__ == "__main__":
    serve(DockerBuild())
