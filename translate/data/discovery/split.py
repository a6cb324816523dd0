"""The training and the validation set of a dataset, by its folders or by a hash; and its fingerprint."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from translate.data.discovery.layout import (
    TRAIN,
    VALIDATION_NAMES,
    choose_domains,
    find_domain_folders,
    find_subset,
    parse_folder_name,
)
from translate.data.discovery.location import (
    DataLocation,
    ImageSource,
    list_images,
    relative_name,
    shard_notes,
)
from translate.data.discovery.shards import Shards
from translate.errors import UsageError
from translate.images import list_names, printable_path

VALIDATION_ONE_IN = 20  # One image in 20 goes into the validation set,
VALIDATION_MAX = 50  # but at most 50 images do.

Item = TypeVar("Item")


@dataclass(frozen=True)
class ImageSet:
    """The images of one subset of a dataset, such as those for training.

    Attributes:
        location: the folder or the tar files that the names of the images are relative to.
        images: the images, in order.
        folders: the folders of the subset, relative to the location: `train`, or `cats/train`; none for all.
    """

    location: DataLocation
    images: list[ImageSource]
    folders: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the folder of the images for messages."""
        if isinstance(self.location, Shards) or not self.folders:
            return printable_path(str(self.location))
        return list_names([str(self.location / folder) for folder in self.folders])

    def name(self, image: ImageSource) -> str:
        """Return the path of an image without the folder of its subset: `1.jpg` for `train/1.jpg`."""
        relative = relative_name(self.location, image)
        folder, _ = find_subset(relative) if isinstance(self.location, Path) else ("", "")
        parent, _, last = folder.rpartition("/")
        if not folder or parse_folder_name(last)[1]:  # The name `trainA` says more than the subset.
            return relative
        return f"{parent}/{relative[len(folder) + 1 :]}".lstrip("/")

    def split(self) -> tuple[list[ImageSource], list[ImageSource]]:
        """Split the images into a training and a validation set."""
        return split_validation(self.images, self.name)


@dataclass(frozen=True)
class Subsets:
    """The images of a dataset by subset.

    Attributes:
        train: the images for training; none of them is in a folder for validation or testing.
        held_out: the images for validation (`val`) and testing (`test`), as far as there are any.
    """

    train: ImageSet
    held_out: dict[str, ImageSet]

    @property
    def validation(self) -> ImageSet | None:
        """Return the images for validation; without such a folder, those for testing."""
        return next(iter(self.held_out.values()), None)

    def describe_layout(self, *, validates: bool = True) -> str:
        """Return which folders are used for what; empty for a dataset without such folders.

        Args:
            validates: whether a validation set is used.
        """
        if not self.train.folders and not self.held_out:
            return ""
        text = f"layout: training: {self.train if self.train.folders else 'all other images'}"
        for images in self.held_out.values():
            is_used = validates and images is self.validation
            text += f"; {'validation' if is_used else 'not used'}: {images}"
        return text

    def require_training_images(self) -> None:
        """Check that there are images for training.

        Raises:
            UsageError: all images are for validation or testing.
        """
        if not self.train.images:
            raise UsageError(
                f"{self.train.location} has validation images but no training images: add some in train/"
            )


def find_subsets(location: DataLocation) -> Subsets:
    """Divide the images of a folder by subset; those of tar files are all for training.

    Raises:
        UsageError: the folder holds no images.
    """
    images = list_images(location)
    if isinstance(location, Shards):
        return Subsets(ImageSet(location, images), {})
    keys = [find_subset(relative_name(location, image)) for image in images]
    folders: dict[str, list[str]] = defaultdict(list)
    for folder, subset in dict.fromkeys(keys):
        folders[subset].append(folder)
    # A folder train/ leaves out what is beside it; sub-folders such as cats/train and dogs do not.
    has_train_folder = any("/" not in folder for folder in folders[TRAIN])
    wanted = {TRAIN: (TRAIN,) if has_train_folder else (TRAIN, ""), "val": ("val",), "test": ("test",)}
    sets = {
        name: ImageSet(
            location,
            [image for image, (_, subset) in zip(images, keys, strict=True) if subset in subsets],
            tuple(folders[name]) if "" not in subsets or not folders[""] else (),
        )
        for name, subsets in wanted.items()
    }
    return Subsets(sets[TRAIN], {name: sets[name] for name in VALIDATION_NAMES if sets[name].images})


@dataclass(frozen=True)
class Domains:
    """The images of domains A and B.

    Attributes:
        unused: the folders for validation or testing that are not used.
        notes: messages about folders that cannot be used.
    """

    train: tuple[ImageSet, ImageSet]
    validation: tuple[ImageSet, ImageSet] | None
    unused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def layout(self) -> str:
        """Return which folder is A, which is B, and what the others are for."""
        a, b = self.train
        text = f"layout: A is {a}, B is {b}"
        if self.validation:
            text += "; validation: {} and {}".format(*self.validation)
        return text + (f"; not used: {list_names(self.unused)}" if self.unused else "")


def divide_domains(a: DataLocation, b: DataLocation) -> Domains:
    """Divide the images of two domains by subset, which are sub-folders of each: `A/train` and `B/train`.

    Raises:
        UsageError: a folder holds no images, or none for training.
    """
    subsets = (find_subsets(a), find_subsets(b))
    for domain in subsets:
        domain.require_training_images()
    pairs = [tuple(domain.held_out.get(name) for domain in subsets) for name in VALIDATION_NAMES]
    validation = next(((x, y) for x, y in pairs if x and y), None)
    unused = [str(images) for pair in pairs for images in pair if images and images not in (validation or ())]
    return Domains((subsets[0].train, subsets[1].train), validation, unused, shard_notes(a, b))


def find_domains(root: Path, *, only_in_train: bool = False) -> Domains | None:
    """Find the images of domains A and B in the sub-folders of a folder; None if it has no such sub-folders.

    Args:
        only_in_train: only use folders that are for training by their names.

    Raises:
        UsageError: one of the domains is missing, has no images, or more than one folder could be it.
    """
    folders = find_domain_folders(root)
    subsets = [TRAIN] if only_in_train else [TRAIN, ""]
    chosen = next((pair for name in subsets if (pair := choose_domains(folders[name]))), None)
    if chosen is None:
        return None
    domains = divide_domains(*chosen)
    held_out = {
        name: [path for paths in folders[name].values() for path in paths] for name in VALIDATION_NAMES
    }
    validation, notes = domains.validation, list(domains.notes)
    for name in VALIDATION_NAMES if validation is None else ():
        try:
            pair = choose_domains(folders[name])
        except UsageError as error:
            notes.append(f"there is no validation set in {name}: {error}")
            continue
        if pair:
            validation = ImageSet(pair[0], list_images(pair[0])), ImageSet(pair[1], list_images(pair[1]))
            break
    used = [images.location for images in validation or ()]
    unused = [str(path) for paths in held_out.values() for path in paths if path not in used]
    return Domains(domains.train, validation, domains.unused + unused, notes)


def split_validation(
    items: list[Item], name: Callable[[Item], str], most: int = VALIDATION_MAX
) -> tuple[list[Item], list[Item]]:
    """Split items into a training and a validation set: one item in 20 is for validation, at most `most`.

    The items whose names have the lowest hashes form the validation set, so the split is stable when other
    images are added or removed. A single item is for training.

    Returns:
        The training set and the validation set, each in the order of `items`.
    """
    count = min(most, math.ceil(len(items) / VALIDATION_ONE_IN)) if len(items) > 1 else 0
    by_hash = sorted(items, key=lambda item: _hash(name(item)))
    names = {name(item) for item in by_hash[:count]}
    return [item for item in items if name(item) not in names], [
        item for item in items if name(item) in names
    ]


class Messages:
    """A dataset that describes itself: its layout, a warning, what is left out, and what is missing."""

    layout: str
    notes: list[str]
    warning: str = ""

    @property
    def shortages(self) -> list[str]:
        """Return lines on domains with too few images to learn from or to validate on."""
        return []

    @property
    def messages(self) -> list[str]:
        """Return the layout, the warning, the notes and the shortages as lines for the log."""
        return [*filter(None, (self.layout, self.warning)), *self.notes, *self.shortages]


def describe_shortages(counts: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return lines on one training image, from which networks learn little, and on no validation image.

    Args:
        counts: the number of training and validation images by the name of one: `image of A`.
    """
    single = [f"1 {name}" for name, (train, _) in counts.items() if train == 1]
    missing = [plural(name) for name, (_, validation) in counts.items() if not validation]
    lines = []
    if single:
        lines.append(
            f"{' and '.join(single)} to train on, which the networks learn by heart, and do badly on others:"
            " add images, or check the path"
        )
    if missing:
        lines.append(
            f"no validation {' and '.join(missing)}: the scores and the sample sheet are of training images"
        )
    return lines


def plural(name: str) -> str:
    """Return the plural of the name of an image: `images of A` for `image of A`."""
    noun, of, domain = name.partition(" of ")
    return f"{noun}s{of}{domain}"


class HasFiles(Protocol):
    """A dataset of any layout that lists its files."""

    def files(self) -> Sequence[ImageSource]: ...


def fingerprint(dataset: HasFiles, labels: str = "") -> str:
    """Return the number of files and a hash of their names, by which a resumed run checks its data.

    Args:
        labels: the labels of the files, where a change of them must be noticed, too.
    """
    files = dataset.files()
    return f"{len(files)} files, {_hash(chr(10).join(file.name for file in files) + labels).hex()[:8]}"


def _hash(text: str) -> bytes:
    # File names need not be valid UTF-8; surrogateescape restores their bytes.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
