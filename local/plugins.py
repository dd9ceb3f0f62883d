"""Pulumi's plugins: its own where they can be had, else stand-ins on PATH."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from local.layout import Layout
from local.progress import note, step

# The smallest comes first: if it cannot be downloaded, the others are not tried.
RESOURCE_PLUGINS = ("docker-build", "awsx", "aws")
LANGUAGE_HOST = "pulumi-language-python"
ATTEMPT_SECONDS = 20


def provide(layout: Layout, *, pulumi: Path, environment: Mapping[str, str]) -> None:
    """Install Pulumi's own plugins or put stand-ins into `.local/bin`; tried once in a checkout."""
    layout.bin.mkdir(parents=True, exist_ok=True)
    _link(layout.bin / "pulumi", pulumi)
    if not (pulumi.resolve().parent / LANGUAGE_HOST).exists():
        _stand_in(layout, LANGUAGE_HOST, "language")
    marker = layout.home / "plugins"
    if not marker.exists():
        marker.write_text("pulumi" if _install(pulumi, environment) else "stand-ins")
    if marker.read_text() == "stand-ins":
        for name in RESOURCE_PLUGINS:
            _stand_in(layout, f"pulumi-resource-{name}", name.replace("-", "_"))


def _install(pulumi: Path, environment: Mapping[str, str]) -> bool:
    """Whether every resource plugin of the SDKs' versions could be installed."""
    with step("look for Pulumi's own plugins"):
        first, *others = RESOURCE_PLUGINS
        if not _installed(pulumi, first, environment, ATTEMPT_SECONDS):
            found = False
        else:
            found = all(_installed(pulumi, name, environment, None) for name in others)
    note(
        "plugins: Pulumi's own"
        if found
        else "plugins: Pulumi's own cannot be downloaded here; stand-ins take their place"
    )
    return found


def _installed(pulumi: Path, name: str, environment: Mapping[str, str], seconds: float | None) -> bool:
    command = [str(pulumi), "plugin", "install", "resource", name, version(f"pulumi-{name}")]
    try:
        return subprocess.run(command, env=dict(environment), capture_output=True, timeout=seconds).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _stand_in(layout: Layout, program: str, module: str) -> None:
    """Write the program that starts a stand-in with this project's own interpreter."""
    file = layout.bin / program
    file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m local.standins.{module} "$@"\n')
    file.chmod(0o755)


def _link(link: Path, to: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(to)
