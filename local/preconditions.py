"""What must hold before set-up makes or starts anything: each failing one is one line with the remedy."""

import os
import platform
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from local.daemons import PORT
from local.problem import Problem

COLD_BYTES = 10 * 10**9
WARM_BYTES = 2 * 10**9
TOOLS = {"ip": "iproute2", "mount": "mount", "unshare": "util-linux"}
LISTENING = "0A"  # state of a socket in /proc/net/tcp (proc(5))


def check_machine() -> None:
    """Linux, root, and the few system programs that the daemons need.

    Raises:
        Problem: one of them is missing.
    """
    if sys.platform != "linux":
        raise Problem(f"{platform.system()}: the local target runs on Linux; use a Linux machine or virtual machine")
    if os.geteuid() != 0:
        raise Problem("user: not root; the local target starts a container engine and registers qemu: run it with sudo")
    for program, package in TOOLS.items():
        if not shutil.which(program):
            raise Problem(f"{program}: not found on PATH; install it (Debian package {package})")


def check_port(ours: Iterable[int]) -> None:
    """The emulator's port is free, or held by the emulator's own processes.

    Raises:
        Problem: another program listens there; the line names it where that can be seen.
    """
    inodes = listening_inodes(PORT)
    if inodes and not any(inodes & socket_inodes(pid) for pid in ours):
        raise Problem(f"port {PORT}: in use by {_holder(inodes)}; the emulator needs it: stop that program")


def check_disk(directories: Iterable[Path], *, is_warm: bool) -> None:
    """Room for the tools and images: 10 GB before the first set-up, 2 GB after.

    Raises:
        Problem: a directory's file system has less.
    """
    needed = WARM_BYTES if is_warm else COLD_BYTES
    for directory in directories:
        there = next(path for path in (directory, *directory.parents) if path.exists())
        free = shutil.disk_usage(there).free
        if free < needed:
            raise Problem(
                f"disk: {free / 10**9:.1f} GB free at {there}, {needed / 10**9:.0f} GB needed; "
                "free some, or set XDG_CACHE_HOME to a larger disk for the tools"
            )


def listening_inodes(port: int) -> set[str]:
    """Inodes of the sockets that listen on a TCP port of any address."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    rows = [row.split() for table in tables if table.exists() for row in table.read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port}


def socket_inodes(pid: int) -> set[str]:
    """What a process's descriptors lead to, sockets by inode; nothing if it is gone or not ours to see."""
    inodes = set()
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                inodes.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    return inodes


def _holder(inodes: set[str]) -> str:
    """Name and id of the process that holds one of the sockets."""
    for entry in Path("/proc").glob("[0-9]*"):
        if inodes & socket_inodes(int(entry.name)):
            return f"{(entry / 'comm').read_text().strip()} (process {entry.name})"
    return "a program that this user cannot see"
