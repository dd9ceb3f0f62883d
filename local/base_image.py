"""A base image for where no public registry can be reached: Debian with Python 3.13, for both architectures.

It stands in for `python:3.13-slim`: `python3` and `python` are on PATH, and pip is there on the build platform,
where the Dockerfile's stages run. The foreign platform's files are only unpacked, never run: no emulator is needed
to build.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from local import debian
from local.binfmt import AMD64, ARM64, foreign
from local.cache import cached
from local.commands import run
from local.daemons import ENDPOINT, REGISTRY
from local.environment import STACK
from local.layout import Layout
from local.progress import step

REPOSITORY = "ecs-multiarch-base"
# What Pulumi.local.yaml names in `baseImage`.
REFERENCE = f"{REGISTRY}/{REPOSITORY}:{debian.SUITE}"
# Hooks of mmdebstrap: shell text, with the root file system in $1.
LINK_PYTHON = 'ln -s python3 "$1/usr/bin/python"'
TRIM = 'cd "$1" && rm -rf usr/share/doc/* usr/share/man/* usr/share/locale/* usr/share/info/* var/log/*'
# `extract` runs no maintainer script and no customize hook: this makes what those would.
ACCOUNTS = 'cd "$1" && for f in passwd group; do cp usr/share/base-passwd/$f.master etc/$f; done'
AUTHORITIES = 'cd "$1" && cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt'
DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
ADD rootfs-${TARGETARCH}.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["python3"]
"""
COMMON = ("--mode=root", "--quiet")
NATIVE = (
    "--variant=minbase",
    "--include=python3,python3-pip,ca-certificates",
    *(f"--customize-hook={hook}" for hook in (LINK_PYTHON, TRIM)),
)
FOREIGN = (
    "--variant=extract",
    "--include=base-files,base-passwd,dash,coreutils,libc-bin,python3,ca-certificates",
    *(f"--extract-hook={hook}" for hook in (LINK_PYTHON, ACCOUNTS, AUTHORITIES, TRIM)),
)


def is_wanted(layout: Layout) -> bool:
    """Whether the local stack's configuration names this image and not one of the user's."""
    return f"baseImage: {REFERENCE}\n" in (layout.root / f"Pulumi.{STACK}.yaml").read_text()


def publish(layout: Layout, *, buildctl: Path) -> None:
    """Push the base image as an OCI image index to the emulator's registry, unless it is there.

    Raises:
        Problem: the root file systems or the image could not be built.
    """
    if _is_published():
        return
    context = root_file_systems(layout)
    with step(f"push the base image {REFERENCE}"):
        _create_repository()
        (layout.temporary / "Dockerfile").write_text(DOCKERFILE)
        command = [
            str(buildctl), "--addr", f"unix://{layout.buildkit_socket}", "build", "--progress=plain",
            "--frontend=dockerfile.v0",
            f"--local=context={context}", f"--local=dockerfile={layout.temporary}",
            f"--opt=platform={AMD64.platform},{ARM64.platform}", "--opt=build-arg:SOURCE_DATE_EPOCH=0",
            f'--output=type=image,"name={REFERENCE},{REGISTRY}/{REPOSITORY}:{recipe()}",push=true,'
            "oci-mediatypes=true,compression=zstd",
        ]  # fmt: skip
        run(command, log=layout.logs / "base-image.log", what="building the base image")


def root_file_systems(layout: Layout) -> Path:
    """Return the directory with a tarball for each architecture, made from Debian packages unless cached."""
    directory = layout.tools / f"base-{recipe()}"
    if directory.is_dir():
        return directory
    mmdebstrap = debian.unpacked(["mmdebstrap"], suite=debian.SUITE, layout=layout) / "usr" / "bin" / "mmdebstrap"
    with step(f"make root file systems of Debian {debian.SUITE} for both architectures (once)"):
        return cached(directory, lambda unfinished: _bootstrap(mmdebstrap, layout, unfinished))


def recipe() -> str:
    """Twelve hexadecimal digits that change with how the root file systems are made."""
    parts = [debian.SUITE, foreign().platform, *COMMON, *NATIVE, *FOREIGN]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _bootstrap(mmdebstrap: Path, layout: Layout, into: Path) -> None:
    native = AMD64 if foreign() is ARM64 else ARM64
    _tarball(mmdebstrap, layout, into, native.platform, NATIVE)
    _tarball(mmdebstrap, layout, into, foreign().platform, FOREIGN)


def _tarball(mmdebstrap: Path, layout: Layout, into: Path, platform: str, options: Iterable[str]) -> None:
    """Run mmdebstrap in a mount namespace: what it mounts cannot outlive it."""
    architecture = platform.partition("/")[2]
    source = f"deb [signed-by={debian.KEYRING}] {debian.mirror()} {debian.SUITE} main"
    run(
        [
            "unshare", "--mount", mmdebstrap, *COMMON, *options, f"--architectures={architecture}",
            debian.SUITE, into / f"rootfs-{architecture}.tar", source,
        ],
        log=layout.logs / "base-image.log",
        what=f"making the root file system of {platform}",
        environment={"TMPDIR": str(into)},
    )  # fmt: skip


def _registry() -> Any:
    return boto3.client(
        "ecr",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def _is_published() -> bool:
    try:
        found = _registry().describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": recipe()}])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("RepositoryNotFoundException", "ImageNotFoundException"):
            return False
        raise
    return bool(found["imageDetails"])


def _create_repository() -> None:
    try:
        _registry().create_repository(repositoryName=REPOSITORY)
    except ClientError as error:
        if error.response["Error"]["Code"] != "RepositoryAlreadyExistsException":
            raise
