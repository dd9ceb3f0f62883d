"""Hash of a build context, by which the docker-build plugin sees that an image may need a build."""

import hashlib
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from docker.utils.build import PatternMatcher  # type: ignore[import-untyped]

IGNORE_FILE = ".dockerignore"


def context_hash(context: Path, dockerfile: Path, named: Mapping[str, str]) -> str:
    """Hash the Dockerfile, the context's files that are not ignored, and the local named contexts.

    Content, path and mode of a file count; a base image or another remote context does not.

    Args:
        context: Directory of the build context.
        dockerfile: The Dockerfile, in the context or not.
        named: Locations of the named contexts by name; those that are no directory are skipped.

    Returns:
        The SHA-256 as 64 hexadecimal digits.
    """
    digest = hashlib.sha256(dockerfile.read_bytes())
    for chunk in _directory(context, _ignore_patterns(Path(f"{dockerfile}{IGNORE_FILE}"), context / IGNORE_FILE)):
        digest.update(chunk)
    for _, location in sorted(named.items()):
        if (directory := Path(location)).is_dir():
            for chunk in _directory(directory, _ignore_patterns(directory / IGNORE_FILE)):
                digest.update(chunk)
    return digest.hexdigest()


def _ignore_patterns(*candidates: Path) -> list[str]:
    """Read the first ignore file that exists: `<Dockerfile>.dockerignore` goes before `.dockerignore`."""
    for candidate in candidates:
        if candidate.is_file():
            lines = candidate.read_text(encoding="utf-8-sig").splitlines()
            return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return []


def _directory(root: Path, patterns: list[str]) -> Iterator[bytes]:
    matcher = PatternMatcher(patterns)
    matcher.patterns.pop()  # docker-py's own `!.dockerignore`, which BuildKit does not have
    for path in sorted(map(Path, matcher.walk(str(root)))):
        file = root / path
        mode = file.lstat().st_mode
        if file.is_file():  # A link counts as what it leads to; one to a directory does not count.
            yield file.read_bytes()
            yield path.as_posix().encode()
            yield _go_mode(mode).encode()


def _go_mode(mode: int) -> str:
    """Format a mode as Go's `fs.FileMode` does: `-rw-r--r--`, and `L` for a symbolic link."""
    kinds = (
        (stat.S_ISLNK(mode), "L"),
        (mode & stat.S_ISUID, "u"),
        (mode & stat.S_ISGID, "g"),
        (mode & stat.S_ISVTX, "t"),
    )
    flags = "".join(letter for applies, letter in kinds if applies) or "-"
    bits = "".join(letter if mode & (0o400 >> place) else "-" for place, letter in enumerate("rwx" * 3))
    return f"{flags}{bits}"
