"""`python -m local setup`: everything that the local stack runs on, found or built, started, healthy."""

from dataclasses import dataclass
from pathlib import Path

from local import (
    base_image,
    binfmt,
    daemons,
    engine,
    environment,
    network,
    plugins,
    preconditions,
    stack,
    tools,
)
from local.layout import LAYOUT, Layout
from local.locking import exclusive
from local.problem import Problem
from local.progress import step


@dataclass(frozen=True)
class Plan:
    """What this machine has and what has to be built.

    Attributes:
        engine: address of the machine's own Docker Engine, if that will do.
        pulumi: the installed Pulumi CLI, if that will do.
    """

    engine: str | None
    pulumi: Path | None

    @property
    def tools(self) -> tuple[tools.GoTool, ...]:
        """Tools that have to be in the cache."""
        own_engine = () if self.engine else (tools.CONTAINERD, tools.DOCKERD)
        own_pulumi = () if self.pulumi else (tools.PULUMI,)
        return (tools.BUILDKIT, tools.RUNC, *own_engine, *own_pulumi)


def main() -> int:
    """Set the local target up; what is there and healthy stays as it is."""
    layout = LAYOUT
    plan = _check(layout)
    for directory in (layout.run, layout.temporary, layout.logs, layout.bin):
        directory.mkdir(parents=True, exist_ok=True)
    with exclusive(layout.home / "lock"):
        _check_port(layout)
        for tool in plan.tools:
            tools.provide(tool, layout)
        if base_image.is_wanted(layout):
            base_image.root_file_systems(layout)
        _start(layout, plan)
    return 0


def _check(layout: Layout) -> Plan:
    """Check what must hold, before anything is made.

    Raises:
        Problem: a precondition fails.
    """
    own = engine.usable(layout)
    preconditions.check_machine()
    _check_port(layout)
    plan = Plan(engine=own, pulumi=stack.installed_pulumi(layout))
    missing = [tool for tool in plan.tools if not tool.directory(layout).is_dir()]
    if missing and (problem := tools.go_problem()):
        raise Problem(problem)
    preconditions.check_disk([layout.tools, layout.home], is_warm=not missing)
    return plan


def _check_port(layout: Layout) -> None:
    preconditions.check_port(daemons.emulator(layout, docker_host="").pids())


def _start(layout: Layout, plan: Plan) -> None:
    daemons.configure(layout)
    if not binfmt.is_registered():
        with step(f"register qemu for {binfmt.foreign().platform}"):
            binfmt.register(layout)
    docker_host = plan.engine or _start_engine(layout)
    _start_buildkit(layout)
    _start_emulator(layout, docker_host)
    if base_image.is_wanted(layout):
        base_image.publish(layout, buildctl=tools.BUILDKIT.directory(layout) / "buildctl")
    environment.write(layout, docker_host=docker_host)
    variables = environment.process_environment(layout, docker_host=docker_host)
    pulumi = plan.pulumi or tools.PULUMI.directory(layout) / "pulumi"
    plugins.provide(layout, pulumi=pulumi, environment=variables)
    stack.create(layout, variables)
    stack.release(layout)


def _start_engine(layout: Layout) -> str:
    """Start the engine unless it answers; the emulator, its containers gone, starts anew with it."""
    network.up(layout)
    daemon = daemons.docker_engine(layout)
    host = f"unix://{layout.engine_socket}"
    if not daemon.is_ready():
        with step("start the Docker Engine"):
            daemons.emulator(layout, docker_host=host).stop()
            engine.stop(layout)
            daemon.start()
    return host


def _start_buildkit(layout: Layout) -> None:
    daemon = daemons.buildkit(layout)
    if not daemon.is_ready():
        with step("start BuildKit"):
            daemon.stop()
            daemon.start()


def _start_emulator(layout: Layout, docker_host: str) -> None:
    daemon = daemons.emulator(layout, docker_host=docker_host)
    if not daemon.is_ready():
        stack.forget(layout)
        with step("start the emulator"):
            daemon.stop()
            daemon.start()
