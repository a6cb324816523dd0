"""Data sets in tar files, in the layout of WebDataset: local, or wherever fsspec reaches.

Files of one name up to its first dot belong together: `0001.jpg` and `0001.cls`, or `0001.a.jpg` and
`0001.b.jpg`. Each image is read from its place in the tar file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby

from translate.config import TrainConfig
from translate.data.discovery.tar import Member, Shard
from translate.data.discovery.tar_index import load_index
from translate.data.discovery.urls import expand_urls, open_file_system
from translate.data.progress import log_progress
from translate.errors import UsageError
from translate.images import printable_path
from translate.images.codecs.failures import describe_error

THREADS = 8
GIGABYTE = 10**9
CACHE_SIZE = TrainConfig.cache_size  # gigabytes


@dataclass
class Shards:
    """Tar files that make one data set.

    Attributes:
        name: as they were given.
        members: their images, in order.
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
        """Return the images that belong together, by shard and key, in the order of their names."""
        members = sorted(self.members, key=lambda member: (member.shard, member.key, member.name))
        groups = groupby(members, key=lambda member: (member.shard, member.key))
        return [tuple(group) for _, group in groups]


def shard_sizes(members: Sequence[object]) -> list[int]:
    """Return how many of some images lie in each tar file, in order; nothing where the images are files."""
    if not members or not all(isinstance(member, Member) for member in members):
        return []
    shards = [member.shard for member in members if isinstance(member, Member)]
    return [len(list(group)) for _, group in groupby(shards)]


def find_shards(given: str, cache_size: float = CACHE_SIZE) -> Shards | None:
    """Find the images in tar files; return None where no tar files are meant.

    Args:
        given: a tar file or its URL, with `{000..099}` for a range and `*` for any name; or a folder that
            holds tar files and no images.
        cache_size: gigabytes that copies of shards may take on this machine.

    Raises:
        UsageError: a shard is missing or cannot be reached, or none holds an image.
    """
    urls = expand_urls(given)
    if not urls:
        return None
    found = Shards(given)
    with ThreadPoolExecutor(THREADS) as pool:
        shards = list(pool.map(lambda url: _find_shard(url, cache_size * GIGABYTE), urls))
        loaded = pool.map(load_index, shards)
        indexes = log_progress(loaded, len(shards), "looked into %d of %d shards, once for all runs")
        for shard, index in zip(shards, indexes, strict=True):
            found.members += [Member(shard, *place) for place in index["images"]]
            found.classes |= {(shard, key): name for key, name in index["classes"].items()}
            if index["damage"]:
                found.notes.append(f"{printable_path(str(shard))}: {index['damage']}")
    if not found.members:
        raise UsageError("; ".join(found.notes[:1]) or f"{given} holds no images: check what is in it")
    return found


def _find_shard(url: str, room: float) -> Shard:
    system, path = open_file_system(url)
    try:
        size = int(system.info(path)["size"])
        key = hashlib.blake2b(f"{url} {size} {system.ukey(path)}".encode(), digest_size=16).hexdigest()
    except FileNotFoundError:
        raise UsageError(f"no shard {url!r}: check the path, or the range") from None
    except Exception as error:  # Each kind of storage raises errors of its own, so catch them all.
        raise UsageError(f"{url}: {describe_error(error)}") from None
    return Shard(url, size, key, room)
