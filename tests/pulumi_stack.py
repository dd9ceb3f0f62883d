"""A Pulumi stack on the local target, driven by the README's commands, apart from the user's own stack."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.recording import ROOT

COMMAND_SECONDS = 300
WHERE_IT_RUNS = ("aws:region", "ecs-multiarch:registry", "ecs-multiarch:baseImage")


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code and all that it printed."""

    code: int
    output: str


@dataclass(frozen=True)
class PulumiStack:
    """A copy of the project with a state of its own.

    Attributes:
        directory: The copy, so that a test may change `app/` and the stack's config.
    """

    directory: Path

    @classmethod
    def create(cls, directory: Path) -> "PulumiStack":
        """Copy the checkout's program and make an empty stack from it, without what its user has set."""
        shutil.copy(ROOT / "Pulumi.yaml", directory)
        settings = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
        settings["config"] = {key: settings["config"][key] for key in WHERE_IT_RUNS}
        (directory / "Pulumi.local.yaml").write_text(yaml.safe_dump(settings))
        for name in ("infra", "app"):
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        (directory / ".venv").symlink_to(ROOT / ".venv")
        (directory / "state").mkdir()
        stack = cls(directory)
        stack.run("pulumi", "stack", "init", "local")
        return stack

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command as a shell does after `. .local/env`, in a process group of its own."""
        state = f"file://{self.directory / 'state'}"
        script = f'. "{ROOT}/.local/env" && PULUMI_BACKEND_URL="{state}" exec "$@"'
        return subprocess.Popen(
            ["sh", "-c", script, "sh", *command],
            cwd=self.directory,
            env={key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def try_run(self, *command: str) -> Done:
        """Run a command to its end."""
        process = self.start(*command)
        try:
            output, _ = process.communicate(timeout=COMMAND_SECONDS)
        finally:
            kill(process, signal.SIGKILL)
        return Done(process.returncode, output)

    def run(self, *command: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = self.try_run(*command)
        assert done.code == 0, f"{' '.join(command)}\n{done.output}"
        return done.output

    def up(self, **config: str) -> str:
        """Set config and run `pulumi up`."""
        self.configure(config)
        return self.run("pulumi", "up", "--yes", "--skip-preview")

    def configure(self, config: dict[str, str]) -> None:
        """Set config, key by key."""
        for key, value in config.items():
            self.run("pulumi", "config", "set", key, "--", value)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        outputs: dict[str, Any] = json.loads(self.run("pulumi", "stack", "output", "--json"))
        return outputs

    def answer(self) -> dict[str, str]:
        """What the service answers at the stack's URL."""
        answer: dict[str, str] = json.loads(self.run("sh", "-c", 'curl --silent --fail "$(pulumi stack output url)"'))
        return answer

    def previewed_steps(self) -> list[dict[str, Any]]:
        """What a preview would do, resources that stay the same and refreshes left out."""
        steps = json.loads(self.run("sh", "-c", "pulumi preview --json 2>/dev/null"))["steps"]
        return [step for step in steps if step["op"] not in ("same", "refresh")]

    def containers(self) -> dict[str, str]:
        """Image of each task's container of this stack, as `name@digest`, by the container's id."""
        name = self.outputs()["image"].partition("@")[0]
        listed = self.run("docker", "ps", "--no-trunc", "--format", "{{.ID}} {{.Image}}")
        images = dict(line.split() for line in listed.splitlines())
        return {one: image for one, image in images.items() if image.partition("@")[0] == name}

    def running_images(self) -> list[str]:
        """Image of each task's container of this stack, as `name@digest`."""
        return list(self.containers().values())

    def resources(self) -> Sequence[dict[str, Any]]:
        """The resources in the state, the stack itself left out."""
        state = json.loads(self.run("pulumi", "stack", "export"))
        resources = state["deployment"].get("resources", [])
        return [resource for resource in resources if resource["type"] != "pulumi:pulumi:Stack"]


def kill(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Send a signal to a command and all that it started, as a terminal does."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
