"""The pure parts of the local target: paths, the cache, the mirror, the environment, qemu's registration."""

import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

from local import binfmt, environment, stack
from local.base_image import REFERENCE
from local.cache import cached
from local.commands import run
from local.debian import first_mirror
from local.layout import LONGEST_SOCKET_NAME, SOCKET_PATH_MAX, Layout
from local.locking import exclusive
from local.network import bridge
from local.problem import Problem


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / ".local").mkdir()
    return Layout(tmp_path)


@pytest.mark.parametrize("root", ["/src/ecs", "/home/someone/" + "deeply/nested/" * 10], ids=["short", "long"])
def test_socket_names_fit_wherever_the_checkout_is(root: str) -> None:
    run_directory = Layout(Path(root)).run
    assert len(str(run_directory)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_MAX


def test_two_checkouts_share_nothing_but_the_tools() -> None:
    one, other = Layout(Path("/src/one")), Layout(Path("/src/other"))
    assert bridge(one) != bridge(other)
    assert one.home != other.home
    assert one.tools == other.tools


def test_a_bridge_name_fits_an_interface(layout: Layout) -> None:
    assert len(bridge(layout)) <= 15


def test_the_cache_keeps_what_is_complete(tmp_path: Path) -> None:
    directory = cached(tmp_path / "tool-1", lambda unfinished: (unfinished / "binary").touch())
    assert (directory / "binary").exists()
    assert cached(directory, lambda _: pytest.fail("made twice")) == directory


def test_the_cache_has_nothing_of_what_failed(tmp_path: Path) -> None:
    def fail(unfinished: Path) -> None:
        (unfinished / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "tool-1", fail)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_removes_what_a_killed_build_left(tmp_path: Path) -> None:
    (tmp_path / ".tool-1.killed").mkdir()
    cached(tmp_path / "tool-1", lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["tool-1"]


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        pytest.param("deb http://m.example/debian bookworm main", "http://m.example/debian", id="one line"),
        pytest.param(
            "deb [arch=amd64] https://m.example/debian/ trixie main", "https://m.example/debian", id="options"
        ),
        pytest.param("Types: deb\nURIs: http://m.example/debian\n", "http://m.example/debian", id="deb822"),
        pytest.param("# deb http://old.example/debian buster main", None, id="comment"),
        pytest.param("URIs: http://m.example/debian-security", None, id="security alone"),
        pytest.param("deb http://m.example/ubuntu noble main", None, id="not Debian"),
    ],
)
def test_the_machines_own_mirror(sources: str, found: str | None) -> None:
    assert first_mirror(sources) == found


def test_a_second_set_up_names_the_first(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("4711")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Problem, match="process 4711"), exclusive(lock):
            pytest.fail("two at once")
    with exclusive(lock):
        assert lock.read_text() == str(os.getpid())


def test_a_failed_command_is_one_line(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo one; echo two >&2; echo; exit 7"]
    with pytest.raises(Problem, match=r"^building it failed: one \| two; mend it \(log: .*\)$"):
        run(command, log=tmp_path / "log", what="building it", remedy="mend it")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_environment_file_can_be_sourced_twice(layout: Layout, shell: str) -> None:
    environment.write(layout, docker_host="unix:///s.sock")
    file = layout.environment_file
    script = f'set -eu; . "{file}"; once="$PATH $NO_PROXY"; . "{file}"; test "$once" = "$PATH $NO_PROXY"; env -0'
    done = subprocess.run(
        [shell, "-c", script], env={"PATH": os.environ["PATH"], "AWS_PROFILE": "prod"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seen = dict(entry.partition("=")[::2] for entry in done.stdout.split("\0"))
    assert "AWS_PROFILE" not in seen
    assert seen["PATH"].startswith(f"{layout.bin}:{layout.root}/.venv/bin:")
    assert environment.variables(layout, docker_host="unix:///s.sock").items() <= seen.items()


def test_python_starts_commands_in_the_same_environment(layout: Layout) -> None:
    base = {"PATH": "/usr/bin", "AWS_PROFILE": "prod", "NO_PROXY": "example.org"}
    seen = environment.process_environment(layout, docker_host="unix:///s.sock", base=base)
    assert "AWS_PROFILE" not in seen
    assert seen["PATH"] == f"{layout.bin}:{layout.root}/.venv/bin:/usr/bin"
    assert seen["NO_PROXY"].endswith(",example.org")


def test_the_builder_is_the_running_buildkit(layout: Layout) -> None:
    environment.write(layout, docker_host="unix:///s.sock")
    file = layout.docker_config / "buildx" / "instances" / environment.BUILDER
    builder = json.loads(file.read_text())
    assert builder["Driver"] == "remote"
    assert builder["Nodes"][0]["Endpoint"] == f"unix://{layout.buildkit_socket}"


def test_the_local_stack_names_the_base_image_that_set_up_makes() -> None:
    configuration = Path(__file__).parent.parent / "Pulumi.local.yaml"
    assert f"baseImage: {REFERENCE}\n" in configuration.read_text()


@pytest.mark.parametrize(
    ("change", "is_good"),
    [
        pytest.param({}, True, id="as set-up makes it"),
        pytest.param({"flags:": "OC"}, False, id="interpreter not kept open"),
        pytest.param({"enabled": None}, False, id="disabled"),
        pytest.param({"magic": "cafebabe"}, False, id="another format"),
        pytest.param({"version": "7.2.19"}, False, id="too old"),
    ],
)
def test_a_registration_of_qemu(tmp_path: Path, change: dict[str, str | None], is_good: bool) -> None:
    qemu = tmp_path / "qemu"
    version = change.get("version", "10.0.13")
    qemu.write_text(f"#!/bin/sh\necho 'qemu-aarch64 version {version} (Debian)'\n")
    qemu.chmod(0o755)
    arm64 = "7f454c460201010000000000000000000200b700"
    amd64 = "7f454c4602010100000000000000000002003e00"
    magic = arm64 if binfmt.foreign() is binfmt.ARM64 else amd64
    entry = {"enabled": "", "interpreter": str(qemu), "flags:": "OCF", "offset": "0", "magic": magic} | change
    kernel = tmp_path / "binfmt_misc"
    kernel.mkdir()
    lines = [f"{name} {value}".strip() for name, value in entry.items() if value is not None and name != "version"]
    (kernel / "entry").write_text("\n".join(lines) + "\n")
    assert binfmt.is_registered(kernel) is is_good


def test_the_lock_of_a_killed_pulumi_goes_and_that_of_a_running_one_stays(layout: Layout) -> None:
    locks = layout.pulumi_state / ".pulumi" / "locks" / "organization" / "ecs-multiarch" / "local"
    locks.mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    for process in (ended.pid, os.getpid()):
        (locks / f"{process}.json").write_text(json.dumps({"pid": process, "username": "me"}))
    stack.release(layout)
    assert [lock.stem for lock in locks.iterdir()] == [str(os.getpid())]
