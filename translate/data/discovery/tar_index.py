"""The index of a tar file: where its images lie and what their classes are. It is made once and cached."""

from __future__ import annotations

import json
import tarfile
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from translate.data.discovery.tar import Shard, sample_name
from translate.images import SUFFIXES
from translate.images.codecs.failures import describe_error
from translate.storage import atomic_write, cache_folder

FORMAT = 2  # Raise it when the index changes, so that old files are not read.
CLASS_SUFFIX = "cls"
CLASS_BYTES = 1000  # of a class file, that are read


def load_index(shard: Shard) -> dict[str, Any]:
    """Load the index of a tar file from the cache folder, or make it.

    Returns:
        `images`: [name, offset, size] of each; `classes`: text by sample name; `damage`: what is wrong with
        the tar file, in words.
    """
    file = cache_folder() / "shards" / f"{shard.key}-{FORMAT}.json"
    try:
        index: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError):
        index = _scan(shard)
        if not index["damage"]:  # A failure of the network passes, so it is not cached.
            with suppress(OSError):
                atomic_write(file, json.dumps(index).encode())
    return index


def _scan(shard: Shard) -> dict[str, Any]:
    # A later file of the same name replaces the earlier one, as when the tar file is unpacked.
    places: dict[str, tuple[int, int]] = {}
    classes: dict[str, str] = {}
    damage = ""
    try:
        with shard.open() as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for entry in tar:
                path = PurePosixPath(entry.name)
                if path.name.startswith(".") or not (entry.isreg() or entry.islnk()):
                    continue
                if path.suffix.lower() in SUFFIXES:
                    place = (entry.offset_data, entry.size) if entry.isreg() else places.get(entry.linkname)
                    places |= {entry.name: place} if place else {}
                elif path.name.partition(".")[2] == CLASS_SUFFIX and (text := tar.extractfile(entry)):
                    classes[sample_name(path)] = text.read(CLASS_BYTES).decode(errors="replace").strip()
    except Exception as error:  # The storage has errors of its own, and a damaged file raises many kinds.
        damage = (
            f"damaged or no plain tar file, {len(places)} images could be found ({describe_error(error)})"
        )
    whole = [(name, *place) for name, place in places.items() if sum(place) <= shard.size]
    if len(whole) < len(places):
        damage = f"cut off after {len(whole)} images"
    return {"images": whole, "classes": classes, "damage": damage and f"{damage}: make it anew"}
