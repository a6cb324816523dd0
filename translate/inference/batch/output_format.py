"""Convert an image file to the format of `--format`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from translate.errors import DataError
from translate.images import ImageFile, printable_path

PILLOW_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def to_format(file: ImageFile, count: int, name: str, source: Path) -> ImageFile:
    """Return a file in the format of `--format`; `keep` leaves the file's own format.

    Args:
        count: the number of its frames.

    Raises:
        DataError: it has more frames than the format can hold.
    """
    if name == "keep" or PILLOW_FORMATS[name] == file.format:
        return file
    if count > 1 and (file.format == "TIFF" or name == "jpg"):
        frames = f"{count} {'pages' if file.format == 'TIFF' else 'frames'}"
        reason = f"{frames}, which {PILLOW_FORMATS[name]} cannot hold: use --format keep"
        raise DataError(f"{printable_path(source)}: {reason}")
    animation: dict[str, Any] = {
        key: file.encoder_settings[key] for key in ("duration", "loop") if key in file.encoder_settings
    }
    return replace(file, format=PILLOW_FORMATS[name], encoder_settings=animation)
