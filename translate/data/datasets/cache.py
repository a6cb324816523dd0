"""The cache of decoded images: one file of bytes for a data set, in the user's cache folder.

A cache file is named by the content of its image files and by how they were resized, so that another content
is another file. The files used longest ago are removed where all of them grow too large.
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

from translate.data.progress import log_progress
from translate.errors import DataError
from translate.images import EmbeddedFile, Pixels
from translate.storage import atomic_write, cache_folder, file_lock

FORMAT = 4  # Raise it when the file changes, so that all caches are made again.
THREADS = min(8, os.cpu_count() or 1)
CHUNK = 16 * THREADS  # images that are decoded before they are written
GIGABYTE = 10**9

Unit = TypeVar("Unit")  # what one sample needs of the cache: an image, or a pair
Place = list[Any] | str | None  # offset and shape; or why it cannot be read; or None, without room
log = logging.getLogger("translate")


class Index(NamedTuple):
    """The places of all units, and the bytes that all of them take."""

    places: list[Place]
    needed: int

    @property
    def without_room(self) -> int:
        return sum(place is None for place in self.places)


class DecodedCache(Generic[Unit]):
    """A memory-mapped file of decoded images, by unit.

    Args:
        places: where in the file each unit is.
    """

    def __init__(self, file: Path, places: Mapping[Unit, Place]) -> None:
        self.file, self.places = file, places

    @property
    def complete(self) -> bool:
        """Return whether all units that can be read are in the file."""
        return None not in self.places.values()

    def errors(self) -> dict[Unit, str]:
        """Return for each unit why it cannot be read, or nothing."""
        return {unit: place if isinstance(place, str) else "" for unit, place in self.places.items()}

    def find(self, unit: Unit) -> Pixels | None:
        """Return a unit's pixels, uint8, read-only; None where it found no room or the file was removed."""
        place = self.places[unit]
        if not isinstance(place, list):
            return None
        offset, shape = place
        try:
            content = self._bytes
        except OSError:  # Another run removed the file, because it needed the room.
            return None
        pixels = np.frombuffer(content, np.uint8, count=math.prod(shape), offset=offset)
        return pixels.reshape(shape)

    @cached_property
    def _bytes(self) -> mmap.mmap:
        with self.file.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __getstate__(self) -> dict[str, Any]:
        # A mapping cannot be pickled, so a worker process maps the file itself.
        return {name: value for name, value in self.__dict__.items() if name != "_bytes"}


def open_cache(
    units: Sequence[Unit],
    files: Callable[[Unit], Iterable[EmbeddedFile]],
    decode: Callable[[Unit], Pixels],
    settings: Mapping[str, Any],
    gigabytes: float,
) -> DecodedCache[Unit]:
    """Open the cache of some units; make it where there is none.

    Args:
        files: unit -> the files that it is decoded from.
        decode: unit -> its pixels, uint8 of any shape; called in threads. The message of a `DataError` is
            cached as the reason why the unit cannot be read.
        settings: all that decides pixels beside the files.
        gigabytes: the most that all caches may take; what finds no room is left to be decoded each time.
    """
    folder = cache_folder() / "pictures"
    file = folder / f"{_digest_of_all(units, files, settings)}.u8"
    limit, free = gigabytes * GIGABYTE, _free_space(folder)
    room = min(limit, free / 2)
    index = _read_index(file, room)
    if index is None:
        with file_lock(file.with_suffix(".lock")):
            index = _read_index(file, room) or _write(file, units, decode, room)
    if index.without_room and file.exists():  # Where no file could be written, that was logged already.
        remedy = f"--cache-size {_round_up(index.needed)}" if room == limit else "a disk with more room"
        share = f"{index.without_room} of {len(units)}"
        log.info(f"{share} find no room among the decoded images: {remedy} would hold them all")
    _make_room(folder, file, limit)
    return DecodedCache(file, dict(zip(units, index.places, strict=True)))


def _round_up(size: int) -> float:
    """Return bytes as gigabytes, rounded up to a tenth."""
    return math.ceil(10 * size / GIGABYTE) / 10


def _digest_of_all(
    units: Sequence[Unit], files: Callable[[Unit], Iterable[EmbeddedFile]], settings: Mapping[str, Any]
) -> str:
    """Return a digest of all that decides the content of a cache."""
    digest = hashlib.blake2b(json.dumps([FORMAT, dict(settings)], sort_keys=True).encode(), digest_size=16)
    with ThreadPoolExecutor(THREADS) as pool:
        for part in pool.map(_digest, (list(files(unit)) for unit in units)):
            digest.update(part)
    return digest.hexdigest()


def _digest(files: list[EmbeddedFile]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        with suppress(OSError):  # Decoding fails for the same reason, and reports it.
            content = path.read_bytes()
            digest.update(len(content).to_bytes(8, "little") + content)
    return digest.digest()


def _read_index(file: Path, room: float) -> Index | None:
    """Read the index of a cache; None where it is missing or damaged, or now has room for more units."""
    path = file.with_suffix(".json")
    try:
        index = Index(**json.loads(path.read_bytes()))
        os.utime(path)  # Its time says when the cache was used last.
        size = file.stat().st_size
    except (OSError, ValueError, TypeError):
        return None
    ends = [place[0] + math.prod(place[1]) for place in index.places if isinstance(place, list)]
    if size < max(ends, default=0) or (index.without_room and index.needed <= room):
        return None
    return index


def _write(file: Path, units: Sequence[Unit], decode: Callable[[Unit], Pixels], room: float) -> Index:
    """Decode all units, and write as many as there is room for."""
    places: list[Place] = []
    needed = 0
    with _open_to_write(file) as out:
        images = _decode_all(units, decode)
        for pixels in log_progress(images, len(units), "decoded %d of %d images, once for all runs"):
            needed += 0 if isinstance(pixels, str) else pixels.nbytes
            places.append(pixels if isinstance(pixels, str) else _append(out, pixels, room))
    index = Index(places, needed)
    with suppress(OSError):
        atomic_write(file.with_suffix(".json"), json.dumps(index._asdict()).encode())
    return index


def _append(out: IO[bytes] | None, pixels: Pixels, room: float) -> Place:
    """Write pixels at the end of the file, and return their place; None where there is no room."""
    if out is None or out.tell() + pixels.nbytes > room:
        return None
    offset = out.tell()
    try:
        out.write(np.ascontiguousarray(pixels).data)
    except OSError:  # The disk is full, but what is written already can be used.
        out.seek(offset)
        return None
    return [offset, list(pixels.shape)]


@contextmanager
def _open_to_write(file: Path) -> Iterator[IO[bytes] | None]:
    """Open a file that gets its name when it is complete; yield None where none can be written."""
    part = file.with_suffix(".part")  # Another run may have the old file mapped, so do not overwrite it.
    with ExitStack() as stack:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            out = stack.enter_context(part.open("wb"))
        except OSError as error:
            log.info("decoded images cannot be kept in %s: %s", file.parent, error.strerror)
            yield None
            return
        yield out
        with suppress(OSError):
            out.flush()
            os.fsync(out.fileno())
            part.replace(file)


def _decode_all(units: Sequence[Unit], decode: Callable[[Unit], Pixels]) -> Iterator[Pixels | str]:
    """Yield the pixels of the units in order, or the reason why there are none, a chunk at a time."""

    def decode_or_reason(unit: Unit) -> Pixels | str:
        try:
            return decode(unit)
        except DataError as error:
            return str(error)

    rest = iter(units)
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(rest, CHUNK)):
            yield from pool.map(decode_or_reason, chunk)


def _make_room(folder: Path, current: Path, limit: float) -> None:
    """Remove the caches used longest ago until all take no more than `limit` bytes; the current one stays."""
    with suppress(OSError):
        caches = sorted(folder.glob("*.u8"), key=_last_use, reverse=True)
        size = 0
        for cache in sorted(caches, key=lambda cache: cache != current):
            size += cache.stat().st_size
            if size > limit and cache != current:
                cache.with_suffix(".json").unlink(missing_ok=True)
                cache.unlink(missing_ok=True)


def _last_use(cache: Path) -> float:
    index = cache.with_suffix(".json")
    return index.stat().st_mtime if index.exists() else 0.0


def _free_space(folder: Path) -> int:
    """Return the free bytes of the disk that a folder is, or will be, on."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free
