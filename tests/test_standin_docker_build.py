"""The docker-build stand-in, with a `buildctl` that only writes down how it was called."""

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from local.standins.buildkit import Builder, arguments
from local.standins.docker_build import DockerBuild, Image
from local.standins.docker_build_context import context_hash
from local.standins.docker_build_inputs import problems, with_defaults
from local.standins.plugin import Call, InvalidInputs, ProviderError, State
from local.standins.registry import Credentials, Reference, Registry, credentials_of
from local.standins.wire import UNKNOWN, Props

DIGEST = "sha256:" + "1" * 64
CALL = Call(urn="urn:pulumi:local::app::docker-build:index:Image::web", name="web", log=lambda _: None)
PREVIEW = dataclasses.replace(CALL, preview=True)

BUILDCTL = """#!/bin/sh
[ -n "$BUILDCTL_HANGS" ] && exec sleep 60
printf '%s\\n' "$@" > "$BUILDCTL_LOG"
cp "$DOCKER_CONFIG/config.json" "$BUILDCTL_LOG.config"
if [ -n "$BUILDCTL_FAILS" ]; then
    printf '%s\\n' '------' ' > [1/1] RUN false:' '0.1 no such thing' '------' >&2
    echo 'error: failed to solve: exit code: 1' >&2
    exit 1
fi
for last; do [ "$previous" = --metadata-file ] && metadata=$last; previous=$last; done
printf '{"containerimage.digest": "%s"}' "$BUILDCTL_DIGEST" > "$metadata"
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "app"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY main.py /\n")
    (directory / ".dockerignore").write_text("# strict\n*\n!main.py\n!lib\n**/*.pyc\n")
    (directory / "main.py").write_text("print()\n")
    (directory / "notes.txt").write_text("not in the image\n")
    (directory / "lib").mkdir()
    (directory / "lib" / "one.py").write_text("")
    return directory


@pytest.fixture
def new(context: Path) -> Props:
    return {
        "push": True,
        "buildOnPreview": False,
        "context": {"location": str(context)},
        "platforms": ["linux/amd64", "linux/arm64"],
        "tags": ["localhost:4566/web:one"],
        "registries": [{"address": "localhost:4566", "username": "AWS", "password": "p"}],
    }


@pytest.fixture
def buildctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "buildctl"
    program.parent.mkdir()
    program.write_text(BUILDCTL)
    program.chmod(0o755)
    instances = tmp_path / "docker" / "buildx" / "instances"
    instances.mkdir(parents=True)
    node = {"Endpoint": "unix:///run/buildkitd.sock"}
    (instances / "local").write_text(json.dumps({"Name": "local", "Driver": "remote", "Nodes": [node]}))
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("BUILDCTL_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("BUILDCTL_DIGEST", DIGEST)
    monkeypatch.delenv("BUILDX_BUILDER", raising=False)
    return tmp_path / "log"


def created(new: Props) -> State:
    image = Image()
    return image.create(CALL, image.check(CALL, old={}, new=new))


def change_content(context: Path) -> None:
    (context / "main.py").write_text("print(1)\n")


def change_mode(context: Path) -> None:
    (context / "main.py").chmod(0o755)


def change_name(context: Path) -> None:
    (context / "lib" / "one.py").rename(context / "lib" / "two.py")


def change_dockerfile(context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\n")


def change_ignored_file(context: Path) -> None:
    (context / "notes.txt").write_text("still not in the image\n")


def change_ignored_pattern(context: Path) -> None:
    (context / "lib" / "one.pyc").write_text("")


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (change_content, True),
        (change_mode, True),
        (change_name, True),
        (change_dockerfile, True),
        (change_ignored_file, False),
        (change_ignored_pattern, False),
    ],
)
def test_what_counts_in_the_context(context: Path, change: Callable[[Path], None], counts: bool) -> None:
    before = context_hash(context, context / "Dockerfile", {})
    change(context)
    assert (context_hash(context, context / "Dockerfile", {}) != before) is counts


def test_the_dockerfile_s_own_ignore_file_goes_first(context: Path) -> None:
    (context / "Dockerfile.dockerignore").write_text("*\n")
    before = context_hash(context, context / "Dockerfile", {})
    change_content(context)
    assert context_hash(context, context / "Dockerfile", {}) == before


def test_local_named_contexts_count_and_remote_ones_do_not(context: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("1")
    plain = context_hash(context, context / "Dockerfile", {})
    assert context_hash(context, context / "Dockerfile", {"base": "docker-image://localhost/base"}) == plain
    assert context_hash(context, context / "Dockerfile", {"other": str(other)}) != plain


def test_check_fills_in_the_defaults(new: Props, context: Path) -> None:
    inputs = Image().check(CALL, old={}, new=new)
    assert inputs["dockerfile"] == {"location": str(context / "Dockerfile")}
    assert inputs["network"] == "default"


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        pytest.param({"load": True}, "load", "not supported by the stand-in; remove it", id="unsupported"),
        pytest.param({"tag": "x"}, "tag", "unknown property of an Image", id="misspelt"),
        pytest.param({"push": False}, "push", "the stand-in only pushes; set push to true", id="no push"),
        pytest.param({"tags": []}, "tags", "at least one tag or export name is needed", id="no tag"),
        pytest.param({"tags": UNKNOWN}, "tags", "at least one tag or export name is needed", id="unknown tags"),
        pytest.param({"tags": ["web:1"]}, "tags[0]", "tag 'web:1': invalid reference format", id="no registry"),
        pytest.param({"tags": ["ecr.example/web:1"]}, "tags[0]", "loopback address", id="not local"),
        pytest.param({"platforms": "linux/arm64"}, "platforms", "expected a list", id="wrong type"),
        pytest.param({"cacheTo": [{"gha": {}}]}, "cacheTo[0]", "gha: the stand-in has inline", id="cache"),
        pytest.param({"context": {"location": "/none"}}, "context.location", "not a valid directory", id="no context"),
        pytest.param({"dockerfile": {"location": "/none"}}, "dockerfile.location", "no such file", id="no Dockerfile"),
    ],
)
def test_what_check_refuses_by_name(new: Props, changes: Props, name: str, reason: str) -> None:
    with pytest.raises(InvalidInputs) as refused:
        Image().check(CALL, old={}, new=new | changes)
    assert list(refused.value.reasons) == [name]
    assert reason in refused.value.reasons[name]


def test_a_first_preview_passes_with_unknown_members_in_tags(new: Props) -> None:
    inputs = Image().check(PREVIEW, old={}, new=new | {"tags": [f"{UNKNOWN}:one"]})
    outputs = Image().create(PREVIEW, inputs).outputs
    assert {outputs[name] for name in ("contextHash", "digest", "ref")} == {UNKNOWN}


def test_create_pushes_all_platforms_in_one_build(new: Props, buildctl: Path) -> None:
    state = created(new)
    assert state.id == state.outputs["digest"] == DIGEST
    assert state.outputs["ref"] == f"localhost:4566/web:one@{DIGEST}"
    given = buildctl.read_text().splitlines()
    assert given[:2] == ["--addr", "unix:///run/buildkitd.sock"]
    assert "platform=linux/amd64,linux/arm64" in given
    assert 'type=image,"name=localhost:4566/web:one",push=true,oci-mediatypes=true' in given
    config = json.loads(buildctl.with_suffix(".config").read_text())
    assert config["auths"] == {"localhost:4566": {"auth": "QVdTOnA="}}


def test_secrets_are_given_as_files_alone(new: Props, buildctl: Path) -> None:
    created(new | {"secrets": {"ca": "s3cr3t"}})
    assert "s3cr3t" not in buildctl.read_text()
    assert "id=ca,src=" in buildctl.read_text()


def test_nothing_changes_without_a_change(new: Props, buildctl: Path) -> None:
    state = created(new)
    renewed = new | {"registries": [{"address": "localhost:4566", "username": "AWS", "password": "new"}]}
    inputs = Image().check(CALL, old={}, new=renewed)
    assert Image().diff(CALL, state=state, new=inputs).changed == []


def test_a_changed_context_is_an_update_with_an_empty_digest(new: Props, buildctl: Path, context: Path) -> None:
    state = created(new)
    change_content(context)
    found = Image().diff(CALL, state=state, new=state.inputs)
    assert (found.changed, found.replacing) == (["contextHash"], ())
    outputs = Image().update(PREVIEW, state=state, new=state.inputs)
    assert (outputs["digest"], outputs["ref"]) == ("", "localhost:4566/web:one")


def test_a_changed_input_makes_the_outputs_unknown(new: Props, buildctl: Path) -> None:
    state = created(new)
    inputs = state.inputs | {"tags": ["localhost:4566/web:two"]}
    assert Image().diff(CALL, state=state, new=inputs).changed == ["tags"]
    assert Image().update(PREVIEW, state=state, new=inputs)["digest"] == UNKNOWN


def test_a_failed_build_says_why(new: Props, buildctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDCTL_FAILS", "1")
    with pytest.raises(ProviderError) as failed:
        created(new)
    assert str(failed.value) == ("build failed: failed to solve: exit code: 1 | > [1/1] RUN false: | 0.1 no such thing")


def test_an_interrupt_ends_the_build(new: Props, buildctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDCTL_HANGS", "1")
    call = dataclasses.replace(CALL, cancelled=threading.Event())
    inputs = Image().check(call, old={}, new=new)
    threading.Timer(0.3, call.cancelled.set).start()
    with pytest.raises(ProviderError, match="interrupted"):
        Image().create(call, inputs)


def test_options_of_the_build(new: Props, tmp_path: Path) -> None:
    inputs = with_defaults(
        new
        | {
            "addHosts": ["db:10.0.0.1"],
            "buildArgs": {"VERSION": "1,2"},
            "cacheTo": [{"registry": {"ref": "localhost:4566/cache", "mode": "max", "ociMediaTypes": True}}],
            "context": new["context"]
            | {
                "named": {
                    "base": {"location": "docker-image://localhost:4566/base"},
                    "lib": {"location": str(tmp_path)},
                }
            },
            "noCache": True,
            "pull": True,
            "target": "final",
        }
    )
    assert not problems(inputs)
    given = arguments(inputs)
    for expected in (
        "add-hosts=db=10.0.0.1",
        "build-arg:VERSION=1,2",
        "context:base=docker-image://localhost:4566/base",
        "context:lib=local:lib",
        f"lib={tmp_path}",
        "image-resolve-mode=pull",
        "target=final",
        "--no-cache",
        "type=registry,ref=localhost:4566/cache,mode=max,oci-mediatypes=true",
    ):
        assert expected in given


def test_a_missing_builder_is_named(buildctl: Path) -> None:
    with pytest.raises(ProviderError, match=r"builder 'other': not in .*; run `make setup`"):
        Builder.find("other")


def test_a_builder_elsewhere_is_refused(buildctl: Path, tmp_path: Path) -> None:
    node = {"Endpoint": "tcp://builder.example:1234"}
    (tmp_path / "docker" / "buildx" / "instances" / "far").write_text(
        json.dumps({"Name": "far", "Driver": "remote", "Nodes": [node]})
    )
    with pytest.raises(ProviderError, match="loopback"):
        Builder.find("far")


@pytest.mark.parametrize("address", ["localhost:4566", "http://localhost:4566", "http://localhost:4566/"])
def test_credentials_are_found_by_host(address: str) -> None:
    found = credentials_of([{"address": address, "username": "AWS", "password": "p"}])
    assert found == {"localhost:4566": Credentials("AWS", "p")}


class RegistryHandler(BaseHTTPRequestHandler):
    manifests: ClassVar[set[str]] = set()

    def _answer(self) -> None:
        digest = self.path.rpartition("/")[2]
        status = 500 if digest == "broken" else 200 if digest in self.manifests else 404
        if status == 200 and self.command == "DELETE":
            self.manifests.discard(digest)
        self.send_response(status)
        self.end_headers()

    do_HEAD = do_DELETE = _answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    RegistryHandler.manifests = {DIGEST}
    server = ThreadingHTTPServer(("127.0.0.1", 0), RegistryHandler)
    threading.Thread(target=server.serve_forever).start()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_read_drops_an_image_that_the_registry_has_not(registry: str) -> None:
    outputs = {"digest": DIGEST, "tags": [f"{registry}/web:one"]}
    state = State(id=DIGEST, outputs=outputs, inputs={})
    assert Image().read(CALL, state) == state
    Image().delete(CALL, state)
    assert Image().read(CALL, state) is None
    Image().delete(CALL, state)


def test_read_keeps_the_state_when_the_registry_fails(registry: str) -> None:
    state = State(id=DIGEST, outputs={"digest": "broken", "tags": [f"{registry}/web:one"]}, inputs={})
    assert Image().read(CALL, state) == state


def test_a_registry_that_does_not_answer_is_named() -> None:
    with pytest.raises(ProviderError, match=r"localhost:1/web:one@.*refused"):
        Registry({}).has(Reference("localhost:1", "web", "one"), DIGEST)


def test_the_package_has_one_type() -> None:
    with pytest.raises(ProviderError, match="docker-build:index:Index: not supported"):
        DockerBuild().resource_type("docker-build:index:Index")
    with pytest.raises(ProviderError, match="docker-build:registries"):
        DockerBuild().configure({"registries": "[]"})
