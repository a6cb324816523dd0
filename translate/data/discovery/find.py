"""Find the training and validation images of a dataset: pairs, images of two domains, or photos."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from translate.data.discovery.layout import find_train_folder, suggest_domains, unwrap_folder
from translate.data.discovery.location import DataLocation, ImageSource, locate_data, relative_name
from translate.data.discovery.pair import Pair, check_joined, pair_by_key, pair_by_stem, pair_joined
from translate.data.discovery.shards import CACHE_SIZE, Shards
from translate.data.discovery.split import (
    VALIDATION_MAX,
    Domains,
    Messages,
    describe_shortages,
    divide_domains,
    find_domains,
    find_subsets,
    split_validation,
)
from translate.errors import UsageError
from translate.images import find_images

DATA_FLAGS = "--data DIR, or --domainA DIR and --domainB DIR"  # The flags that give two domains.


@dataclass
class PairedImages(Messages):
    """The training and validation pairs of a dataset.

    Attributes:
        notes: messages about files that are left out.
        layout: which folders are A, B, and for validation; empty if there is nothing to say.
        warning: why the files may be no joined A|B files; empty if there is no doubt.
    """

    train: list[Pair]
    validation: list[Pair]
    notes: list[str] = field(default_factory=list)
    layout: str = ""
    warning: str = ""

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
        return replace(self, train=train, validation=validation, notes=self.notes + notes)

    @property
    def is_joined(self) -> bool:
        """Return whether the pairs are halves of joined A|B files."""
        return any(pair.b is None for pair in self.train)

    @property
    def summary(self) -> str:
        """Return the number of training and validation pairs in words."""
        layout = " (A is the left half of an image, B the right half)" if self.is_joined else ""
        return f"{len(self.train)} training pairs, {len(self.validation)} validation pairs{layout}"

    @property
    def shortages(self) -> list[str]:
        return describe_shortages({"pair": (len(self.train), len(self.validation))})


@dataclass
class UnpairedImages(Messages):
    """The training and validation images of two domains, each as (A, B).

    Attributes:
        notes: messages about files that are left out.
        layout: which folders are A, B, and for validation; empty if there is nothing to say.
    """

    train: tuple[list[ImageSource], list[ImageSource]]
    validation: tuple[list[ImageSource], list[ImageSource]]
    notes: list[str] = field(default_factory=list)
    layout: str = ""

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
        return replace(
            self,
            train=(train_a, train_b),
            validation=(validation_a, validation_b),
            notes=self.notes + notes,
        )

    @property
    def summary(self) -> str:
        """Return the number of training and validation images of A and B in words."""
        a, b, validation_a, validation_b = (len(domain) for domain in self.train + self.validation)
        return f"{a} + {b} training images, {validation_a} + {validation_b} validation images"

    @property
    def shortages(self) -> list[str]:
        domains = zip("AB", self.train, self.validation, strict=True)
        return describe_shortages({f"image of {name}": (len(a), len(b)) for name, a, b in domains})


@dataclass
class Photos(Messages):
    """The training and validation photos of a dataset.

    Attributes:
        notes: messages about files that are left out.
        layout: which folders are A, B, and for validation; empty if there is nothing to say.
    """

    train: list[ImageSource]
    validation: list[ImageSource]
    notes: list[str] = field(default_factory=list)
    layout: str = ""

    def files(self) -> list[ImageSource]:
        """Return all files, those for training first."""
        return self.train + self.validation

    def validation_files(self) -> list[ImageSource]:
        """Return the files of the validation set."""
        return self.validation

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> Self:
        """Return the dataset without the bad files, and with more notes."""
        train, validation = (
            [file for file in files if file not in bad] for files in (self.train, self.validation)
        )
        return replace(self, train=train, validation=validation, notes=self.notes + notes)

    @property
    def summary(self) -> str:
        """Return the number of training and validation photos in words."""
        return f"{len(self.train)} training photos, {len(self.validation)} validation photos"

    @property
    def shortages(self) -> list[str]:
        return describe_shortages({"image": (len(self.train), len(self.validation))})


ImageCollection = PairedImages | UnpairedImages | Photos


def find_paired(
    data: str | None, domain_a: str | None, domain_b: str | None, *, cache_size: float = CACHE_SIZE
) -> PairedImages:
    """Find pairs: files of two folders by stem, joined A|B files in a folder, or images in tar files by name.

    The images of a folder for validation or testing are never among those for training.

    Args:
        cache_size: maximum gigabytes of local copies of remote tar files.

    Raises:
        UsageError: a folder is missing, empty or given twice, or there are no pairs.
    """
    if domains := _locate_domains(data, domain_a, domain_b, cache_size):
        return _pair_domains(divide_domains(*domains), domains[0])
    root = locate_data(data, DATA_FLAGS, cache_size=cache_size)
    if isinstance(root, Shards):
        pairing = pair_by_key(root)
        return _check_joined(PairedImages(*_split_pairs(pairing.pairs, root), pairing.notes))
    inner = unwrap_folder(root)
    train_folder = find_train_folder(inner)
    is_for_joined = train_folder is not None and bool(find_images(train_folder))
    if found := find_domains(inner, only_in_train=is_for_joined):
        return _pair_domains(found, root)
    return _find_joined(root)


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
        return _split_domains(divide_domains(*domains))
    root = locate_data(data, DATA_FLAGS, cache_size=cache_size)
    if isinstance(root, Shards):
        raise UsageError(f"{data} is one set of tar files: give two, with --domainA and --domainB")
    inner = unwrap_folder(root)
    if found := find_domains(inner):
        return _split_domains(found)
    remedy = f"give two folders with {suggest_domains(inner)}"
    raise UsageError(f"{root} has neither trainA/ and trainB/ nor A/ and B/: {remedy}")


def find_photos(data: str | None, *, cache_size: float = CACHE_SIZE) -> Photos:
    """Find photos: in a flat folder, in the sub-folders train/ and val/ (or test/), or in tar files.

    Args:
        cache_size: maximum gigabytes of local copies of remote tar files.

    Raises:
        UsageError: the folder is missing or empty.
    """
    root = locate_data(data, cache_size=cache_size)
    if isinstance(root, Shards):
        return Photos(*find_subsets(root).train.split(), root.notes)
    subsets = find_subsets(root)
    if subsets.validation is None:
        return Photos(*subsets.train.split(), layout=subsets.describe_layout())
    return Photos(
        subsets.train.images, subsets.validation.images[:VALIDATION_MAX], layout=subsets.describe_layout()
    )


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


def _pair_domains(domains: Domains, root: DataLocation) -> PairedImages:
    """Pair the images of two domains; without a validation set, split one off."""
    training = pair_by_stem(*domains.train)
    layout = "; ".join(filter(None, (domains.layout, training.rule)))
    notes = domains.notes + training.notes
    if domains.validation is None:
        return PairedImages(*_split_pairs(training.pairs, root), notes, layout)
    validation = pair_by_stem(*domains.validation)
    return PairedImages(training.pairs, validation.pairs[:VALIDATION_MAX], notes + validation.notes, layout)


def _find_joined(root: Path) -> PairedImages:
    subsets = find_subsets(root)
    subsets.require_training_images()
    train = pair_joined(subsets.train)
    if subsets.validation is None:
        images = PairedImages(*_split_pairs(train, root), layout=subsets.describe_layout())
    else:
        validation = pair_joined(subsets.validation)
        images = PairedImages(train, validation[:VALIDATION_MAX], layout=subsets.describe_layout())
    return _check_joined(images)


def _check_joined(images: PairedImages) -> PairedImages:
    """Return pairs with a note or a warning if they are joined files and not as wide as such files are."""
    joined = [pair.a for pair in images.train + images.validation if pair.b is None]
    notes, warning = check_joined(joined)
    return replace(images, notes=images.notes + notes, warning=warning)


def _split_pairs(pairs: list[Pair], root: DataLocation) -> tuple[list[Pair], list[Pair]]:
    return split_validation(pairs, lambda pair: relative_name(root, pair.a))


def _split_domains(domains: Domains) -> UnpairedImages:
    a, b = domains.train
    if domains.validation:
        validation = [images.images[:VALIDATION_MAX] for images in domains.validation]
        return UnpairedImages(
            (a.images, b.images), (validation[0], validation[1]), domains.notes, domains.layout
        )
    (train_a, validation_a), (train_b, validation_b) = a.split(), b.split()
    return UnpairedImages((train_a, train_b), (validation_a, validation_b), domains.notes, domains.layout)
