"""Finding the images of a data set: pairs, two domains, or photos, each to train on and for validation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from translate.data.discovery.location import (
    DataLocation,
    ImageSource,
    list_images,
    locate_data,
    name_in,
    shard_notes,
)
from translate.data.discovery.pair import Pair, Pairing, pair_by_key, pair_by_stem, pair_joined
from translate.data.discovery.shards import CACHE_SIZE, Shards
from translate.data.discovery.split import VALIDATION_MAX, VALIDATION_NAMES, split_place, split_validation
from translate.errors import UsageError

TWO_DOMAINS = "--data DIR, or --domainA DIR and --domainB DIR"  # what to give where two domains are needed


@dataclass
class PairedImages:
    """Pairs of a training and a validation set, with notes for the person on what was left out."""

    train: list[Pair]
    validation: list[Pair]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[ImageSource]:
        return [file for pair in self.train for file in pair.files] + self.validation_files()

    def validation_files(self) -> list[ImageSource]:
        return [file for pair in self.validation for file in pair.files]

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> PairedImages:
        """Return the same data set without the pairs that hold a bad file."""
        train, validation = (
            [pair for pair in part if not any(file in bad for file in pair.files)]
            for part in (self.train, self.validation)
        )
        return PairedImages(train, validation, self.notes + notes)

    @property
    def summary(self) -> str:
        joined = any(pair.b is None for pair in self.train)
        how = " (halves of one file, A left and B right)" if joined else ""
        return f"{len(self.train)} pairs{how} to train on, {len(self.validation)} held out"


@dataclass
class UnpairedImages:
    """Images of two domains, (A, B), of a training and a validation set."""

    train: tuple[list[ImageSource], list[ImageSource]]
    validation: tuple[list[ImageSource], list[ImageSource]]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[ImageSource]:
        return [file for side in self.train for file in side] + self.validation_files()

    def validation_files(self) -> list[ImageSource]:
        return [file for side in self.validation for file in side]

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> UnpairedImages:
        """Return the same data set without the bad files."""
        train_a, train_b, validation_a, validation_b = (
            [file for file in side if file not in bad] for side in self.train + self.validation
        )
        return UnpairedImages((train_a, train_b), (validation_a, validation_b), self.notes + notes)

    @property
    def summary(self) -> str:
        a, b, validation_a, validation_b = (len(side) for side in self.train + self.validation)
        return f"{a} + {b} images to train on, {validation_a} + {validation_b} held out"


@dataclass
class Photos:
    """Images of one kind, of a training and a validation set."""

    train: list[ImageSource]
    validation: list[ImageSource]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[ImageSource]:
        return self.train + self.validation

    def validation_files(self) -> list[ImageSource]:
        return self.validation

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> Photos:
        """Return the same data set without the bad files."""
        train, validation = (
            [file for file in part if file not in bad] for part in (self.train, self.validation)
        )
        return Photos(train, validation, self.notes + notes)

    @property
    def summary(self) -> str:
        return f"{len(self.train)} photos to train on, {len(self.validation)} held out"


ImageCollection = PairedImages | UnpairedImages | Photos


def find_paired(
    data: str | None, domain_a: str | None, domain_b: str | None, *, cache_size: float = CACHE_SIZE
) -> PairedImages:
    """Find pairs: joined A|B files of a folder, or files of two folders by stem, or images in tar files.

    Args:
        cache_size: gigabytes that copies of tar files from elsewhere may take.

    Raises:
        UsageError: a folder is missing, empty or given twice, or no pair is found.
    """
    if domains := _find_domains(data, domain_a, domain_b, cache_size):
        return _split_pairs(pair_by_stem(*domains), domains[0])
    root = locate_data(data, TWO_DOMAINS, cache_size=cache_size)
    if isinstance(root, Shards):
        return _split_pairs(pair_by_key(root), root)
    training = _pair_part(root, "train") or _pair_part(root, "") or pair_joined(root)
    validation = next((pairing for part in VALIDATION_NAMES if (pairing := _pair_part(root, part))), None)
    if validation is None:
        return _split_pairs(training, root)
    return PairedImages(training[0], validation[0][:VALIDATION_MAX], training[1] + validation[1])


def find_unpaired(
    data: str | None, domain_a: str | None, domain_b: str | None, *, cache_size: float = CACHE_SIZE
) -> UnpairedImages:
    """Find the images of two domains: in two folders, in one that holds them, or in two sets of tar files.

    Args:
        cache_size: gigabytes that copies of tar files from elsewhere may take.

    Raises:
        UsageError: a folder is missing, empty or given twice.
    """
    if domains := _find_domains(data, domain_a, domain_b, cache_size):
        return _split_domains(*domains)
    root = locate_data(data, TWO_DOMAINS, cache_size=cache_size)
    if isinstance(root, Shards):
        raise UsageError(f"{data} is one set of tar files: name two by --domainA and --domainB")
    train = _find_sides(root, "train") or _find_sides(root, "")
    if train is None:
        raise UsageError(
            f"{root} holds neither trainA/ and trainB/ nor A/ and B/:"
            " name two folders by --domainA and --domainB"
        )
    validation = next((sides for part in VALIDATION_NAMES if (sides := _find_sides(root, part))), None)
    if validation is None:
        return _split_domains(*train)
    a, b = (list_images(side) for side in train)
    validation_a, validation_b = (list_images(side)[:VALIDATION_MAX] for side in validation)
    return UnpairedImages((a, b), (validation_a, validation_b))


def find_photos(data: str | None, *, cache_size: float = CACHE_SIZE) -> Photos:
    """Find photos: in a flat folder, in one with train/ (and val/ or test/) in it, or in tar files.

    Args:
        cache_size: gigabytes that copies of tar files from elsewhere may take.

    Raises:
        UsageError: the folder is missing or empty.
    """
    root = locate_data(data, cache_size=cache_size)
    if isinstance(root, Shards):
        return Photos(*split_place(root), root.notes)
    folder = root / "train" if (root / "train").is_dir() else root
    validation = next((list_images(root / part) for part in VALIDATION_NAMES if (root / part).is_dir()), None)
    if validation is None:
        return Photos(*split_place(folder))
    # Without a train/ folder, val/ lies inside the folder that is trained on.
    apart = set(validation)
    return Photos([path for path in list_images(folder) if path not in apart], validation[:VALIDATION_MAX])


def _find_domains(
    data: str | None, a: str | None, b: str | None, cache_size: float
) -> tuple[DataLocation, DataLocation] | None:
    """Return the places of --domainA and --domainB; None where neither is given."""
    if a is None and b is None:
        return None
    if a is None or b is None:
        raise UsageError(f"only {'--domainB' if a is None else '--domainA'} is given: both kinds are needed")
    if data is not None:
        raise UsageError("--data and --domainA/--domainB both say where the images are: give one of them")
    places = (locate_data(a, cache_size=cache_size), locate_data(b, cache_size=cache_size))
    resolved = [place.resolve() if isinstance(place, Path) else place.name for place in places]
    if resolved[0] == resolved[1]:
        raise UsageError(f"--domainA and --domainB are the same folder, {places[0]}: give two")
    return places


def _find_sides(root: Path, part: str) -> tuple[Path, Path] | None:
    """Return the folders trainA/ and trainB/ (or A/ and B/, where `part` is empty), if they exist."""
    a, b = root / f"{part}A", root / f"{part}B"
    if a.is_dir() != b.is_dir():
        there, missing = (a, b) if a.is_dir() else (b, a)
        raise UsageError(
            f"{root} holds {there.name}/ but no {missing.name}/: bring both, or name two folders"
        )
    return (a, b) if a.is_dir() else None


def _pair_part(root: Path, part: str) -> Pairing | None:
    """Pair the images of one part of a data set (train, val, test, or all, where `part` is empty)."""
    if sides := _find_sides(root, part):
        return pair_by_stem(*sides)
    return pair_joined(root / part) if part and (root / part).is_dir() else None


def _split_pairs(pairing: Pairing, root: DataLocation) -> PairedImages:
    pairs, notes = pairing
    train, validation = split_validation(pairs, lambda pair: name_in(root, pair.a))
    return PairedImages(train, validation, notes)


def _split_domains(place_a: DataLocation, place_b: DataLocation) -> UnpairedImages:
    (a, validation_a), (b, validation_b) = (split_place(place) for place in (place_a, place_b))
    return UnpairedImages((a, b), (validation_a, validation_b), shard_notes(place_a, place_b))
