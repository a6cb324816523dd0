"""Pictures in tar files, in the layout of WebDataset: here, or wherever fsspec reaches.

Files of one name up to its first dot belong together: `0001.jpg` and `0001.cls`, or `0001.a.jpg` and
`0001.b.jpg`. A tar file's index is made once; then each picture is read from its place. One that lies
elsewhere is copied into the user's cache folder when one of its pictures is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import IO, Any

from translate.config import TrainConfig
from translate.data.progress import told
from translate.errors import DataError, UsageError
from translate.images import SUFFIXES, find_pictures, picture_name
from translate.images.reading import in_words
from translate.storage import alone, cache_folder, write_whole

FORMAT = 2  # of an index; a change makes all anew
THREADS = 8
GIGABYTE = 10**9
CACHE_SIZE = TrainConfig.cache_size  # gigabytes
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
CLASS = "cls"
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


@dataclass(frozen=True, order=True)
class Shard:
    """A tar file.

    Attributes:
        url: its path, or its address as fsspec takes it.
        size: bytes.
        key: changes when its content does.
        room: bytes that copies of shards may take on this machine.
    """

    url: str
    size: int
    key: str
    room: float = 0.0

    def __str__(self) -> str:
        return self.url

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of it.

        Raises:
            OSError: it ends before. Each kind of storage has errors of its own besides.
        """
        with self.opened(block=size) as file:
            file.seek(offset)
            content: bytes = file.read(size)
        if len(content) < size:
            raise OSError(f"{self} ends within it")
        return content

    def opened(self, block: int | None = None) -> IO[bytes]:
        """The file to read, or its copy where it lies elsewhere; without room for one, the file over there.

        Args:
            block: bytes that are asked for at a time over there.
        """
        system, path = _system(self.url)
        if _is_here(system):
            return Path(path).open("rb")
        if self.size <= self.room:
            return self._copy(system, path)
        file: IO[bytes] = system.open(path, "rb", block_size=block)
        return file

    def _copy(self, system: Any, path: str) -> IO[bytes]:
        copy = cache_folder() / "shards" / f"{self.key}.tar"
        while True:
            with suppress(FileNotFoundError):  # there is none, or another process needed the room
                os.utime(copy)  # used now; before it is open, for what is open would not be closed
                return copy.open("rb")
            with alone(copy.with_suffix(".lock")):
                if not copy.exists():
                    _make_room(copy.parent, self.room - self.size)
                    part = copy.with_suffix(".part")
                    system.get_file(path, str(part))
                    part.replace(copy)
                    _make_room(copy.parent, self.room)  # others may have been copied beside it


@dataclass(frozen=True, order=True)
class Member:
    """A picture file in a tar file, used as its path would be."""

    shard: Shard
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.shard}/{self.name}"

    @property
    def key(self) -> str:
        """The name that it shares with what belongs to it."""
        return _key(PurePosixPath(self.name))

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    def read_bytes(self) -> bytes:
        """The file's content.

        Raises:
            DataError: its shard cannot be read.
        """
        try:
            return self.shard.read(self.offset, self.size)
        except Exception as error:  # each kind of storage has errors of its own
            raise DataError(f"{picture_name(str(self))}: {in_words(error)}") from None


@dataclass
class Shards:
    """Tar files that make one set.

    Attributes:
        name: as they were given.
        members: their pictures, in order.
        classes: the text of each class, by shard and key.
        notes: what is wrong with a shard, in words.
    """

    name: str
    members: list[Member] = field(default_factory=list)
    classes: dict[tuple[Shard, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name

    def groups(self) -> list[tuple[Member, ...]]:
        """The pictures that belong together, by shard and key, in the order of their names."""
        whole = sorted(self.members, key=lambda member: (member.shard, member.key, member.name))
        return [tuple(some) for _, some in groupby(whole, key=lambda member: (member.shard, member.key))]


def parts(members: Sequence[object]) -> list[int]:
    """How many of some pictures lie in each shard, one after the other; nothing where they are files."""
    if not members or not all(isinstance(member, Member) for member in members):
        return []
    shards = [member.shard for member in members if isinstance(member, Member)]
    return [len(list(some)) for _, some in groupby(shards)]


def find_shards(given: str, cache_size: float = CACHE_SIZE) -> Shards | None:
    """The pictures in tar files; None where none are meant.

    Args:
        given: a tar file or its address, with `{000..099}` for a range and `*` for any name; or a folder
            that holds tar files and no pictures.
        cache_size: gigabytes that copies of shards may take on this machine.

    Raises:
        UsageError: a shard is not there, or cannot be reached, or none holds a picture.
    """
    urls = _urls(given)
    if not urls:
        return None
    with ThreadPoolExecutor(THREADS) as pool:
        shards = list(pool.map(lambda url: _shard(url, cache_size * GIGABYTE), urls))
        found = Shards(given)
        indexed = told(
            pool.map(_index, shards), len(shards), "looked into %d of %d shards, once for all runs"
        )
        for shard, index in zip(shards, indexed, strict=True):
            found.members += [Member(shard, *place) for place in index["pictures"]]
            found.classes |= {(shard, key): name for key, name in index["classes"].items()}
            if index["damage"]:
                found.notes.append(f"{picture_name(str(shard))}: {index['damage']}")
    if not found.members:
        raise UsageError("; ".join(found.notes[:1]) or f"{given} holds no pictures: check what is in it")
    return found


def _urls(given: str) -> list[str]:
    """The shards that are meant, in order."""
    folder = Path(given)
    if folder.is_dir():
        tars = sorted(folder.glob("*.tar"))
        return [str(path) for path in tars] if tars and not find_pictures(folder) else []
    if given.endswith(COMPRESSED):
        raise UsageError(f"{given} is compressed, so no picture in it has a place: give a plain .tar")
    if "://" not in given and not given.endswith(".tar"):
        return []
    return [url for pattern in _expanded(given) for url in _matching(pattern)]


def _expanded(pattern: str) -> list[str]:
    """A name for each number of its ranges, padded as the first is."""
    found = RANGE.search(pattern)
    if not found:
        return [pattern]
    first, last = found.groups()
    before, after = pattern[: found.start()], pattern[found.end() :]
    numbers = range(int(first), int(last) + 1)
    if not numbers:
        raise UsageError(f"{pattern}: the range runs backwards: write {{{last}..{first}}}")
    return [url for n in numbers for url in _expanded(f"{before}{n:0{len(first)}}{after}")]


def _matching(pattern: str) -> list[str]:
    if not set("*?[") & set(pattern):
        return [pattern]
    system, path = _system(pattern)
    try:
        found = sorted(system.glob(path))
    except Exception as error:  # each kind of storage has errors of its own
        raise UsageError(f"{pattern}: {in_words(error)}") from None
    if not found:
        raise UsageError(f"no file matches {pattern!r}: check the path")
    return [str(url) if _is_here(system) else system.unstrip_protocol(url) for url in found]


def _system(url: str) -> tuple[Any, str]:
    """What fsspec reads an address by, and the path in it.

    Raises:
        UsageError: it knows no such address, or lacks a package for it.
    """
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: {in_words(error)}") from None
    return system, path


def _is_here(system: Any) -> bool:
    return "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))


def _shard(url: str, room: float) -> Shard:
    system, path = _system(url)
    try:
        size = int(system.info(path)["size"])
        key = hashlib.blake2b(f"{url} {size} {system.ukey(path)}".encode(), digest_size=16).hexdigest()
    except FileNotFoundError:
        raise UsageError(f"no shard {url!r}: check the path, or the range") from None
    except Exception as error:  # each kind of storage has errors of its own
        raise UsageError(f"{url}: {in_words(error)}") from None
    return Shard(url, size, key, room)


def _index(shard: Shard) -> dict[str, Any]:
    """Where in a shard its pictures are, the texts of its classes, and what is wrong with it."""
    kept = cache_folder() / "shards" / f"{shard.key}-{FORMAT}.json"
    try:
        known: dict[str, Any] = json.loads(kept.read_bytes())
    except (OSError, ValueError):
        known = _look_into(shard)
        if not known["damage"]:  # which may be of the moment
            with suppress(OSError):
                write_whole(kept, json.dumps(known).encode())
    return known


def _look_into(shard: Shard) -> dict[str, Any]:
    places: dict[str, tuple[int, int]] = {}  # of two files of one name the later counts, as when unpacked
    classes: dict[str, str] = {}
    damage = ""
    try:
        with shard.opened() as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for entry in tar:
                path = PurePosixPath(entry.name)
                if path.name.startswith(".") or not (entry.isreg() or entry.islnk()):
                    continue
                if path.suffix.lower() in SUFFIXES:
                    place = (entry.offset_data, entry.size) if entry.isreg() else places.get(entry.linkname)
                    places |= {entry.name: place} if place else {}
                elif path.name.partition(".")[2] == CLASS and (text := tar.extractfile(entry)):
                    classes[_key(path)] = text.read(1000).decode(errors="replace").strip()
    except Exception as error:  # of the storage, or of a damaged file
        damage = f"damaged or no plain tar file, {len(places)} pictures could be found ({in_words(error)})"
    whole = [(name, *place) for name, place in places.items() if sum(place) <= shard.size]
    if len(whole) < len(places):
        damage = f"cut off after {len(whole)} pictures"
    return {"pictures": whole, "classes": classes, "damage": damage and f"{damage}: make it anew"}


def _key(path: PurePosixPath) -> str:
    """A name up to its first dot."""
    return str(path.with_name(path.name.partition(".")[0]))


def _make_room(folder: Path, most: float) -> None:
    """Remove the copies used longest ago until they take no more than `most` bytes."""
    with suppress(OSError):
        taken = 0
        for copy in sorted(folder.glob("*.tar"), key=lambda copy: copy.stat().st_mtime, reverse=True):
            taken += copy.stat().st_size
            if taken > most:
                copy.unlink(missing_ok=True)
