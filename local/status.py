"""`python -m local status`: what of the local target runs."""

from local import binfmt, daemons, engine, network, stack
from local.environment import STACK
from local.layout import LAYOUT


def main() -> int:
    """Print one line for each part; fail if one of them is down."""
    layout = LAYOUT
    own = engine.usable(layout)
    host = own or f"unix://{layout.engine_socket}"
    parts = {
        f"Docker Engine ({host})": daemons.engine_answers(host),
        "bridge": own is not None or network.is_up(layout),
        "BuildKit": daemons.buildkit(layout).is_ready(),
        f"emulator ({daemons.ENDPOINT})": daemons.emulator_answers(),
        f"emulation of {binfmt.foreign().platform}": binfmt.is_registered(),
        f"stack {STACK}": stack.state_file(layout).exists(),
    }
    for part, is_up in parts.items():
        print(f"  {'up  ' if is_up else 'down'} {part}")
    return 0 if all(parts.values()) else 1
