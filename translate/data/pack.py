"""The pictures of a data set, decoded once: one file of bytes in the user's cache folder.

A pack is named by the content of its picture files and by how they were resized: another content is
another pack. The oldest go where all together grow too large.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import numpy as np
import psutil

from translate.errors import DataError
from translate.images import Pixels
from translate.storage import cache_folder, write_whole

FORMAT = 1  # of the file; a change makes all packs anew
THREADS = min(8, os.cpu_count() or 1)
AT_ONCE = 16 * THREADS  # pictures that wait to be written
TOLD_SECONDS = 5.0
UNNAMED_SECONDS = 10.0  # after which a lock that names no process is of one that was killed
GIGABYTE = 10**9

Unit = TypeVar("Unit")  # what is drawn together: a picture, or a pair
Place = list[Any] | str | None  # offset and shape; or why it cannot be read; or None, without room
log = logging.getLogger("translate")


class Pack(Generic[Unit]):
    """Pixels by unit, memory-mapped.

    Args:
        places: where in the file each unit is.
    """

    def __init__(self, file: Path, places: Mapping[Unit, Place]) -> None:
        self.file, self.places = file, places

    def reasons(self) -> dict[Unit, str]:
        """Of each unit why it cannot be read, or nothing."""
        return {unit: place if isinstance(place, str) else "" for unit, place in self.places.items()}

    def find(self, unit: Unit) -> Pixels | None:
        """A copy of a unit's pixels, uint8; None for one that found no room."""
        place = self.places[unit]
        if not isinstance(place, list):
            return None
        offset, shape = place
        pixels = np.frombuffer(self._bytes, np.uint8, count=int(np.prod(shape)), offset=offset)
        return pixels.reshape(shape).copy()

    @cached_property
    def _bytes(self) -> mmap.mmap:
        with self.file.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __getstate__(self) -> dict[str, Any]:
        """For a process that loads: it maps the file itself."""
        return {name: value for name, value in self.__dict__.items() if name != "_bytes"}


def packed(
    units: Sequence[Unit],
    files: Callable[[Unit], Iterable[Path]],
    make: Callable[[Unit], Pixels],
    settings: Mapping[str, Any],
    gigabytes: float,
) -> Pack[Unit]:
    """The pack of some units; made where there is none.

    Args:
        files: that a unit is made from.
        make: a unit's pixels, uint8 of any shape; called in threads. A `DataError` of it is kept as a reason.
        settings: all that decides pixels beside the files.
        gigabytes: the most that all packs may take; what finds no room is left to be decoded each time.
    """
    folder = cache_folder() / "pictures"
    name = _name(units, files, settings)
    index = folder / f"{name}.json"
    with _alone(folder / f"{name}.lock", done=index):
        known = _read(index)
        if known is None:
            room = min(gigabytes * GIGABYTE, _free(folder) / 2)
            known = _write(folder / f"{name}.u8", units, make, room)
            with suppress(OSError):
                write_whole(index, json.dumps(known).encode())
        _make_room(folder, name, gigabytes * GIGABYTE)
    return Pack(folder / f"{name}.u8", dict(zip(units, known, strict=True)))


def _name(units: Sequence[Unit], files: Callable[[Unit], Iterable[Path]], settings: Mapping[str, Any]) -> str:
    """A digest of all that decides a pack."""
    whole = hashlib.blake2b(json.dumps([FORMAT, dict(settings)], sort_keys=True).encode(), digest_size=16)
    with ThreadPoolExecutor(THREADS) as pool:
        for digest in pool.map(_digest, (list(files(unit)) for unit in units)):
            whole.update(digest)
    return whole.hexdigest()


def _digest(files: list[Path]) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for path in files:
        with suppress(OSError):  # told when it is decoded
            content = path.read_bytes()
            found.update(len(content).to_bytes(8, "little") + content)
    return found.digest()


def _read(index: Path) -> list[Place] | None:
    """The index of a whole pack."""
    try:
        known: list[Place] = json.loads(index.read_bytes())
        os.utime(index)  # used now
        size = index.with_suffix(".u8").stat().st_size
    except (OSError, ValueError):
        return None
    needed = max((place[0] + int(np.prod(place[1])) for place in known if isinstance(place, list)), default=0)
    return known if size >= needed else None


def _write(file: Path, units: Sequence[Unit], make: Callable[[Unit], Pixels], room: float) -> list[Place]:
    """Decode all units, and write as many as there is room for."""
    places: list[Place] = []
    with _opened(file) as out:
        for pixels in _told(_made(units, make), len(units)):
            places.append(pixels if isinstance(pixels, str) else _placed(out, pixels, room))
    if without := sum(place is None for place in places):
        log.info("%d of %d pictures find no room among the decoded ones (--cache-size)", without, len(places))
    return places


def _placed(out: IO[bytes] | None, pixels: Pixels, room: float) -> Place:
    """Write pixels behind those before."""
    if out is None or out.tell() + pixels.nbytes > room:
        return None
    offset = out.tell()
    try:
        out.write(np.ascontiguousarray(pixels).data)
    except OSError:  # the disk is full: what is there already serves
        out.seek(offset)
        return None
    return [offset, list(pixels.shape)]


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes] | None]:
    """A file to write, on the disk at the end; None where there can be none."""
    with ExitStack() as stack:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            out = stack.enter_context(file.open("wb"))
        except OSError as error:
            log.info("decoded pictures cannot be kept in %s: %s", file.parent, error.strerror)
            yield None
            return
        yield out
        with suppress(OSError):
            out.flush()
            os.fsync(out.fileno())


def _made(units: Sequence[Unit], make: Callable[[Unit], Pixels]) -> Iterator[Pixels | str]:
    """The pixels of the units in order, or the reason why there are none; not far ahead of who asks."""

    def made(unit: Unit) -> Pixels | str:
        try:
            return make(unit)
        except DataError as error:
            return str(error)

    coming = iter(units)
    with ThreadPoolExecutor(THREADS) as pool:
        while some := list(islice(coming, AT_ONCE)):
            yield from pool.map(made, some)


def _told(made: Iterator[Pixels | str], total: int) -> Iterator[Pixels | str]:
    """The same, with a line now and then."""
    last = started = time.monotonic()
    for number, pixels in enumerate(made, 1):
        yield pixels
        now = time.monotonic()
        if now - last >= TOLD_SECONDS and number < total:
            last = now
            left = (total - number) * (now - started) / number
            log.info("decoded %d of %d pictures, once for all runs; %.0f s left", number, total, left)


def _make_room(folder: Path, kept: str, most: float) -> None:
    """Remove the packs used longest ago, until all take no more than `most` bytes; this one stays."""
    with suppress(OSError):
        packs = sorted(folder.glob("*.u8"), key=_last_used, reverse=True)
        taken = 0
        for pack in sorted(packs, key=lambda pack: pack.stem != kept):
            taken += pack.stat().st_size
            if taken > most and pack.stem != kept and not pack.with_suffix(".lock").exists():
                pack.with_suffix(".json").unlink(missing_ok=True)
                pack.unlink(missing_ok=True)


def _last_used(pack: Path) -> float:
    index = pack.with_suffix(".json")
    return index.stat().st_mtime if index.exists() else 0.0


def _free(folder: Path) -> int:
    """Bytes of the disk that are free."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(place).free


@contextmanager
def _alone(lock: Path, *, done: Path) -> Iterator[None]:
    """Within, no other process of this machine makes the same pack; one that was killed leaves it free."""
    while not done.exists() and not _taken(lock):
        time.sleep(0.1)
    try:
        yield
    finally:
        with suppress(OSError):
            if lock.read_text() == str(os.getpid()):
                lock.unlink()


def _taken(lock: Path) -> bool:
    """Whether the lock is this process's now, or cannot be had at all."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        with suppress(OSError):
            owner, age = lock.read_text(), time.time() - lock.stat().st_mtime
            gone = not psutil.pid_exists(int(owner)) if owner.isdecimal() else age > UNNAMED_SECONDS
            if gone:
                lock.unlink(missing_ok=True)
        return False
    except OSError:  # a folder that cannot be written needs no lock
        return True
    return True
