"""The URLs of tar files: number ranges, patterns, and the file systems of fsspec that read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from translate.errors import UsageError
from translate.images import find_images
from translate.images.codecs.failures import describe_error

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def expand_urls(given: str) -> list[str]:
    """Return the paths or URLs of the tar files that are meant, in order; none where a folder is meant.

    Args:
        given: a tar file or its URL, with `{000..099}` for a range and `*` for any name; or a folder that
            holds tar files and no images.

    Raises:
        UsageError: the files are compressed, a range runs backwards, or no file matches a pattern.
    """
    folder = Path(given)
    if folder.is_dir():
        tars = sorted(folder.glob("*.tar"))
        return [str(path) for path in tars] if tars and not find_images(folder) else []
    if given.endswith(COMPRESSED):
        raise UsageError(f"{given} is compressed, so no image in it has a place: give a plain .tar")
    if "://" not in given and not given.endswith(".tar"):
        return []
    return [url for pattern in _expand_ranges(given) for url in _match(pattern)]


def open_file_system(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec that reads a URL, and the path in it.

    Raises:
        UsageError: fsspec knows no such URL, or lacks a package for it.
    """
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: {describe_error(error)}") from None
    return system, path


def is_local(system: Any) -> bool:
    """Return whether a file system is that of this machine."""
    return "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))


def _expand_ranges(pattern: str) -> list[str]:
    """Return a name for each number of the ranges in a pattern, padded with zeros as the first number is."""
    match = RANGE.search(pattern)
    if not match:
        return [pattern]
    first, last = match.groups()
    before, after = pattern[: match.start()], pattern[match.end() :]
    numbers = range(int(first), int(last) + 1)
    if not numbers:
        raise UsageError(f"{pattern}: the range runs backwards: write {{{last}..{first}}}")
    return [url for n in numbers for url in _expand_ranges(f"{before}{n:0{len(first)}}{after}")]


def _match(pattern: str) -> list[str]:
    """Return the files that match a pattern; a name without wildcards is returned without a look."""
    if not set("*?[") & set(pattern):
        return [pattern]
    system, path = open_file_system(pattern)
    try:
        paths = sorted(system.glob(path))
    except Exception as error:  # Each kind of storage raises errors of its own, so catch them all.
        raise UsageError(f"{pattern}: {describe_error(error)}") from None
    if not paths:
        raise UsageError(f"no file matches {pattern!r}: check the path")
    return [str(path) if is_local(system) else system.unstrip_protocol(path) for path in paths]
