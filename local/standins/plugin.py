"""What a raw (non-component) resource plugin is made of, free of the engine's protocol.

A plugin is a `Provider`, which knows its configuration, functions and resource types; a `ResourceType` is
the life of one kind of resource. `servicer.serve` runs a provider until the engine goes away.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from local.standins.wire import Props

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ProviderError(Exception):
    """A failure the user can act on; its text is one line."""


class PartialFailure(ProviderError):
    """A resource exists, but did not become what was asked for; its state is kept."""

    def __init__(self, reason: str, *, id: str, outputs: Props, inputs: Props) -> None:
        super().__init__(reason)
        self.id, self.outputs, self.inputs = id, outputs, inputs


class InvalidInputs(ProviderError):
    """Properties that are not acceptable, each with its reason."""

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons


@dataclass(frozen=True, kw_only=True)
class Call:
    """The circumstances of one call about one resource."""

    urn: str
    name: str
    preview: bool = False
    timeout_seconds: float = 0.0
    """What `customTimeouts` says; 0 where it says nothing."""
    seed: bytes = b""
    """Randomness that is the same for every check of one operation; for auto-naming."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the user interrupts; whoever waits must stop then."""
    log: Callable[[str], None] = print
    """Shows a passing line of progress beside the resource; a repeated line is shown once."""


@dataclass(frozen=True, kw_only=True)
class State:
    """A live resource: its id, its outputs, and the inputs that would produce it."""

    id: str
    outputs: Props
    inputs: Props


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Names of the properties that change, and of those whose change replaces the resource."""

    changed: Sequence[str] = ()
    replacing: Sequence[str] = ()
    delete_first: bool = False


class ResourceType(ABC):
    """The life of one kind of resource. Every method may raise `ProviderError`."""

    @abstractmethod
    def check(self, call: Call, *, old: Props, new: Props) -> Props:
        """Inputs with defaults filled in; `InvalidInputs` names what is wrong."""

    @abstractmethod
    def diff(self, call: Call, *, state: State, new: Props) -> Difference:
        """What changing the state to the new, checked inputs would change."""

    @abstractmethod
    def create(self, call: Call, inputs: Props) -> State:
        """The new resource; in a preview nothing is made, and what cannot be known is `UNKNOWN`."""

    @abstractmethod
    def read(self, call: Call, state: State) -> State | None:
        """The live resource, None when it is gone; an import's state has an id alone."""

    @abstractmethod
    def update(self, call: Call, *, state: State, new: Props) -> Props:
        """Outputs after the change in place; in a preview nothing is changed."""

    @abstractmethod
    def delete(self, call: Call, state: State) -> None:
        """Removes the resource; one that is gone already is no error."""


class Provider(ABC):
    """A package of resource types and functions."""

    version = "0.0.0"

    @abstractmethod
    def configure(self, config: Props) -> None:
        """Takes the provider's configuration, whose members that are not text are JSON."""

    @abstractmethod
    def resource_type(self, token: str) -> ResourceType:
        """The resource type of a token such as `aws:ecs/cluster:Cluster`."""

    @abstractmethod
    def invoke(self, token: str, args: Props) -> Props:
        """The result of a function of the package."""


def require_loopback(endpoint: str, *, setting: str) -> str:
    """The endpoint, refused unless it is on this machine.

    Args:
        endpoint: An address such as `http://localhost:4566`.
        setting: Where the address comes from, for the error.
    """
    host = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").hostname
    if host not in LOOPBACK:
        raise ProviderError(
            f"{setting}={endpoint or '(empty)'}: this stand-in plugin serves the local target alone, give it "
            "a loopback address; source .local/env, or install Pulumi's own plugins to use AWS"
        )
    return endpoint
