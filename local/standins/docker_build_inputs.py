"""Inputs of a docker-build Image: defaults, what is wrong with them, and which of them differ."""

from pathlib import Path
from typing import Any

from local.standins.buildkit import CACHE_TYPES
from local.standins.plugin import ProviderError
from local.standins.registry import Reference
from local.standins.wire import UNKNOWN, Props, has_unknown

INPUTS: dict[str, type] = {
    **dict.fromkeys(("buildOnPreview", "noCache", "pull", "push"), bool),
    **dict.fromkeys(("network", "target"), str),
    **dict.fromkeys(("buildArgs", "builder", "context", "dockerfile", "labels", "secrets"), dict),
    **dict.fromkeys(("addHosts", "cacheFrom", "cacheTo", "platforms", "registries", "tags"), list),
    "ignoreSecretsInDiffCalculation": list,
}
UNSUPPORTED = frozenset({"exec", "exports", "load", "ssh"})
"""Inputs of the real plugin that the stand-in refuses once they are set."""

DEFAULTS: Props = {
    "buildOnPreview": True,
    "context": {"location": "."},
    "network": "default",
    "registries": [],
}
NO_TAG = "at least one tag or export name is needed when pushing to a registry"


def with_defaults(new: Props) -> Props:
    """Fill in what the real plugin fills in: `dockerfile.location` is `<context>/Dockerfile`."""
    inputs = DEFAULTS | {name: value for name, value in new.items() if value or name not in UNSUPPORTED}
    location = inputs["context"].get("location", ".")
    dockerfile = {"location": str(Path(location, "Dockerfile"))} | inputs.get("dockerfile", {})
    return inputs | {"dockerfile": dockerfile}


def problems(inputs: Props) -> dict[str, str]:
    """Say by property what the real plugin refuses, and what the stand-in cannot do."""
    if reasons := _type_problems(inputs):
        return reasons
    return _input_problems(inputs) | _context_problems(inputs) | _tag_problems(inputs)


def changed_inputs(*, old: Props, new: Props) -> list[str]:
    """Name the inputs that differ; passwords do not count, nor secrets that are to be ignored."""
    ignored = new.get("ignoreSecretsInDiffCalculation", [])
    before, after = _comparable(old, ignored), _comparable(new, ignored)
    return sorted(name for name in INPUTS if before.get(name) != after.get(name))


def _type_problems(inputs: Props) -> dict[str, str]:
    return {
        name: f"expected a {kind.__name__}, got {inputs[name]!r}"
        for name, kind in INPUTS.items()
        if name in inputs and inputs[name] != UNKNOWN and not isinstance(inputs[name], kind)
    }


def _input_problems(inputs: Props) -> dict[str, str]:
    reasons = dict.fromkeys(inputs.keys() - INPUTS.keys() - UNSUPPORTED, "unknown property of an Image")
    reasons |= dict.fromkeys(inputs.keys() & UNSUPPORTED, "not supported by the stand-in; remove it")
    if not inputs.get("push"):
        reasons["push"] = "the stand-in only pushes; set push to true"
    for name in ("cacheFrom", "cacheTo"):
        for number, cache in enumerate(inputs.get(name, [])):
            if odd := cache.keys() - {*CACHE_TYPES, "disabled"}:
                reasons[f"{name}[{number}]"] = f"{', '.join(odd)}: the stand-in has {', '.join(CACHE_TYPES)}"
    return reasons


def _context_problems(inputs: Props) -> dict[str, str]:
    location, dockerfile = inputs["context"].get("location", "."), inputs["dockerfile"]
    if "inline" in dockerfile:
        return {"dockerfile.inline": "not supported by the stand-in; give dockerfile.location"}
    if has_unknown([location, dockerfile]):
        return {}
    if not Path(location).is_dir():
        return {"context.location": f'"{location}": not a valid directory or URL'}
    file = Path(dockerfile["location"]).absolute()
    if not file.is_file():
        return {"dockerfile.location": f"open {file}: no such file or directory"}
    return {}


def _tag_problems(inputs: Props) -> dict[str, str]:
    tags = inputs.get("tags")
    if not tags or tags == UNKNOWN:
        return {"tags": NO_TAG}
    reasons = {}
    for number, tag in enumerate(tags):
        try:
            _ = has_unknown(tag) or Reference.parse(tag)
        except ProviderError as error:
            reasons[f"tags[{number}]"] = str(error)
    return reasons


def _comparable(props: Props, ignored_secrets: list[str]) -> Props:
    registries: list[Props] = props.get("registries", [])
    secrets: dict[str, Any] = props.get("secrets", {})
    return {name: value for name, value in props.items() if value} | {
        "registries": [(one.get("address"), one.get("username")) for one in registries],
        "secrets": {name: None if name in ignored_secrets else value for name, value in secrets.items()},
    }
