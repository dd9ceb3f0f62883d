"""What set-up refuses, each by one line, before anything is made."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from local import preconditions, tools
from local.problem import Problem


def test_a_taken_port_names_its_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(preconditions, "PORT", server.getsockname()[1])
        with pytest.raises(Problem, match=rf"in use by .+ \(process {os.getpid()}\).*stop that program"):
            preconditions.check_port(ours=[])


def test_a_port_held_by_our_own_emulator_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(preconditions, "PORT", server.getsockname()[1])
        preconditions.check_port(ours=[os.getpid()])


def test_a_free_port_has_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert preconditions.listening_inodes(port)
    assert not preconditions.listening_inodes(port)


@pytest.mark.parametrize(
    ("free", "is_warm", "refused"),
    [
        pytest.param(9, False, True, id="cold needs 10 GB"),
        pytest.param(11, False, False, id="cold, enough"),
        pytest.param(3, True, False, id="warm needs less"),
        pytest.param(1, True, True, id="warm, too little"),
    ],
)
def test_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, is_warm: bool, refused: bool) -> None:
    class Usage:
        def __init__(self) -> None:
            self.free = free * 10**9

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    missing = tmp_path / "not" / "yet" / "there"
    if not refused:
        preconditions.check_disk([missing], is_warm=is_warm)
        return
    with pytest.raises(Problem, match=rf"disk: {free}.0 GB free at {tmp_path}, .* GB needed"):
        preconditions.check_disk([missing], is_warm=is_warm)


def test_another_user_is_told_to_use_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Problem, match=r"not root.*sudo"):
        preconditions.check_machine()


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda program: None if program == "ip" else program)
    with pytest.raises(Problem, match=r"ip: not found on PATH.*iproute2"):
        preconditions.check_machine()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param("go version go1.26.8 linux/amd64", None, id="the oldest"),
        pytest.param("go version go1.27rc1 linux/amd64", None, id="newer"),
        pytest.param("go version go1.25.9 linux/amd64", "1.26 or newer", id="older"),
        pytest.param("", "no version", id="not Go"),
    ],
)
def test_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str, problem: str | None) -> None:
    for program in ("go", "gcc"):
        (tmp_path / program).write_text(f"#!/bin/sh\necho '{answer}'\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = tools.go_problem()
    assert found is None if problem is None else found is not None and problem in found


def test_no_go_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.go_problem() == "go: not found on PATH; install Go 1.26 or newer to build the local target's tools"
