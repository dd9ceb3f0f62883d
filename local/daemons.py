"""The daemons of the local target: Docker Engine, BuildKit, the emulator."""

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from docker import DockerClient  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]

from local import network, tools
from local.layout import Layout
from local.processes import Daemon

PORT = 4566
REGISTRY = f"localhost:{PORT}"
ENDPOINT = f"http://{REGISTRY}"
PROBE_SECONDS = 2
# dockerd, containerd, buildkitd and runc make these whatever their flags say: private in their mount namespaces.
FIXED_RUN_DIRECTORIES = tuple(Path("/run") / name for name in ("docker", "containerd", "buildkit", "runc"))
CGROUPS = Path("/sys/fs/cgroup")


def docker_engine(layout: Layout) -> Daemon:
    """Docker Engine with a containerd of its own, both in a mount namespace, so that no mount outlives them.

    It touches no packet filter and no forwarding: containers reach the bridge and nothing else.
    """
    return Daemon(
        name="Docker Engine",
        owner=layout.home,
        command=(
            *_isolated(),
            str(tools.DOCKERD.directory(layout) / "dockerd"),
            # Its own file: the machine's /etc/docker/daemon.json must not count.
            "--config-file", str(layout.home / "dockerd.json"),
            "--data-root", str(layout.engine_data),
            "--exec-root", str(layout.engine_run),
            "--pidfile", str(layout.engine_run / "docker.pid"),
            "--host", f"unix://{layout.engine_socket}",
            "--bridge", network.bridge(layout),
            "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
            "--userland-proxy=false",
            "--exec-opt", "native.cgroupdriver=cgroupfs",
            "--cgroup-parent", f"/{_cgroup(layout)}",
        ),
        environment={"PATH": _path(layout, *tools.ENGINE), "TMPDIR": str(layout.temporary)},
        log=layout.logs / "docker-engine.log",
        is_ready=lambda: engine_answers(f"unix://{layout.engine_socket}"),
        stop_seconds=40,
    )  # fmt: skip


def buildkit(layout: Layout) -> Daemon:
    """BuildKit with runc, in mount and process namespaces that end with it."""
    return Daemon(
        name="BuildKit",
        owner=layout.home,
        command=(
            *_isolated("--pid", "--fork", "--kill-child=SIGTERM", "--mount-proc"),
            str(tools.BUILDKIT.directory(layout) / "buildkitd"),
            "--config", str(layout.home / "buildkitd.toml"),
            "--root", str(layout.buildkit_data),
            "--addr", f"unix://{layout.buildkit_socket}",
        ),
        environment={"PATH": _path(layout, tools.RUNC), "TMPDIR": str(layout.temporary)},
        log=layout.logs / "buildkit.log",
        is_ready=lambda: _buildkit_answers(layout),
    )  # fmt: skip


def emulator(layout: Layout, *, docker_host: str) -> Daemon:
    """The AWS emulator on loopback; its state is in memory and ends with it."""
    return Daemon(
        name="emulator",
        owner=layout.home,
        command=(sys.executable, "-P", "-m", "local.emulator"),
        environment={
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(PORT),
            "DOCKER_HOST": docker_host,
            "TMPDIR": str(layout.temporary),
            "S3_DATA_DIR": str(layout.temporary / "s3"),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
        },
        log=layout.logs / "emulator.log",
        is_ready=emulator_answers,
        stop_seconds=30,
    )


def configure(layout: Layout) -> None:
    """Write the settings files: plain http for the emulator's registry, runc alone for builds."""
    (layout.home / "dockerd.json").write_text("{}\n")
    (layout.home / "buildkitd.toml").write_text(
        f'[registry."{REGISTRY}"]\n  http = true\n'
        "[worker.containerd]\n  enabled = false\n"
        f'[worker.oci]\n  enabled = true\n  defaultCgroupParent = "/{_cgroup(layout)}"\n'
    )


def engine_answers(host: str) -> bool:
    """Whether a Docker Engine answers at `host`."""
    try:
        client = DockerClient(base_url=host, timeout=PROBE_SECONDS)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except DockerException:
        return False


def emulator_answers() -> bool:
    """Whether the emulator answers on its port."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{ENDPOINT}/_ministack/health", timeout=PROBE_SECONDS):
            return True
    except (urllib.error.URLError, OSError):
        return False


def container_pids(layout: Layout) -> list[int]:
    """Processes in the control groups of this engine's containers, those of a killed engine included."""
    groups = [file for top in _cgroup_tops(layout) for file in top.rglob("cgroup.procs")]
    return sorted({int(pid) for file in groups for pid in file.read_text().split()})


def remove_cgroups(layout: Layout) -> None:
    """Remove the empty control groups of containers and builds, innermost first."""
    for top in _cgroup_tops(layout):
        for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            group.rmdir()
        top.rmdir()


def _cgroup_tops(layout: Layout) -> list[Path]:
    """One directory for each hierarchy of cgroup v1, or one in cgroup v2."""
    name = _cgroup(layout)
    return [path for path in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")) if path.is_dir() and not path.is_symlink()]


def _cgroup(layout: Layout) -> str:
    return f"ecs-multiarch-{layout.identity}"


def _isolated(*namespaces: str) -> tuple[str, ...]:
    """Command words that run the rest in a mount namespace, with directories under /run of its own."""
    mounts = " && ".join(f"mkdir -p {path} && mount -n -t tmpfs tmpfs {path}" for path in FIXED_RUN_DIRECTORIES)
    return ("unshare", "--mount", "--propagation", "slave", *namespaces, "sh", "-c", f'{mounts} && exec "$@"', "sh")


def _path(layout: Layout, *built: tools.GoTool) -> str:
    """PATH with the built tools first; mount and ip live in the system's sbin directories."""
    directories = [str(tool.directory(layout)) for tool in built]
    return ":".join([*directories, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"])


def _buildkit_answers(layout: Layout) -> bool:
    buildctl = tools.BUILDKIT.directory(layout) / "buildctl"
    command = [str(buildctl), "--addr", f"unix://{layout.buildkit_socket}", "debug", "workers"]
    return subprocess.run(command, capture_output=True).returncode == 0
