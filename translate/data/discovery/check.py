"""Checking every image of a data set before hours are spent on training with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from translate.data.discovery.find import (
    ImageCollection,
    PairedImages,
    Photos,
    UnpairedImages,
    find_paired,
    find_photos,
    find_unpaired,
)
from translate.data.discovery.location import ImageSource
from translate.errors import DataError, UsageError
from translate.images import read_rgb

THREADS = 4


def find_unreadable(files: Iterable[ImageSource]) -> dict[ImageSource, str]:
    """Decode every file, and return those that cannot be read, with the reason."""
    unique = sorted(set(files), key=str)
    with ThreadPoolExecutor(THREADS) as pool:
        reasons = pool.map(_read_error, unique)
        return {path: reason for path, reason in zip(unique, reasons, strict=True) if reason}


def _read_error(source: ImageSource) -> str:
    try:
        read_rgb(source)
    except DataError as error:
        return str(error)
    return ""


FoundT = TypeVar("FoundT", PairedImages, UnpairedImages, Photos)


def without_unreadable(found: FoundT, errors: Mapping[ImageSource, str] | None = None) -> FoundT:
    """Return the same data set without the images that cannot be read, each named in its notes.

    Of tar files only the validation set is checked, because the rest may be too much to read beforehand.

    Args:
        errors: of files that were decoded before: why they cannot be read, or nothing.

    Raises:
        DataError: nothing is left to train on.
    """
    known = errors or {}
    files = [file for file in found.files() if isinstance(file, Path)] + found.validation_files()
    reasons = {**known, **find_unreadable(file for file in files if file not in known)}
    bad = {path: reason for path, reason in reasons.items() if reason}
    good = found.exclude(bad, [f"left out, {reason}" for reason in dict.fromkeys(bad.values())])
    if not good.train or not all(good.train):
        raise DataError(f"no image is left to train on; the first bad one: {next(iter(bad.values()))}")
    return good


@dataclass
class Inspection:
    """The result of `translate data check`: what a folder can train, and what is wrong with it."""

    lines: list[str]
    problems: list[str]


def inspect(folder: str) -> Inspection:
    """Find the images of a folder as each kind of recipe would, and decode every one.

    Raises:
        UsageError: there is no image in it.
    """
    finders: dict[str, Callable[..., ImageCollection]] = {"pix2pix": find_paired, "cyclegan": find_unpaired}
    found: dict[str, ImageCollection] = {}
    refusals = []
    for recipe, find in finders.items():
        try:
            found[recipe] = find(folder, None, None)
        except UsageError as error:
            refusals.append(f"not for {recipe}: {error}")
    if "cyclegan" not in found:
        found["colorize, inpaint, images from noise"] = find_photos(folder)
    bad = find_unreadable(file for one in found.values() for file in one.files())
    lines = [f"for {recipe}: {one.exclude(bad, []).summary}" for recipe, one in found.items()]
    notes = _merge_notes(found)
    return Inspection([*lines, *refusals, *notes, *bad.values()], [*notes, *bad.values()])


def _merge_notes(found: Mapping[str, ImageCollection]) -> list[str]:
    """Return the notes for all recipes, each once, with the recipe where it is for one only."""
    recipes: dict[str, list[str]] = {}
    for recipe, one in found.items():
        for note in one.notes:
            recipes.setdefault(note, []).append(recipe)
    return [note if len(of) == len(found) else f"for {of[0]}: {note}" for note, of in recipes.items()]
