"""Plan which file each image of a folder is written to."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from translate.errors import UsageError
from translate.images import FORMATS, SUFFIXES, find_images, printable_path, resolve_links
from translate.images.files import FOREIGN

LONGEST_NAME = 255  # bytes, of most file systems
SUFFIX_OF = {"png": ".png", "jpg": ".jpg", "webp": ".webp"}


@dataclass(frozen=True)
class Job:
    """An image, the file that it is to become, and the mask of what is to be filled in it."""

    source: Path
    target: Path
    mask: Path | None = None


def plan(inputs: Sequence[Path], out: Path, *, format: str = "keep") -> list[Job]:
    """Find the images of files and folders, and plan where each is written: its own path below `out`.

    Two inputs never share a file: the second gets a number. No original is written over.

    Args:
        format: `keep`, or the `png`, `jpg` or `webp` that all become.

    Raises:
        UsageError: an input is missing, a folder holds no image, or `out` is an input folder.
    """
    for path in (*inputs, out):
        refuse_unless_reachable(path)
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out} is a file: give a folder")
    found: dict[Path, Path] = {}
    for source, relative in _find(inputs, out):
        found.setdefault(source, relative)  # of inputs that overlap, the first says where
    wanted = {source: _with_suffix(relative, format) for source, relative in found.items()}
    used = _UsedPaths(out, [resolve_links(source) for source in found], wanted.values())
    # Those that keep their names come first, so that no other takes one of them.
    order = sorted(found, key=lambda source: wanted[source] != found[source])
    jobs = {source: Job(source, used.free(wanted[source])) for source in order}
    return [jobs[source] for source in found]


def refuse_unless_reachable(path: Path) -> None:
    """Refuse a path that the system does not even look up: a name too long, a folder that is closed."""
    try:
        path.exists()
    except OSError as error:
        raise UsageError(f"{printable_path(path)}: {error.strerror}: give another path") from None


def _find(inputs: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each image, and its path below the input that it was found in."""
    for given in inputs:
        if given.is_dir():
            if resolve_links(given) == resolve_links(out):
                raise UsageError(
                    f"-o {out} is the input folder itself: give another, or the originals would be lost"
                )
            frames = find_images(given, skip=out, suffixes=SUFFIXES | FOREIGN)
            if not frames:
                raise UsageError(
                    f"{printable_path(given)} holds no images: check the path and the suffixes of its files"
                )
            yield from ((path, path.relative_to(given)) for path in frames)
        elif given.exists() or given.is_symlink():
            if resolve_links(given) == resolve_links(out / given.name):
                raise UsageError(
                    f"-o {out} is where {printable_path(given)} itself lies: give another folder"
                )
            yield given, Path(given.name)
        else:
            raise UsageError(f"no file or folder {printable_path(given)!r}: check the path")


def _with_suffix(path: Path, format: str) -> Path:
    """Return the path with the suffix of the format that is asked for."""
    if format == "keep" or FORMATS.get(path.suffix.lower()) == FORMATS[SUFFIX_OF[format]]:
        return path
    stem = path.stem if path.suffix.lower() in FORMATS else path.name
    return path.with_name(_shorten(stem, SUFFIX_OF[format]))


def _shorten(stem: str, ending: str) -> str:
    """Join stem and ending, the stem cut so that a file system takes the name."""
    whole, room = os.fsencode(stem), LONGEST_NAME - len(os.fsencode(ending))
    return (stem if len(whole) <= room else whole[:room].decode("utf-8", "ignore")) + ending


class _UsedPaths:
    """The paths that no further image may be written to."""

    def __init__(self, out: Path, sources: Sequence[Path], wanted: Iterable[Path]) -> None:
        self.out = out
        self.ignores_case = _ignores_case(out)
        self.files = {self._key(source) for source in sources}
        self.folders = {self._key(resolve_links(out / parent)) for path in wanted for parent in path.parents}

    def free(self, relative: Path) -> Path:
        """Return a path below `out`: the one wanted, or with the first number that makes it free."""
        target, number = self.out / relative, 1
        while self._is_used(target):
            number += 1
            target = (self.out / relative).with_name(_shorten(relative.stem, f"-{number}{relative.suffix}"))
        self.files.add(self._key(resolve_links(target)))
        return target

    def _is_used(self, target: Path) -> bool:
        key = self._key(resolve_links(target))
        return key in self.files or key in self.folders

    def _key(self, path: PurePath) -> str:
        text = str(path)
        return unicodedata.normalize("NFC", text).casefold() if self.ignores_case else text


def _ignores_case(folder: Path) -> bool:
    """Return whether the file system there takes `a.png` and `A.PNG` for one file."""
    place = resolve_links(folder)
    while not place.exists():
        place = place.parent
    swapped = place.parent / place.name.swapcase()
    return swapped.name != place.name and swapped.exists() and swapped.samefile(place)
