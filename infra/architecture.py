"""The one place that knows how a CPU architecture is spelled."""

from enum import Enum


class Architecture(Enum):
    """A CPU architecture that Fargate runs.

    Attributes:
        label: How this project, Docker and Go spell it: `amd64`, `arm64`.
        ecs: How a task definition's `runtimePlatform.cpuArchitecture` spells it: `X86_64`, `ARM64`.
        machine: How the kernel and Python wheels spell it: `x86_64`, `aarch64`.
    """

    AMD64 = ("amd64", "X86_64", "x86_64")
    ARM64 = ("arm64", "ARM64", "aarch64")

    def __init__(self, label: str, ecs: str, machine: str) -> None:
        self.label = label
        self.ecs = ecs
        self.machine = machine

    @classmethod
    def parse(cls, text: str) -> "Architecture":
        """Read any spelling, in any case.

        Raises:
            ValueError: The text names no architecture.
        """
        wanted = text.strip().lower()
        for architecture in cls:
            if wanted in (architecture.label, architecture.machine):
                return architecture
        raise ValueError(text)

    @property
    def platform(self) -> str:
        """The OCI platform: `linux/amd64`, `linux/arm64`."""
        return f"linux/{self.label}"

    @property
    def other(self) -> "Architecture":
        """The architecture that this one is not."""
        return Architecture.ARM64 if self is Architecture.AMD64 else Architecture.AMD64
