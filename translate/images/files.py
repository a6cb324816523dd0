"""Which files of a folder are pictures."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".jfif", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
# Pictures that a person may have, and that are not read: told, where a folder is to come back whole.
FOREIGN = frozenset(
    {
        ".avif",
        ".cr2",
        ".cr3",
        ".dng",
        ".exr",
        ".hdr",
        ".heic",
        ".heif",
        ".jp2",
        ".jxl",
        ".nef",
        ".psd",
        ".arw",
    }
)


def find_pictures(
    folder: Path, *, skip: Path | None = None, suffixes: frozenset[str] = SUFFIXES
) -> list[Path]:
    """All files below `folder` that are pictures by their suffix, sorted, hidden ones left out.

    Links to folders are not followed, so that a loop cannot be walked.

    Args:
        skip: a folder to leave out (the output folder inside the input, say).
        suffixes: those of pictures, in lower case.
    """
    found = []
    for where, folders, names in os.walk(folder):
        here = Path(where)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (skip is None or real(here / name) != real(skip))
        ]
        found += [here / name for name in names if _is_picture_name(name, suffixes)]
    return sorted(found)


def _is_picture_name(name: str, suffixes: frozenset[str]) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in suffixes


def real(path: Path) -> Path:
    """Where a path leads, through links; one that leads to itself stays as it is."""
    return Path(os.path.realpath(path))


def picture_name(path: Path | str) -> str:
    """A path for messages: line breaks and other control characters are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))
