"""How large a picture may be."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from PIL import Image

from translate.errors import DataError

MAX_PIXELS = 250_000_000

_lock = threading.Lock()
_entered = 0
_pillows: int | None = None


def check_size(sizes: Sequence[tuple[int, int]], limit: int) -> None:
    """Refuse a picture whose frames hold more than `limit` pixels together.

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


@contextmanager
def own_limit() -> Iterator[None]:
    """Put Pillow's own pixel limit, which is a global, out of force while ours is."""
    global _entered, _pillows
    with _lock:
        if _entered == 0:
            _pillows, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _entered += 1
    try:
        yield
    finally:
        with _lock:
            _entered -= 1
            if _entered == 0:
                Image.MAX_IMAGE_PIXELS = _pillows
