"""The main job end to end on the local target, by the commands of the README, as one story from empty to destroyed."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator

import pytest

from infra.architecture import Architecture
from local.repository import Repository
from tests.pulumi_stack import PulumiStack

pytestmark = pytest.mark.local

IMAGE = "docker-build:index:Image"
TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE = "aws:ecs/service:Service"
# e_machine at offset 18 of an ELF header: elf(5).
ELF_MACHINES = {Architecture.AMD64: 62, Architecture.ARM64: 183}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulumiStack]:
    stack = PulumiStack.create(tmp_path_factory.mktemp("project"))
    yield stack
    stack.try_run("pulumi", "cancel", "--yes")
    stack.try_run("pulumi", "destroy", "--yes", "--skip-preview")


def changes(stack: PulumiStack) -> dict[str, str]:
    steps = stack.previewed_steps()
    return {step["newState"]["type"]: step["op"] for step in steps if "newState" in step}


def assert_settled(stack: PulumiStack) -> None:
    stack.run("pulumi", "preview", "--expect-no-changes", "--refresh=false")
    stack.run("pulumi", "preview", "--expect-no-changes", "--refresh")


def test_a_first_preview_passes_although_there_is_no_repository(stack: PulumiStack) -> None:
    output = stack.run("pulumi", "preview")
    assert "error:" not in output
    assert stack.resources() == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param({"arch": "riscv"}, 'arch: "riscv" can\'t be used', id="arch=riscv"),
        pytest.param({"arch": ""}, 'arch: "" can\'t be used', id="arch="),
        pytest.param({"split": "-1"}, 'split: "-1" can\'t be used', id="split=-1"),
        pytest.param({"split": "100"}, 'split: "100" can\'t be used', id="split=100"),
        pytest.param({"cpu": "300"}, 'cpu: "300" can\'t be used', id="cpu=300"),
        pytest.param({"cpu": "256", "memory": "8192"}, 'memory: "8192" does not fit cpu 256', id="memory=8192"),
        pytest.param({"minTasks": "3", "maxTasks": "2"}, 'maxTasks: "2" is below minTasks 3', id="maxTasks=2"),
        pytest.param({"spot": "maybe"}, 'spot: "maybe" can\'t be used', id="spot=maybe"),
        pytest.param({"rollout": "fast"}, 'rollout: "fast" can\'t be used', id="rollout=fast"),
        pytest.param({"archh": "arm64"}, "archh: unknown config key (did you mean arch?)", id="misspelt"),
        pytest.param({"platforms": "arm64"}, 'platforms: "arm64" leaves out arch amd64', id="platforms"),
        pytest.param({"baseImage": "localhost:4566/nothing:here"}, "does not exist", id="baseImage"),
    ],
)
def test_bad_config_is_one_clear_line_and_nothing_is_created(
    stack: PulumiStack, config: dict[str, str], message: str
) -> None:
    file = stack.directory / "Pulumi.local.yaml"
    before = file.read_text()
    stack.configure(config)
    done = stack.try_run("pulumi", "up", "--yes")
    file.write_text(before)
    assert done.code != 0
    assert "Traceback" not in done.output
    [line] = {
        line.strip() for line in done.output.splitlines() if line.lstrip().startswith("error: ") and message in line
    }
    assert "; allowed: " in line
    assert "; to mend it: " in line
    assert stack.resources() == []


def test_up_on_amd64(stack: PulumiStack) -> None:
    stack.up(arch="amd64")
    assert (stack.answer()["arch"], stack.answer()["machine"]) == ("amd64", "x86_64")
    assert set(stack.running_images()) == {stack.outputs()["image"]}
    assert_settled(stack)


def test_a_second_up_does_nothing(stack: PulumiStack) -> None:
    stack.run("pulumi", "up", "--yes", "--expect-no-changes")


def test_the_registry_holds_an_index_whose_images_are_of_their_architecture(stack: PulumiStack) -> None:
    image = stack.outputs()["image"]
    repository = Repository.of(image)
    index = repository.manifest(image.partition("@")[2])
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    found = {entry["platform"]["architecture"]: entry["digest"] for entry in index["manifests"]}
    assert found.keys() == {"amd64", "arm64"}
    for architecture in Architecture:
        manifest = repository.manifest(found[architecture.label])
        config = json.loads(repository.blob(manifest["config"]["digest"]))
        assert (config["os"], config["architecture"]) == ("linux", architecture.label)
        machines = native_machines(repository, manifest["layers"])
        assert len(machines) >= 3, "uvloop, httptools and others are native"
        assert set(machines.values()) == {ELF_MACHINES[architecture]}


def native_machines(repository: Repository, layers: list[dict[str, str]]) -> dict[str, int]:
    """Which machine each shared object below /srv is for, by its ELF header."""
    machines: dict[str, int] = {}
    for layer in layers:
        # The builder compresses its own layers with gzip; the base may bring others, without /srv.
        if not layer["mediaType"].endswith("+gzip"):
            continue
        content = repository.blob(layer["digest"])
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as archive:
            for member in archive:
                if member.name.startswith("srv/") and member.name.endswith(".so"):
                    file = archive.extractfile(member)
                    assert file is not None
                    header = file.read(20)
                    assert header.startswith(b"\x7fELF")
                    machines[member.name] = int.from_bytes(header[18:20], "little")
    return machines


def test_a_switch_previews_as_a_new_task_definition_and_nothing_else(stack: PulumiStack) -> None:
    stack.configure({"arch": "arm64"})
    assert changes(stack) == {TASK_DEFINITION: "replace", SERVICE: "update"}
    [replaced] = [step for step in stack.previewed_steps() if step["op"] == "replace"]
    assert replaced["replaceReasons"] == ["runtimePlatform"]


def test_a_switch_runs_the_same_digest_on_the_other_architecture_and_back(stack: PulumiStack) -> None:
    image = stack.outputs()["image"]
    indexes = Repository.of(image).indexes()
    for arch, machine in (("arm64", "aarch64"), ("amd64", "x86_64")):
        stack.up(arch=arch)
        assert (stack.answer()["arch"], stack.answer()["machine"]) == (arch, machine)
        assert stack.outputs()["image"] == image
        assert set(stack.running_images()) == {image}
        assert_settled(stack)
    assert Repository.of(image).indexes() == indexes


def test_a_changed_line_in_the_app_builds_once_and_rolls_once(stack: PulumiStack) -> None:
    before = stack.outputs()["image"]
    main = stack.directory / "app" / "main.py"
    main.write_text(main.read_text() + "# One more line.\n")
    preview = stack.run("pulumi", "preview", "--diff")
    assert changes(stack) == {IMAGE: "update", TASK_DEFINITION: "replace", SERVICE: "update"}
    task = preview[preview.index("aws:ecs/taskDefinition:TaskDefinition") :]
    assert f'{before.partition("@")[0]}@"' not in task, "a reference without a digest"
    stack.up()
    after = stack.outputs()["image"]
    assert after != before
    assert len(Repository.of(after).indexes()) == 2
    assert set(stack.running_images()) == {after}
    assert_settled(stack)


def test_destroy_leaves_no_task(stack: PulumiStack) -> None:
    name = stack.outputs()["image"].partition("@")[0]
    stack.run("pulumi", "destroy", "--yes", "--skip-preview")
    assert stack.resources() == []
    assert name not in stack.run("docker", "ps", "--all", "--format", "{{.Image}}")
