"""Pictures to learn to make: a folder, sub-folders that are classes, a CSV of classes, IDX or tar files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from translate.data.idx import Bytes, find_idx, read_idx
from translate.data.layouts import HELD_OUT_NAMES, Source, place_of, told
from translate.data.shards import CACHE_SIZE, Shards
from translate.errors import DataError, UsageError
from translate.images import Pixels, find_pictures, picture_name, read_rgb


@dataclass
class Classed:
    """Pictures, each with its class where there are classes.

    Attributes:
        pictures: files, or arrays of (H, W) uint8 from an IDX file.
        labels: the number of each picture's class; empty without classes.
        classes: their names.
        sources: the IDX files.
    """

    pictures: Sequence[Source] | Bytes
    labels: list[int]
    classes: list[str]
    notes: list[str] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)

    def files(self) -> Sequence[Source]:
        return self.sources if isinstance(self.pictures, np.ndarray) else self.pictures

    def without(self, bad: Collection[Source], notes: list[str]) -> Classed:
        """The same but for the bad files; a class that is left without pictures stays a class."""
        if isinstance(self.pictures, np.ndarray) or not bad:
            return self
        kept = [number for number, path in enumerate(self.pictures) if path not in bad]
        labels = [self.labels[number] for number in kept] if self.labels else []
        return Classed([self.pictures[number] for number in kept], labels, self.classes, self.notes + notes)

    def pixels(self, number: int, least: int) -> Pixels:
        """(H, W, 3) of one of them.

        Args:
            least: a length of both sides that is enough.

        Raises:
            DataError: its file cannot be read.
        """
        if isinstance(self.pictures, np.ndarray):
            return np.repeat(self.pictures[number][..., None], 3, axis=2)
        return read_rgb(self.pictures[number], least=(least, least))

    @property
    def summary(self) -> str:
        count = len(self.classes)
        of = f" of {count} {'class' if count == 1 else 'classes'}" if count else ""
        return f"{len(self.pictures)} pictures{of} to train on"


def find_classed(
    data: str | None, labels: str | None = None, *, with_classes: bool, cache_size: float = CACHE_SIZE
) -> Classed:
    """The pictures of a folder.

    Args:
        data: a folder of IDX files, or of pictures; its train/ where it has one; or tar files.
        labels: a CSV file: the pictures' names below the folder, and their classes.
        with_classes: without a CSV file, what lies in a sub-folder is of its class, and in tar files what has
            a `.cls` beside it; else all is of none.
        cache_size: gigabytes that copies of tar files from elsewhere may take.

    Raises:
        UsageError: the folder or the CSV file is missing, or holds no pictures, or none with a class.
        DataError: an IDX or CSV file is damaged.
    """
    root = place_of(data, cache_size=cache_size)
    if isinstance(root, Shards):
        return _from_shards(root, labels, with_classes=with_classes)
    if (root / "train").is_dir():
        root = root / "train"
    if idx := find_idx(root):
        return _from_idx(idx, with_classes=with_classes)
    files = find_pictures(root)
    if not files:
        raise UsageError(f"{root} holds no pictures: check the path and the suffixes of its files")
    if labels is not None:
        return _by_table(root, files, Path(labels))
    folders = {path: path.relative_to(root).parts[:-1][:1] for path in files}
    files = [path for path in files if folders[path] not in {(name,) for name in HELD_OUT_NAMES}]
    if not with_classes:
        return Classed(files, [], [])
    classes = sorted({name for path in files for name in folders[path]})
    if not classes:
        raise UsageError(
            f"{root} has no classes: put its pictures into sub-folders by class, or give a CSV by --labels"
        )
    loose = [path for path in files if not folders[path]]
    notes = [told("in no sub-folder, so of no class, left out", loose)] if loose else []
    files = [path for path in files if folders[path]]
    return Classed(files, [classes.index(folders[path][0]) for path in files], classes, notes)


def _from_shards(shards: Shards, labels: str | None, *, with_classes: bool) -> Classed:
    if labels is not None:
        raise UsageError("--labels is for folders: in tar files, give each picture a .cls of its name")
    if not with_classes:
        return Classed(list(shards.members), [], [], shards.notes)
    texts = [(member, shards.classes.get((member.shard, member.key), "")) for member in shards.members]
    classes = sorted({text for _, text in texts if text})
    if not classes:
        raise UsageError(
            "no picture of these tar files has a class: put 0001.cls beside 0001.jpg, its class in it"
        )
    without = [member for member, text in texts if not text]
    notes = shards.notes + ([told("without a .cls, so of no class, left out", without)] if without else [])
    members = [member for member, text in texts if text]
    return Classed(members, [classes.index(text) for _, text in texts if text], classes, notes)


def _by_table(root: Path, files: list[Path], table: Path) -> Classed:
    """The files that a CSV file names, by the classes that it gives them."""
    rows = _rows(table)
    given = dict(rows)
    if twice := [name for name, count in Counter(name for name, _ in rows).items() if count > 1]:
        raise DataError(f"{table} has {twice[0]!r} twice: leave one of its rows")
    names = {path.relative_to(root).as_posix(): path for path in files}
    named = {name: path for name, path in names.items() if name in given}
    if not named:
        raise UsageError(
            f"{table} names no picture of {root}: its first column must be names like {next(iter(names))!r}"
        )
    notes = []
    if unnamed := [path for name, path in names.items() if name not in given]:
        notes.append(told(f"not in {table.name}, left out", unnamed))
    if missing := [Path(name) for name in given if name not in names and name != rows[0][0]]:
        notes.append(told(f"in {table.name} and not in {root}", missing))
    classes = sorted({given[name] for name in named})
    return Classed(list(named.values()), [classes.index(given[name]) for name in named], classes, notes)


def _rows(table: Path) -> list[tuple[str, str]]:
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
        if len(row) < 2:
            raise DataError(f"{table}, row {number}: {row[0]!r} has no class: write name,class")
        if not row[1].strip():
            raise DataError(f"{table}, row {number}: {row[0]!r} has no class: write name,class")
    return [(row[0].strip(), row[1].strip()) for row in rows]


def _from_idx(found: list[tuple[Path, Path | None]], *, with_classes: bool) -> Classed:
    sources = [path for pair in found for path in pair if path is not None]
    pictures = [read_idx(images, 3) for images, _ in found]
    shapes = {array.shape[1:] for array in pictures}
    if len(shapes) > 1 or not all(array.size for array in pictures):
        raise DataError(f"{picture_name(found[0][0])} and the others hold no pictures, or of several sizes")
    if with_classes and any(labels is None for _, labels in found):
        raise UsageError(f"{picture_name(found[0][0])} has no IDX file of labels beside it: bring it")
    if not with_classes:
        return Classed(np.concatenate(pictures), [], [], sources=sources)
    labels = np.concatenate([read_idx(path, 1) for _, path in found if path is not None])
    if len(labels) != sum(len(array) for array in pictures):
        raise DataError(f"{picture_name(found[0][0])} has other pictures than there are labels")
    classes = [str(number) for number in range(int(labels.max()) + 1)]
    return Classed(np.concatenate(pictures), labels.tolist(), classes, sources=sources)
