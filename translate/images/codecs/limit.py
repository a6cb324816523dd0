"""Refuse image files of too many pixels (decompression bombs) before they are decoded."""

from __future__ import annotations

from collections.abc import Sequence

from translate.errors import DataError

MAX_PIXELS = 250_000_000  # The default limit for all frames of a file together.


def check_size(sizes: Sequence[tuple[int, int]], limit: int) -> None:
    """Raise an error if the frames of an image file have more than `limit` pixels in total.

    Args:
        sizes: width and height of each frame.

    Raises:
        DataError: the message has the size, the limit and the option that raises it.
    """
    pixels = sum(width * height for width, height in sizes)
    if pixels > limit:
        width, height = max(sizes)
        size = f"{width}x{height}" + (f", {len(sizes)} frames" if len(sizes) > 1 else "")
        raise DataError(
            f"{size} are {pixels / 1e6:.1f} megapixels, over the limit of {limit / 1e6:g}:"
            f" raise it with --max-megapixels {-(-pixels // 1_000_000)}"
        )
