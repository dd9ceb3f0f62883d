"""The app's Dockerfile on the local target's builder."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.image import CA_FILE_VARIABLE, CA_SECRET, DOCKERFILE_BASE
from local import binfmt
from local.base_image import REFERENCE
from local.layout import LAYOUT
from tests.recording import ROOT

pytestmark = pytest.mark.local


@pytest.fixture
def no_emulator() -> Iterator[None]:
    """Switch off every registration of a foreign architecture, as on a machine that has none."""
    registered = [entry for entry in binfmt.KERNEL.iterdir() if entry.name not in ("register", "status")]
    for entry in registered:
        entry.write_text("0")
    yield
    for entry in registered:
        entry.write_text("1")


BUILD = f"""
. "{LAYOUT.environment_file}" && exec buildctl --addr "unix://{LAYOUT.buildkit_socket}" build --no-cache \\
    --frontend=dockerfile.v0 --local=context=. --local=dockerfile=. \\
    --opt=platform=linux/amd64,linux/arm64 --opt=build-arg:SOURCE_DATE_EPOCH=0 \\
    --opt="context:{DOCKERFILE_BASE}=docker-image://{REFERENCE}" \\
    ${{{CA_FILE_VARIABLE}:+"--secret=id={CA_SECRET},src=${CA_FILE_VARIABLE}"}} \\
    --output=type=image,name=test/app,oci-mediatypes=true --metadata-file="$0"
"""


def build(metadata: Path) -> str:
    """Build both platforms without a cache, keep the result to the builder, and return the index's digest."""
    done = subprocess.run(["sh", "-c", BUILD, metadata], cwd=ROOT / "app", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(json.loads(metadata.read_text())["containerimage.digest"])


@pytest.mark.usefixtures("no_emulator")
def test_both_platforms_build_without_an_emulator_and_the_same_content_has_the_same_digest(tmp_path: Path) -> None:
    assert build(tmp_path / "first") == build(tmp_path / "second")
