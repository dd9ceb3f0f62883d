"""The environment of the local stack: what `.local/env` sets, and what set-up's own commands run in."""

import json
import os
import shlex
from collections.abc import Mapping

from local.daemons import ENDPOINT
from local.layout import Layout

BUILDER = "local"
STACK = "local"
LOOPBACK_NAMES = "localhost,127.0.0.1,::1"
# What a person may have set for real accounts, and must not count here.
CLEARED = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_ECS",
    "PULUMI_ACCESS_TOKEN",
    "DOCKER_CONTEXT",
)


def variables(layout: Layout, *, docker_host: str) -> dict[str, str]:
    """Variables of the local stack, PATH and the proxies' exceptions apart."""
    return {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PULUMI_BACKEND_URL": f"file://{layout.pulumi_state}",
        "PULUMI_CONFIG_PASSPHRASE": "local",
        "PULUMI_HOME": str(layout.pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "DOCKER_HOST": docker_host,
        "DOCKER_CONFIG": str(layout.docker_config),
        "BUILDX_BUILDER": BUILDER,
    } | _certificates()


def _certificates() -> dict[str, str]:
    """Where this machine's tools are told to trust other authorities, builds are told too."""
    found = os.environ.get("BUILD_CA_FILE") or os.environ.get("SSL_CERT_FILE")
    return {"BUILD_CA_FILE": found} if found else {}


def write(layout: Layout, *, docker_host: str) -> None:
    """Write `.local/env` and buildx's description of the builder."""
    instances = layout.docker_config / "buildx" / "instances"
    instances.mkdir(parents=True, exist_ok=True)
    (instances / BUILDER).write_text(json.dumps(_builder(layout)))
    lines = [
        f"export {name}={shlex.quote(value)}" for name, value in variables(layout, docker_host=docker_host).items()
    ]
    paths = "".join(_once("PATH", str(path), ":") for path in (layout.root / ".venv" / "bin", layout.bin))
    layout.environment_file.write_text(
        "# The local stack's environment: `. .local/env` in sh, bash or zsh. Written by `make setup`.\n"
        f"unset {' '.join(CLEARED)}\n" + "\n".join(lines) + "\n"
        + paths + _once("NO_PROXY", LOOPBACK_NAMES, ",") + 'export no_proxy="$NO_PROXY"\n'
    )  # fmt: skip


def process_environment(layout: Layout, *, docker_host: str, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment that a shell has after `. .local/env`, for commands that Python starts."""
    kept = {name: value for name, value in base.items() if name not in CLEARED}
    exceptions = ",".join(filter(None, [LOOPBACK_NAMES, base.get("NO_PROXY")]))
    path = f"{layout.bin}:{layout.root / '.venv' / 'bin'}:{base.get('PATH', os.defpath)}"
    return (
        kept
        | variables(layout, docker_host=docker_host)
        | {"PATH": path, "NO_PROXY": exceptions, "no_proxy": exceptions}
    )


def _builder(layout: Layout) -> dict[str, object]:
    """A builder as buildx stores it: a BuildKit that already runs."""
    node = {
        "Name": f"{BUILDER}0",
        "Endpoint": f"unix://{layout.buildkit_socket}",
        "Platforms": None,
        "DriverOpts": None,
        "Flags": None,
        "Files": None,
    }
    return {"Name": BUILDER, "Driver": "remote", "Nodes": [node], "Dynamic": False}


def _once(variable: str, value: str, separator: str) -> str:
    """Shell text that puts a value in front of a list, however often the file is sourced."""
    quoted = shlex.quote(value)
    return (
        f'case "{separator}${{{variable}-}}{separator}" in *{separator}{quoted}{separator}*) ;; '
        f'*) export {variable}={quoted}"${{{variable}:+{separator}${variable}}}" ;; esac\n'
    )
