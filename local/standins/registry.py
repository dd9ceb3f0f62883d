"""Image references, and the manifests of a registry on this machine.

Source: the OCI distribution specification, "Pulling manifests" and "Deleting manifests".
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from local.standins.plugin import ProviderError, require_loopback

TIMEOUT_SECONDS = 10
MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Credentials:
    """What a registry asks for."""

    username: str
    password: str

    @property
    def basic(self) -> str:
        """The value of `auth` in Docker's config.json, and of HTTP's Basic scheme."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Reference:
    """A tag with its registry: `localhost:4566/web:1`."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a fully qualified tag.

        Raises:
            ProviderError: it names no registry, or one that is not on this machine.
        """
        registry, _, path = text.partition("/")
        repository, _, tag = path.partition(":")
        if not repository or "@" in text or any(character.isspace() for character in text):
            raise ProviderError(f"tag {text!r}: invalid reference format; give <registry>/<repository>:<tag>")
        require_loopback(registry, setting=f"tag {text}")
        return cls(registry, repository, tag or "latest")

    def at(self, digest: str) -> str:
        """Spell the reference that pins this tag to a digest."""
        return f"{self.registry}/{self.repository}:{self.tag}@{digest}"


@dataclass(frozen=True)
class Registry:
    """The manifests of one repository's registry, over plain HTTP as Docker has it for loopback."""

    credentials: Mapping[str, Credentials]

    def has(self, reference: Reference, digest: str) -> bool:
        """Say whether the repository holds the manifest."""
        return self._call("HEAD", reference, digest)

    def delete(self, reference: Reference, digest: str) -> bool:
        """Delete the manifest; false if it is gone already."""
        return self._call("DELETE", reference, digest)

    def _call(self, method: str, reference: Reference, digest: str) -> bool:
        url = f"http://{reference.registry}/v2/{reference.repository}/manifests/{digest}"
        headers = {"Accept": ", ".join(MEDIA_TYPES)}
        if credentials := self.credentials.get(reference.registry):
            headers["Authorization"] = f"Basic {credentials.basic}"
        try:
            with urlopen(Request(url, method=method, headers=headers), timeout=TIMEOUT_SECONDS):
                return True
        except HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return False
            raise ProviderError(f"{reference.at(digest)}: {method} answered {error.code} {error.reason}") from error
        except URLError as error:
            raise ProviderError(f"{reference.at(digest)}: {error.reason}") from error


def credentials_of(registries: Sequence[Mapping[str, str]]) -> dict[str, Credentials]:
    """Index the plugin's `registries` input by host, whether or not an address has a scheme."""
    return {
        registry["address"].rpartition("//")[2].rstrip("/"): Credentials(
            registry.get("username", ""), registry.get("password", "")
        )
        for registry in registries
        if "address" in registry
    }
