"""The validation split, and the fingerprint of a dataset. Both depend on the names of its files alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from translate.data.discovery.location import DataLocation, ImageSource, list_images, relative_name

# Folders that contain a validation set; the first one that exists is used.
VALIDATION_NAMES = ("val", "test")
VALIDATION_ONE_IN = 20  # One image in 20 goes into the validation set,
VALIDATION_MAX = 50  # but at most 50 images do.

Item = TypeVar("Item")


def split_validation(items: list[Item], name: Callable[[Item], str]) -> tuple[list[Item], list[Item]]:
    """Split items into a training and a validation set: one item in 20 is for validation, at most 50.

    The items whose names have the lowest hashes form the validation set, so the split is stable when other
    images are added or removed. A single item is for training.

    Returns:
        The training set and the validation set, each in the order of `items`.
    """
    count = min(VALIDATION_MAX, math.ceil(len(items) / VALIDATION_ONE_IN)) if len(items) > 1 else 0
    by_hash = sorted(items, key=lambda item: _hash(name(item)))
    names = {name(item) for item in by_hash[:count]}
    return [item for item in items if name(item) not in names], [
        item for item in items if name(item) in names
    ]


def split_images(location: DataLocation) -> tuple[list[ImageSource], list[ImageSource]]:
    """Split the images of a folder or of tar files into a training and a validation set."""
    return split_validation(list_images(location), lambda source: relative_name(location, source))


class HasFiles(Protocol):
    """A dataset of any layout that lists its files."""

    def files(self) -> Sequence[ImageSource]: ...


def fingerprint(dataset: HasFiles) -> str:
    """Return the number of files and a hash of their names, by which a resumed run checks its data."""
    files = dataset.files()
    return f"{len(files)} files, {_hash(chr(10).join(file.name for file in files)).hex()[:8]}"


def _hash(text: str) -> bytes:
    # File names need not be valid UTF-8; surrogateescape restores their bytes.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
