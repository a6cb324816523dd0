"""A tree of pictures in, the same tree out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from translate.errors import DataError, UsageError
from translate.images import find_pictures, picture_name, read, real, write
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
    sources = dict(_sources(inputs, out))
    taken = {real(source) for source in sources}
    targets = {}
    # Those that keep their names come first, so that no other takes one of them.
    for source, relative in sorted(sources.items(), key=lambda item: _writable(item[1]) != item[1]):
        targets[source] = _free(out / _writable(relative), taken)
        taken.add(real(targets[source]))
    return targets


def _sources(inputs: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    for given in inputs:
        if given.is_dir():
            if real(given) == real(out):
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
            if real(given) == real(out / given.name):
                raise UsageError(f"-o {out} is where {picture_name(given)} itself lies: give another folder")
            yield given, Path(given.name)
        else:
            raise UsageError(f"no file or folder {picture_name(given)!r}: check the path")


def _writable(path: Path) -> Path:
    return path if path.suffix.lower() in WRITABLE else path.with_name(path.name + ".png")


def _free(target: Path, taken: set[Path]) -> Path:
    """The target itself, or with the first number that no original and no other target has."""
    free, number = target, 1
    while real(free) in taken:
        number += 1
        free = target.with_name(f"{target.stem}-{number}{target.suffix}")
    return free


def translate_files(
    translator: Translator, targets: dict[Path, Path], *, overwrite: bool = False
) -> Iterator[Outcome]:
    """Translate each source into its target; one bad file is told and does not stop the others."""
    for source, target in targets.items():
        try:
            if target.exists() and not overwrite:
                yield Outcome(source, target, skipped=True)
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of small damage that it can read around
                write(translator.picture(read(source)), target)
            yield Outcome(source, target)
        except DataError as error:
            yield Outcome(source, target, failure=str(error))
        except OSError as error:  # of a name that the output's file system does not take
            yield Outcome(source, target, failure=f"{picture_name(source)}: {error.strerror}")
        except (RuntimeError, MemoryError) as error:
            if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
                raise
            yield Outcome(
                source, target, failure=f"{picture_name(source)}: too large for this machine's memory"
            )
