"""Why an image file could not be read or written, on one line for a message."""

from __future__ import annotations

from pathlib import Path

from PIL import UnidentifiedImageError

from translate.images.codecs.formats import READABLE
from translate.images.files import FOREIGN


def describe_error(error: Exception) -> str:
    """Return what an error says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def explain_unreadable(path: Path, error: Exception) -> str:
    """Return why a decoder failed on a file: it is empty, of an unknown format, missing, or damaged."""
    if isinstance(error, UnidentifiedImageError):
        if path.exists() and path.stat().st_size == 0:
            return "the file is empty"
        if path.suffix.lower() in FOREIGN:
            return f"{path.suffix.lower()} files are not read: convert it to JPEG, PNG or TIFF"
        return f"not an image of a known format ({', '.join(READABLE)})"
    from_system = isinstance(error, OSError) and error.strerror
    return describe_error(error) if from_system else f"cannot be decoded: {describe_error(error)}"
