"""The index of a tar file: the offsets of its images and the texts of its class files, cached once built."""

from __future__ import annotations

import json
import tarfile
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from translate.data.discovery.tar import Shard, sample_name
from translate.images import SUFFIXES
from translate.images.codecs.failures import describe_error
from translate.images.left_out import UNREADABLE_SUFFIXES
from translate.storage import atomic_write, cache_folder

FORMAT = 4  # Increment it when the content of an index changes, so that cached files are not read.
CLASS_SUFFIX = "cls"
MAX_CLASS_BYTES = 1000  # The maximum number of bytes that are read of a class file.


def load_index(shard: Shard) -> dict[str, Any]:
    """Load the index of a tar file from the cache folder, or build it by reading the tar headers.

    Returns:
        `images`: [name, offset, size] of each image; `left_out`: the names of images that cannot be decoded;
        `classes`: class text by sample name; `damage`: a description of what is wrong with the tar file,
        empty if nothing is.
    """
    file = cache_folder() / "shards" / f"{shard.key}-{FORMAT}.json"
    try:
        index: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError):
        index = _scan(shard)
        if not index["damage"]:  # A network failure may be temporary, so do not cache its result.
            with suppress(OSError):
                atomic_write(file, json.dumps(index).encode())
    return index


def _scan(shard: Shard) -> dict[str, Any]:
    # A later file replaces an earlier one of the same name, as when the tar file is unpacked.
    ranges: dict[str, tuple[int, int]] = {}  # offset and size by name
    classes: dict[str, str] = {}
    left_out: list[str] = []
    damage = ""
    try:
        with shard.open() as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for entry in tar:
                path = PurePosixPath(entry.name)
                if path.name.startswith(".") or not (entry.isreg() or entry.islnk()):
                    continue
                if path.suffix.lower() in SUFFIXES:
                    if entry.isreg():
                        ranges[entry.name] = (entry.offset_data, entry.size)
                    elif entry.linkname in ranges:  # a hard link to an earlier image
                        ranges[entry.name] = ranges[entry.linkname]
                elif path.suffix.lower() in UNREADABLE_SUFFIXES:
                    left_out.append(entry.name)
                elif path.name.partition(".")[2] == CLASS_SUFFIX and (text := tar.extractfile(entry)):
                    classes[sample_name(path)] = text.read(MAX_CLASS_BYTES).decode(errors="replace").strip()
    except Exception as error:  # The storage has errors of its own, and a damaged file raises many kinds.
        damage = f"damaged or not a tar file ({describe_error(error)}), {len(ranges)} images found"
    images = [(name, offset, size) for name, (offset, size) in ranges.items() if offset + size <= shard.size]
    if len(images) < len(ranges):
        damage = f"truncated after {len(images)} images"
    damage = damage and f"{damage}: create it again"
    return {"images": images, "left_out": left_out, "classes": classes, "damage": damage}
