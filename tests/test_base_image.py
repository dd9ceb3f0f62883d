"""The look at `baseImage`, against a registry on loopback."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from infra import base_image
from infra.architecture import Architecture
from infra.config import ImageConfig
from infra.config_reader import ConfigError

INDEX = "application/vnd.oci.image.index.v1+json"


def index(*architectures: str) -> dict[str, object]:
    return {"mediaType": INDEX, "manifests": [{"platform": {"os": "linux", "architecture": a}} for a in architectures]}


MANIFESTS = {
    "both": index("amd64", "arm64"),
    "amd64": index("amd64"),
    "single": {"mediaType": "application/vnd.oci.image.manifest.v1+json"},
}


class Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        tag = self.path.rsplit("/", 1)[1]
        status = 200 if tag in MANIFESTS else 403 if tag == "private" else 404
        body = json.dumps(MANIFESTS.get(tag, {})).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    return said


def check(reference: str) -> None:
    base_image.check(ImageConfig(architectures=tuple(Architecture), registry="", base_image=reference))


def test_a_base_for_every_platform_passes(registry: str, warnings: list[str]) -> None:
    check(f"{registry}/base:both")
    check("")
    assert warnings == []


@pytest.mark.parametrize(
    ("tag", "message"),
    [("absent", "does not exist"), ("amd64", "lacks linux/arm64"), ("single", "lacks linux/amd64, linux/arm64")],
)
def test_a_base_that_can_not_serve_stops_the_program(registry: str, tag: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f'^baseImage: "{registry}/base:{tag}" {message}; allowed: '):
        check(f"{registry}/base:{tag}")


def test_a_registry_that_does_not_tell_gives_a_warning(registry: str, warnings: list[str]) -> None:
    check(f"{registry}/base:private")
    check("localhost:1/base:both")
    assert [text.rpartition(": ")[2] for text in warnings] == [
        "its registry answered 403",
        "ConnectionError from its registry",
    ]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("alpine", ("", "alpine", "latest")),
        ("me/app:1", ("", "me/app", "1")),
        ("localhost:4566/base:trixie", ("localhost:4566", "base", "trixie")),
        ("r.example/a/b@sha256:0", ("r.example", "a/b", "sha256:0")),
        ("r.example:5000/a:2@sha256:0", ("r.example:5000", "a", "sha256:0")),
    ],
)
def test_references_are_read_as_docker_reads_them(reference: str, parts: tuple[str, str, str]) -> None:
    assert base_image.split_reference(reference) == parts
