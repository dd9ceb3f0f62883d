"""Start the AWS emulator with the extensions of `local.emulation`: `python -m local.emulator`.

The emulator listens on loopback and at the containers' gateway; its own variables (`GATEWAY_PORT`, `BIND_HOST`,
`LOG_LEVEL`) still apply.
"""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

EMULATOR = "ministack"
EMULATOR_VERSION = "1.5.33"
DEFAULT_PORT = "4566"
LOOPBACK = "127.0.0.1"
DOCKER_TIMEOUT_SECONDS = "60"


def require_version() -> None:
    """Refuse an emulator other than the one whose functions the extensions wrap.

    Raises:
        SystemExit: it is missing, or its version is another.
    """
    try:
        installed = version(EMULATOR)
    except PackageNotFoundError:
        installed = "not installed"
    if installed != EMULATOR_VERSION:
        raise SystemExit(
            f"{EMULATOR}: {installed}; the extensions need {EMULATOR_VERSION}: "
            f"run `pip install {EMULATOR}=={EMULATOR_VERSION}`"
        )


def main() -> None:
    """Run the extended emulator in the foreground until SIGTERM."""
    require_version()
    os.environ.setdefault("GATEWAY_PORT", DEFAULT_PORT)
    os.environ.setdefault("BIND_HOST", LOOPBACK)
    os.environ.setdefault("MINISTACK_DOCKER_TIMEOUT", DOCKER_TIMEOUT_SECONDS)
    from ministack.app import main as serve  # type: ignore[import-untyped]

    from local.emulation import (
        addresses,
        forwarding,
        reconciling,
        rollout,
        service_settings,
        stopping,
        strategy,
        target_health,
        traffic,
    )

    for extension in (
        addresses,
        forwarding,
        target_health,
        stopping,
        traffic,
        rollout,
        reconciling,
        service_settings,
        strategy,
    ):
        extension.install()
    sys.argv[1:] = []
    serve()


if __name__ == "__main__":
    main()
