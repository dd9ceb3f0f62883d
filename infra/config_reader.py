"""Reads flat string config into typed values, and refuses what it can't use in one line that says how to mend it."""

import difflib
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeVar

import pulumi

from infra.architecture import Architecture

T = TypeVar("T")
E = TypeVar("E", bound=Enum)


class ConfigError(pulumi.RunError):
    """A config value that can't be used: one line with key, value, what is allowed and the remedy."""


class ConfigReader:
    """Takes values out of a stack's config by key; a key that nobody took is unknown.

    Args:
        values: Config by key, without the project's name.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._taken: list[str] = []

    def take(self, key: str, parse: Callable[[str], T], *, allowed: str, example: str) -> T:
        """Take one value.

        Args:
            key: The key.
            parse: Makes the value from its text; raises ValueError for one that is not allowed.
            allowed: What is allowed, to stand behind "allowed:".
            example: A value that is, for the remedy.

        Raises:
            ConfigError: The key is not set or `parse` refuses its value.
        """
        self._taken.append(key)
        if key not in self._values:
            raise self.error(key, "is not set", allowed=allowed, example=example)
        try:
            return parse(self._values[key].strip())
        except ValueError:
            raise self.error(key, "can't be used", allowed=allowed, example=example) from None

    def architecture(self, key: str) -> Architecture:
        """Take an architecture in any of its spellings."""
        return self.take(
            key,
            Architecture.parse,
            allowed="amd64 (or x86_64), arm64 (or aarch64)",
            example=Architecture.ARM64.label,
        )

    def architectures(self, key: str) -> tuple[Architecture, ...]:
        """Take a list of architectures, separated by commas, in the enum's order and without repetition."""

        def parse(text: str) -> tuple[Architecture, ...]:
            named = {Architecture.parse(part) for part in text.split(",")}
            return tuple(architecture for architecture in Architecture if architecture in named)

        return self.take(key, parse, allowed="amd64, arm64 or both with a comma", example="amd64,arm64")

    def boolean(self, key: str) -> bool:
        """Take `true` or `false`."""
        words = {"true": True, "false": False}

        def parse(text: str) -> bool:
            if text.lower() not in words:
                raise ValueError(text)
            return words[text.lower()]

        return self.take(key, parse, allowed="true, false", example="true")

    def choice(self, key: str, choices: type[E]) -> E:
        """Take one of an enum's values."""
        labels = [str(choice.value) for choice in choices]
        return self.take(key, lambda text: choices(text.lower()), allowed=", ".join(labels), example=labels[0])

    def integer(self, key: str, *, at_least: int, at_most: int, example: int) -> int:
        """Take a whole number in a range that includes both ends."""

        def parse(text: str) -> int:
            if not at_least <= int(text) <= at_most:
                raise ValueError(text)
            return int(text)

        allowed = f"a whole number from {at_least} to {at_most}"
        return self.take(key, parse, allowed=allowed, example=str(example))

    def decimal(self, key: str, *, at_least: float, at_most: float, example: float) -> float:
        """Take a number with at most one decimal, in a range that includes both ends."""

        def parse(text: str) -> float:
            if not re.fullmatch(r"\d+(\.\d)?", text) or not at_least <= float(text) <= at_most:
                raise ValueError(text)
            return float(text)

        allowed = f"a number from {at_least:g} to {at_most:g} with at most one decimal"
        return self.take(key, parse, allowed=allowed, example=f"{example:g}")

    def text(self, key: str, pattern: str, *, allowed: str, example: str) -> str:
        """Take a text that matches `pattern` as a whole, or an empty one."""

        def parse(text: str) -> str:
            if text and not re.fullmatch(pattern, text):
                raise ValueError(text)
            return text

        return self.take(key, parse, allowed=f"{allowed}, or nothing", example=example)

    def refuse_rest(self) -> None:
        """Refuse keys that nobody took.

        Raises:
            ConfigError: There is such a key; the message names the nearest known one.
        """
        for key in sorted(set(self._values) - set(self._taken)):
            near = difflib.get_close_matches(key, self._taken, n=1, cutoff=0.7)
            hint = f" (did you mean {near[0]}?)" if near else ""
            allowed = ", ".join(sorted(self._taken))
            raise ConfigError(
                f"{key}: unknown config key{hint}; allowed: {allowed}; to mend it: pulumi config rm {key}"
            )

    def error(self, key: str, problem: str, *, allowed: str, example: str) -> ConfigError:
        """Word an error about a key: its value, the problem, what is allowed, and the command that mends it."""
        value = f' "{self._values[key]}"' if key in self._values else ""
        return ConfigError(
            f"{key}:{value} {problem}; allowed: {allowed}; to mend it: pulumi config set {key} {example}"
        )
