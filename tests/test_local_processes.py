"""Daemons: found by their mark, stopped with all that they started, and told apart from other programs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.problem import Problem
from local.processes import MARK, Daemon, last_line, marked

SLEEPER = ("sleep", "60")


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for name in ("daemon", "other"):
        daemon(tmp_path, name=name).stop()


def daemon(owner: Path, *command: str, name: str = "daemon", ready: bool = True) -> Daemon:
    return Daemon(
        name=name,
        owner=owner,
        command=command or SLEEPER,
        log=owner / f"{name}.log",
        is_ready=lambda: ready,
        start_seconds=0.3,
        stop_seconds=1,
    )


def test_a_daemon_is_found_by_its_mark_and_stopped(owner: Path) -> None:
    sleeper = daemon(owner)
    sleeper.start()
    (pid,) = sleeper.pids()
    assert os.getsid(pid) == pid
    assert sleeper.stop()
    assert sleeper.pids() == []
    assert not sleeper.stop()


def test_another_checkouts_daemon_of_the_same_name_is_left_alone(
    owner: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sleeper = daemon(owner)
    sleeper.start()
    assert not daemon(tmp_path_factory.mktemp("elsewhere")).stop()
    assert sleeper.pids()


def test_children_go_with_their_daemon(owner: Path) -> None:
    parent = daemon(owner, "sh", "-c", "sleep 60 & sleep 60 & wait")
    parent.start()
    wait_for(lambda: len(parent.pids()) == 3)
    parent.stop()
    assert parent.pids() == []


def test_one_that_ignores_sigterm_is_killed(owner: Path) -> None:
    stubborn = daemon(
        owner, sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    )
    stubborn.start()
    time.sleep(0.3)
    stubborn.stop()
    assert stubborn.pids() == []


def test_one_that_ends_while_starting_is_told_with_its_last_line(owner: Path) -> None:
    broken = daemon(owner, "sh", "-c", "echo first; echo no such flag >&2; exit 3", ready=False)
    with pytest.raises(Problem, match=r"daemon ended with 3: no such flag \(log: .*daemon\.log\)"):
        broken.start()


def test_one_that_never_gets_ready_is_told(owner: Path) -> None:
    with pytest.raises(Problem, match="daemon is not ready after 0 s: no output"):
        daemon(owner, ready=False).start()


def test_a_process_without_the_mark_is_nobodys() -> None:
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    process = subprocess.Popen(SLEEPER, env=environment)
    try:
        assert process.pid not in marked("")
    finally:
        process.kill()
        process.wait()


def test_last_line_skips_blank_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == "no output"
    log.write_text("one\ntwo  \n\n")
    assert last_line(log) == "two"


def wait_for(condition: object, seconds: float = 3) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
