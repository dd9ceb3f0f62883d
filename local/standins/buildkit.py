"""BuildKit, the builder: where it listens, and how one build is given to it through `buildctl`."""

import json
import os
import re
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.standins.plugin import Call, ProviderError, require_loopback
from local.standins.registry import Credentials, credentials_of
from local.standins.wire import Props

BUILDCTL = "buildctl"
TAIL_LINES = 12
CANCEL_POLL_SECONDS = 0.2
CACHE_TYPES = ("inline", "local", "registry")
CACHE_ATTRIBUTES = {"ociMediaTypes": "oci-mediatypes"}
"""Attributes of a cache whose BuildKit spelling is not the input's in kebab case."""

REPORT_RULE = "------"
"""What stands before and after the failed step's own output in plain progress."""


@dataclass(frozen=True, kw_only=True)
class Builder:
    """A builder of buildx's remote driver."""

    name: str
    endpoint: str

    @classmethod
    def find(cls, name: str | None) -> "Builder":
        """Find the named builder, else the current one, else the only one.

        Raises:
            ProviderError: there is none, or it is not a remote one on this machine.
        """
        root = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "buildx"
        name = name or os.environ.get("BUILDX_BUILDER") or _current(root) or _first(root)
        file = root / "instances" / (name or "")
        if not name or not file.is_file():
            wanted = f"builder {name!r}" if name else "a builder"
            raise ProviderError(f"{wanted}: not in {root / 'instances'}; run `make setup` and source .local/env")
        instance = json.loads(file.read_text())
        if instance["Driver"] != "remote":
            raise ProviderError(f"builder {name!r}: driver {instance['Driver']!r}; the stand-in needs a remote one")
        endpoint = instance["Nodes"][0]["Endpoint"]
        if not endpoint.startswith("unix://"):
            require_loopback(endpoint, setting=f"builder {name}")
        return cls(name=name, endpoint=endpoint)


def _current(root: Path) -> str | None:
    file = root / "current"
    return json.loads(file.read_text()).get("Name") if file.is_file() else None


def _first(root: Path) -> str | None:
    return next((file.name for file in sorted((root / "instances").glob("*"))), None)


def build(inputs: Props, *, builder: Builder, call: Call) -> str:
    """Build the image for all platforms and push it under all tags.

    Args:
        inputs: Checked inputs of an Image.
        builder: Where to build.
        call: Takes the lines of progress; its cancellation ends the build.

    Returns:
        The digest of what was pushed: an index for several platforms.

    Raises:
        ProviderError: the build failed or was interrupted.
    """
    with TemporaryDirectory(prefix="docker-build-") as scratch:
        metadata = Path(scratch, "metadata.json")
        command = [BUILDCTL, "--addr", builder.endpoint, "build", "--progress", "plain"]
        command += [*arguments(inputs), "--metadata-file", str(metadata)]
        for number, (name, value) in enumerate(sorted(inputs.get("secrets", {}).items())):
            secret = Path(scratch, f"secret-{number}")
            secret.write_text(value)
            command += ["--secret", f"id={name},src={secret}"]
        Path(scratch, "config.json").write_text(json.dumps(_docker_config(credentials_of(inputs["registries"]))))
        _run(command, environment={**os.environ, "DOCKER_CONFIG": scratch}, call=call)
        return str(json.loads(metadata.read_text())["containerimage.digest"])


def arguments(inputs: Props) -> list[str]:
    """Translate an Image's inputs to arguments of `buildctl build`, secrets and credentials apart."""
    dockerfile = Path(inputs["dockerfile"]["location"])
    local = {"context": inputs["context"]["location"], "dockerfile": str(dockerfile.parent)}
    options = {"filename": dockerfile.name}
    for name, context in inputs["context"].get("named", {}).items():
        location = context["location"]
        if Path(location).is_dir():
            local[name], location = location, f"local:{name}"
        options[f"context:{name}"] = location
    options |= {f"build-arg:{name}": value for name, value in inputs.get("buildArgs", {}).items()}
    options |= {f"label:{name}": value for name, value in inputs.get("labels", {}).items()}
    optional = {
        "platform": ",".join(inputs.get("platforms", [])),
        "target": inputs.get("target"),
        "add-hosts": ",".join(host.replace(":", "=", 1) for host in inputs.get("addHosts", [])),
        "image-resolve-mode": "pull" if inputs.get("pull") else None,
        "force-network-mode": inputs["network"] if inputs["network"] != "default" else None,
    }
    options |= {name: value for name, value in optional.items() if value}
    names = ",".join(inputs["tags"])
    return [
        *("--frontend", "dockerfile.v0"),
        *(word for name, value in local.items() for word in ("--local", f"{name}={value}")),
        *(word for name, value in options.items() for word in ("--opt", f"{name}={value}")),
        *(["--no-cache"] if inputs.get("noCache") else []),
        *(word for cache in inputs.get("cacheFrom", []) for word in _cache("--import-cache", cache)),
        *(word for cache in inputs.get("cacheTo", []) for word in _cache("--export-cache", cache)),
        *("--output", f'type=image,"name={names}",push=true,oci-mediatypes=true'),
    ]


def _cache(option: str, cache: Mapping[str, Any]) -> list[str]:
    if cache.get("disabled"):
        return []
    kind = next(iter(cache))
    attributes = {CACHE_ATTRIBUTES.get(name, _kebab(name)): value for name, value in cache[kind].items()}
    values = (str(value).lower() if isinstance(value, bool) else str(value) for value in attributes.values())
    return [option, ",".join([f"type={kind}", *map("=".join, zip(attributes, values, strict=True))])]


def _kebab(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", name)


def _docker_config(credentials: Mapping[str, Credentials]) -> dict[str, Any]:
    """Lay the image's own credentials over the user's configuration."""
    file = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"
    config: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    own = {host: {"auth": login.basic} for host, login in credentials.items()}
    return {**config, "auths": {**config.get("auths", {}), **own}}


def _run(command: list[str], *, environment: Mapping[str, str], call: Call) -> None:
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise ProviderError(f"{BUILDCTL}: not on PATH; run `make setup` and source .local/env") from error
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with process:
        threading.Thread(target=_end_when_cancelled, args=(process, call.cancelled), daemon=True).start()
        for line in map(str.rstrip, process.stderr or ()):
            if line:
                call.log(line)
                tail.append(line)
    if process.returncode == 0:
        return
    if call.cancelled.is_set():
        raise ProviderError("the build was interrupted; nothing was pushed under its tags")
    raise ProviderError(_failure(list(tail)))


def _end_when_cancelled(process: "subprocess.Popen[str]", cancelled: threading.Event) -> None:
    while process.poll() is None:
        if cancelled.wait(CANCEL_POLL_SECONDS):
            process.terminate()
            return


def _failure(tail: list[str]) -> str:
    """Put the cause first, and what the failed step printed last behind it."""
    cause = tail[-1].removeprefix("error: ") if tail else "no output"
    rules = [place for place, line in enumerate(tail) if line == REPORT_RULE]
    printed = tail[rules[-2] + 1 : rules[-1]] if len(rules) > 1 else []
    return " | ".join([f"build failed: {cause}", *(line.strip() for line in printed)])
