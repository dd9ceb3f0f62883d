"""`python -m local demo`: the main job on the local target, by the commands of the README, and a table of it."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.architecture import Architecture
from local.layout import LAYOUT
from local.load import Load, Report, summary, timeline
from local.problem import Problem
from local.repository import Repository

ANSWER_SECONDS = 30
REQUESTS_PER_SECOND = 60
LABEL_WIDTH = 18
COLUMN_WIDTH = 24
SHORT_DIGEST = len("sha256:") + 12
TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE = "aws:ecs/service:Service"
GOING_ON = """\
The stack is running. To go on:

    . .local/env
    curl "$(pulumi stack output url)"
    pulumi config set arch arm64 && pulumi up

`make down` takes everything away."""


@dataclass(frozen=True)
class Switch:
    """One `pulumi up` and what it did.

    Attributes:
        architecture: What was asked for.
        machine: What the service says it runs on.
        digest_before: Digest of the image index that ran before; empty where nothing ran.
        digest_after: The one that runs now.
        images_built: Image indexes that the repository has gained.
        bytes_pushed: Bytes of manifests and layers that the repository has gained.
        changes: Number of resources by what happened to them, those that stayed the same left out.
        seconds: How long `pulumi up` took.
    """

    architecture: Architecture
    machine: str
    digest_before: str
    digest_after: str
    images_built: int
    bytes_pushed: int
    changes: Mapping[str, int]
    seconds: float


def main() -> int:
    """Bring the stack up on amd64, switch it to arm64 and back under load, and say whether all of it held."""
    first = switch_to(Architecture.AMD64)
    configure(Architecture.ARM64)
    pulumi("preview")
    previewed = previewed_changes()
    with Load(outputs()["url"], rate=REQUESTS_PER_SECOND) as load:
        print(f"\nFrom here on {REQUESTS_PER_SECOND} requests a second, half of them on new connections.", flush=True)
        there = switch_to(Architecture.ARM64)
        back = switch_to(Architecture.AMD64)
    print(f"\n{table([first, there, back])}\n\n{summary(load.report)}\n\n{timeline(load.report)}\n")
    promised = promises(first, there, back, previewed=previewed, report=load.report)
    broken = [promise for promise, held in promised.items() if not held]
    for promise in broken:
        print(f"did not hold: {promise}")
    print(GOING_ON)
    return 1 if broken else 0


def switch_to(architecture: Architecture) -> Switch:
    """Ask for an architecture, run `pulumi up`, and measure what it did."""
    before = outputs().get("image", "")
    held = set(Repository.of(before).indexes()) if before else set()
    stored = Repository.of(before).sizes() if before else {}
    configure(architecture)
    started = time.monotonic()
    pulumi("up", "--yes", "--skip-preview")
    seconds = time.monotonic() - started
    after = outputs()
    repository = Repository.of(after["image"])
    return Switch(
        architecture=architecture,
        machine=answer(after["url"])["machine"],
        digest_before=before.partition("@")[2],
        digest_after=after["image"].partition("@")[2],
        images_built=len(repository.indexes() - held),
        bytes_pushed=sum(size for digest, size in repository.sizes().items() if digest not in stored),
        changes=last_changes(),
        seconds=seconds,
    )


def promises(
    first: Switch, there: Switch, back: Switch, *, previewed: Mapping[str, str], report: Report
) -> dict[str, bool]:
    """Say of each promise whether it held."""
    switches = (there, back)
    digests = {first.digest_after} | {s.digest_before for s in switches} | {s.digest_after for s in switches}
    return {
        "the service answers from amd64, then from arm64, then from amd64 again": [
            switch.machine for switch in (first, *switches)
        ]
        == ["x86_64", "aarch64", "x86_64"],
        "a switch keeps the image's digest": len(digests) == 1,
        "a switch builds no image and pushes nothing": all(
            (switch.images_built, switch.bytes_pushed) == (0, 0) for switch in switches
        ),
        "a switch replaces the task definition, updates the service, and changes nothing else": previewed
        == {TASK_DEFINITION: "replace", SERVICE: "update"},
        "no request is dropped while it switches": report.failed == 0,
    }


def table(switches: Sequence[Switch]) -> str:
    """Lay out what happened, a column for each `pulumi up`."""
    rows = {
        "arch": [switch.architecture.label for switch in switches],
        "answered by": [switch.machine for switch in switches],
        "digest before": [switch.digest_before[:SHORT_DIGEST] or "none" for switch in switches],
        "digest after": [switch.digest_after[:SHORT_DIGEST] for switch in switches],
        "images built": [str(switch.images_built) for switch in switches],
        "bytes pushed": [f"{switch.bytes_pushed:,}" for switch in switches],
        "resources changed": [
            ", ".join(f"{count} {operation}" for operation, count in switch.changes.items()) or "none"
            for switch in switches
        ],
        "seconds": [f"{switch.seconds:.1f}" for switch in switches],
    }
    return "\n".join(
        f"{label:<{LABEL_WIDTH}}{''.join(f'{cell:<{COLUMN_WIDTH}}' for cell in cells)}".rstrip()
        for label, cells in rows.items()
    )


def configure(architecture: Architecture) -> None:
    """Set the one value that this is about."""
    pulumi("config", "set", "arch", architecture.label)


def answer(url: str) -> dict[str, str]:
    """Ask the service, as the README does."""
    asked = shell("curl", "--silent", "--show-error", "--fail", "--max-time", str(ANSWER_SECONDS), url)
    print(asked.strip(), flush=True)
    answered: dict[str, str] = json.loads(asked)
    return answered


def outputs() -> dict[str, Any]:
    """Read the stack's outputs; none before the first `pulumi up`."""
    found: dict[str, Any] = json.loads(shell("pulumi", "stack", "output", "--json"))
    return found


def previewed_changes() -> dict[str, str]:
    """Ask a preview which resources would change, by type, the stack's own outputs left out."""
    steps = json.loads(shell("pulumi", "preview", "--json"))["steps"]
    changes = {step["newState"]["type"]: step["op"] for step in steps if step["op"] in ("create", "update", "replace")}
    return {type_: operation for type_, operation in changes.items() if type_ != "pulumi:pulumi:Stack"}


def last_changes() -> dict[str, int]:
    """Ask Pulumi what its last update did."""
    [update] = json.loads(shell("pulumi", "stack", "history", "--json", "--page", "1", "--page-size", "1"))
    counts: dict[str, int] = update["resourceChanges"]
    return {operation: count for operation, count in counts.items() if operation != "same"}


def pulumi(*arguments: str) -> None:
    """Run `pulumi` in the local stack's environment and show what it prints.

    Raises:
        Problem: It failed.
    """
    print(f"\n$ pulumi {' '.join(arguments)}", flush=True)
    code = subprocess.run(in_environment("pulumi", *arguments), cwd=LAYOUT.root).returncode
    if code:
        raise Problem(f"pulumi {arguments[0]}: failed (exit code {code}); what it printed is above")


def shell(*command: str) -> str:
    """Run a command in the local stack's environment and return what it prints.

    Raises:
        Problem: It failed.
    """
    done = subprocess.run(in_environment(*command), cwd=LAYOUT.root, capture_output=True, text=True)
    if done.returncode:
        raise Problem(f"{' '.join(command)}: {done.stderr.strip() or f'failed (exit code {done.returncode})'}")
    return done.stdout


def in_environment(*command: str) -> list[str]:
    """Put `. .local/env` before a command, as a person does."""
    return ["sh", "-c", f'. "{LAYOUT.environment_file}" && exec "$@"', "sh", *command]
