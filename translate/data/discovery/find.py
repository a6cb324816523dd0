"""Find the training and validation images of a dataset: pairs, images of two domains, or photos."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from translate.data.discovery.location import (
    DataLocation,
    ImageSource,
    list_images,
    locate_data,
    relative_name,
    shard_notes,
)
from translate.data.discovery.pair import Pair, Pairing, pair_by_key, pair_by_stem, pair_joined
from translate.data.discovery.shards import CACHE_SIZE, Shards
from translate.data.discovery.split import VALIDATION_MAX, VALIDATION_NAMES, split_images, split_validation
from translate.errors import UsageError

DATA_FLAGS = "--data DIR, or --domainA DIR and --domainB DIR"  # The flags that give two domains.


@dataclass
class PairedImages:
    """The training and validation pairs of a dataset.

    Attributes:
        notes: messages about files that are left out.
    """

    train: list[Pair]
    validation: list[Pair]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[ImageSource]:
        """Return all files, those for training first."""
        return [file for pair in self.train for file in pair.files] + self.validation_files()

    def validation_files(self) -> list[ImageSource]:
        """Return the files of the validation set."""
        return [file for pair in self.validation for file in pair.files]

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> PairedImages:
        """Return the dataset without the pairs that contain a bad file, and with more notes."""
        train, validation = (
            [pair for pair in pairs if not any(file in bad for file in pair.files)]
            for pairs in (self.train, self.validation)
        )
        return PairedImages(train, validation, self.notes + notes)

    @property
    def summary(self) -> str:
        """Return the number of training and validation pairs in words."""
        joined = any(pair.b is None for pair in self.train)
        layout = " (A is the left half of an image, B the right half)" if joined else ""
        return f"{len(self.train)} training pairs, {len(self.validation)} validation pairs{layout}"


@dataclass
class UnpairedImages:
    """The training and validation images of two domains, each as (A, B).

    Attributes:
        notes: messages about files that are left out.
    """

    train: tuple[list[ImageSource], list[ImageSource]]
    validation: tuple[list[ImageSource], list[ImageSource]]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[ImageSource]:
        """Return all files, those for training first."""
        return [file for domain in self.train for file in domain] + self.validation_files()

    def validation_files(self) -> list[ImageSource]:
        """Return the files of the validation set, those of domain A first."""
        return [file for domain in self.validation for file in domain]

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> UnpairedImages:
        """Return the dataset without the bad files, and with more notes."""
        train_a, train_b, validation_a, validation_b = (
            [file for file in domain if file not in bad] for domain in self.train + self.validation
        )
        return UnpairedImages((train_a, train_b), (validation_a, validation_b), self.notes + notes)

    @property
    def summary(self) -> str:
        """Return the number of training and validation images of A and B in words."""
        a, b, validation_a, validation_b = (len(domain) for domain in self.train + self.validation)
        return f"{a} + {b} training images, {validation_a} + {validation_b} validation images"


@dataclass
class Photos:
    """The training and validation photos of a dataset.

    Attributes:
        notes: messages about files that are left out.
    """

    train: list[ImageSource]
    validation: list[ImageSource]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[ImageSource]:
        """Return all files, those for training first."""
        return self.train + self.validation

    def validation_files(self) -> list[ImageSource]:
        """Return the files of the validation set."""
        return self.validation

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> Photos:
        """Return the dataset without the bad files, and with more notes."""
        train, validation = (
            [file for file in files if file not in bad] for files in (self.train, self.validation)
        )
        return Photos(train, validation, self.notes + notes)

    @property
    def summary(self) -> str:
        """Return the number of training and validation photos in words."""
        return f"{len(self.train)} training photos, {len(self.validation)} validation photos"


ImageCollection = PairedImages | UnpairedImages | Photos


def find_paired(
    data: str | None, domain_a: str | None, domain_b: str | None, *, cache_size: float = CACHE_SIZE
) -> PairedImages:
    """Find pairs: joined A|B files in a folder, files of two folders by stem, or images in tar files by name.

    Args:
        cache_size: maximum gigabytes of local copies of remote tar files.

    Raises:
        UsageError: a folder is missing, empty or given twice, or there are no pairs.
    """
    if domains := _locate_domains(data, domain_a, domain_b, cache_size):
        return _split_pairs(pair_by_stem(*domains), domains[0])
    root = locate_data(data, DATA_FLAGS, cache_size=cache_size)
    if isinstance(root, Shards):
        return _split_pairs(pair_by_key(root), root)
    training = _pair_subset(root, "train") or _pair_subset(root, "") or pair_joined(root)
    validation = next((pairing for name in VALIDATION_NAMES if (pairing := _pair_subset(root, name))), None)
    if validation is None:
        return _split_pairs(training, root)
    return PairedImages(training[0], validation[0][:VALIDATION_MAX], training[1] + validation[1])


def find_unpaired(
    data: str | None, domain_a: str | None, domain_b: str | None, *, cache_size: float = CACHE_SIZE
) -> UnpairedImages:
    """Find the images of two domains: in two sub-folders, in two folders, or in two sets of tar files.

    Args:
        cache_size: maximum gigabytes of local copies of remote tar files.

    Raises:
        UsageError: a folder is missing, empty or given twice.
    """
    if domains := _locate_domains(data, domain_a, domain_b, cache_size):
        return _split_domains(*domains)
    root = locate_data(data, DATA_FLAGS, cache_size=cache_size)
    if isinstance(root, Shards):
        raise UsageError(f"{data} is one set of tar files: give two, with --domainA and --domainB")
    train = _domain_folders(root, "train") or _domain_folders(root, "")
    if train is None:
        raise UsageError(
            f"{root} has neither trainA/ and trainB/ nor A/ and B/:"
            " give two folders with --domainA and --domainB"
        )
    validation = next(
        (folders for name in VALIDATION_NAMES if (folders := _domain_folders(root, name))), None
    )
    if validation is None:
        return _split_domains(*train)
    a, b = (list_images(folder) for folder in train)
    validation_a, validation_b = (list_images(folder)[:VALIDATION_MAX] for folder in validation)
    return UnpairedImages((a, b), (validation_a, validation_b))


def find_photos(data: str | None, *, cache_size: float = CACHE_SIZE) -> Photos:
    """Find photos: in a flat folder, in the sub-folders train/ and val/ (or test/), or in tar files.

    Args:
        cache_size: maximum gigabytes of local copies of remote tar files.

    Raises:
        UsageError: the folder is missing or empty.
    """
    root = locate_data(data, cache_size=cache_size)
    if isinstance(root, Shards):
        return Photos(*split_images(root), root.notes)
    folder = root / "train" if (root / "train").is_dir() else root
    validation = next((list_images(root / name) for name in VALIDATION_NAMES if (root / name).is_dir()), None)
    if validation is None:
        return Photos(*split_images(folder))
    # If there is no train/, the validation folder lies inside the training folder.
    excluded = set(validation)
    return Photos([path for path in list_images(folder) if path not in excluded], validation[:VALIDATION_MAX])


def _locate_domains(
    data: str | None, a: str | None, b: str | None, cache_size: float
) -> tuple[DataLocation, DataLocation] | None:
    """Return the locations that --domainA and --domainB give; None if neither is given."""
    if a is None and b is None:
        return None
    if a is None or b is None:
        present, missing = ("--domainB", "--domainA") if a is None else ("--domainA", "--domainB")
        raise UsageError(f"{present} is given without {missing}: give {missing}, too")
    if data is not None:
        raise UsageError("--data and --domainA/--domainB exclude each other: give --data, or both domains")
    locations = (locate_data(a, cache_size=cache_size), locate_data(b, cache_size=cache_size))
    resolved = [location.resolve() if isinstance(location, Path) else location.name for location in locations]
    if resolved[0] == resolved[1]:
        raise UsageError(f"--domainA and --domainB are the same folder, {locations[0]}: give two folders")
    return locations


def _domain_folders(root: Path, subset: str) -> tuple[Path, Path] | None:
    """Return the folders of both domains if they exist: trainA/ and trainB/ for `train`, A/ and B/ for ``."""
    a, b = root / f"{subset}A", root / f"{subset}B"
    if a.is_dir() != b.is_dir():
        present, missing = (a, b) if a.is_dir() else (b, a)
        raise UsageError(
            f"{root} has {present.name}/ but no {missing.name}/: add it, or give --domainA and --domainB"
        )
    return (a, b) if a.is_dir() else None


def _pair_subset(root: Path, subset: str) -> Pairing | None:
    """Pair the images of a subset (`train`, `val`, `test`, or `` for all) if the folder has it."""
    if folders := _domain_folders(root, subset):
        return pair_by_stem(*folders)
    return pair_joined(root / subset) if subset and (root / subset).is_dir() else None


def _split_pairs(pairing: Pairing, root: DataLocation) -> PairedImages:
    pairs, notes = pairing
    train, validation = split_validation(pairs, lambda pair: relative_name(root, pair.a))
    return PairedImages(train, validation, notes)


def _split_domains(location_a: DataLocation, location_b: DataLocation) -> UnpairedImages:
    (a, validation_a), (b, validation_b) = (split_images(location) for location in (location_a, location_b))
    return UnpairedImages((a, b), (validation_a, validation_b), shard_notes(location_a, location_b))
