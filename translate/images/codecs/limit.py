"""Refuse image files of too many pixels (decompression bombs) before they are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from translate.errors import DataError

MAX_PIXELS = 250_000_000  # The default limit for all frames of a file together.


@dataclass(frozen=True)
class PixelLimit:
    """A limit on the number of pixels of an image file.

    Attributes:
        max_pixels: the maximum number of pixels of all frames together.
        flag: the flag of the command that raises the limit, in megapixels; empty if it has none.
    """

    max_pixels: int
    flag: str = ""


def check_size(sizes: Sequence[tuple[int, int]], limit: PixelLimit) -> None:
    """Raise an error if the frames of an image file have more pixels than the limit in total.

    Args:
        sizes: width and height of each frame.

    Raises:
        DataError: the message has the size, the limit and the remedy.
    """
    pixels = sum(width * height for width, height in sizes)
    if pixels > limit.max_pixels:
        width, height = max(sizes)
        size = f"{width}x{height} has"
        if len(sizes) > 1:
            size = f"{len(sizes)} frames of up to {width}x{height} have"
        max_megapixels = limit.max_pixels / 1e6
        remedy = f"allow it with {limit.flag} {-(-pixels // 1_000_000)}" if limit.flag else "reduce the image"
        raise DataError(
            f"{size} {pixels / 1e6:.1f} megapixels, more than the limit of {max_megapixels:g}: {remedy}"
        )
