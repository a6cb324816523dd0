"""The validation split, and the fingerprint of a data set: both follow from the names of its files alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from translate.data.discovery.location import DataLocation, ImageSource, list_images, name_in

VALIDATION_NAMES = ("val", "test")  # of folders that are for validation, the first that exists counts
VALIDATION_ONE_IN, VALIDATION_MAX = 20, 50  # one in so many images is for validation, and at most so many

Item = TypeVar("Item")


def split_validation(items: list[Item], name: Callable[[Item], str]) -> tuple[list[Item], list[Item]]:
    """Split off a validation set: one in twenty, at most 50.

    Those whose names hash lowest are chosen, so that the choice does not change when other images come or go.
    A single image is not split.

    Returns:
        (training set, validation set), each in the order of `items`.
    """
    count = min(VALIDATION_MAX, math.ceil(len(items) / VALIDATION_ONE_IN)) if len(items) > 1 else 0
    ranking = sorted(items, key=lambda item: _hash(name(item)))
    chosen = {name(item) for item in ranking[:count]}
    return [i for i in items if name(i) not in chosen], [i for i in items if name(i) in chosen]


def split_place(place: DataLocation) -> tuple[list[ImageSource], list[ImageSource]]:
    """Split the images of a folder, or of tar files, into a training and a validation set."""
    return split_validation(list_images(place), lambda source: name_in(place, source))


class HasFiles(Protocol):
    """A data set of any layout."""

    def files(self) -> Sequence[ImageSource]: ...


def fingerprint(found: HasFiles) -> str:
    """Return the number of files and a hash of their names: by it a resumed run knows its data again."""
    files = found.files()
    return f"{len(files)} files, {_hash(chr(10).join(file.name for file in files)).hex()[:8]}"


def _hash(text: str) -> bytes:
    # Names of files need not be valid text; surrogateescape gives back their bytes.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
