"""How a function of the emulator is replaced by one that wraps it."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any


def extend(module: ModuleType, name: str, extension: Callable[..., Any]) -> None:
    """Replace `module.name` by `extension`, which receives the original as its first argument.

    The emulator's tables of API actions hold functions, not names, so they are brought up to date too.
    """
    original = getattr(module, name)

    @functools.wraps(original)
    def extended(*args: Any, **kwargs: Any) -> Any:
        return extension(original, *args, **kwargs)

    setattr(module, name, extended)
    actions = getattr(module, "_ACTION_MAP", {})
    actions.update({action: extended for action, handler in actions.items() if handler is original})
