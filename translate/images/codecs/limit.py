"""The limit of pixels that an image file may hold, which refuses decompression bombs."""

from __future__ import annotations

from collections.abc import Sequence

from translate.errors import DataError

MAX_PIXELS = 250_000_000


def check_size(sizes: Sequence[tuple[int, int]], limit: int) -> None:
    """Refuse an image whose frames hold more than `limit` pixels in all.

    Args:
        sizes: width and height of each frame.

    Raises:
        DataError: naming its size, the limit and the remedy.
    """
    pixels = sum(width * height for width, height in sizes)
    if pixels > limit:
        width, height = max(sizes)
        what = f"{width}x{height}" + (f", {len(sizes)} frames" if len(sizes) > 1 else "")
        raise DataError(
            f"{what} are {pixels / 1e6:.1f} megapixels, over the limit of {limit / 1e6:g}:"
            f" raise it with --max-megapixels {-(-pixels // 1_000_000)}"
        )
