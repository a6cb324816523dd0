"""Writing a file whole or not at all, locks, and the folder for what can be made again."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

UNNAMED_SECONDS = 10.0  # after which a lock that names no process is of one that was killed


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file so that after a crash at any moment `path` is what it was before, or whole.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as part:
        part.write_bytes(content)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Within, another name to write a file under; after a crash at any moment `path` is what it was
    before, or whole.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")  # a folder: a library's own passing files stay in it
    try:
        aside.mkdir(parents=True, exist_ok=True)
        part = aside / path.name
        part.touch()
        mode = part.stat().st_mode  # of any new file here; a library's own may be for its owner alone
        yield part
        part.chmod(mode)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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


@contextlib.contextmanager
def file_lock(lock: Path) -> Iterator[None]:
    """Within, no other process of this machine holds the same lock; one that was killed leaves it free."""
    while not _taken(lock):
        time.sleep(0.1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if lock.read_text() == str(os.getpid()):
                lock.unlink()


def _taken(lock: Path) -> bool:
    """Whether the lock is this process's now, or cannot be had at all."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        with contextlib.suppress(OSError):
            owner, age = lock.read_text(), time.time() - lock.stat().st_mtime
            gone = not psutil.pid_exists(int(owner)) if owner.isdecimal() else age > UNNAMED_SECONDS
            if gone:
                lock.unlink(missing_ok=True)
        return False
    except OSError:  # a folder that cannot be written needs no lock
        return True
    return True
