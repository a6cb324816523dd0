"""A tree of pictures in, the same tree out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from translate.errors import DataError, UsageError
from translate.images import find_pictures, picture_name, read, write
from translate.images.picture import WRITABLE
from translate.inference.translator import Translator


@dataclass(frozen=True)
class Outcome:
    """What became of one picture: written, left alone because it was there, or failed and why."""

    source: Path
    target: Path
    failure: str = ""
    skipped: bool = False


def plan(inputs: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Which file each picture is written to: its own path below `out`, in its own format.

    Formats that cannot be written become PNG, under their full name plus `.png`. Two inputs
    never share a file: the second gets a number.

    Raises:
        UsageError: an input is missing, a folder holds no picture, or `out` is an input folder.
    """
    targets: dict[Path, Path] = {}
    taken: set[str] = set()
    for source, relative in _sources(inputs, out):
        if source in targets:
            continue
        target = _free(out / _writable(relative), taken)
        taken.add(_folded(target))
        targets[source] = target
    return targets


def _sources(inputs: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    for given in inputs:
        if given.is_dir():
            if given.resolve() == out.resolve():
                raise UsageError(
                    f"-o {out} is the input folder itself: give another, or the originals would be lost"
                )
            found = find_pictures(given, skip=out)
            if not found:
                raise UsageError(
                    f"{picture_name(given)} holds no pictures: check the path, or their suffixes"
                )
            yield from ((path, path.relative_to(given)) for path in found)
        elif given.exists() or given.is_symlink():
            if given.resolve() == (out / given.name).resolve():
                raise UsageError(f"-o {out} is where {picture_name(given)} itself lies: give another folder")
            yield given, Path(given.name)
        else:
            raise UsageError(f"no file or folder {picture_name(given)!r}: check the path")


def _writable(path: Path) -> Path:
    return path if path.suffix.lower() in WRITABLE else path.with_name(path.name + ".png")


def _free(target: Path, taken: set[str]) -> Path:
    """The target itself, or with the first number that nothing else in this batch has."""
    free, number = target, 1
    while _folded(free) in taken:
        number += 1
        free = target.with_name(f"{target.stem}-{number}{target.suffix}")
    return free


def _folded(path: Path) -> str:
    """Names that differ by case only are one file on some disks."""
    return str(path).casefold()


def translate_files(
    translator: Translator, targets: dict[Path, Path], *, overwrite: bool = False
) -> Iterator[Outcome]:
    """Translate each source into its target; one bad file is told and does not stop the others."""
    for source, target in targets.items():
        if target.exists() and not overwrite:
            yield Outcome(source, target, skipped=True)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of small damage that it can read around
                write(translator.picture(read(source)), target)
            yield Outcome(source, target)
        except DataError as error:
            yield Outcome(source, target, failure=str(error))
        except (RuntimeError, MemoryError) as error:
            if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
                raise
            yield Outcome(
                source, target, failure=f"{picture_name(source)}: too large for this machine's memory"
            )
