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


def printable_path(path: Path | str) -> str:
    """Return a path for messages, in which line breaks and other control characters are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))


def list_names(names: Sequence[str]) -> str:
    """Return the first few names, and the number of the others."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(printable_path(name) for name in names[:MAX_NAMES]) + more
