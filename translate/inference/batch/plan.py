"""Plan the jobs of a folder: which file each image is written to, without overwriting any other."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from translate.errors import UsageError
from translate.images import (
    FORMATS,
    LeftOut,
    LinkResolver,
    printable_path,
    resolve_links,
    scan_folder,
    undecodable_images,
)

MAX_NAME_BYTES = 255  # The maximum length of a file name on most file systems.
FORMAT_SUFFIXES = {"png": ".png", "jpg": ".jpg", "webp": ".webp"}


@dataclass(frozen=True)
class Job:
    """A job: an image, the file that its output is written to, and the mask of its hole."""

    source: Path
    target: Path
    mask: Path | None = None


@dataclass
class InputScan:
    """The images of files and folders.

    Attributes:
        paths: the path of each image relative to the input that contains it. Images that cannot be decoded
            are among them, so that each of them is reported as failed.
        left_out: what is left out of the folders, these images included.
    """

    paths: dict[Path, Path] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def scan_inputs(inputs: Sequence[Path], out: Path) -> InputScan:
    """Find the images of files and folders; an output folder inside an input folder is skipped.

    Raises:
        UsageError: an input is missing, a folder holds no images, or `out` is an input folder.
    """
    for path in (*inputs, out):
        check_path(path)
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out} is a file: give a folder")
    scan = InputScan()
    for path in inputs:
        refuse_input_folder(path, out)
        for source, relative in _find_images(path, out, scan.left_out):
            scan.paths.setdefault(source, relative)  # Where inputs overlap, the first one decides.
    return scan


def refuse_input_folder(path: Path, out: Path) -> None:
    """Refuse an output folder that is an input, or in which an input file lies.

    Raises:
        UsageError: it is one.
    """
    if path.is_dir():
        if resolve_links(path) == resolve_links(out):
            raise UsageError(
                f"-o {out} is the input folder itself: give another, or the originals would be lost"
            )
    elif (path.exists() or path.is_symlink()) and resolve_links(path) == resolve_links(out / path.name):
        raise UsageError(f"-o {out} is the folder of {printable_path(path)}: give another folder")


def plan_jobs(paths: Mapping[Path, Path], out: Path, *, format: str = "keep") -> list[Job]:
    """Plan where each image is written: at its own path below `out`.

    Two images never share a file: the second gets a number. No original is overwritten.

    Args:
        paths: the path of each image relative to the input that contains it.
        format: `keep`, or `png`, `jpg` or `webp` for all.
    """
    preferred = {source: _with_suffix(relative, format) for source, relative in paths.items()}
    used = _UsedPaths(out, paths, preferred.values())
    # Images that keep their names come first, so that no other image takes their names.
    order = sorted(paths, key=lambda source: preferred[source] != paths[source])
    jobs = {source: Job(source, used.reserve(preferred[source])) for source in order}
    return [jobs[source] for source in paths]


def check_path(path: Path) -> None:
    """Check that the system can look a path up: its name is not too long, its folder is not closed.

    Raises:
        UsageError: it cannot.
    """
    try:
        path.exists()
    except OSError as error:
        raise UsageError(f"{printable_path(path)}: {error.strerror}: give another path") from None


def _find_images(path: Path, out: Path, left_out: list[LeftOut]) -> Iterator[tuple[Path, Path]]:
    """Yield each image of an input with its relative path; add what is left out of a folder to a list."""
    if path.is_dir():
        scan = scan_folder(path, skip=out)
        left_out += scan.left_out
        undecodable = undecodable_images(scan.left_out)
        if not undecodable:
            scan.require_images(path)
        yield from ((image, image.relative_to(path)) for image in sorted(scan.images + undecodable))
    elif path.exists() or path.is_symlink():
        yield path, Path(path.name)
    else:
        raise UsageError(f"no file or folder {printable_path(path)!r}: check the path")


def _with_suffix(path: Path, format: str) -> Path:
    """Return the path with the suffix of the format, unless its own suffix is one of that format."""
    if format == "keep" or FORMATS.get(path.suffix.lower()) == FORMATS[FORMAT_SUFFIXES[format]]:
        return path
    stem = path.stem if path.suffix.lower() in FORMATS else path.name
    return path.with_name(_join_name(stem, FORMAT_SUFFIXES[format]))


def _join_name(stem: str, ending: str) -> str:
    """Join stem and ending; cut the stem off so that the file system takes the name."""
    stem_bytes, max_bytes = os.fsencode(stem), MAX_NAME_BYTES - len(os.fsencode(ending))
    if len(stem_bytes) > max_bytes:
        stem = stem_bytes[:max_bytes].decode("utf-8", "ignore")
    return stem + ending


class _UsedPaths:
    """The paths that are taken: by the sources, by the folders of the targets, and by targets so far."""

    def __init__(self, out: Path, sources: Iterable[Path], preferred: Iterable[Path]) -> None:
        self.out = out
        self.ignores_case = _ignores_case(out)
        self.resolve_links = LinkResolver()
        self.files = {self._key(source) for source in sources}
        folders = {parent for path in preferred for parent in path.parents}
        self.folders = {self._key(out / folder) for folder in folders}

    def reserve(self, relative: Path) -> Path:
        """Reserve and return a path below `out`: the preferred one, or with the first number that is free."""
        target, number = self.out / relative, 1
        while self._is_used(target):
            number += 1
            name = _join_name(relative.stem, f"-{number}{relative.suffix}")
            target = (self.out / relative).with_name(name)
        self.files.add(self._key(target))
        return target

    def _is_used(self, target: Path) -> bool:
        key = self._key(target)
        return key in self.files or key in self.folders

    def _key(self, path: Path) -> str:
        text = str(self.resolve_links(path))
        return unicodedata.normalize("NFC", text).casefold() if self.ignores_case else text


def _ignores_case(folder: Path) -> bool:
    """Return whether the file system takes `a.png` and `A.PNG` for the same file."""
    existing = resolve_links(folder)
    while not existing.exists():
        existing = existing.parent
    swapped = existing.parent / existing.name.swapcase()
    return swapped.name != existing.name and swapped.exists() and swapped.samefile(existing)
