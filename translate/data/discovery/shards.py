"""Datasets in tar files (shards) in the layout of WebDataset, local or wherever fsspec reaches.

The files of one sample share their name up to the first dot: `0001.jpg` and `0001.cls`, or `0001.a.jpg` and
`0001.b.jpg`. Nothing is unpacked: an image is read from its offset in the tar file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate, cycle, groupby, pairwise, takewhile
from pathlib import Path

from translate.config import TrainConfig
from translate.data.discovery.tar import Member, Shard
from translate.data.discovery.tar_index import load_index
from translate.data.discovery.urls import expand_urls, open_file_system
from translate.errors import UsageError
from translate.images import LeftOut, printable_path, summarize_left_out
from translate.images.codecs.failures import describe_error
from translate.images.left_out import leave_out
from translate.progress import track

THREADS = 8
GIGABYTE = 10**9
CACHE_SIZE = TrainConfig.cache_size  # In gigabytes.


@dataclass
class Shards:
    """A dataset of tar files.

    Attributes:
        name: the paths or URLs as the user gave them.
        members: the images, in order.
        classes: the text of each class file, by shard and sample name.
        notes: descriptions of damaged shards.
    """

    name: str
    members: list[Member] = field(default_factory=list)
    classes: dict[tuple[Shard, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name

    def groups(self) -> list[tuple[Member, ...]]:
        """Return the images of each sample, ordered by name."""
        members = sorted(self.members, key=lambda member: (member.shard, member.key, member.name))
        groups = groupby(members, key=lambda member: (member.shard, member.key))
        return [tuple(group) for _, group in groups]


def shard_sizes(images: Sequence[object]) -> list[int]:
    """Return the number of images in each tar file, in order; an empty list if the images are plain files."""
    if not images or not all(isinstance(image, Member) for image in images):
        return []
    shards = [image.shard for image in images if isinstance(image, Member)]
    return [len(list(group)) for _, group in groupby(shards)]


def find_shards(data: str, cache_size: float = CACHE_SIZE) -> Shards | None:
    """Find the images in tar files; return None if `data` does not name tar files.

    Args:
        data: a tar file or its URL, where `{000..099}` is a range and `*` a wildcard; or a folder that
            contains tar files and no images.
        cache_size: maximum gigabytes of local copies of remote shards.

    Raises:
        UsageError: a shard is missing or cannot be reached, or no shard contains an image.
    """
    urls = expand_urls(data)
    if not urls:
        return None
    dataset, left_out = Shards(data), list[LeftOut]()
    with ThreadPoolExecutor(THREADS) as pool:
        shards = list(pool.map(lambda url: _find_shard(url, cache_size * GIGABYTE), urls))
        indexes = track(pool.map(load_index, shards), len(shards), "indexing tar files", "files")
        for shard, index in zip(shards, indexes, strict=True):
            dataset.members += [Member(shard, *image) for image in index["images"]]
            left_out += [leave_out(Path(str(shard), name)) for name in index["left_out"]]
            dataset.classes |= {(shard, key): text for key, text in index["classes"].items()}
            if index["damage"]:
                dataset.notes.append(f"{printable_path(str(shard))}: {index['damage']}")
    if left_out:
        dataset.notes.append(f"{printable_path(data)}: {summarize_left_out(left_out)}")
    if not dataset.members:
        reason = dataset.notes[0] if dataset.notes else f"{data} holds no images: check its content"
        raise UsageError(reason)
    return dataset


def _find_shard(url: str, max_cache_bytes: float) -> Shard:
    system, path = open_file_system(url)
    try:
        size = int(system.info(path)["size"])
        key = hashlib.blake2b(f"{url} {size} {system.ukey(path)}".encode(), digest_size=16).hexdigest()
    except FileNotFoundError:
        raise UsageError(f"no tar file {url!r}: check the path or the range") from None
    except Exception as error:  # Each kind of storage raises errors of its own, so catch them all.
        raise UsageError(f"{url}: {describe_error(error)}") from None
    return Shard(url, size, key, max_cache_bytes)


def repeat_sizes(sizes: Sequence[int], length: int) -> list[int]:
    """Repeat the sizes of shards until their sum is `length`; the last one is reduced to fit.

    For example, sizes of 3 and 2 become 3, 2, 3, 1 for a length of 9.
    """
    ends = (min(end, length) for end in accumulate(cycle(sizes)))
    bounds = [0, *takewhile(lambda end: end < length, ends), length] if sizes else []
    return [end - start for start, end in pairwise(bounds)]
