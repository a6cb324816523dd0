"""Find the image files in a folder, and print their paths."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".jfif", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
# Suffixes of image files that cannot be read. They are reported, so that no image is skipped silently.
UNREADABLE_SUFFIXES = frozenset(
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
    """Find all image files below a folder by their suffix, and sort them; hidden ones are left out.

    Links to folders are not followed, because they may form a loop.

    Args:
        skip: a folder to leave out, such as the output folder inside the input folder.
        suffixes: the suffixes of images, in lower case.
    """
    paths = []
    for root, folders, names in os.walk(folder):
        parent = Path(root)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and (skip is None or resolve_links(parent / name) != resolve_links(skip))
        ]
        paths += [parent / name for name in names if _is_image_name(name, suffixes)]
    return sorted(paths)


def _is_image_name(name: str, suffixes: frozenset[str]) -> bool:
    """Return whether a file name has the suffix of an image and is not hidden."""
    return not name.startswith(".") and Path(name).suffix.lower() in suffixes


def resolve_links(path: Path) -> Path:
    """Resolve the symbolic links in a path; a link that leads to itself stays as it is."""
    return Path(os.path.realpath(path))


def printable_path(path: Path | str) -> str:
    """Return a path for messages, in which line breaks and other control characters are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))
