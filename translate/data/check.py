"""A look at every picture of a data set before hours are spent on it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from translate.data.layouts import (
    Found,
    Paired,
    Photos,
    Source,
    Unpaired,
    find_paired,
    find_photos,
    find_unpaired,
)
from translate.errors import DataError, UsageError
from translate.images import read_rgb

THREADS = 4


def unreadable(files: Iterable[Source]) -> dict[Source, str]:
    """Decode every file; those that cannot be read, with the reason."""
    unique = sorted(set(files), key=str)
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of small damage that it can read around
        reasons = pool.map(_reason, unique)
        return {path: reason for path, reason in zip(unique, reasons, strict=True) if reason}


def _reason(source: Source) -> str:
    try:
        read_rgb(source)
    except DataError as error:
        return str(error)
    return ""


Kind = TypeVar("Kind", Paired, Unpaired, Photos)


def without_unreadable(found: Kind, decoded: Mapping[Source, str] | None = None) -> Kind:
    """The same data set without the pictures that cannot be read, each told in its notes.

    Of tar files only what is held out is looked at: the rest may be too much.

    Args:
        decoded: of files that were decoded before: nothing, or why they cannot be read.

    Raises:
        DataError: nothing is left to train on.
    """
    known = decoded or {}
    files = [file for file in found.files() if isinstance(file, Path)] + found.files_held_out()
    reasons = {**known, **unreadable(file for file in files if file not in known)}
    bad = {path: reason for path, reason in reasons.items() if reason}
    kept = found.without(bad, [f"left out, {reason}" for reason in dict.fromkeys(bad.values())])
    if not kept.train or not all(kept.train):
        raise DataError(f"no picture is left to train on; the first bad one: {next(iter(bad.values()))}")
    return kept


@dataclass
class Inspection:
    """What `translate data check` tells: what a folder can train, and what is wrong with it."""

    lines: list[str]
    problems: list[str]


def inspect(folder: str) -> Inspection:
    """Look at a folder as each kind of recipe would, and decode every picture.

    Raises:
        UsageError: there is no picture in it.
    """
    finders: dict[str, Callable[..., Found]] = {"pix2pix": find_paired, "cyclegan": find_unpaired}
    found: dict[str, Found] = {}
    refused = []
    for what, find in finders.items():
        try:
            found[what] = find(folder, None, None)
        except UsageError as error:
            refused.append(f"not for {what}: {error}")
    if "cyclegan" not in found:
        found["colorize, inpaint, pictures from noise"] = find_photos(folder)
    bad = unreadable(file for kind in found.values() for file in kind.files())
    lines = [f"for {what}: {kind.without(bad, []).summary}" for what, kind in found.items()]
    notes = _notes(found)
    return Inspection([*lines, *refused, *notes, *bad.values()], [*notes, *bad.values()])


def _notes(found: Mapping[str, Found]) -> list[str]:
    """The notes of all kinds, each once, with the kind where only one has it."""
    kinds: dict[str, list[str]] = {}
    for what, kind in found.items():
        for note in kind.notes:
            kinds.setdefault(note, []).append(what)
    return [note if len(of) == len(found) else f"for {of[0]}: {note}" for note, of in kinds.items()]
