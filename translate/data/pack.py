"""The pictures of a data set, decoded once: one file of bytes in the user's cache folder.

A pack is named by the content of its picture files and by how they were resized: another content is
another pack. The oldest go where all together grow too large.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import mmap
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any, Generic, NamedTuple, TypeVar

import numpy as np

from translate.data.progress import told
from translate.errors import DataError
from translate.images import Enclosed, Pixels
from translate.storage import alone, cache_folder, write_whole

FORMAT = 4  # of the file; a change makes all packs anew
THREADS = min(8, os.cpu_count() or 1)
AT_ONCE = 16 * THREADS  # pictures that wait to be written
GIGABYTE = 10**9

Unit = TypeVar("Unit")  # what is drawn together: a picture, or a pair
Place = list[Any] | str | None  # offset and shape; or why it cannot be read; or None, without room
log = logging.getLogger("translate")


class Index(NamedTuple):
    """Of each unit its place, and the bytes that all of them take."""

    places: list[Place]
    needed: int

    @property
    def without_room(self) -> int:
        return sum(place is None for place in self.places)


class Pack(Generic[Unit]):
    """Pixels by unit, memory-mapped.

    Args:
        places: where in the file each unit is.
    """

    def __init__(self, file: Path, places: Mapping[Unit, Place]) -> None:
        self.file, self.places = file, places

    @property
    def complete(self) -> bool:
        """Whether all that could be read found room."""
        return None not in self.places.values()

    def reasons(self) -> dict[Unit, str]:
        """Of each unit why it cannot be read, or nothing."""
        return {unit: place if isinstance(place, str) else "" for unit, place in self.places.items()}

    def find(self, unit: Unit) -> Pixels | None:
        """A unit's pixels, uint8, read-only; None for one that found no room, or is there no more."""
        place = self.places[unit]
        if not isinstance(place, list):
            return None
        offset, shape = place
        try:
            content = self._bytes
        except OSError:  # another run needed the room
            return None
        pixels = np.frombuffer(content, np.uint8, count=math.prod(shape), offset=offset)
        return pixels.reshape(shape)

    @cached_property
    def _bytes(self) -> mmap.mmap:
        with self.file.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __getstate__(self) -> dict[str, Any]:
        """For a process that loads: it maps the file itself."""
        return {name: value for name, value in self.__dict__.items() if name != "_bytes"}


def packed(
    units: Sequence[Unit],
    files: Callable[[Unit], Iterable[Enclosed]],
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
    file = folder / f"{_name(units, files, settings)}.u8"
    asked, free = gigabytes * GIGABYTE, _free(folder)
    room = min(asked, free / 2)
    known = _read(file, room)
    if known is None:
        with alone(file.with_suffix(".lock")):
            known = _read(file, room) or _made(file, units, make, room)
    if known.without_room and file.exists():  # else it was told why it cannot be kept
        remedy = f"--cache-size {_rounded_up(known.needed)}" if room == asked else "a disk with more room"
        shown = f"{known.without_room} of {len(units)}"
        log.info(f"{shown} find no room among the decoded pictures: {remedy} would hold them all")
    _make_room(folder, file, asked)
    return Pack(file, dict(zip(units, known.places, strict=True)))


def _rounded_up(size: int) -> float:
    """Gigabytes, to a tenth."""
    return math.ceil(10 * size / GIGABYTE) / 10


def _name(
    units: Sequence[Unit], files: Callable[[Unit], Iterable[Enclosed]], settings: Mapping[str, Any]
) -> str:
    """A digest of all that decides a pack."""
    whole = hashlib.blake2b(json.dumps([FORMAT, dict(settings)], sort_keys=True).encode(), digest_size=16)
    with ThreadPoolExecutor(THREADS) as pool:
        for digest in pool.map(_digest, (list(files(unit)) for unit in units)):
            whole.update(digest)
    return whole.hexdigest()


def _digest(files: list[Enclosed]) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for path in files:
        with suppress(OSError):  # told when it is decoded
            content = path.read_bytes()
            found.update(len(content).to_bytes(8, "little") + content)
    return found.digest()


def _read(file: Path, room: float) -> Index | None:
    """The index of a pack; None where there is none that is whole, or it found less room than there is."""
    index = file.with_suffix(".json")
    try:
        known = Index(**json.loads(index.read_bytes()))
        os.utime(index)  # used now
        size = file.stat().st_size
    except (OSError, ValueError, TypeError):
        return None
    ends = [place[0] + math.prod(place[1]) for place in known.places if isinstance(place, list)]
    if size < max(ends, default=0) or (known.without_room and known.needed <= room):
        return None
    return known


def _made(file: Path, units: Sequence[Unit], make: Callable[[Unit], Pixels], room: float) -> Index:
    """Decode all units, and write as many as there is room for."""
    places: list[Place] = []
    needed = 0
    with _opened(file) as out:
        decoded = told(_decoded(units, make), len(units), "decoded %d of %d pictures, once for all runs")
        for pixels in decoded:
            needed += 0 if isinstance(pixels, str) else pixels.nbytes
            places.append(pixels if isinstance(pixels, str) else _placed(out, pixels, room))
    index = Index(places, needed)
    with suppress(OSError):
        write_whole(file.with_suffix(".json"), json.dumps(index._asdict()).encode())
    return index


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
    """A file to write, under its name at the end; None where there can be none."""
    part = file.with_suffix(".part")  # another run may have the old one mapped
    with ExitStack() as stack:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            out = stack.enter_context(part.open("wb"))
        except OSError as error:
            log.info("decoded pictures cannot be kept in %s: %s", file.parent, error.strerror)
            yield None
            return
        yield out
        with suppress(OSError):
            out.flush()
            os.fsync(out.fileno())
            part.replace(file)


def _decoded(units: Sequence[Unit], make: Callable[[Unit], Pixels]) -> Iterator[Pixels | str]:
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


def _make_room(folder: Path, kept: Path, most: float) -> None:
    """Remove the packs used longest ago, until all take no more than `most` bytes; this one stays."""
    with suppress(OSError):
        packs = sorted(folder.glob("*.u8"), key=_last_used, reverse=True)
        taken = 0
        for pack in sorted(packs, key=lambda pack: pack != kept):
            taken += pack.stat().st_size
            if taken > most and pack != kept:
                pack.with_suffix(".json").unlink(missing_ok=True)
                pack.unlink(missing_ok=True)


def _last_used(pack: Path) -> float:
    index = pack.with_suffix(".json")
    return index.stat().st_mtime if index.exists() else 0.0


def _free(folder: Path) -> int:
    """Bytes of the disk that are free."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(place).free
