"""The cache of decoded images: one memory-mapped file per dataset, in the user's cache folder.

The name of a cache file is a digest of the content of the image files and of the resize settings, so a change
of either leads to another cache file. If all cache files together exceed the limit, the least recently used
ones are removed.
"""

from __future__ import annotations

import hashlib
import json
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

from translate.errors import DataError
from translate.images import Pixels, ReadableFile
from translate.progress import message, track
from translate.storage import LRUFolder, atomic_path, atomic_write, file_lock

FORMAT = 4  # Increment it when the layout of a cache file changes, so that old files are not used.
THREADS = min(8, os.cpu_count() or 1)
CHUNK = 16 * THREADS  # The number of images in memory that are decoded, but not written yet.
GIGABYTE = 10**9
PIXELS, INDEX = ".u8", ".json"  # The suffixes of the two files of a cache.

Item = TypeVar("Item")  # What is cached as one array: an image or a pair.
# [offset, shape] of an item in the file; or why it cannot be read; or None if there was no space.
Entry = list[Any] | str | None


class Index(NamedTuple):
    """The entries of all items, and the bytes that it takes to hold all of them."""

    entries: list[Entry]
    total_bytes: int

    def count_missing(self) -> int:
        """Return the number of items for which there was no space."""
        return sum(entry is None for entry in self.entries)


class DecodedCache(Generic[Item]):
    """A memory-mapped file of decoded images.

    Args:
        file: the file of pixels.
        entries: the location of each item in the file.
    """

    def __init__(self, file: Path, entries: Mapping[Item, Entry]) -> None:
        self.file, self.entries = file, entries

    @property
    def is_complete(self) -> bool:
        """Return whether all items that can be read are in the cache."""
        return None not in self.entries.values()

    def errors(self) -> dict[Item, str]:
        """Return for each item the reason why it cannot be read; an empty string if it can be."""
        return {item: entry if isinstance(entry, str) else "" for item, entry in self.entries.items()}

    def find(self, item: Item) -> Pixels | None:
        """Return the pixels of an item, read-only uint8; None if it is not cached or the file was removed."""
        entry = self.entries[item]
        if not isinstance(entry, list):
            return None
        offset, shape = entry
        try:
            content = self._mapping
        except OSError:  # Another run evicted this cache, because it needed the space.
            return None
        pixels = np.frombuffer(content, np.uint8, count=math.prod(shape), offset=offset)
        return pixels.reshape(shape)

    @cached_property
    def _mapping(self) -> mmap.mmap:
        with self.file.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __getstate__(self) -> dict[str, Any]:
        # A memory mapping cannot be pickled, so each worker process maps the file itself.
        return {name: value for name, value in self.__dict__.items() if name != "_mapping"}


def open_cache(
    items: Sequence[Item],
    files: Callable[[Item], Iterable[ReadableFile]],
    decode: Callable[[Item], Pixels],
    settings: Mapping[str, Any],
    max_gigabytes: float,
) -> DecodedCache[Item]:
    """Open the cache of some images or pairs; decode them and write the cache if there is none yet.

    Args:
        files: returns the files that an item is decoded from.
        decode: returns the pixels of an item, uint8 of any shape; called in threads. If it raises a
            `DataError`, its message is cached as the reason why the item cannot be read.
        settings: everything besides the files that determines the pixels.
        max_gigabytes: the limit for all caches. Items that do not fit must be decoded each time.
    """
    folder = LRUFolder("pictures", (PIXELS, INDEX))
    key = cache_key(items, files, settings)
    file, limit = folder.file(key, PIXELS), max_gigabytes * GIGABYTE
    max_bytes = min(limit, _free_space(folder.path) / 2)  # Leave half of the free space to others.
    index = _read_index(file, max_bytes)
    if index is None:
        with file_lock(file.with_suffix(".lock")):
            # Another process may have written it while this one waited.
            index = _read_index(file, max_bytes) or _write(file, items, decode, max_bytes)
    if file.exists():
        folder.mark_used(key)
        if index.count_missing():  # If no file could be written at all, that was logged already.
            size = f"give --cache-size {_to_gigabytes(index.total_bytes)}"
            _log_missing(index, size if max_bytes == limit else "free some disk space")
    folder.evict(limit, keep=key)
    return DecodedCache(file, dict(zip(items, index.entries, strict=True)))


def _log_missing(index: Index, remedy: str) -> None:
    count = f"{index.count_missing()} of {len(index.entries)} images"
    message(f"{count} do not fit into the cache and are decoded each time: {remedy}")


def _to_gigabytes(size: int) -> float:
    """Return bytes as gigabytes, rounded up to a tenth."""
    return math.ceil(10 * size / GIGABYTE) / 10


def cache_key(
    items: Sequence[Item], files: Callable[[Item], Iterable[ReadableFile]], settings: Mapping[str, Any]
) -> str:
    """Return a digest of everything that determines the content of a cache."""
    digest = hashlib.blake2b(json.dumps([FORMAT, dict(settings)], sort_keys=True).encode(), digest_size=16)
    with ThreadPoolExecutor(THREADS) as pool:
        for item_digest in pool.map(_digest, (list(files(item)) for item in items)):
            digest.update(item_digest)
    return digest.hexdigest()


def _digest(files: list[ReadableFile]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        with suppress(OSError):  # Decoding will fail for the same reason, and report it.
            content = path.read_bytes()
            digest.update(len(content).to_bytes(8, "little") + content)
    return digest.digest()


def _read_index(file: Path, max_bytes: float) -> Index | None:
    """Read the index of a cache.

    Returns:
        None if the cache does not exist, is damaged, or has missing items that would all fit now.
    """
    try:
        content = json.loads(file.with_suffix(INDEX).read_bytes())
        index = Index(content["places"], content["needed"])
        size = file.stat().st_size
    except (OSError, ValueError, TypeError, KeyError):
        return None
    ends = [entry[0] + math.prod(entry[1]) for entry in index.entries if isinstance(entry, list)]
    if size < max(ends, default=0) or (index.count_missing() and index.total_bytes <= max_bytes):
        return None
    return index


def _write_index(file: Path, index: Index) -> None:
    content = {"places": index.entries, "needed": index.total_bytes}
    with suppress(OSError):  # Without an index, the next run decodes the images again.
        atomic_write(file.with_suffix(INDEX), json.dumps(content).encode())


def _write(file: Path, items: Sequence[Item], decode: Callable[[Item], Pixels], max_bytes: float) -> Index:
    """Decode all items, and write as many as fit."""
    entries: list[Entry] = []
    total_bytes = 0
    with _open_to_write(file) as out:
        images = _decode_all(items, decode)
        for pixels in track(images, len(items), "decoding images for this and later runs"):
            if isinstance(pixels, str):
                entries.append(pixels)
            else:
                total_bytes += pixels.nbytes
                entries.append(_append(out, pixels, max_bytes))
    index = Index(entries, total_bytes)
    _write_index(file, index)
    return index


def _append(out: IO[bytes] | None, pixels: Pixels, max_bytes: float) -> Entry:
    """Append pixels to the file and return their entry; None if they do not fit."""
    if out is None or out.tell() + pixels.nbytes > max_bytes:
        return None
    offset = out.tell()
    try:
        out.write(np.ascontiguousarray(pixels).data)
    except OSError:  # The disk is full, but what has been written can be used.
        out.seek(offset)
        return None
    return [offset, list(pixels.shape)]


@contextmanager
def _open_to_write(file: Path) -> Iterator[IO[bytes] | None]:
    """Open a file that gets its name when it is complete; yield None if the folder cannot be written."""
    with ExitStack() as stack:
        try:
            out = stack.enter_context(stack.enter_context(atomic_path(file)).open("wb"))
        except OSError as error:
            message(
                f"cannot cache decoded images in {file.parent}: {error.strerror}:"
                " every run decodes them again; set TRANSLATE_CACHE to a folder that can be written"
            )
            yield None
            return
        yield out
        # If the disk is full now, there is no cache, and each run decodes the images.
        with suppress(OSError):
            stack.close()


def _decode_all(items: Sequence[Item], decode: Callable[[Item], Pixels]) -> Iterator[Pixels | str]:
    """Yield the pixels of each item in order, or its error message; decode one chunk of items at a time."""

    def decode_or_error(item: Item) -> Pixels | str:
        try:
            return decode(item)
        except DataError as error:
            return str(error)

    remaining = iter(items)
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(remaining, CHUNK)):
            yield from pool.map(decode_or_error, chunk)


def _free_space(folder: Path) -> int:
    """Return the free bytes of the disk that contains a folder, which may not exist yet."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free
