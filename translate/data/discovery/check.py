"""Check that every image of a dataset can be decoded, before hours of training depend on it."""

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
from translate.data.discovery.labels import find_labeled
from translate.data.discovery.location import ImageSource, find_left_out
from translate.errors import DataError, UsageError
from translate.images import read_rgb, summarize_left_out, undecodable_images, unreadable_folders

THREADS = 4
FROM_NOISE = "dcgan and other recipes from noise"  # These have no validation set.


def find_unreadable(files: Iterable[ImageSource]) -> dict[ImageSource, str]:
    """Decode all files; return the error message of each one that cannot be read."""
    unique = sorted(set(files), key=str)
    with ThreadPoolExecutor(THREADS) as pool:
        errors = pool.map(_read_error, unique)
        return {path: error for path, error in zip(unique, errors, strict=True) if error}


def _read_error(source: ImageSource) -> str:
    try:
        read_rgb(source)
    except DataError as error:
        return str(error)
    return ""


CollectionT = TypeVar("CollectionT", PairedImages, UnpairedImages, Photos)


def exclude_unreadable(images: CollectionT, checked: Mapping[ImageSource, str] | None = None) -> CollectionT:
    """Return the dataset without the images that cannot be read, and with a note for each of them.

    Of datasets in tar files only the validation set is checked, because the rest may be too much to read
    before training.

    Args:
        checked: files that were decoded before, with their error messages, empty if they can be read.

    Raises:
        DataError: no readable training images are left.
    """
    checked = checked or {}
    files = [file for file in images.files() if isinstance(file, Path)] + images.validation_files()
    errors = {**checked, **find_unreadable(file for file in files if file not in checked)}
    bad = {path: error for path, error in errors.items() if error}
    readable = images.exclude(bad, [f"left out: {error}" for error in dict.fromkeys(bad.values())])
    if not readable.train or not all(readable.train):
        raise no_images_error(bad.values())
    return readable


def no_images_error(errors: Iterable[str]) -> DataError:
    """Return the error for a dataset without readable training images, with the first of some errors."""
    first = next(iter(errors), None)
    if first is None:
        return DataError("the dataset has no training images: add some, for example in train/")
    return DataError(
        f"no training image can be read (the first error: {first}):"
        " run translate data check DATA to list all errors"
    )


@dataclass
class DatasetCheck:
    """The result of checking a dataset.

    Attributes:
        lines: the report: what each recipe would use of it, then the problems.
        problems: damaged files, and files that no recipe or not every recipe can use.
    """

    lines: list[str]
    problems: list[str]


def check_dataset(folder: str) -> DatasetCheck:
    """Report what each recipe would use of a folder or of tar files, after decoding every image.

    Raises:
        UsageError: there are no images.
    """
    collections: dict[str, ImageCollection] = {}
    refusals = []
    finders: dict[str, Callable[..., ImageCollection]] = {"pix2pix": find_paired, "cyclegan": find_unpaired}
    for recipe, find in finders.items():
        try:
            collections[recipe] = find(folder, None, None)
        except UsageError as error:
            refusals.append(f"{recipe} cannot use it: {error}")
    # A folder of two domains is meant for translation, so the other recipes are of no interest then.
    is_flat = "cyclegan" not in collections
    if is_flat:
        collections["colorize and inpaint"] = find_photos(folder)
    bad = find_unreadable(file for images in collections.values() for file in images.files())
    summaries = {recipe: images.exclude(bad, []).summary for recipe, images in collections.items()}
    if is_flat:
        try:
            summaries[FROM_NOISE] = find_labeled(folder, with_classes=False).exclude(bad, []).summary
        except (UsageError, DataError) as error:
            refusals.append(f"{FROM_NOISE} cannot use it: {error}")
    lines = [f"{recipe} would use {summary}" for recipe, summary in summaries.items()]
    notes = _merge_notes(collections)
    problems = [*notes, *bad.values()]
    left_out = find_left_out([folder])
    if summary := summarize_left_out(left_out):
        lines.append(summary)
        if undecodable_images(left_out) or unreadable_folders(left_out):
            problems.append(summary)  # Videos and texts are no problem.
    return DatasetCheck([*lines, *refusals, *notes, *bad.values()], problems)


def _merge_notes(collections: Mapping[str, ImageCollection]) -> list[str]:
    """Return each note once, with the name of the recipe if the note does not apply to all of them."""
    recipes: dict[str, list[str]] = {}
    for recipe, images in collections.items():
        for note in images.notes:
            recipes.setdefault(note, []).append(recipe)
    return [
        note if len(names) == len(collections) else f"for {names[0]}: {note}"
        for note, names in recipes.items()
    ]
