"""The lock of a run: only one training at a time writes into its folder."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from translate.errors import UsageError
from translate.storage import atomic_write

# The operating system frees the lock when its process ends, however it ends. The owner is only for messages.
LOCK, OWNER = ".lock", ".lock-owner"
# The processes that load images for a training that was killed hold its lock until they notice, in seconds.
ORPHAN_SECONDS = 15.0


@dataclass(frozen=True)
class Owner:
    """The process that trains in the folder of a run.

    Attributes:
        host: the name of its machine.
        pid: its number there.
    """

    host: str
    pid: int

    @property
    def is_local(self) -> bool:
        """Return whether the process is one of this machine."""
        return self.host == socket.gethostname()

    def is_running(self) -> bool:
        """Return whether the process is running, as far as this machine can tell."""
        if not self.is_local:
            return True
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except (psutil.Error, ValueError):
            return False


@contextmanager
def lock_run(folder: Path) -> Iterator[str]:
    """Hold the lock of a run, and yield a warning to log if its disk has no locks, or an empty text.

    Raises:
        UsageError: another process trains in the folder.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _acquire(lock, folder)
        atomic_write(folder / OWNER, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
    except Timeout:
        raise UsageError(_refusal(folder)) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        yield f"{folder} cannot be locked ({reason}): start no second training in it before this one ends"
        return
    try:
        yield ""
    finally:
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def refuse_running(folder: Path) -> None:
    """Refuse the folder of a run in which another process trains.

    Raises:
        UsageError: another process trains in the folder.
    """
    if not (folder / LOCK).exists():
        return
    lock = FileLock(folder / LOCK)
    try:
        _acquire(lock, folder)
    except Timeout:
        raise UsageError(_refusal(folder)) from None
    except (OSError, NotImplementedError):
        return  # `lock_run` warns of a disk without locks.
    lock.release()


def find_owner(folder: Path) -> Owner | None:
    """Return the process that trains in the folder of a run; None if there is none."""
    owner = _read_owner(folder)
    if owner is None or not owner.is_running():
        return None
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)  # Another process may have got the number of one that was killed.
    except Timeout:
        return owner
    except (OSError, NotImplementedError):
        return None
    lock.release()
    return None


def _acquire(lock: FileLock, folder: Path) -> None:
    """Acquire the lock; wait for it only if the process that trained has ended.

    Raises:
        Timeout: another process holds the lock.
    """
    deadline = time.monotonic() + ORPHAN_SECONDS
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            owner = _read_owner(folder)
            if (owner and owner.is_running()) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _read_owner(folder: Path) -> Owner | None:
    """Return the process that holds the lock, or that held it when it was killed; None if it is not known."""
    try:
        values = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return Owner(str(values["host"]), int(values["pid"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _refusal(folder: Path) -> str:
    owner = _read_owner(folder)
    process = f"process {owner.pid} on {owner.host}" if owner else "another process"
    return f"{process} is training in {folder}: wait until it ends, or stop it, or give another --out"
