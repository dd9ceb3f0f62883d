"""Programs that are built from Go modules where the machine has none that will do."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from local import debian
from local.cache import cached
from local.commands import run
from local.layout import Layout
from local.progress import step

GO_VERSION = (1, 26)
NETWORK_REMEDY = "check the network and GOPROXY, then run it again"


@dataclass(frozen=True)
class GoTool:
    """Commands of one Go module at one version.

    Attributes:
        name: of the tool, in the cache and in messages.
        module: Go module path.
        version: of the module.
        packages: paths of the commands inside the module.
        flags: further flags of `go build`.
        seccomp: whether it is linked, through cgo, with libseccomp.
    """

    name: str
    module: str
    version: str
    packages: tuple[str, ...]
    flags: tuple[str, ...] = field(default=("-ldflags=-s -w",))
    seccomp: bool = False

    def directory(self, layout: Layout) -> Path:
        """Where its binaries are once built."""
        return layout.tools / f"{self.name}-{self.version}"


BUILDKIT = GoTool("buildkit", "github.com/moby/buildkit", "v0.34.2", ("cmd/buildkitd", "cmd/buildctl"))
CONTAINERD = GoTool(
    "containerd",
    "github.com/containerd/containerd/v2",
    "v2.4.2",
    ("cmd/containerd", "cmd/containerd-shim-runc-v2"),
)
DOCKERD = GoTool("dockerd", "github.com/moby/moby/v2", "v2.0.0-beta.24", ("cmd/dockerd",))
RUNC = GoTool(
    "runc",
    "github.com/opencontainers/runc",
    "v1.4.3",
    (".",),
    ("-ldflags=-s -w", "-tags=seccomp"),
    seccomp=True,
)
# A Pulumi CLI built from its module knows no version of its own.
PULUMI = GoTool(
    "pulumi",
    "github.com/pulumi/pulumi/pkg/v3",
    "v3.274.1",
    ("cmd/pulumi",),
    ("-ldflags=-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.274.1",),
)
ENGINE = (CONTAINERD, RUNC, DOCKERD)


def provide(tool: GoTool, layout: Layout) -> Path:
    """Build a tool unless it is in the cache; return the directory of its binaries.

    Raises:
        Problem: the build failed, for example because the module proxy cannot be reached.
    """
    directory = tool.directory(layout)
    if directory.is_dir():
        return directory
    with step(f"build {tool.name} {tool.version} with Go (once; kept in the tool cache)"):
        return cached(directory, lambda unfinished: _build(tool, layout, unfinished))


def go_problem() -> str | None:
    """What keeps Go from building the tools, with the remedy; none if nothing does."""
    if not (go := shutil.which("go")):
        return "go: not found on PATH; install Go 1.26 or newer to build the local target's tools"
    answer = subprocess.run([go, "version"], capture_output=True, text=True, cwd="/").stdout
    found = re.search(r"go(\d+)\.(\d+)", answer)
    if found is None or tuple(int(number) for number in found.groups()) < GO_VERSION:
        return f"go: {answer.strip() or 'no version'}; the local target's tools need Go 1.26 or newer"
    if not shutil.which("gcc") and not os.environ.get("CC"):
        return "gcc: not found on PATH; runc is built with it (apt-get install gcc libc6-dev)"
    return None


def _build(tool: GoTool, layout: Layout, into: Path) -> None:
    """Build in a throwaway module: `go install` refuses modules whose go.mod replaces others."""
    log = layout.logs / f"build-{tool.name}.log"
    workspace = into / "module"
    workspace.mkdir()
    environment = {
        "GOFLAGS": "-mod=mod -buildvcs=false -trimpath",
        "GOWORK": "off",
        "CGO_ENABLED": str(int(tool.seccomp)),
    }
    if tool.seccomp:
        environment |= debian.libseccomp(layout)

    def go(*arguments: str) -> None:
        run(
            ["go", *arguments],
            log=log,
            what=f"building {tool.name}",
            cwd=workspace,
            environment=environment,
            remedy=NETWORK_REMEDY,
        )

    go("mod", "init", "build")
    go("get", f"{tool.module}@{tool.version}")
    for package in tool.packages:
        path = tool.module if package == "." else f"{tool.module}/{package}"
        go("build", "-o", f"{into}/", *tool.flags, path)
    shutil.rmtree(workspace)
