"""Calls to the emulator, declared as data: an operation, its parameters, and the part of the result that counts."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import botocore.session  # type: ignore[import-untyped]
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from local.standins.plugin import ProviderError
from local.standins.wire import Props

POOL_CONNECTIONS = 64
_SESSION = botocore.session.Session()
_SESSION_LOCK = threading.Lock()  # sessions are not thread-safe, unlike clients
_GONE = re.compile(r"NotFound|NoSuch|NotExist|DoesNotExist|MISSING")
_PLACE = re.compile(r"\{([\w+-]+)\}")

Template = Mapping[str, Any] | Callable[[Props], Props]


class Gone(ProviderError):
    """The resource that a call is about does not exist."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """AWS's services at one endpoint, in one region."""

    endpoint: str
    region: str

    @cached_property
    def account(self) -> str:
        """The account's number."""
        return str(self.call("sts", "get_caller_identity", {})["Account"])

    def call(self, service: str, operation: str, parameters: Props) -> Any:
        """The result of an operation; `Gone` when its subject is, `ProviderError` for any other refusal."""
        try:
            return getattr(_client(service, self.endpoint, self.region), operation)(**parameters)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            kind = Gone if _GONE.search(code) else ProviderError
            raise kind(f"{service} {error.operation_name}: {code}: {message}") from error
        except BotoCoreError as error:
            raise ProviderError(f"{service} {operation}: {error}") from error


@cache
def input_shape(service: str, operation: str) -> Any:
    """The botocore shape of an operation's parameters, the operation named as boto3 does."""
    with _SESSION_LOCK:
        model = _SESSION.get_service_model(service)
    name = next(name for name in model.operation_names if xform_name(name) == operation)
    return model.operation_model(name).input_shape


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call in the life of a resource.

    A text in braces stands for a property of the resource, or for `id`, `region` or `account`; `{+x}` and `{-x}` for
    what an update adds to and removes from the list `x`. A parameter whose place is empty is left out.
    """

    operation: str
    parameters: Template = field(default_factory=dict)
    result: str = "@"
    """A JMESPath expression, with places too."""
    on: tuple[str, ...] = ()
    """Properties that the parameters convey, where the template does not show them."""
    when: str = ""
    """A place that must not be empty for the call to be made."""
    unless: str = ""
    """A place that must be empty for the call to be made."""
    mapped: bool = False
    """Whether properties become parameters by their names; the template is added."""

    @cached_property
    def conveys(self) -> frozenset[str]:
        """Names of the properties that the template sends."""
        places = frozenset() if callable(self.parameters) else frozenset(_PLACE.findall(str(self.parameters)))
        return frozenset(self.on) | {place.lstrip("+-") for place in places}

    def is_due(self, places: Props) -> bool:
        """Whether the call is to be made at all."""
        return bool(not self.when or places.get(self.when)) and not (self.unless and places.get(self.unless))

    def send(self, api: Api, service: str, places: Props, mapped: Props | None = None) -> Any:
        """Makes the call and gives the part of its result that counts."""
        own = self.parameters(places) if callable(self.parameters) else fill(self.parameters, places)
        answer = api.call(service, self.operation, (mapped or {}) | own)
        return jmespath.search(fill(self.result, places), answer)


def fill(template: Any, places: Props) -> Any:
    """A template with its places filled in; members of which nothing is left are dropped."""
    if isinstance(template, str):
        whole = _PLACE.fullmatch(template)
        if whole:
            return places.get(whole[1])
        return _PLACE.sub(lambda place: str(places.get(place[1], "")), template)
    if isinstance(template, Mapping):
        filled = {key: fill(item, places) for key, item in template.items()}
        return {key: item for key, item in filled.items() if item is not None and item != []}
    if isinstance(template, list):
        return [fill(item, places) for item in template]
    return template


@cache
def _client(service: str, endpoint: str, region: str) -> Any:
    config = Config(max_pool_connections=POOL_CONNECTIONS, retries={"mode": "standard"})
    with _SESSION_LOCK:
        return _SESSION.create_client(service, region_name=region, endpoint_url=endpoint, config=config)
