"""Atomic writes, file locks, and the cache folder, whose least recently used entries are evicted."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

PART_PREFIX, PART_SUFFIX = ".translate-", ".part"
LOCK_NAME = "lock"
MAX_UNUSED_FOLDERS = 4  # The staging folders that are kept open for further files.
MIN_STALE_SECONDS = 10.0  # Younger temporary folders may not be locked yet by the process that created them.


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file atomically: after a crash it holds either the complete old or the complete new content.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary_file:
        temporary_file.write_bytes(content)


@contextlib.contextmanager
def atomic_path(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename it to `path` when the block ends.

    After a crash at any moment `path` holds either the complete old or the complete new content. If the block
    raises, nothing changes. The temporary file has the name of `path`, in a hidden folder beside it, because
    some libraries write further files next to the one that they are asked for.

    Args:
        sync: wait until the file is on the disk, so that it survives a power cut, too.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary_folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=PART_PREFIX, suffix=PART_SUFFIX))
    try:
        # The lock tells `remove_stale_parts` that the file is being written.
        with file_lock(temporary_folder / LOCK_NAME):
            temporary_file = temporary_folder / path.name
            temporary_file.touch()
            mode = temporary_file.stat().st_mode  # Some libraries write files that only their owner can read.
            yield temporary_file
            temporary_file.chmod(mode)
            if sync:
                with temporary_file.open("rb+") as file:
                    os.fsync(file.fileno())
            temporary_file.replace(path)
            if sync:
                _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary_folder, ignore_errors=True)


class StagingFolders:
    """Folders in which many files are written before each gets its name: one hidden folder beside the files.

    A file that is written this way is complete or absent, as with `atomic_path`, but does not cost a folder
    and a lock of its own. The names of the files must differ. Any number of threads may write. On leaving the
    `with` block, the folders are removed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[Path, _StagingFolder] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._folders:
            self._folders.popitem()[1].remove()

    @contextlib.contextmanager
    def atomic_path(self, path: Path) -> Iterator[Path]:
        """Yield a temporary path to write to, and rename it to `path` when the block ends.

        If the block raises, nothing changes. The file need not survive a power cut.

        Raises:
            OSError: the folder cannot be written.
        """
        staging = self._enter(path.parent)
        temporary_file = staging.path / path.name
        try:
            yield temporary_file
            temporary_file.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary_file.unlink()
            raise
        finally:
            self._leave(staging)

    def _enter(self, folder: Path) -> _StagingFolder:
        with self._lock:
            # Somebody may have removed the folder of the outputs since.
            if folder not in self._folders or not self._folders[folder].path.exists():
                self._folders[folder] = _StagingFolder(folder)
            self._folders[folder].users += 1
            return self._folders[folder]

    def _leave(self, staging: _StagingFolder) -> None:
        """Keep the folder for the next files, but no more than a few folders that are not in use."""
        with self._lock:
            staging.users -= 1
            unused = [folder for folder, other in self._folders.items() if not other.users]
            for folder in unused[:-MAX_UNUSED_FOLDERS]:
                self._folders.pop(folder).remove()


class _StagingFolder:
    """A hidden folder for temporary files beside their targets, locked while this process uses it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(dir=folder, prefix=PART_PREFIX, suffix=PART_SUFFIX))
        self.users = 0
        # The lock tells `remove_stale_parts` that files are being written.
        self._lock = contextlib.ExitStack()
        self._lock.enter_context(file_lock(self.path / LOCK_NAME))

    def remove(self) -> None:
        """Release the lock, and remove the folder with all that is in it."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def remove_stale_parts(folder: Path) -> None:
    """Remove the temporary folders that killed processes left behind; those of running processes stay."""
    for temporary_folder in folder.glob(f"{PART_PREFIX}*{PART_SUFFIX}"):
        with contextlib.suppress(OSError, NotImplementedError, Timeout):
            if time.time() - temporary_folder.stat().st_mtime < MIN_STALE_SECONDS:
                continue
            with FileLock(temporary_folder / LOCK_NAME, timeout=0):
                pass  # The process that held the lock has ended.
            shutil.rmtree(temporary_folder, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut. Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a lock that only one process can hold, including processes in containers that share the folder.

    The block waits until the lock is free. The operating system releases it when a process ends, however it
    ends. If the folder cannot be written, or its file system has no locks, the block runs without one.
    """
    lock = FileLock(path, thread_local=False)  # Another thread may release it.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        lock.release()


def cache_folder() -> Path:
    """Return the folder for regenerable files; the environment variable TRANSLATE_CACHE overrides it."""
    if folder := os.environ.get("TRANSLATE_CACHE"):
        return Path(folder)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "translate" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "translate"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "translate"


class LRUFolder:
    """A part of the cache folder from which the least recently used entries are removed when it is too large.

    An entry is all files with the same stem; it was last used at their newest modification time.

    Args:
        name: the name of the folder below the cache folder.
        suffixes: the suffixes of the files of an entry; other files are not counted and not removed.
    """

    def __init__(self, name: str, suffixes: tuple[str, ...]) -> None:
        self.path, self.suffixes = cache_folder() / name, suffixes

    def file(self, stem: str, suffix: str) -> Path:
        """Return the path of one of an entry's files."""
        return self.path / f"{stem}{suffix}"

    def mark_used(self, stem: str) -> None:
        """Make an entry the most recently used one.

        Raises:
            FileNotFoundError: there is no such entry; another process may have removed it.
        """
        files = [file for suffix in self.suffixes if (file := self.file(stem, suffix)).exists()]
        if not files:
            raise FileNotFoundError(self.path / stem)
        for file in files:
            os.utime(file)

    def evict(self, max_bytes: float, *, keep: str = "") -> None:
        """Remove the least recently used entries until the others take no more than `max_bytes`.

        Args:
            keep: the stem of an entry that is never removed; its bytes count first.
        """
        with contextlib.suppress(OSError):
            remove_stale_parts(self.path)
            total = 0
            newest_first = sorted(
                self._entries().items(), key=lambda entry: _last_use(entry[1]), reverse=True
            )
            for stem, files in sorted(newest_first, key=lambda entry: entry[0] != keep):
                total += sum(file.stat().st_size for file in files)
                if total > max_bytes and stem != keep:
                    for file in files:
                        file.unlink(missing_ok=True)

    def _entries(self) -> dict[str, list[Path]]:
        entries: dict[str, list[Path]] = {}
        for path in self.path.iterdir():
            if path.suffix in self.suffixes:
                entries.setdefault(path.stem, []).append(path)
        return entries


def _last_use(files: list[Path]) -> float:
    return max(file.stat().st_mtime for file in files)
