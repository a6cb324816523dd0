"""Writing a file whole or not at all, and the folder for what can be made again."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that after a crash at any moment `path` is what it was before, or whole.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cache_folder() -> Path:
    """Where this machine's user keeps what can be made again; `TRANSLATE_CACHE` puts it elsewhere."""
    if given := os.environ.get("TRANSLATE_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "translate" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "translate"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "translate"
