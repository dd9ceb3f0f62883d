"""Running the foreign architecture: qemu's user-mode emulation, registered with the kernel.

The interpreter is registered with flags OCF: the kernel opens it at registration (F), so that it works in every
container without being there; it keeps the credentials of what it runs (C). A registration that is there is used.
"""

import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local import debian
from local.layout import Layout
from local.problem import Problem

KERNEL = Path("/proc/sys/fs/binfmt_misc")
FLAGS = "OCF"
# Older ones hang in the asyncio of Python 3.13 (seen with 7.2).
QEMU_MAJOR = 10


@dataclass(frozen=True)
class Foreign:
    """The architecture that this machine emulates.

    Attributes:
        machine: as `uname -m` says.
        platform: as OCI says.
        elf_machine: e_machine of its ELF header (elf.h).
    """

    machine: str
    platform: str
    elf_machine: int


AMD64 = Foreign("x86_64", "linux/amd64", 62)
ARM64 = Foreign("aarch64", "linux/arm64", 183)


def foreign() -> Foreign:
    """The one of the two architectures that is not this machine's.

    Raises:
        Problem: this machine is neither.
    """
    others = {AMD64.machine: ARM64, ARM64.machine: AMD64}
    if platform.machine() not in others:
        raise Problem(f"machine {platform.machine()}: the local target runs on x86_64 or aarch64")
    return others[platform.machine()]


def is_registered(kernel: Path = KERNEL) -> bool:
    """Whether the kernel runs the foreign architecture's programs anywhere, with a qemu that will do."""
    entries = [entry.read_text() for entry in kernel.glob("*") if entry.name not in ("register", "status")]
    return any(_serves(entry, _magic(foreign()).hex()) for entry in entries)


def register(layout: Layout) -> None:
    """Register qemu under this project's name, mounting binfmt_misc first where it is not.

    Raises:
        Problem: the kernel refuses.
    """
    if not (KERNEL / "register").exists():
        mounted = subprocess.run(
            ["mount", "-n", "-t", "binfmt_misc", "binfmt_misc", KERNEL], capture_output=True, text=True
        )
        if mounted.returncode:
            raise Problem(
                f"binfmt_misc: {mounted.stderr.strip()}; "
                f"the kernel needs CONFIG_BINFMT_MISC to run {foreign().platform}"
            )
        _mounted_by_us(layout).touch()
    if is_registered():
        return
    qemu = (
        debian.unpacked(["qemu-user"], suite=debian.SUITE, layout=layout) / "usr" / "bin" / f"qemu-{foreign().machine}"
    )
    rule = f":{_name(layout)}:M::{_escaped(_magic(foreign()))}:{_escaped(_MASK)}:{qemu}:{FLAGS}"
    try:
        (KERNEL / "register").write_text(rule)
    except OSError as error:
        raise Problem(f"binfmt_misc: the kernel refuses qemu for {foreign().platform}: {error}") from error


def unregister(layout: Layout) -> None:
    """Take back what `register` did, and nothing else."""
    entry = KERNEL / _name(layout)
    if entry.exists():
        entry.write_text("-1")
    if _mounted_by_us(layout).exists():
        subprocess.run(["umount", "-n", KERNEL], check=True, capture_output=True)
        _mounted_by_us(layout).unlink()


def _name(layout: Layout) -> str:
    return f"ecs-multiarch-{layout.identity}"


def _mounted_by_us(layout: Layout) -> Path:
    return layout.home / "binfmt-mounted"


def _serves(entry: str, magic: str) -> bool:
    """Whether an entry of binfmt_misc is on, for this magic number, its interpreter open and new enough."""
    fields = dict(line.partition(" ")[::2] for line in entry.splitlines())
    is_open = "enabled" in fields and fields.get("magic") == magic and "F" in fields.get("flags:", "")
    return is_open and _qemu_major(fields["interpreter"]) >= QEMU_MAJOR


def _qemu_major(interpreter: str) -> int:
    """Major version of a qemu; 0 for what is no qemu, or is not on this file system."""
    try:
        answer = subprocess.run([interpreter, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return 0
    found = re.search(r"qemu-\S+ version (\d+)", answer)
    return int(found.group(1)) if found else 0


# ELF, 64 bit, little-endian, executable or shared object of one machine; OS ABI and padding do not count.
_MASK = bytes.fromhex("ffffffffffffff00fffffffffffffffffeffffff")


def _magic(architecture: Foreign) -> bytes:
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00"
    return header + architecture.elf_machine.to_bytes(2, "little")


def _escaped(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)
