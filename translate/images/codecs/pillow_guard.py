"""Switch off Pillow's own pixel limit and its warnings while images are read or written.

Both are global to the process, but several threads read at once. So the first thread that enters switches
them off, and the last one that leaves restores them.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from PIL import Image

# The filter that `warnings.filterwarnings("ignore", module=r"PIL\.")` would insert. The comment in the
# pattern makes it unequal to a filter that other code has set, which must not be removed in its place.
IGNORE_PILLOW = ("ignore", None, Warning, re.compile(r"(?#translate.images)PIL\."), 0)

_lock = threading.Lock()
_active_threads = 0
_pillow_limit: int | None = None
_filter_lists: list[list[Any]] = []  # Every value of `warnings.filters` that the filter was inserted into.


@contextmanager
def pillow_guard() -> Iterator[None]:
    """Suspend Pillow's pixel limit, and ignore the warnings that its modules issue.

    Pillow warns of small damage that it can read around, which does not concern a caller that gets the image.
    Warnings of all other modules are shown as before, in this thread and in others.

    If another thread entered `warnings.catch_warnings` before this and leaves it meanwhile, Python restores
    filters without this one. The rest of this read may then warn, unless another thread enters.
    """
    global _active_threads, _pillow_limit
    with _lock:
        if _active_threads == 0:
            _pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _active_threads += 1
        _insert_filter()
    try:
        yield
    finally:
        with _lock:
            _active_threads -= 1
            if _active_threads == 0:
                Image.MAX_IMAGE_PIXELS = _pillow_limit
                _remove_filter()


def _insert_filter() -> None:
    """Make the filter the first one, if it is not.

    Every thread that enters does so, because another thread may have replaced the list since (by entering or
    leaving `warnings.catch_warnings`), or inserted a filter before this one.

    The list is changed directly: `warnings.filterwarnings` would also make Python forget which warnings it
    has shown, and a caller's warning that is to be shown once would be shown again after each image.
    """
    filters = cast("list[Any]", warnings.filters)
    if not filters or filters[0] != IGNORE_PILLOW:
        filters.insert(0, IGNORE_PILLOW)
    if not any(entry is filters for entry in _filter_lists):
        _filter_lists.append(filters)


def _remove_filter() -> None:
    """Remove the filter from the current list, and from those that `catch_warnings` will restore."""
    for filters in (*_filter_lists, cast("list[Any]", warnings.filters)):
        while IGNORE_PILLOW in filters:
            filters.remove(IGNORE_PILLOW)
    _filter_lists.clear()
