"""`python -m local down`: the stack destroyed, all that set-up started or registered taken back."""

import os
import shutil
from pathlib import Path

from local import binfmt, daemons, engine, environment, network, preconditions, stack
from local.layout import LAYOUT, Layout
from local.locking import exclusive
from local.problem import Problem
from local.progress import note, step


def main() -> int:
    """Take everything back but the tool cache; fail at the end if the stack could not be destroyed."""
    layout = LAYOUT
    if not layout.home.exists():
        note("nothing to take down")
        return 0
    preconditions.check_machine()
    with exclusive(layout.home / "lock"):
        failure = _destroy(layout)
        _stop(layout)
        _remove(layout)
    if failure:
        raise failure
    return 0


def _destroy(layout: Layout) -> Problem | None:
    """Destroy the stack while its emulator is alive; return a failure, so that the rest goes all the same."""
    if not stack.state_file(layout).exists():
        return None
    if not daemons.emulator_answers():
        stack.forget(layout)
        return None
    try:
        stack.destroy(layout, environment.process_environment(layout, docker_host=_docker_host(layout)))
    except Problem as problem:
        return problem
    return None


def _docker_host(layout: Layout) -> str:
    return engine.usable(layout) or f"unix://{layout.engine_socket}"


def _stop(layout: Layout) -> None:
    host = _docker_host(layout)
    with step("stop the emulator"):
        daemons.emulator(layout, docker_host=host).stop()
    engine.remove_tasks(host)
    with step("stop the Docker Engine that set-up started"):
        engine.stop(layout)
    with step("stop BuildKit"):
        daemons.buildkit(layout).stop()
    daemons.remove_cgroups(layout)
    network.down(layout)
    binfmt.unregister(layout)


def _remove(layout: Layout) -> None:
    """Remove `.local` and the few directories outside it, unless a mount would be emptied with it.

    Raises:
        Problem: something is mounted there that set-up did not mount.
    """
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    inside = [mount for mount in mounts if mount.startswith(f"{layout.home}{os.sep}")]
    if inside:
        raise Problem(f"{inside[0]}: is mounted; unmount it, then run `make down` again")
    for directory in daemons.FIXED_RUN_DIRECTORIES:
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
    shutil.rmtree(layout.run, ignore_errors=True)
    with step("remove .local"):
        shutil.rmtree(layout.home)
