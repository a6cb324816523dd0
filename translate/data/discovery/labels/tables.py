"""Read tables of the labels of images: CSV files, and the list of attributes that comes with CelebA."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from translate.data.discovery.location import ImageSource, describe_left_out, relative_name
from translate.data.discovery.split import ImageSet, Subsets
from translate.errors import DataError, UsageError
from translate.images import SUFFIXES

ON, OFF = "1", ("0", "-1")
SEPARATORS = ",;\t"  # A spreadsheet writes semicolons where the comma is the decimal point.


@dataclass(frozen=True)
class LabelTable:
    """A table of labels: the attributes of images, or the class of each.

    Attributes:
        path: the file.
        attributes: the names of the columns of attributes; empty if a row has a class.
        rows: the values of each image by its name: 1, 0 or -1 for each attribute, or the class.
        lines: the number of each row in the file, by the name of the image.
        lists_more: whether it may name images that are not there, as CelebA's list does for a part of CelebA.
    """

    path: Path
    attributes: list[str]
    rows: dict[str, tuple[str, ...]]
    lines: dict[str, int]
    lists_more: bool = False


def read_csv_rows(path: Path) -> list[list[str]]:
    """Read the rows of a CSV file, without empty ones.

    The separator is the comma, the semicolon or the tab, whichever divides the first row into the most cells.

    Raises:
        UsageError: the file cannot be read.
        DataError: it is damaged.
    """
    text = _read_text(path)
    try:
        separator = max(SEPARATORS, key=lambda each: len(next(_csv_rows(text, each), [])))
        return list(_csv_rows(text, separator))
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file ({error}): write rows name,class") from None


def _csv_rows(text: str, separator: str) -> Iterator[list[str]]:
    return (row for row in csv.reader(StringIO(text, newline=""), delimiter=separator) if row)


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the labels {str(path)!r}: {error.strerror}: check the path") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not encoded in UTF-8: save it as UTF-8") from None


def read_label_table(path: Path) -> LabelTable:
    """Read a table of attributes or of classes.

    CelebA's list begins with the number of images and the names of the attributes, a line each. A CSV file of
    attributes has a header; one of two columns is of attributes if all rows below the first are 1, 0 or -1.

    Raises:
        UsageError: the file cannot be read.
        DataError: it is damaged, or a value of an attribute is not 1, 0 or -1.
    """
    lines = [line.split() for line in _read_text(path).splitlines()]
    if len(lines) > 1 and len(lines[0]) == 1 and lines[0][0].isdigit():
        return _attributes(path, lines[1], lines[2:], first_line=3, lists_more=True)
    rows = [[cell.strip() for cell in row] for row in read_csv_rows(path)]
    if not rows or len(rows[0]) < 2:
        raise DataError(f"{path} has no labels: write rows name,domain, or a header name,attribute,...")
    if _has_attributes(rows):
        return _attributes(path, rows[0][1:], rows[1:], first_line=2)
    return _table(path, [], rows, first_line=1)


def _has_attributes(rows: Sequence[Sequence[str]]) -> bool:
    values = {cell for row in rows[1:] for cell in row[1:2]}
    return len(rows[0]) > 2 or (bool(values) and values <= {ON, *OFF} and rows[0][1] not in (ON, *OFF))


def _attributes(
    path: Path, names: list[str], rows: list[list[str]], *, first_line: int, lists_more: bool = False
) -> LabelTable:
    """Return a table of attributes whose values are checked."""
    if {*names} & {ON, *OFF}:
        raise DataError(f"{path} has no header: let its first row name the attributes, name,a,b,...")
    table = _table(path, names, rows, first_line=first_line, lists_more=lists_more)
    found: set[str] = set()
    for image, values in table.rows.items():
        if len(values) != len(names):
            raise DataError(
                f"{path}, row {table.lines[image]}: {image!r} has {len(values)} values, but there are"
                f" {len(names)} attributes: give each a value"
            )
        if not {*values} <= {ON, *OFF}:
            name, value = next(p for p in zip(names, values, strict=True) if p[1] not in (ON, *OFF))
            raise DataError(
                f"{path}, row {table.lines[image]}: {name} of {image!r} is {value!r}, which is no label:"
                " write 1 if it is on, and -1 or 0 if it is off"
            )
        found.update(values)
    if found.issuperset(OFF):
        raise DataError(f"{path} has both 0 and -1: write one of them for attributes that are off")
    return table


def _table(
    path: Path, attributes: list[str], rows: list[list[str]], *, first_line: int, lists_more: bool = False
) -> LabelTable:
    """Return a table whose rows have one name each."""
    by_name: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    for line, row in enumerate(rows, first_line):
        if not row:  # The end of CelebA's list.
            continue
        name, *values = row
        if name in by_name:
            raise DataError(f"{path} has more than one row for {name!r}: keep one of them")
        if not attributes and not (values and values[0]):
            raise DataError(f"{path}, row {line}: {name!r} has no domain: write name,domain")
        by_name[name], lines[name] = tuple(values if attributes else values[:1]), line
    return LabelTable(path, attributes, by_name, lines, lists_more)


def match_rows(subsets: Subsets, table: LabelTable) -> tuple[dict[ImageSource, tuple[str, ...]], list[str]]:
    """Return the values of each image of a dataset that a table names, and notes on what is left out.

    Raises:
        UsageError: the table names none of the images, one that does not exist, or one that could be several.
        DataError: two rows are of one image.
    """
    sets = (subsets.train, *subsets.held_out.values())
    files = [file for images in sets for file in images.images]
    names = _find_rows(sets, table)
    if not names:
        raise UsageError(
            f"{table.path} names no image of {subsets.train}: its first column must have names such as"
            f" {subsets.train.name(files[0])!r}"
        )
    named, header = set(names.values()), _header(table)
    missing = [name for name in table.rows if name not in named and name != header]
    notes = []
    if missing and not table.lists_more:
        more = f" ({len(missing)} such rows)" if len(missing) > 1 else ""
        raise UsageError(
            f"{table.path}, row {table.lines[missing[0]]}: no image {missing[0]!r} in"
            f" {subsets.train.location}{more}: remove the row, or add the image"
        )
    if missing:
        notes.append(f"{len(missing)} images of {table.path.name} are not there: the others are used")
    if without_row := [file for file in files if file not in names]:
        notes.append(describe_left_out(f"not in {table.path.name}", without_row))
    return {file: table.rows[name] for file, name in names.items()}, notes


def _find_rows(sets: Sequence[ImageSet], table: LabelTable) -> dict[ImageSource, str]:
    """Return the name by which a table has a row of an image, of each image that it names."""
    paths = {file: relative_name(images.location, file) for images in sets for file in images.images}
    # A name may have the folder of the subset, `train/1.png`, or not, or be the file's alone. The first
    # spelling that there is counts.
    spellings: list[dict[str, list[ImageSource]]] = [{}, {}, {}]
    for images in sets:
        for file in images.images:
            for files, name in zip(spellings, (paths[file], images.name(file), file.name), strict=True):
                files.setdefault(name, []).append(file)
    names: dict[ImageSource, str] = {}
    for name, line in table.lines.items():
        found = next((files[name] for files in spellings if name in files), [])
        if not found:
            continue
        if len(found) > 1:
            first, second, *_ = sorted(paths[file] for file in found)
            raise UsageError(
                f"{table.path}, row {line}: {name!r} is the name of {len(found)} images: write {first!r} or"
                f" {second!r}"
            )
        file = found[0]
        if file in names:
            raise DataError(
                f"{table.path}, rows {table.lines[names[file]]} and {line} are both of {paths[file]!r}: keep"
                " one of them"
            )
        names[file] = name
    return names


def _header(table: LabelTable) -> str | None:
    """Return the first cell of a table of domains if its row can be a header; None if it names an image.

    A header's second cell is no domain of the other rows.
    """
    if table.attributes:
        return None
    (name, label), *others = table.rows.items()
    is_row = Path(name).suffix.lower() in SUFFIXES or label in (values for _, values in others)
    return None if is_row else name
