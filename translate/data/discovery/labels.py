"""Finding images to learn to generate, and their labels: sub-folders, a CSV file, IDX files or tar files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from translate.data.discovery.idx import Bytes, find_idx, read_idx
from translate.data.discovery.location import ImageSource, describe_files, locate_data
from translate.data.discovery.shards import CACHE_SIZE, Shards
from translate.data.discovery.split import VALIDATION_NAMES
from translate.errors import DataError, UsageError
from translate.images import Pixels, find_images, printable_path, read_rgb


@dataclass
class LabeledImages:
    """Images, each with its label where there are classes.

    Attributes:
        images: files, or arrays of (H, W) uint8 from an IDX file.
        labels: the number of each image's class; empty without classes.
        classes: their names.
        notes: what was left out, in words.
        idx_files: the IDX files that the images and labels are from.
    """

    images: Sequence[ImageSource] | Bytes
    labels: list[int]
    classes: list[str]
    notes: list[str] = field(default_factory=list)
    idx_files: list[Path] = field(default_factory=list)

    def files(self) -> Sequence[ImageSource]:
        return self.idx_files if isinstance(self.images, np.ndarray) else self.images

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> LabeledImages:
        """Return the same data set without the bad files; a class without images stays a class."""
        if isinstance(self.images, np.ndarray) or not bad:
            return self
        good = [index for index, path in enumerate(self.images) if path not in bad]
        labels = [self.labels[index] for index in good] if self.labels else []
        return LabeledImages([self.images[index] for index in good], labels, self.classes, self.notes + notes)

    def pixels(self, index: int, min_size: int) -> Pixels:
        """Return one of the images, (H, W, 3) uint8.

        Args:
            least: a length of both sides that is enough.

        Raises:
            DataError: its file cannot be read.
        """
        if isinstance(self.images, np.ndarray):
            return np.repeat(self.images[index][..., None], 3, axis=2)
        return read_rgb(self.images[index], min_size=(min_size, min_size))

    @property
    def summary(self) -> str:
        count = len(self.classes)
        of = f" of {count} {'class' if count == 1 else 'classes'}" if count else ""
        return f"{len(self.images)} images{of} to train on"


def find_labeled(
    data: str | None, labels: str | None = None, *, with_classes: bool, cache_size: float = CACHE_SIZE
) -> LabeledImages:
    """Find the images of a folder or of tar files, and their labels.

    Args:
        data: a folder of IDX files, or of images; its train/ where it has one; or tar files.
        labels: a CSV file: the images' names below the folder, and their classes.
        with_classes: without a CSV file, an image in a sub-folder is of the class of that name, and one in a
            tar file of the class in the `.cls` beside it; otherwise no image has a class.
        cache_size: gigabytes that copies of tar files from elsewhere may take.

    Raises:
        UsageError: the folder or the CSV file is missing, or holds no images, or none with a class.
        DataError: an IDX or CSV file is damaged.
    """
    root = locate_data(data, cache_size=cache_size)
    if isinstance(root, Shards):
        return _from_shards(root, labels, with_classes=with_classes)
    if (root / "train").is_dir():
        root = root / "train"
    if idx := find_idx(root):
        return _from_idx(idx, with_classes=with_classes)
    files = find_images(root)
    if not files:
        raise UsageError(f"{root} holds no images: check the path and the suffixes of its files")
    if labels is not None:
        return _from_table(root, files, Path(labels))
    return _from_folders(root, files, with_classes=with_classes)


def _from_folders(root: Path, files: list[Path], *, with_classes: bool) -> LabeledImages:
    """Take the folder directly below the root that an image lies in as its class."""
    folders = {path: path.relative_to(root).parts[:-1][:1] for path in files}
    files = [path for path in files if folders[path] not in {(name,) for name in VALIDATION_NAMES}]
    if not with_classes:
        return LabeledImages(files, [], [])
    classes = sorted({name for path in files for name in folders[path]})
    if not classes:
        raise UsageError(
            f"{root} has no classes: put its images into sub-folders by class, or give a CSV by --labels"
        )
    loose = [path for path in files if not folders[path]]
    notes = [describe_files("in no sub-folder, so of no class, left out", loose)] if loose else []
    files = [path for path in files if folders[path]]
    return LabeledImages(files, [classes.index(folders[path][0]) for path in files], classes, notes)


def _from_shards(shards: Shards, labels: str | None, *, with_classes: bool) -> LabeledImages:
    """Take the text of the `.cls` file beside an image in a tar file as its class."""
    if labels is not None:
        raise UsageError("--labels is for folders: in tar files, give each image a .cls of its name")
    if not with_classes:
        return LabeledImages(list(shards.members), [], [], shards.notes)
    texts = [(member, shards.classes.get((member.shard, member.key), "")) for member in shards.members]
    classes = sorted({text for _, text in texts if text})
    if not classes:
        raise UsageError(
            "no image of these tar files has a class: put 0001.cls beside 0001.jpg, its class in it"
        )
    loose = [member for member, text in texts if not text]
    notes = [describe_files("without a .cls, so of no class, left out", loose)] if loose else []
    members = [member for member, text in texts if text]
    labels_of_members = [classes.index(text) for _, text in texts if text]
    return LabeledImages(members, labels_of_members, classes, shards.notes + notes)


def _from_table(root: Path, files: list[Path], table: Path) -> LabeledImages:
    """Take the files that a CSV file names, and the classes that it gives them."""
    rows = _read_table(table)
    given = dict(rows)
    if twice := [name for name, count in Counter(name for name, _ in rows).items() if count > 1]:
        raise DataError(f"{table} has {twice[0]!r} twice: leave one of its rows")
    paths = {path.relative_to(root).as_posix(): path for path in files}
    labeled = {name: path for name, path in paths.items() if name in given}
    if not labeled:
        raise UsageError(
            f"{table} names no image of {root}: its first column must be names like {next(iter(paths))!r}"
        )
    notes = []
    if unnamed := [path for name, path in paths.items() if name not in given]:
        notes.append(describe_files(f"not in {table.name}, left out", unnamed))
    # The first row may be the header, so its name need not be that of an image.
    if missing := [Path(name) for name in given if name not in paths and name != rows[0][0]]:
        notes.append(describe_files(f"in {table.name} and not in {root}", missing))
    classes = sorted({given[name] for name in labeled})
    return LabeledImages(
        list(labeled.values()), [classes.index(given[name]) for name in labeled], classes, notes
    )


def _read_table(table: Path) -> list[tuple[str, str]]:
    """Read the names and classes of a CSV file."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise UsageError(f"cannot read the labels {str(table)!r}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{table} is not in UTF-8: save it so") from None
    except csv.Error as error:
        raise DataError(f"{table} is no CSV file: {error}") from None
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or not row[1].strip():
            raise DataError(f"{table}, row {number}: {row[0]!r} has no class: write name,class")
    return [(row[0].strip(), row[1].strip()) for row in rows]


def _from_idx(found: list[tuple[Path, Path | None]], *, with_classes: bool) -> LabeledImages:
    """Read all IDX files of images, and those of labels, into one array each."""
    idx_files = [path for pair in found for path in pair if path is not None]
    arrays = [read_idx(images, 3) for images, _ in found]
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1 or not all(array.size for array in arrays):
        raise DataError(f"{printable_path(found[0][0])} and the others hold no images, or of several sizes")
    if with_classes and any(labels is None for _, labels in found):
        raise UsageError(f"{printable_path(found[0][0])} has no IDX file of labels beside it: bring it")
    if not with_classes:
        return LabeledImages(np.concatenate(arrays), [], [], idx_files=idx_files)
    labels = np.concatenate([read_idx(path, 1) for _, path in found if path is not None])
    if len(labels) != sum(len(array) for array in arrays):
        raise DataError(f"{printable_path(found[0][0])} has other images than there are labels")
    classes = [str(number) for number in range(int(labels.max()) + 1)]
    return LabeledImages(np.concatenate(arrays), labels.tolist(), classes, idx_files=idx_files)
