"""Expand the paths and URLs of tar files: number ranges and wildcards, local or wherever fsspec reaches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from translate.errors import UsageError
from translate.images import find_images
from translate.images.codecs.failures import describe_error

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
COMPRESSED_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def expand_urls(data: str) -> list[str]:
    """Return the paths or URLs of the tar files that `data` names, in order; an empty list for other data.

    Args:
        data: a tar file or its URL, where `{000..099}` is a range and `*` a wildcard; or a folder that
            contains tar files and no images.

    Raises:
        UsageError: the files are compressed, a range is reversed, or no file matches a wildcard.
    """
    folder = Path(data)
    if folder.is_dir():
        tars = sorted(folder.glob("*.tar"))
        return [str(path) for path in tars] if tars and not find_images(folder) else []
    if data.endswith(COMPRESSED_SUFFIXES):
        raise UsageError(
            f"{data} is compressed, and single images cannot be read from it: give an uncompressed .tar"
        )
    if "://" not in data and not data.endswith(".tar"):
        return []
    return [url for pattern in _expand_ranges(data) for url in _match(pattern)]


def open_file_system(url: str) -> tuple[Any, str]:
    """Return the fsspec file system for a URL, and the path in it.

    Raises:
        UsageError: fsspec does not support the URL, or a package that it needs for it is not installed.
    """
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: {describe_error(error)}") from None
    return system, path


def is_local(system: Any) -> bool:
    """Return whether an fsspec file system is the local one."""
    return "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))


def _expand_ranges(pattern: str) -> list[str]:
    """Return one name for each number in the ranges of a pattern, zero-padded like the first number."""
    match = RANGE.search(pattern)
    if not match:
        return [pattern]
    first, last = match.groups()
    prefix, suffix = pattern[: match.start()], pattern[match.end() :]
    numbers = range(int(first), int(last) + 1)
    if not numbers:
        raise UsageError(f"{pattern}: the range is reversed: write {{{last}..{first}}}")
    return [url for n in numbers for url in _expand_ranges(f"{prefix}{n:0{len(first)}}{suffix}")]


def _match(pattern: str) -> list[str]:
    """Return the files that match a pattern; a name without wildcards is returned unchecked."""
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
