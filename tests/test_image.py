from pathlib import Path

import pytest

from infra.architecture import Architecture
from infra.config import ImageConfig
from infra.config_reader import ConfigError
from infra.image import DOCKERFILE_BASE, build_secrets, content_tag, context_files, in_registry, named_contexts
from tests.recording import ROOT

CONFIG = ImageConfig(architectures=tuple(Architecture), registry="", base_image="")
MIRROR = ImageConfig(architectures=tuple(Architecture), registry="", base_image="mirror.example/python:3")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("# comment\n*\n!main.py\n!package\n")
    (tmp_path / "main.py").write_text("print()\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "inner.py").write_text("")
    (tmp_path / "secret.env").write_text("no")
    return tmp_path


def test_only_what_dockerignore_lets_in_is_counted(context: Path) -> None:
    assert [str(path.relative_to(context)) for path in context_files(context)] == [
        "Dockerfile",
        "main.py",
        "package/inner.py",
    ]


def test_the_same_content_has_the_same_tag(context: Path) -> None:
    tag = content_tag(context, CONFIG)
    (context / "secret.env").write_text("changed")
    (context / "main.py").touch()
    assert content_tag(context, CONFIG) == tag


@pytest.mark.parametrize("changed", ["content", "mode", "name", "dockerfile"])
def test_other_content_has_another_tag(context: Path, changed: str) -> None:
    tag = content_tag(context, CONFIG)
    match changed:
        case "content":
            (context / "main.py").write_text("print(1)\n")
        case "mode":
            (context / "main.py").chmod(0o755)
        case "name":
            (context / "package" / "inner.py").rename(context / "package" / "other.py")
        case "dockerfile":
            (context / "Dockerfile").write_text("FROM busybox\n")
    assert content_tag(context, CONFIG) != tag


def test_base_and_platforms_are_part_of_the_tag(context: Path) -> None:
    one = ImageConfig(architectures=(Architecture.ARM64,), registry="", base_image="")
    assert len({content_tag(context, config) for config in (CONFIG, MIRROR, one)}) == 3


def test_base_image_replaces_the_base_that_the_dockerfile_names() -> None:
    froms = [line for line in (ROOT / "app" / "Dockerfile").read_text().splitlines() if f" {DOCKERFILE_BASE}" in line]
    assert len(froms) == 2, "the stage that builds and the final one"
    contexts = named_contexts(MIRROR)
    assert contexts is not None
    assert [(name, context.location) for name, context in contexts.items()] == [
        (DOCKERFILE_BASE, "docker-image://mirror.example/python:3")
    ]
    assert named_contexts(CONFIG) is None


def test_another_registry_takes_the_place_of_the_host() -> None:
    assert in_registry("1.ecr.example/web", "localhost:5000") == "localhost:5000/web"
    assert in_registry("1.ecr.example/web", "") == "1.ecr.example/web"


def test_the_ca_file_is_a_build_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUILD_CA_FILE", raising=False)
    assert build_secrets() is None
    (tmp_path / "ca.pem").write_text("certificate")
    monkeypatch.setenv("BUILD_CA_FILE", str(tmp_path / "ca.pem"))
    assert build_secrets() == {"ca": "certificate"}


def test_a_ca_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_CA_FILE", "/nowhere.pem")
    with pytest.raises(ConfigError, match=r'^BUILD_CA_FILE: "/nowhere.pem" can\'t be read'):
        build_secrets()
