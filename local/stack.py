"""The Pulumi stack of the local target: made by set-up, destroyed by `down`."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.commands import run
from local.environment import STACK
from local.layout import Layout
from local.progress import note, step

PROJECT = "ecs-multiarch"
OLDEST_PULUMI = "3.274"


def installed_pulumi(layout: Layout) -> Path | None:
    """The Pulumi CLI on PATH, if it is new enough and not set-up's own."""
    search = os.pathsep.join(entry for entry in os.get_exec_path() if Path(entry) != layout.bin)
    if not (found := shutil.which("pulumi", path=search)):
        return None
    answer = subprocess.run([found, "version"], capture_output=True, text=True).stdout
    if _numbers(answer) < _numbers(OLDEST_PULUMI):
        note(f"pulumi {answer.strip()} at {found}: older than {OLDEST_PULUMI}; another is used")
        return None
    return Path(found)


def create(layout: Layout, environment: Mapping[str, str]) -> None:
    """Make and select the stack unless it is there; its configuration is in `Pulumi.local.yaml`."""
    if state_file(layout).exists():
        return
    layout.pulumi_state.mkdir(parents=True, exist_ok=True)
    with step(f"make the Pulumi stack `{STACK}`"):
        _pulumi(layout, environment, "stack", "select", "--create", STACK, what="making the stack")


def release(layout: Layout) -> None:
    """Remove what a killed `pulumi` left of its lock, as `pulumi cancel` does; one that runs keeps its lock."""
    for lock in (layout.pulumi_state / ".pulumi" / "locks").rglob("*.json"):
        process = json.loads(lock.read_text())["pid"]
        if not Path(f"/proc/{process}").exists():
            note(f"the stack was locked by a pulumi that is gone (process {process}): its lock is removed")
            lock.unlink()


def destroy(layout: Layout, environment: Mapping[str, str]) -> None:
    """Delete every resource of the stack.

    Raises:
        Problem: Pulumi failed.
    """
    release(layout)
    with step(f"destroy the Pulumi stack `{STACK}`"):
        _pulumi(layout, environment, "destroy", "--yes", "--skip-preview", "--stack", STACK, what="pulumi destroy")


def forget(layout: Layout) -> None:
    """Drop the stack's state: what it describes was in an emulator that is gone."""
    if state_file(layout).exists():
        note("the emulator starts empty: the state of the stack from the last one is dropped")
    shutil.rmtree(layout.pulumi_state, ignore_errors=True)


def state_file(layout: Layout) -> Path:
    """Where Pulumi's file backend keeps the stack."""
    return layout.pulumi_state / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json"


def _pulumi(layout: Layout, environment: Mapping[str, str], *arguments: str, what: str) -> None:
    command = [str(layout.bin / "pulumi"), *arguments, "--non-interactive"]
    run(command, log=layout.logs / "pulumi.log", what=what, cwd=layout.root, environment=environment)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
