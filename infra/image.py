"""The image: one OCI image index in ECR for every architecture, named by digest."""

import hashlib
import os
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_awsx as awsx
import pulumi_docker_build as docker_build

from infra.config import ImageConfig
from infra.config_reader import ConfigError

# Relative to this program's working directory, infra/: the provider stores it, and an absolute path would make every
# checkout see a change.
CONTEXT = "../app"
# The Dockerfile's own base, which a named context of the same name replaces.
DOCKERFILE_BASE = "python:3.13-slim"
# Names a CA file for a network that inspects TLS; it reaches the build as a secret and no layer of the image.
CA_FILE_VARIABLE = "BUILD_CA_FILE"
CA_SECRET = "ca"
DAYS_TO_KEEP_UNTAGGED = 14
TAG_DIGITS = 16


class Image(pulumi.ComponentResource):
    """An ECR repository and the image built into it.

    Attributes:
        reference: `repository@sha256:…`, the digest of the image index; unknown in a preview that would build.
        tag: The tag, made of what the image is made of.
        repository_arn: The repository's ARN, for the role that pulls.
    """

    def __init__(self, name: str, config: ImageConfig, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-multiarch:index:Image", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        repository = awsx.ecr.Repository(
            name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            # Tagged images stay: a running task, or the one that a rollback brings back, must be able to pull its
            # digest, and one more version costs only the layers that differ. ECR keeps untagged manifests that an
            # image index refers to: https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
            lifecycle_policy=awsx.ecr.LifecyclePolicyArgs(
                rules=[
                    awsx.ecr.LifecyclePolicyRuleArgs(
                        description="Remove what no tag and no image index names",
                        tag_status=awsx.ecr.LifecycleTagStatus.UNTAGGED,
                        maximum_age_limit=DAYS_TO_KEEP_UNTAGGED,
                    )
                ]
            ),
            force_delete=True,
            opts=child,
        )
        url = repository.url.apply(lambda ecr_url: in_registry(ecr_url, config.registry))
        login = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOptions(parent=self))
        self.tag = content_tag(Path(CONTEXT), config)
        image = docker_build.Image(
            name,
            context=docker_build.BuildContextArgs(location=CONTEXT, named=named_contexts(config)),
            # BuildKit's own stamps, where the Dockerfile can't reach: https://reproducible-builds.org/specs/source-date-epoch
            build_args={"SOURCE_DATE_EPOCH": "0"},
            platforms=[docker_build.Platform(architecture.platform) for architecture in config.architectures],
            # `push = not is_dry_run()` would show an update of the image, and of all that hangs on it, in each preview.
            push=True,
            build_on_preview=False,
            # A list of outputs: one unknown list is refused by the provider in a first preview.
            tags=[pulumi.Output.format("{0}:{1}", url, self.tag)],
            registries=[
                docker_build.RegistryArgs(
                    address=url.apply(lambda repository_url: repository_url.split("/")[0]),
                    username=login.user_name,
                    password=login.password,
                )
            ],
            secrets=build_secrets(),
            ignore_secrets_in_diff_calculation=[CA_SECRET],
            # The provider's delete removes the manifest that running tasks may still have to pull.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        # With only the context changed, a preview gives a known, empty digest.
        digest = image.digest.apply(lambda known: known or pulumi.UNKNOWN)
        self.reference = pulumi.Output.format("{0}@{1}", url, digest)
        self.repository_arn = repository.repository.arn
        self.register_outputs({})


def in_registry(ecr_url: str, registry: str) -> str:
    """Put a repository's URL, `host/name`, under another registry's host, if one is given."""
    return f"{registry}/{ecr_url.split('/', 1)[1]}" if registry else ecr_url


def named_contexts(config: ImageConfig) -> dict[str, docker_build.ContextArgs] | None:
    """Replace the Dockerfile's base, if the config asks for it."""
    if not config.base_image:
        return None
    return {DOCKERFILE_BASE: docker_build.ContextArgs(location=f"docker-image://{config.base_image}")}


def build_secrets() -> dict[str, str] | None:
    """Read the CA file that `BUILD_CA_FILE` names, if it names one.

    Raises:
        ConfigError: The file can't be read.
    """
    ca_file = os.environ.get(CA_FILE_VARIABLE)
    if not ca_file:
        return None
    try:
        return {CA_SECRET: Path(ca_file).read_text()}
    except OSError as error:
        raise ConfigError(
            f'{CA_FILE_VARIABLE}: "{ca_file}" can\'t be read ({error.strerror}); allowed: a file of CA certificates '
            f"in PEM, or nothing; to mend it: unset {CA_FILE_VARIABLE}"
        ) from None


def content_tag(context: Path, config: ImageConfig) -> str:
    """Make a tag of all that goes into the image: files with their executable bit, platforms, base.

    The same content has the same tag, so that tags can be immutable and nothing is pushed twice.

    Returns:
        16 hexadecimal digits of a SHA-256.
    """
    content = hashlib.sha256()
    for path in context_files(context):
        data = path.read_bytes()
        is_executable = bool(path.stat().st_mode & 0o100)
        content.update(f"{path.relative_to(context)} {is_executable} {len(data)}\n".encode())
        content.update(data)
    platforms = ",".join(architecture.platform for architecture in config.architectures)
    content.update(f"{platforms} {config.base_image}".encode())
    return content.hexdigest()[:TAG_DIGITS]


def context_files(context: Path) -> list[Path]:
    """List what `.dockerignore` lets into the build, and the Dockerfile, in a stable order.

    Args:
        context: A directory whose `.dockerignore` refuses everything (`*`) and then lets in files or directories,
            each by its path (`!main.py`).
    """
    lines = (context / ".dockerignore").read_text().splitlines()
    named = [context / line.removeprefix("!") for line in lines if line.startswith("!")]
    files = {file for path in named for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
    return sorted({context / "Dockerfile", *files})
