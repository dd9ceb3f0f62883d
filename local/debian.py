"""Debian packages from the machine's own mirror, unpacked into the tool cache: nothing is installed.

apt runs with sources, lists and downloads of its own, so that `/etc/apt` and `/var/lib/apt` stay as they are.
"""

import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from local.cache import cached
from local.commands import run
from local.layout import Layout
from local.problem import Problem
from local.progress import step

# The suite that has Python 3.13 for the base image, and a qemu whose emulation runs it.
SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCES = Path("/etc/apt")
NETWORK_REMEDY = "check the network and the apt sources, then run it again"


def unpacked(packages: Sequence[str], *, suite: str, layout: Layout) -> Path:
    """Return a directory with the packages' own files, from the cache or from the mirror.

    Raises:
        Problem: no Debian mirror is configured, or the download failed.
    """
    directory = layout.tools / f"{'-'.join(packages)}-{suite}"
    if directory.is_dir():
        return directory
    with step(f"fetch {', '.join(packages)} ({suite}; unpacked into the tool cache)"):
        return cached(directory, lambda unfinished: _fetch(packages, suite, layout, unfinished))


def mirror() -> str:
    """The Debian mirror that the machine's own apt sources name first.

    Raises:
        Problem: there is none.
    """
    files = [SOURCES / "sources.list", *sorted((SOURCES / "sources.list.d").glob("*"))]
    for file in files:
        if file.is_file() and (found := first_mirror(file.read_text())):
            return found
    raise Problem(
        f"{SOURCES}: names no Debian mirror (a URI that ends in /debian); the local target takes "
        "the base image and qemu from one: add it to the apt sources, or run on Debian"
    )


def first_mirror(sources: str) -> str | None:
    """The first URI of a Debian archive in the text of a one-line or deb822 sources file.

    >>> first_mirror("deb [arch=amd64] https://mirror.example/debian bookworm main")
    'https://mirror.example/debian'
    """
    live = "\n".join(line for line in sources.splitlines() if not line.lstrip().startswith("#"))
    found = re.search(r"\b(?:https?|file):/[^\s]*/debian(?=/?(?:\s|$))", live)
    return found.group(0) if found else None


def host_suite() -> str:
    """Code name of the machine's own Debian release."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", SUITE)


def libseccomp(layout: Layout) -> dict[str, str]:
    """Variables for `go build` that link libseccomp, statically where its headers are not installed.

    `true` in place of pkg-config answers cgo with no flags at all; the variables bring them.
    """
    if shutil.which("pkg-config") and subprocess.run(["pkg-config", "--exists", "libseccomp"]).returncode == 0:
        return {}
    root = unpacked(["libseccomp-dev"], suite=host_suite(), layout=layout)
    library = next(root.rglob("libseccomp.a")).parent
    return {
        "PKG_CONFIG": "true",
        "CGO_CFLAGS": f"-I{root / 'usr' / 'include'}",
        "CGO_LDFLAGS": f"-L{library} -lseccomp",
    }


def _fetch(packages: Sequence[str], suite: str, layout: Layout, into: Path) -> None:
    log = layout.logs / "apt.log"
    what = f"fetching {', '.join(packages)} from Debian {suite}"
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        apt = _private_apt(Path(scratch), suite)
        run([*apt, "update"], log=log, what=what, remedy=NETWORK_REMEDY)
        run([*apt, "download", *packages], log=log, what=what, cwd=Path(scratch), remedy=NETWORK_REMEDY)
        for package in Path(scratch).glob("*.deb"):
            run(["dpkg-deb", "--extract", package, into], log=log, what=what)


def _private_apt(scratch: Path, suite: str) -> list[str]:
    """The apt-get command whose sources, lists and cache are in `scratch`."""
    (scratch / "lists" / "partial").mkdir(parents=True)
    (scratch / "archives" / "partial").mkdir(parents=True)
    source = scratch / "debian.sources"
    source.write_text(f"Types: deb\nURIs: {mirror()}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n")
    settings = {
        "Dir::Etc::sourcelist": source,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": scratch / "lists",
        "Dir::Cache": scratch,
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
    }
    return ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in settings.items())]
