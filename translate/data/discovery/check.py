"""Check that every image of a dataset can be decoded, before hours of training depend on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from translate.config.value_range import AUTO, ValueRange
from translate.data.discovery.find import (
    ImageCollection,
    PairedImages,
    Photos,
    UnpairedImages,
    find_paired,
    find_photos,
    find_unpaired,
)
from translate.data.discovery.labels import (
    MultiDomainImages,
    NoDomainsError,
    find_labeled,
    find_multidomain,
)
from translate.data.discovery.location import ImageSource, find_left_out
from translate.data.discovery.values import BLANK_CHECKS, describe_blank, find_value_ranges
from translate.errors import DataError, UsageError
from translate.images import read_rgb, summarize_left_out, undecodable_images, unreadable_folders

THREADS = 4
# How the report names the recipes that take a dataset; where several do, the first stands for them.
PHOTOS = "colorize and inpaint"
SEVERAL = "stargan"  # Domains in sub-folders, or a table of labels.
FROM_NOISE = "dcgan and other recipes from noise"  # These have no validation set.


def find_unreadable(
    files: Iterable[ImageSource], ranges: Mapping[ImageSource, ValueRange] | None = None
) -> dict[ImageSource, str]:
    """Decode all files; return the error message of each one that cannot be read.

    Args:
        ranges: the stored values of black and white of the files whose type does not fix them.
    """
    unique = sorted(set(files), key=str)
    with ThreadPoolExecutor(THREADS) as pool:
        errors = pool.map(lambda file: _read_error(file, (ranges or {}).get(file)), unique)
        return {path: error for path, error in zip(unique, errors, strict=True) if error}


def _read_error(source: ImageSource, value_range: ValueRange | None) -> str:
    try:
        read_rgb(source, value_range=value_range)
    except DataError as error:
        return str(error)
    return ""


CollectionT = TypeVar("CollectionT", PairedImages, UnpairedImages, Photos, MultiDomainImages)


def exclude_unreadable(
    images: CollectionT,
    checked: Mapping[ImageSource, str] | None = None,
    ranges: Mapping[ImageSource, ValueRange] | None = None,
) -> CollectionT:
    """Return the dataset without the images that cannot be read, and with a note for each of them.

    Of datasets in tar files only the validation set is checked, because the rest may be too much to read
    before training.

    Args:
        checked: files that were decoded before, with their error messages, empty if they can be read.
        ranges: as for `find_unreadable`.

    Raises:
        DataError: no readable training images are left.
    """
    checked = checked or {}
    files = [file for file in images.files() if isinstance(file, Path)] + images.validation_files()
    errors = {**checked, **find_unreadable((file for file in files if file not in checked), ranges)}
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


def check_dataset(
    folder: str | None,
    value_range: str = AUTO,
    *,
    domain_a: str | None = None,
    domain_b: str | None = None,
    labels: str | None = None,
    attributes: Sequence[str] | None = None,
) -> DatasetCheck:
    """Report what each recipe would use of a folder or of tar files, after decoding every image.

    Args:
        domain_a, domain_b: the folders of two domains, in place of one folder.
        value_range: the stored values of black and white, as `--range` takes them.
        labels: a table of the domains or attributes of the images; the report is then for the recipe that
            takes it.
        attributes: the attributes to use of the table.

    Raises:
        UsageError: there are no images, or the table or the attributes are of no use.
        DataError: the table is damaged, or a domain has too few images.
    """
    if labels is None and attributes is None:
        collections, refusals = _find_collections(folder, domain_a, domain_b)
    elif folder is None or domain_a or domain_b:
        raise UsageError("--labels is a table of the images of one folder: give DIR")
    else:
        collections, refusals = {SEVERAL: find_multidomain(folder, labels, attributes)}, []
    report = _check_collections(collections, refusals, value_range, folder)
    left_out = find_left_out([folder, domain_a, domain_b])
    if summary := summarize_left_out(left_out):
        report.lines.append(summary)
        if undecodable_images(left_out) or unreadable_folders(left_out):
            report.problems.append(summary)  # Videos and texts are no problem.
    return report


def _check_collections(
    collections: Mapping[str, ImageCollection], refusals: list[str], value_range: str, folder: str | None
) -> DatasetCheck:
    """Decode the images of all collections, and report on them and on what was refused before."""
    values = [find_value_ranges(value_range, *_domains(images)) for images in collections.values()]
    ranges = {file: found for each in values for file, found in each.by_file.items()}
    bad = find_unreadable((file for images in collections.values() for file in images.files()), ranges)
    readable = {recipe: images.exclude(bad, []) for recipe, images in collections.items()}
    refusals = refusals + _refuse_labels(readable)
    lines = [f"{recipe} would use {images.summary}" for recipe, images in readable.items()]
    if PHOTOS in collections:
        lines += _summarize_noise(folder, bad)
    pairs = collections.get("pix2pix")
    if isinstance(pairs, PairedImages) and pairs.warning:
        # The files may be photos for other recipes, so this is no problem of the dataset.
        lines[0] += f", but {pairs.warning}"
    lines += _list_layouts(collections.values())
    lines += dict.fromkeys(note for images in readable.values() for note in images.shortages)
    lines += dict.fromkeys(note for each in values for note in each.notes)
    notes = _merge_notes(collections)
    blank = _describe_blank(collections.values(), ranges, bad)
    problems = [*notes, *bad.values(), *blank]
    lines += blank
    if [*collections] == [SEVERAL]:
        problems += refusals
    elif SEVERAL in readable:  # A tree of photos is no worse for what StarGAN alone would leave out.
        lines += [f"for {SEVERAL}: {note}" for note in readable[SEVERAL].notes if note not in notes]
    return DatasetCheck([*lines, *refusals, *notes, *bad.values()], problems)


def _refuse_labels(readable: dict[str, ImageCollection]) -> list[str]:
    """Remove a collection whose labels cannot be learned from its readable images; return why."""
    images = readable.get(SEVERAL)
    if isinstance(images, MultiDomainImages):
        try:
            images.require_varied_labels()
        except DataError as error:
            del readable[SEVERAL]
            return [f"{SEVERAL} cannot use it: {error}"]
    return []


def _summarize_noise(folder: str | None, bad: Collection[ImageSource]) -> list[str]:
    """Return what the recipes from noise would use, or why they cannot."""
    try:
        images = find_labeled(folder, with_classes=False).exclude(bad, [])
    except (UsageError, DataError) as error:
        return [f"{FROM_NOISE} cannot use it: {error}"]
    return [f"{FROM_NOISE} would use {images.summary}"]


def _find_collections(
    folder: str | None, domain_a: str | None, domain_b: str | None
) -> tuple[dict[str, ImageCollection], list[str]]:
    """Return what each recipe would use, and for the others why they cannot use the dataset."""
    has_domains = domain_a is not None or domain_b is not None
    if folder is None and not has_domains:
        raise UsageError("no data: give DIR, or --domainA DIR and --domainB DIR")
    collections: dict[str, ImageCollection] = {}
    refusals = []
    finders: dict[str, Callable[..., ImageCollection]] = {"pix2pix": find_paired, "cyclegan": find_unpaired}
    for recipe, find in finders.items():
        try:
            collections[recipe] = find(folder, domain_a, domain_b)
        except UsageError as error:
            if has_domains and recipe == "cyclegan":  # It takes any two folders of images.
                raise
            refusals.append(f"{recipe} cannot use it: {error}")
    # A folder of two domains is meant for translation, so the other recipes are of no interest then.
    if "cyclegan" not in collections:
        collections[PHOTOS] = find_photos(folder)
        try:
            collections[SEVERAL] = find_multidomain(folder)
        except NoDomainsError:  # A flat folder is not meant for it.
            pass
        except (UsageError, DataError) as error:
            refusals.append(f"{SEVERAL} cannot use it: {error}")
    return collections, refusals


def _list_layouts(collections: Iterable[ImageCollection]) -> list[str]:
    """Return each layout once, and none that another one only adds to."""
    layouts = list(dict.fromkeys(images.layout for images in collections if images.layout))
    return [text for text in layouts if not any(other.startswith(f"{text};") for other in layouts)]


def _domains(images: ImageCollection) -> list[list[ImageSource]]:
    """Return the files of each domain: two, or one if the files are joined pairs or photos."""
    if isinstance(images, PairedImages):
        pairs = images.train + images.validation
        return [[pair.a for pair in pairs], [pair.b for pair in pairs if pair.b is not None]]
    if isinstance(images, UnpairedImages):
        (a, b), (validation_a, validation_b) = images.train, images.validation
        return [[*a, *validation_a], [*b, *validation_b]]
    return [images.files()]


def _named_domains(images: ImageCollection) -> list[tuple[str, list[ImageSource]]]:
    """Return A and B with their files; without a name if the files are joined pairs or photos."""
    domains = list(filter(None, _domains(images)))
    return list(zip("AB" if len(domains) > 1 else [""], domains, strict=True))


def _describe_blank(
    collections: Iterable[ImageCollection],
    ranges: Mapping[ImageSource, ValueRange],
    bad: Collection[ImageSource],
) -> list[str]:
    """Return a problem for each domain whose images are almost black or almost white."""
    problems = []
    for name, domain in (named for each in collections for named in _named_domains(each)):
        files = [file for file in domain if file not in bad]
        some = files[:: -(-len(files) // BLANK_CHECKS) or 1]
        images = (read_rgb(file, value_range=ranges.get(file)) for file in some)
        problems.append(describe_blank(images, name))
    return list(dict.fromkeys(filter(None, problems)))


def _merge_notes(collections: Mapping[str, ImageCollection]) -> list[str]:
    """Return each note once, with the name of the recipe if the note does not apply to all of them.

    The notes of `SEVERAL` only count if nothing else is checked.
    """
    counted = {name: images for name, images in collections.items() if name != SEVERAL} or collections
    recipes: dict[str, list[str]] = {}
    for recipe, images in counted.items():
        for note in images.notes:
            recipes.setdefault(note, []).append(recipe)
    return [
        note if len(names) == len(counted) else f"for {names[0]}: {note}" for note, names in recipes.items()
    ]
