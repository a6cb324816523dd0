"""The suffixes of image files that are read, and the printing and resolving of paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from translate.images.codecs.formats import FORMATS

SUFFIXES = frozenset(FORMATS)
MAX_NAMES = 5  # The number of names that a message lists.


def resolve_links(path: Path) -> Path:
    """Resolve the symbolic links in a path; a link that leads to itself stays as it is."""
    return Path(os.path.realpath(path))


class LinkResolver:
    """A function that resolves the symbolic links in paths, and resolves each folder only once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def __call__(self, path: Path) -> Path:
        """Resolve the symbolic links in a path, as `resolve_links` does."""
        folder, name = os.path.split(path)
        if name in ("", ".", "..") or path.is_symlink():
            return resolve_links(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return Path(self._folders[folder], name)


def printable_path(path: Path | str) -> str:
    """Return a path for messages, in which line breaks and other control characters are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))


def list_names(names: Sequence[str]) -> str:
    """Return the first few names, and the number of the others."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(printable_path(name) for name in names[:MAX_NAMES]) + more
