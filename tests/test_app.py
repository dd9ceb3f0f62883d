"""The service as a process: what it answers, and how it stops."""

import json
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.recording import ROOT

# A route that takes a second, beside the service's own.
SLOW = """
import asyncio, os, sys
sys.path.insert(0, "app")
import main
from starlette.responses import PlainTextResponse
from starlette.routing import Route
async def slow(_):
    await asyncio.sleep(1)
    return PlainTextResponse("done")
main.create_server(main.Settings.from_environment(os.environ), (Route("/slow", slow),)).run()
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def service(**environment: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        cwd=ROOT,
        env={"PORT": str(port), "VERSION": "1.2.3", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        try:
            wait_until_ready(client)
            yield process, client
        finally:
            process.kill()


def wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.get("/healthz")
            return
        except httpx.ConnectError:
            assert time.monotonic() < deadline, "the service did not start"
            time.sleep(0.05)


def log_lines(process: subprocess.Popen[str]) -> list[dict[str, object]]:
    output, _ = process.communicate(timeout=20)
    return [json.loads(line) for line in output.splitlines()]


def test_it_says_who_answers() -> None:
    with service() as (_, client):
        answer = client.get("/").json()
    assert answer == {
        "arch": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
        "machine": platform.machine(),
        "version": "1.2.3",
        "task": platform.node(),
    }


def test_every_request_is_one_json_line() -> None:
    with service() as (process, client):
        client.get("/")
        client.get("/nothing")
        process.send_signal(signal.SIGTERM)
        lines = log_lines(process)
    requests = [(line["method"], line["path"], line["status"]) for line in lines if "path" in line]
    assert requests[-2:] == [("GET", "/", 200), ("GET", "/nothing", 404)]


def test_sigterm_turns_health_red_while_requests_are_still_answered() -> None:
    with service(DRAIN_SECONDS="5", QUIET_SECONDS="5") as (process, client):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        health, request = client.get("/healthz"), client.get("/")
    assert health.status_code == 503
    assert request.status_code == 200
    assert request.headers["connection"] == "close"


def test_sigterm_lets_requests_in_flight_finish_and_exits_with_0() -> None:
    with service() as (process, client), ThreadPoolExecutor() as pool:
        slow = pool.submit(client.get, "/slow")
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert slow.result().text == "done"
        assert process.wait(timeout=10) == 0


def test_the_drain_ends_early_once_nobody_asks_any_more() -> None:
    with service(DRAIN_SECONDS="60", QUIET_SECONDS="1") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_the_drain_ends_at_its_deadline_although_somebody_still_asks() -> None:
    with service(DRAIN_SECONDS="2", QUIET_SECONDS="60") as (process, client):
        process.send_signal(signal.SIGTERM)
        with pytest.raises(httpx.ConnectError):
            ask_until_gone(client)
        assert process.wait(timeout=10) == 0


def ask_until_gone(client: httpx.Client) -> None:
    for _ in range(200):
        client.get("/")
        time.sleep(0.05)
