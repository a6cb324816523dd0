"""Describe on one line why an image file could not be read or written."""

from __future__ import annotations

from pathlib import Path

from PIL import UnidentifiedImageError

from translate.images.codecs.formats import READABLE_FORMATS
from translate.images.left_out import UNREADABLE_SUFFIXES


def describe_error(error: Exception) -> str:
    """Return the message of an exception on one line; the name of its class if it has none."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def explain_unreadable(path: Path, error: Exception) -> str:
    """Explain why decoding a file failed: it is empty, of an unknown format, missing, or damaged."""
    if isinstance(error, UnidentifiedImageError):
        suffix = path.suffix.lower()
        if path.exists() and path.stat().st_size == 0:
            return "the file is empty: copy it again"
        if suffix in UNREADABLE_SUFFIXES:
            return f"{suffix} is not supported: convert the file to JPEG, PNG or TIFF"
        formats = ", ".join(READABLE_FORMATS)
        return f"not an image of a known format ({formats}): convert it to JPEG, PNG or TIFF"
    if isinstance(error, OSError) and error.strerror:  # The operating system cannot read the file.
        return describe_error(error)
    return f"the file is damaged ({describe_error(error)}): copy it again"
