"""Find the image files of a folder."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".jfif", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
# Image files that a user may have and that are not read: the user is told, rather than miss one later.
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


def find_images(folder: Path, *, skip: Path | None = None, suffixes: frozenset[str] = SUFFIXES) -> list[Path]:
    """Find all files below `folder` that are images by their suffix, sorted, hidden ones left out.

    Links to folders are not followed, because they may lead in a circle.

    Args:
        skip: a folder to leave out (the output folder inside the input, say).
        suffixes: those of images, in lower case.
    """
    found = []
    for where, folders, names in os.walk(folder):
        here = Path(where)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and (skip is None or resolve_links(here / name) != resolve_links(skip))
        ]
        found += [here / name for name in names if _is_image_name(name, suffixes)]
    return sorted(found)


def _is_image_name(name: str, suffixes: frozenset[str]) -> bool:
    """Return whether a file name is that of an image, by its suffix, and not hidden."""
    return not name.startswith(".") and Path(name).suffix.lower() in suffixes


def resolve_links(path: Path) -> Path:
    """Resolve the links of a path; one that leads to itself stays as it is."""
    return Path(os.path.realpath(path))


def printable_path(path: Path | str) -> str:
    """Return a path for messages: line breaks and other control characters are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))
