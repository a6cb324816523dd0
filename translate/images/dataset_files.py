"""Read the image files of a dataset: what their heads say, their stored values, and their pixels in RGB."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from translate.config.value_range import ValueRange
from translate.images.codecs.formats import TIFF_SIGNATURES
from translate.images.codecs.high_bit_depth_png import is_16bit_png
from translate.images.codecs.high_bit_depth_tiff import has_unspecified_band
from translate.images.codecs.reading import data_errors, read
from translate.images.frame import Array, Frame, Pixels
from translate.images.stored_values import from_stored_values

HEAD = 64  # The number of bytes that show the type of a file.


class ReadableFile(Protocol):
    """A path, or an image file inside another file, such as a tar archive; `str()` names it in messages."""

    @property
    def suffix(self) -> str: ...

    def read_bytes(self) -> bytes: ...


def read_rgb(
    source: Path | str | ReadableFile,
    *,
    min_size: tuple[int, int] | None = None,
    value_range: ValueRange | None = None,
) -> Pixels:
    """Read the first frame of an image file as (H, W, 3) uint8 in sRGB, blended onto white: for training.

    Args:
        min_size: a width and height that are enough, for faster decoding of a large JPEG; see `read`.
        value_range: the stored values of black and white, if the file's type does not fix them.

    Raises:
        DataError: as `read`, and for floats outside 0..1 without a range.
    """
    with saved_as_file(source) as path:
        stored = _read_first(path, str(source), min_size)
    with data_errors(Path(str(source)), ""):
        frame = from_stored_values(stored, value_range)
    return frame.flatten_on_white().to_bit_depth(np.uint8).rgb()


def read_stored_values(source: Path | ReadableFile) -> Array:
    """Read the colours of the first frame of an image file as they are stored, (H, W, 1 or 3).

    Raises:
        DataError: as `read`.
    """
    with saved_as_file(source) as path:
        return _read_first(path, str(source)).pixels


def _read_first(path: Path, name: str, min_size: tuple[int, int] | None = None) -> Frame:
    file = read(path, first_only=True, pixels_only=True, name=name, min_size=min_size, raw_floats=True)
    return file.frames[0]


@contextmanager
def saved_as_file(source: Path | str | ReadableFile) -> Iterator[Path]:
    """Yield the path of a file; a file inside another one is copied to a temporary file first."""
    if isinstance(source, (Path, str)):
        yield Path(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"image{source.suffix}")
        path.write_bytes(source.read_bytes())
        yield path


@dataclass(frozen=True)
class FileType:
    """The facts about the pixels of an image file that its head tells.

    Attributes:
        is_deep: whether it stores 16-bit integers or floats, whose range its type does not fix.
        pages: the number of pages of a TIFF, of which training reads the first.
        has_unspecified_band: whether a band beyond the colours is left out, because it is not called alpha.
    """

    is_deep: bool = False
    pages: int = 1
    has_unspecified_band: bool = False


def inspect_file(path: Path) -> FileType:
    """Return what the head of a file says; of a file that cannot be read, nothing."""
    try:
        if not path.is_file():  # Reading a pipe would block.
            return FileType()
        with path.open("rb", buffering=0) as file:
            head = file.read(HEAD)
        if head[:4] in TIFF_SIGNATURES:
            return _inspect_tiff(path)
        return FileType(is_deep=is_16bit_png(head))
    except Exception:  # Decoding will fail for the same reason, and report it.
        return FileType()


def _inspect_tiff(path: Path) -> FileType:
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        return FileType(
            is_deep=page.bitspersample > 8,
            pages=len(tiff.pages),
            has_unspecified_band=has_unspecified_band(page),
        )
