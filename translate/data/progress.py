"""Progress lines in the log while the images of a data set are read."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TypeVar

LOG_SECONDS = 5.0  # between two lines

Item = TypeVar("Item")
log = logging.getLogger("translate")


def log_progress(items: Iterator[Item], total: int, what: str) -> Iterator[Item]:
    """Yield the items unchanged, and log every few seconds how many are done and how long the rest takes.

    Args:
        what: was done, with `%d of %d` in it for the count and the total.
    """
    last = started = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_SECONDS and count < total:
            last = now
            left = (total - count) * (now - started) / count
            log.info(f"{what}; %.0f s left", count, total, left)
