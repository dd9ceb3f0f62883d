"""Requests at a fixed rate to this machine itself, half of them on kept-alive connections, half on new ones.

The loop is open: a slow answer delays no later request. Nothing that was missed is made up for, so that the rate is
also the most that is ever sent in a second.
"""

import asyncio
import ipaddress
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx

from local import engine, network
from local.layout import LAYOUT
from local.load.report import Outcome, Report
from local.problem import Problem

DEFAULT_RATE = 60
MAX_RATE = 200
DEFAULT_SECONDS = 600
MAX_SECONDS = 3600
TIMEOUT_SECONDS = 10.0
LOOPBACK = "127.0.0.1"
DETAIL_LENGTH = 120
SUCCESS = 200


@dataclass(frozen=True)
class Traffic:
    """What to send, where, and for how long at most.

    Attributes:
        url: `http://` to a loopback address or a name under `localhost`.
        rate: requests a second.
        seconds: when to stop sending.
        count: requests after which to stop; None for as many as fit into the time.
        timeout_seconds: time after which a request has failed.

    Raises:
        Problem: a value is out of its range, or the URL leads off this machine.
    """

    url: str
    rate: int = DEFAULT_RATE
    seconds: int = DEFAULT_SECONDS
    count: int | None = None
    timeout_seconds: float = TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        _require("rate", self.rate, MAX_RATE)
        _require("seconds", self.seconds, MAX_SECONDS)
        _require("count", self.limit, self.rate * self.seconds)
        if not 0 < self.timeout_seconds <= TIMEOUT_SECONDS:
            raise Problem(
                f"timeout {self.timeout_seconds:g}: takes more than 0 and at most {TIMEOUT_SECONDS:g} seconds"
            )
        if self._parsed.scheme != "http" or not (self._is_name or _is_loopback(self._parsed.host)):
            raise Problem(
                f"load on {self.url}: not plain HTTP to this machine; "
                "give http://NAME.alb.localhost:PORT or a loopback address"
            )

    @property
    def limit(self) -> int:
        """The most requests that are sent."""
        return self.rate * self.seconds if self.count is None else self.count

    @property
    def address(self) -> httpx.URL:
        """Where to connect to. RFC 6761 puts every name under `localhost` on loopback; not every resolver does."""
        return self._parsed.copy_with(host=LOOPBACK) if self._is_name else self._parsed

    @property
    def host(self) -> str:
        """The Host header, by which the load balancer is found."""
        return self._parsed.netloc.decode()

    @property
    def is_forwarded(self) -> bool:
        """Whether a load balancer of the emulator answers, which asks containers by their addresses."""
        return self._parsed.host.endswith(".alb.localhost") or self._parsed.path.startswith("/_alb/")

    @property
    def _parsed(self) -> httpx.URL:
        try:
            return httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise Problem(f"load on {self.url}: {error}; give http://NAME.alb.localhost:PORT") from None

    @property
    def _is_name(self) -> bool:
        return self._parsed.host == "localhost" or self._parsed.host.endswith(".localhost")


def run(url: str, *, count: int, rate: int = DEFAULT_RATE, timeout_seconds: float = TIMEOUT_SECONDS) -> Report:
    """Send `count` requests from this process and wait for the last answer.

    Raises:
        Problem: a value is out of its range, the URL leads off this machine, or the containers' bridge is down.
    """
    traffic = Traffic(url, rate=rate, seconds=MAX_SECONDS, count=count, timeout_seconds=timeout_seconds)
    require_bridge(traffic)
    return asyncio.run(send(traffic))


def require_bridge(traffic: Traffic) -> None:
    """Check that what a load balancer forwards stays on this machine: the containers' bridge has to be up.

    Raises:
        Problem: neither the local target's bridge is up, nor does the machine's own Docker Engine run.
    """
    if traffic.is_forwarded and not network.is_up(LAYOUT) and engine.usable(LAYOUT) is None:
        raise Problem(f"load on {traffic.url}: the containers' bridge {network.bridge(LAYOUT)} is down; run make setup")


async def send(
    traffic: Traffic, *, stop: asyncio.Event | None = None, on_first: Callable[[Outcome], None] | None = None
) -> Report:
    """Send until the time is over, the count is reached or `stop` is set; requests in flight finish.

    Args:
        traffic: what to send.
        stop: ends the sending.
        on_first: gets the first request that has ended.
    """
    stop = stop or asyncio.Event()
    outcomes: list[Outcome] = []
    started = time.monotonic()

    async def ask(client: httpx.AsyncClient) -> None:
        outcomes.append(await _ask(client, traffic, started))
        if len(outcomes) == 1 and on_first:
            on_first(outcomes[0])

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(traffic, is_kept=is_kept)) for is_kept in (True, False)]
        async with asyncio.TaskGroup() as requests:
            due = started
            for index in range(traffic.limit):
                if await _is_set(stop, within=due - time.monotonic()) or time.monotonic() - started >= traffic.seconds:
                    break
                requests.create_task(ask(clients[index % len(clients)]))
                due = max(due + 1 / traffic.rate, time.monotonic())
    return Report.of(outcomes)


async def _ask(client: httpx.AsyncClient, traffic: Traffic, started: float) -> Outcome:
    """Send one request and say what became of it."""
    sent = time.monotonic()
    arch, detail = None, ""
    try:
        async with asyncio.timeout(traffic.timeout_seconds):
            response = await client.get(traffic.address)
        status = str(response.status_code)
        if (arch := _arch(response)) is None:
            detail = f"{status} {response.reason_phrase}: {response.text}"
    except TimeoutError:
        status, detail = "timeout", f"no answer within {traffic.timeout_seconds:g} s"
    except httpx.HTTPError as error:
        status = type(error).__name__
        detail = f"{status}: {error}"
    return Outcome(
        second=int(sent - started),
        status=status,
        arch=arch,
        detail=f"{' '.join(detail.split())[:DETAIL_LENGTH]} ({client.headers['Connection']})" if detail else "",
        latency_ms=round((time.monotonic() - sent) * 1000, 2),
    )


def _arch(response: httpx.Response) -> str | None:
    """Which architecture answered; None unless it answered with status 200 and the service's JSON."""
    if response.status_code != SUCCESS:
        return None
    try:
        return str(response.json()["arch"])
    except (ValueError, KeyError, TypeError):
        return None


def _client(traffic: Traffic, *, is_kept: bool) -> httpx.AsyncClient:
    """Make a client whose connections are kept alive, or closed after each answer; it never asks a proxy."""
    return httpx.AsyncClient(
        headers={"Host": traffic.host} | ({} if is_kept else {"Connection": "close"}),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None if is_kept else 0),
        timeout=None,
        trust_env=False,
        verify=False,  # There is no TLS, and reading the authorities would take longer than a hundred requests.
    )


async def _is_set(event: asyncio.Event, *, within: float) -> bool:
    """Wait for an event, at most so many seconds."""
    try:
        async with asyncio.timeout(max(0.0, within)):
            return await event.wait()
    except TimeoutError:
        return False


def _require(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise Problem(f"{name} {value}: takes 1 to {most}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
