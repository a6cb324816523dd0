"""A line now and then while a data set is looked at."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TypeVar

TOLD_SECONDS = 5.0

Item = TypeVar("Item")
log = logging.getLogger("translate")


def told(items: Iterator[Item], total: int, what: str) -> Iterator[Item]:
    """The same items, with a line every few seconds.

    Args:
        what: was done, with `%d of %d` in it for the count and the total.
    """
    last = started = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= TOLD_SECONDS and number < total:
            last = now
            left = (total - number) * (now - started) / number
            log.info(f"{what}; %.0f s left", number, total, left)
