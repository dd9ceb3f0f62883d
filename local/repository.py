"""What a repository of the emulator's registry holds, counted from its manifests."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Repository:
    """A repository that needs no credentials, over plain HTTP.

    Attributes:
        name: Host and path, as in an image reference: `localhost:4566/web`.
    """

    name: str

    @classmethod
    def of(cls, image: str) -> "Repository":
        """The repository of a `name@sha256:…` reference."""
        return cls(image.partition("@")[0])

    def manifest(self, reference: str) -> dict[str, Any]:
        """Read a manifest or an image index, by tag or digest."""
        document: dict[str, Any] = json.loads(self._get(f"manifests/{reference}"))
        return document

    def blob(self, digest: str) -> bytes:
        """Read a layer or an image's config."""
        return self._get(f"blobs/{digest}")

    def indexes(self) -> frozenset[str]:
        """Digests of all tagged image indexes; none where the repository does not exist."""
        return frozenset(self._digest(tag) for tag in self._tags())

    def sizes(self) -> Mapping[str, int]:
        """Bytes of every manifest, config and layer that a tag leads to, by digest: each is stored once."""
        sizes: dict[str, int] = {}
        for digest in self.indexes():
            sizes[digest] = len(self._get(f"manifests/{digest}"))
            for entry in self.manifest(digest)["manifests"]:
                sizes[entry["digest"]] = entry["size"]
                child = self.manifest(entry["digest"])
                sizes |= {blob["digest"]: blob["size"] for blob in (child["config"], *child["layers"])}
        return sizes

    def _tags(self) -> list[str]:
        try:
            return json.loads(self._get("tags/list"))["tags"] or []
        except HTTPError as error:
            if error.code == 404:
                return []
            raise

    def _digest(self, tag: str) -> str:
        with urlopen(self._request(f"manifests/{tag}", "HEAD"), timeout=TIMEOUT_SECONDS) as response:
            return str(response.headers["Docker-Content-Digest"])

    def _get(self, path: str) -> bytes:
        with urlopen(self._request(path, "GET"), timeout=TIMEOUT_SECONDS) as response:
            content: bytes = response.read()
        return content

    def _request(self, path: str, method: str) -> Request:
        host, _, repository = self.name.partition("/")
        return Request(
            f"http://{host}/v2/{repository}/{path}", method=method, headers={"Accept": f"{INDEX}, {MANIFEST}"}
        )
