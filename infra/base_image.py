"""Looks at `baseImage` before anything is created: a base that is not there would fail the build only later."""

import ipaddress
import json
from typing import Any

import dxf
import dxf.exceptions
import pulumi
import requests

from infra.config import ImageConfig
from infra.config_reader import ConfigError

TIMEOUT_SECONDS = 10.0


def check(config: ImageConfig) -> None:
    """Make sure that the base image exists for every platform, as far as this machine can see.

    A registry that can't be reached from here, or wants credentials, gives a warning: the builder may stand elsewhere.
    A reference without a registry is the builder's to complete.

    Raises:
        ConfigError: The registry says that there is no such image, or none for a wanted platform.
    """
    if not config.base_image:
        return
    host, repository, alias = split_reference(config.base_image)
    if not host:
        return
    registry = dxf.DXF(host, repository, auth=_as_anyone, insecure=_is_loopback(host), timeout=TIMEOUT_SECONDS)
    try:
        manifest = json.loads(registry.get_manifest_and_response(alias)[0])
    except requests.HTTPError as error:
        if error.response.status_code == requests.codes.not_found:
            raise _error(config.base_image, "does not exist", "an image that its registry has") from None
        _warn(config.base_image, f"its registry answered {error.response.status_code}")
        return
    except (requests.RequestException, dxf.exceptions.DXFError) as error:
        _warn(config.base_image, f"{type(error).__name__} from its registry")
        return
    wanted = {architecture.platform for architecture in config.architectures}
    if missing := wanted - platforms(manifest):
        raise _error(config.base_image, f"lacks {', '.join(sorted(missing))}", "an image index with every platform")


def split_reference(reference: str) -> tuple[str, str, str]:
    """Split an image reference as Docker reads it.

    Returns:
        Registry host, repository, and digest or tag: `r.example/alpine` is `r.example`, `alpine`, `latest`; `alpine`
        has no host.
    """
    name, _, digest = reference.partition("@")
    host, slash, path = name.partition("/")
    if not slash or not (host == "localhost" or "." in host or ":" in host):
        host, path = "", name
    repository, _, tag = path.partition(":")
    return host, repository, digest or tag or "latest"


def platforms(manifest: dict[str, Any]) -> set[str]:
    """List what an image index offers, as `linux/arm64`; empty for a manifest that is no index."""
    entries = [entry.get("platform", {}) for entry in manifest.get("manifests", [])]
    return {f"{platform.get('os')}/{platform.get('architecture')}" for platform in entries}


def _as_anyone(registry: dxf.DXFBase, response: requests.Response) -> None:
    registry.authenticate(actions=["pull"], response=response)


def _is_loopback(host: str) -> bool:
    name = host.rsplit(":", 1)[0]
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _error(base_image: str, problem: str, allowed: str) -> ConfigError:
    return ConfigError(
        f'baseImage: "{base_image}" {problem}; allowed: {allowed}; '
        "to mend it: pulumi config set baseImage REFERENCE, or pulumi config rm baseImage for the Dockerfile's own"
    )


def _warn(base_image: str, reason: str) -> None:
    pulumi.log.warn(f'baseImage: "{base_image}" was not checked before the build: {reason}')
