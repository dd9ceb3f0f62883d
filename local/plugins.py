"""Pulumi's CLI and plugins: its own plugins where they can be had, else stand-ins in their place."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from local import tools
from local.layout import Layout
from local.progress import note, step

# The smallest comes first: if it cannot be downloaded, the others are not tried.
RESOURCE_PLUGINS = ("docker-build", "awsx", "aws")
LANGUAGE_HOST = "pulumi-language-python"
ATTEMPT_SECONDS = 20


def provide(layout: Layout, *, pulumi: Path, environment: Mapping[str, str]) -> None:
    """Install Pulumi's own plugins or put stand-ins in their place; tried once in a checkout."""
    layout.bin.mkdir(parents=True, exist_ok=True)
    if (pulumi.resolve().parent / LANGUAGE_HOST).exists():
        _link(layout.bin / "pulumi", pulumi)
    else:
        # The CLI takes the language host beside its own executable for its own, and warns of any other.
        _copy(pulumi, layout.bin / "pulumi")
        _stand_in(layout.bin / LANGUAGE_HOST, "language")
    marker = layout.home / "plugins"
    if not marker.exists():
        marker.write_text("pulumi" if _install(pulumi, environment) else "stand-ins")
    if marker.read_text() == "stand-ins":
        for name in RESOURCE_PLUGINS:
            program = f"pulumi-resource-{name}"
            directory = layout.pulumi_home / "plugins" / f"resource-{name}-v{version(f'pulumi-{name}')}"
            _stand_in(directory / program, name.replace("-", "_"))
        _link(layout.bin / "buildctl", tools.BUILDKIT.directory(layout) / "buildctl")


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


def _stand_in(file: Path, module: str) -> None:
    """Write the program that starts a stand-in with this project's own interpreter."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without bytecode a plugin would compile the SDKs anew at every start, which doubles the time of a preview.
    python = f"env -u PYTHONDONTWRITEBYTECODE {shlex.quote(sys.executable)} -P"
    file.write_text(f'#!/bin/sh\nexec {python} -m local.standins.{module} "$@"\n')
    file.chmod(0o755)


def _link(link: Path, to: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(to)


def _copy(file: Path, to: Path) -> None:
    """Give a program a second place, without its bytes twice where the file systems allow it."""
    to.unlink(missing_ok=True)
    try:
        to.hardlink_to(file)
    except OSError:
        shutil.copy2(file, to)
