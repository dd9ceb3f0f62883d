"""Where the local target keeps its files."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

# A unix socket's path has at most 107 bytes (unix(7)); the longest name below the run directory takes 45.
SOCKET_PATH_MAX = 107
LONGEST_SOCKET_NAME = 45


@dataclass(frozen=True)
class Layout:
    """The paths of one checkout's local target.

    Attributes:
        root: the checkout.
    """

    root: Path

    @property
    def home(self) -> Path:
        """What set-up makes in the checkout; `down` removes it."""
        return self.root / ".local"

    @property
    def tools(self) -> Path:
        """Built tools and root file systems by name and version, shared by checkouts; `down` keeps it."""
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return Path(cache) / "ecs-multiarch" / "tools"

    @property
    def run(self) -> Path:
        """Sockets: in `.local`, or in `/run` where the checkout's path is too long for a socket's name."""
        inside = self.home / "run"
        if len(os.fsencode(inside)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_MAX:
            return inside
        return Path("/run") / f"ecs-multiarch-{self.identity}"

    @property
    def identity(self) -> str:
        """Eight hexadecimal digits that tell this checkout from others on the machine."""
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:8]

    @property
    def bin(self) -> Path:
        """Programs put on PATH by `.local/env`."""
        return self.home / "bin"

    @property
    def logs(self) -> Path:
        """One log file for each daemon and for each tool's build."""
        return self.home / "log"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the daemons."""
        return self.home / "tmp"

    @property
    def engine_data(self) -> Path:
        """Data root of the Docker Engine that set-up starts."""
        return self.home / "engine"

    @property
    def buildkit_data(self) -> Path:
        """Root of buildkitd."""
        return self.home / "buildkit"

    @property
    def docker_config(self) -> Path:
        """DOCKER_CONFIG: registry credentials, and buildx's list of builders."""
        return self.home / "docker"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME: plugins and workspaces."""
        return self.home / "pulumi"

    @property
    def pulumi_state(self) -> Path:
        """Pulumi's file backend."""
        return self.home / "state"

    @property
    def environment_file(self) -> Path:
        """Shell file that makes plain `pulumi` work on the local stack."""
        return self.home / "env"

    @property
    def engine_run(self) -> Path:
        """Sockets and process ids of the Docker Engine that set-up starts; nothing in it outlives the engine."""
        return self.run / "engine"

    @property
    def engine_socket(self) -> Path:
        """Socket of the Docker Engine that set-up starts."""
        return self.run / "docker.sock"

    @property
    def buildkit_socket(self) -> Path:
        """Socket of buildkitd."""
        return self.run / "buildkitd.sock"


LAYOUT = Layout(Path(__file__).resolve().parent.parent)
