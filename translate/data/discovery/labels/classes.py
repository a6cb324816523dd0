"""Find images and their class labels for generators from noise: in folders, CSV, IDX or tar files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from translate.config.value_range import ValueRange
from translate.data.discovery.labels.idx import Bytes, find_idx, read_idx
from translate.data.discovery.labels.tables import read_csv_rows
from translate.data.discovery.layout import find_train_folder
from translate.data.discovery.location import ImageSource, describe_left_out, locate_data, relative_name
from translate.data.discovery.shards import CACHE_SIZE, Shards
from translate.data.discovery.split import ImageSet, Messages, find_subsets
from translate.errors import DataError, UsageError
from translate.images import Pixels, list_names, printable_path, read_rgb


@dataclass
class LabeledImages(Messages):
    """Images, each with a class label if the dataset has classes.

    Attributes:
        images: image files, or the (N, H, W) uint8 array of IDX files.
        labels: the class index of each image; empty without classes.
        classes: the names of the classes.
        notes: messages about files that are left out.
        idx_files: the IDX files that the images and labels come from.
        layout: which folders are used, and which are not; empty if there is nothing to say.
    """

    images: Sequence[ImageSource] | Bytes
    labels: list[int]
    classes: list[str]
    notes: list[str] = field(default_factory=list)
    idx_files: list[Path] = field(default_factory=list)
    layout: str = ""

    def files(self) -> Sequence[ImageSource]:
        """Return the image files, or the IDX files."""
        return self.idx_files if isinstance(self.images, np.ndarray) else self.images

    def exclude(self, bad: Collection[ImageSource], notes: list[str]) -> LabeledImages:
        """Return the dataset without the bad files and with more notes; an empty class stays a class."""
        if isinstance(self.images, np.ndarray) or not bad:
            return self
        good = [index for index, path in enumerate(self.images) if path not in bad]
        labels = [self.labels[index] for index in good] if self.labels else []
        images = [self.images[index] for index in good]
        return replace(self, images=images, labels=labels, notes=self.notes + notes)

    def read_image(self, index: int, min_size: int, value_range: ValueRange | None = None) -> Pixels:
        """Read an image as (H, W, 3) uint8.

        Args:
            min_size: a large JPEG may be decoded at reduced size, but with sides of at least this length.
            value_range: the stored values of black and white, if the file's type does not fix them.

        Raises:
            DataError: the file cannot be read.
        """
        if isinstance(self.images, np.ndarray):
            return np.repeat(self.images[index][..., None], 3, axis=2)
        return read_rgb(self.images[index], min_size=(min_size, min_size), value_range=value_range)

    @property
    def summary(self) -> str:
        """Return the number of images and classes in words."""
        count = len(self.classes)
        classes = f" in {count} {'class' if count == 1 else 'classes'}" if count else ""
        return f"{len(self.images)} training images{classes}"


def find_labeled(
    data: str | None, labels: str | None = None, *, with_classes: bool, cache_size: float = CACHE_SIZE
) -> LabeledImages:
    """Find the images of a folder or of tar files, and their labels.

    Args:
        data: a folder of IDX files or of images, whose train/ is used if there is one; or tar files.
        labels: a CSV file with the name of an image, relative to the folder, and its class in each row.
        with_classes: whether to label the images. Without a CSV file, the class of an image is the name of
            its sub-folder, or in tar files the text of the `.cls` file of the same sample.
        cache_size: maximum gigabytes of local copies of remote tar files.

    Raises:
        UsageError: the folder or the CSV file is missing, there are no images, or none of them has a class.
        DataError: an IDX or CSV file is damaged.
    """
    root = locate_data(data, cache_size=cache_size)
    if isinstance(root, Shards):
        return _from_shards(root, labels, with_classes=with_classes)
    if idx := find_idx(find_train_folder(root) or root):
        return _from_idx(idx, with_classes=with_classes)
    subsets = find_subsets(root)
    if labels is not None:
        images = _from_csv(subsets.train, Path(labels))
    else:
        images = _from_folders(subsets.train, with_classes=with_classes)
    return replace(images, layout=subsets.describe_layout(validates=False))


def _from_folders(images: ImageSet, *, with_classes: bool) -> LabeledImages:
    """Label images with the top-level sub-folder that they are in."""
    if not with_classes:
        return LabeledImages(images.images, [], [])
    folders = {image: images.name(image).split("/")[:-1][:1] for image in images.images}
    classes = sorted({name for names in folders.values() for name in names})
    if not classes:
        raise UsageError(
            f"{images} has no classes: put the images of each class into a sub-folder,"
            " or give a CSV file with --labels"
        )
    unlabeled = [image for image in images.images if not folders[image]]
    notes = [describe_left_out("outside the sub-folders of the classes", unlabeled)] if unlabeled else []
    files = [image for image in images.images if folders[image]]
    return LabeledImages(files, [classes.index(folders[image][0]) for image in files], classes, notes)


def _from_shards(shards: Shards, labels: str | None, *, with_classes: bool) -> LabeledImages:
    """Label images in tar files with the text of the `.cls` file of the same sample."""
    if labels is not None:
        raise UsageError("--labels is for folders: in tar files, put 0001.cls with the class beside 0001.jpg")
    if not with_classes:
        return LabeledImages(list(shards.members), [], [], shards.notes)
    texts = [(member, shards.classes.get((member.shard, member.key), "")) for member in shards.members]
    classes = sorted({text for _, text in texts if text})
    if not classes:
        raise UsageError(f"no image in {shards} has a class: put 0001.cls with the class beside 0001.jpg")
    unlabeled = [member for member, text in texts if not text]
    notes = [describe_left_out("without a .cls file", unlabeled)] if unlabeled else []
    members = [member for member, text in texts if text]
    class_indices = [classes.index(text) for _, text in texts if text]
    return LabeledImages(members, class_indices, classes, shards.notes + notes)


def _from_csv(images: ImageSet, table: Path) -> LabeledImages:
    """Label images with the class that a CSV file has for their name."""
    rows = _read_csv(table)
    class_by_name = dict(rows)
    if repeated := [name for name, count in Counter(name for name, _ in rows).items() if count > 1]:
        raise DataError(f"{table} has more than one row for {repeated[0]!r}: keep one of them")
    # A name may have the folder of the training images, `train/1.png`, or not.
    relative = {image: relative_name(images.location, image) for image in images.images}
    paths = {name if name in class_by_name else images.name(image): image for image, name in relative.items()}
    labeled = {name: path for name, path in paths.items() if name in class_by_name}
    if not labeled:
        raise UsageError(
            f"{table} names no image of {images}:"
            f" its first column must have names such as {next(iter(paths))!r}"
        )
    notes = []
    if unlabeled := [path for name, path in paths.items() if name not in class_by_name]:
        notes.append(describe_left_out(f"not in {table.name}", unlabeled))
    # The first row may be a header, so it is no error if it does not name an image.
    if missing := [name for name in class_by_name if name not in paths and name != rows[0][0]]:
        notes.append(f"names in {table.name} without an image in {images}: {list_names(missing)}")
    classes = sorted({class_by_name[name] for name in labeled})
    class_indices = [classes.index(class_by_name[name]) for name in labeled]
    return LabeledImages(list(labeled.values()), class_indices, classes, notes)


def _read_csv(table: Path) -> list[tuple[str, str]]:
    """Read (name, class) rows from a CSV file."""
    rows = read_csv_rows(table)
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or not row[1].strip():
            raise DataError(f"{table}, row {number}: {row[0]!r} has no class: write name,class")
    return [(row[0].strip(), row[1].strip()) for row in rows]


def _from_idx(files: list[tuple[Path, Path | None]], *, with_classes: bool) -> LabeledImages:
    """Read IDX files of images and their labels, and concatenate them."""
    first = printable_path(files[0][0])
    idx_files = [path for pair in files for path in pair if path is not None]
    arrays = [read_idx(images, 3) for images, _ in files]
    shapes = {array.shape[1:] for array in arrays}
    if empty := [path for (path, _), array in zip(files, arrays, strict=True) if not array.size]:
        raise DataError(f"{printable_path(empty[0])} holds no images: remove it")
    if len(shapes) > 1:
        raise DataError(f"{first} and the IDX files beside it differ in image size: keep files of one size")
    if with_classes and any(labels is None for _, labels in files):
        raise UsageError(f"{first} has no IDX file of labels beside it: add it")
    if not with_classes:
        return LabeledImages(np.concatenate(arrays), [], [], idx_files=idx_files)
    labels = np.concatenate([read_idx(path, 1) for _, path in files if path is not None])
    if len(labels) != sum(len(array) for array in arrays):
        raise DataError(
            f"{first} holds {sum(len(array) for array in arrays)} images, but there are {len(labels)} labels:"
            " give the label file of the same set"
        )
    classes = [str(number) for number in range(int(labels.max()) + 1)]
    return LabeledImages(np.concatenate(arrays), labels.tolist(), classes, idx_files=idx_files)
