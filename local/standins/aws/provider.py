"""The aws package: its configuration, its resource types and its functions."""

import json
import os
from importlib.metadata import version
from typing import Any

from local.standins.aws import balancing, containers, identity, network, security_groups
from local.standins.aws.api import Api
from local.standins.aws.functions import invoke
from local.standins.aws.resource import AwsResource
from local.standins.plugin import Provider, ProviderError, ResourceType, require_loopback
from local.standins.wire import Props

KINDS = network.KINDS | security_groups.KINDS | balancing.KINDS | containers.KINDS | identity.KINDS

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
CONFIG_KEYS = frozenset({"defaultTags", "endpoints", "region"})
# The emulator knows neither accounts nor metadata services: these say how to reach AWS, and change nothing here.
ACCESS_KEYS = frozenset(
    {
        "accessKey",
        "secretKey",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
        "version",
    }
)


class AwsProvider(Provider):
    """AWS as far as the emulator has it."""

    version = version("pulumi-aws")

    def configure(self, config: Props) -> None:
        """Takes region, endpoint and default tags, from the configuration or else the environment."""
        unknown = sorted(config.keys() - CONFIG_KEYS - ACCESS_KEYS)
        if unknown:
            raise ProviderError(f"aws:{unknown[0]} is not supported by the stand-in for aws")
        self._default_tags = _json(config, "defaultTags", {}).get("tags", {})
        region = config.get("region") or next(filter(None, map(os.environ.get, REGION_VARIABLES)), None)
        if not region:
            raise ProviderError("aws:region is missing: set it with `pulumi config set aws:region us-east-1`")
        self._api = Api(endpoint=_endpoint(config), region=region)

    def resource_type(self, token: str) -> ResourceType:
        """The type's life, run from its table."""
        kind = KINDS.get(token)
        if not kind:
            raise ProviderError(f"{token} is not supported by the stand-in for aws{_reason(token)}")
        return (kind.life or AwsResource)(token, kind, self._api, self._default_tags)

    def invoke(self, token: str, args: Props) -> Props:
        """The function's result."""
        return invoke(self._api, token, args)


def _endpoint(config: Props) -> str:
    for services in _json(config, "endpoints", []):
        for service, endpoint in services.items():
            require_loopback(endpoint, setting=f"aws:endpoints.{service}")
    return require_loopback(os.environ.get(ENDPOINT_VARIABLE, ""), setting=ENDPOINT_VARIABLE)


def _json(config: Props, key: str, default: Any) -> Any:
    value = config.get(key, default)
    return json.loads(value) if isinstance(value, str) else value


def _reason(token: str) -> str:
    if token.startswith("aws:appautoscaling/"):
        return ": the emulator has no application autoscaling, keep minTasks and maxTasks equal"
    return ""
