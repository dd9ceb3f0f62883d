"""The load generator against a small server on loopback: what it counts, and what bounds it."""

import json
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import close, pidfd_open
from pathlib import Path
from threading import Thread

import pytest

from local import engine, network
from local.load import Load, Report, run, share, summary, timeline
from local.load.__main__ import main
from local.load.report import Outcome
from local.problem import Problem

SLOW_SECONDS = 0.4
LEAVING_SECONDS = 3.0


class Handler(BaseHTTPRequestHandler):
    """One connection: the path says how its requests are answered."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(Counter())
        self.seen = self.server.connections[-1]

    def do_GET(self) -> None:
        self.seen[self.headers.get("Connection", "")] += 1
        self.server.hosts.add(self.headers["Host"])
        match self.path:
            case "/":
                self.answer(200, json.dumps({"arch": "arm64" if self.server.is_third() else "amd64"}))
            case "/error":
                self.answer(500, "broken\non purpose")
            case "/text":
                self.answer(200, "hello")
            case "/slow":
                time.sleep(SLOW_SECONDS)
                self.answer(200, json.dumps({"arch": "amd64"}))
            case "/closed":
                self.close_connection = True

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections: list[Counter[str]] = []
        self.hosts: set[str] = set()
        self.answers = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def requests(self) -> int:
        return sum(connection.total() for connection in self.connections)

    def is_third(self) -> bool:
        self.answers += 1
        return self.answers % 3 == 0


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_exactly_so_many_requests_are_sent_and_counted(server: Server) -> None:
    report = run(server.url, rate=200, count=60)
    assert (report.total, report.failed, server.requests) == (60, 0, 60)
    assert report.by_arch == {"amd64": 40, "arm64": 20}
    assert report.by_status == {"200": 60}
    assert share(report, "arm64") == pytest.approx(100 / 3)
    assert 0 < report.p50_ms <= report.p99_ms
    assert sum(sum(counts.values()) for counts in report.timeline.values()) == 60


def test_half_of_the_requests_use_connections_that_are_kept_alive(server: Server) -> None:
    run(server.url, rate=50, count=24)
    new = [connection for connection in server.connections if "close" in connection]
    kept = [connection for connection in server.connections if "keep-alive" in connection]
    assert new == [{"close": 1}] * 12
    assert sum(connection.total() for connection in kept) == 12
    assert len(kept) < 6


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/error", "500", "500 Internal Server Error: broken on purpose (keep-alive)"),
        ("/text", "200", "200 OK: hello (keep-alive)"),
        ("/slow", "timeout", "no answer within 0.2 s (keep-alive)"),
        ("/closed", "RemoteProtocolError", "RemoteProtocolError: Server disconnected without sending a response."),
    ],
    ids=["error", "not JSON", "time-out", "closed connection"],
)
def test_what_is_not_answered_well_has_failed(server: Server, path: str, status: str, detail: str) -> None:
    report = run(f"{server.url}{path}", rate=200, count=14, timeout_seconds=0.2)
    assert (report.total, report.failed, len(report.examples)) == (14, 14, 10)
    assert report.by_status == {status: 14}
    assert report.by_arch == {}
    assert detail in summary(report)


def test_a_refused_connection_has_failed() -> None:
    with Server() as server:
        url = server.url
    assert run(url, count=2).by_status == {"ConnectError": 2}


def test_a_slow_answer_delays_no_other_request(server: Server) -> None:
    report = run(f"{server.url}/slow", rate=100, count=25)
    assert report.failed == 0
    assert sum(report.timeline[0].values()) == 25


def test_names_under_localhost_are_this_machine_and_stay_the_host_header(server: Server) -> None:
    url = f"http://web.localhost:{server.server_port}"
    assert run(url, count=2).failed == 0
    assert server.hosts == {f"web.localhost:{server.server_port}"}


def test_load_runs_beside_its_block_until_it_is_stopped(server: Server) -> None:
    with Load(server.url, rate=100) as load:
        assert server.requests, "the first request was answered"
        time.sleep(0.4)
    assert load.report.total == server.requests
    assert 20 <= load.report.total <= 100
    assert load.report.failed == 0
    load.stop()


def test_requests_in_flight_finish(server: Server) -> None:
    with Load(f"{server.url}/slow", rate=20) as load:
        pass
    assert load.report.failed == 0


def test_load_on_what_does_not_answer_is_refused() -> None:
    with Server() as server:
        url = server.url
    with pytest.raises(Problem, match=r"nothing answers \(ConnectError\)"):
        Load(url).start()


def test_load_that_was_over_too_early_says_so(server: Server) -> None:
    load = Load(server.url, seconds=1)
    load.start()
    time.sleep(1.1)
    with pytest.raises(Problem, match="over after 1 s, before its block; give more seconds"):
        load.stop()
    assert load.report.total == server.requests


def test_load_ends_with_its_parent(server: Server) -> None:
    script = f"import time; from local.load import Load\nwith Load({server.url!r}): print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "\n"
        child = pidfd_open(int(Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()))
        parent.send_signal(signal.SIGKILL)
    assert select.select([child], [], [], LEAVING_SECONDS)[0], "the child has ended"
    close(child)


@pytest.mark.parametrize("ending", [None, signal.SIGINT, signal.SIGTERM], ids=["time", "Ctrl-C", "SIGTERM"])
def test_the_command_ends_by_itself_or_when_asked_and_says_who_answered(
    server: Server, ending: signal.Signals | None
) -> None:
    seconds = 60 if ending else 1
    command = [sys.executable, "-m", "local.load", server.url, "--rate=30", f"--seconds={seconds}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        while ending and not server.requests:
            time.sleep(0.02)
        if ending:
            process.send_signal(ending)
        output, _ = process.communicate(timeout=LEAVING_SECONDS)
    assert process.returncode == 0
    assert server.requests <= 30
    assert f"\n{server.requests} requests, 0 failed, p50 " in output
    assert "0-1 s  amd64 " in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["http://example.com"],
            "load on http://example.com: not plain HTTP to this machine; "
            "give http://NAME.alb.localhost:PORT or a loopback address",
        ),
        (["https://localhost"], "load on https://localhost: not plain HTTP to this machine; "),
        (["http://10.0.0.1:80"], "load on http://10.0.0.1:80: not plain HTTP to this machine; "),
        (["http://localhost.example.com"], "load on http://localhost.example.com: not plain HTTP to this machine; "),
        (["http://[::"], "load on http://[::: "),
        (["http://[::1]", "--rate=201"], "rate 201: takes 1 to 200"),
        (["http://localhost", "--rate=0"], "rate 0: takes 1 to 200"),
        (["http://localhost", "--seconds=3601"], "seconds 3601: takes 1 to 3600"),
        (["http://localhost", "--timeout=11"], "timeout 11: takes more than 0 and at most 10 seconds"),
    ],
)
def test_what_is_out_of_bounds_is_one_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["load", *arguments])
    assert main() == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def test_a_count_has_its_bound() -> None:
    with pytest.raises(Problem, match="count 720001: takes 1 to 720000"):
        run("http://localhost", rate=200, count=720_001)


@pytest.mark.parametrize("url", ["http://web.alb.localhost:4566", "http://127.0.0.1:4566/_alb/web/"])
def test_a_load_balancer_needs_the_bridge(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "is_up", lambda _: False)
    monkeypatch.setattr(engine, "usable", lambda _: None)
    for start in (Load(url).start, lambda: run(url, count=1)):
        with pytest.raises(Problem, match=r"the containers' bridge ecs-\w+ is down; run make setup"):
            start()


def outcomes(second: int, **counts: int) -> list[Outcome]:
    """Make requests of one second: `amd64=2` answers, `_502=1` failures."""
    return [
        Outcome(
            second=second,
            status=name[1:] if name.startswith("_") else "200",
            arch=None if name.startswith("_") else name,
            detail="it broke" if name.startswith("_") else "",
            latency_ms=float(number),
        )
        for name, count in counts.items()
        for number in range(1, count + 1)
    ]


def test_a_report_survives_json() -> None:
    report = Report.of([*outcomes(1, amd64=98, _502=1), *outcomes(0, arm64=1)])
    assert (report.total, report.failed, report.p50_ms, report.p99_ms) == (100, 1, 48, 97)
    assert report.timeline == {0: {"arm64": 1}, 1: {"amd64": 98, "502": 1}}
    assert Report.from_json(report.to_json()) == report
    assert summary(report) == "100 requests, 1 failed, p50 48 ms, p99 97 ms\n  failed in second 1: it broke"


def test_a_timeline_joins_what_does_not_change() -> None:
    report = Report.of(
        [
            *(outcome for second in range(12) for outcome in outcomes(second, amd64=60)),
            *(outcome for second in range(12, 17) for outcome in outcomes(second, amd64=30, arm64=30)),
            *outcomes(17, arm64=58, _502=2),
            *(outcome for second in range(18, 41) for outcome in outcomes(second, arm64=60)),
        ]
    )
    assert timeline(report) == (
        " 0-10 s  amd64 600\n"
        "10-15 s  amd64 210  arm64   90\n"
        "15-20 s  amd64  60  arm64  238  502 2\n"
        "20-41 s             arm64 1260"
    )


def test_a_split_by_chance_is_one_row() -> None:
    counts = [(14, 46), (20, 40), (13, 47), (15, 45), (9, 51)] * 6
    report = Report.of(
        outcome
        for second, (arm64, amd64) in enumerate(counts)
        for outcome in outcomes(second, arm64=arm64, amd64=amd64)
    )
    assert timeline(report) == "0-30 s  amd64 1374  arm64 426"


def test_a_timeline_that_never_rests_fits_on_a_screen() -> None:
    report = Report.of(
        outcome
        for second in range(600)
        for outcome in (outcomes(second, amd64=60) if second // 5 % 2 else outcomes(second, arm64=60))
    )
    assert timeline(report) == "0-600 s  amd64 18000  arm64 18000"


def test_nothing_sent_is_no_row() -> None:
    assert timeline(Report.of([])) == ""
