"""The tool cache: finished directories by name and version."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cached(directory: Path, make: Callable[[Path], None]) -> Path:
    """Return `directory`, made by `make` in a temporary place and renamed when complete.

    An interrupted `make` leaves nothing under the final name; what it leaves beside it goes with the next.
    """
    if directory.is_dir():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    for leftover in directory.parent.glob(f".{directory.name}.*"):
        shutil.rmtree(leftover)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        make(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return directory
