"""Switch off Pillow's own pixel limit and its warnings while images are read or written.

Both are global to the process, while several threads read at once: so the first thread to enter
switches them off, and the last one to leave restores them.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from PIL import Image

# What `warnings.filterwarnings("ignore", module=r"PIL\.")` would insert. The comment in the pattern makes it
# unequal to a filter that somebody else has set, which must not be removed in its place.
IGNORE_PILLOW = ("ignore", None, Warning, re.compile(r"(?#translate.images)PIL\."), 0)

_lock = threading.Lock()
_threads_inside = 0
_pillow_limit: int | None = None
_filter_lists: list[list[Any]] = []  # each value of `warnings.filters` that the filter may be in


@contextmanager
def pillow_guard() -> Iterator[None]:
    """Suspend Pillow's pixel limit and ignore the warnings that its modules issue.

    Pillow warns of small damage that it reads around, which is no news to a caller that gets the image.
    Warnings of all other modules are shown as before, in this thread and in others.

    If another thread that was in `warnings.catch_warnings` before leaves it meanwhile, Python restores
    filters without this one. The rest of this read may warn then, unless one more thread enters.
    """
    global _threads_inside, _pillow_limit
    with _lock:
        if _threads_inside == 0:
            _pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _threads_inside += 1
        _insert_filter()
    try:
        yield
    finally:
        with _lock:
            _threads_inside -= 1
            if _threads_inside == 0:
                Image.MAX_IMAGE_PIXELS = _pillow_limit
                _remove_filter()


def _insert_filter() -> None:
    """Make the filter the first one, if it is not.

    Every thread that enters does so, because one outside may have replaced the list since by entering or
    leaving `warnings.catch_warnings`, or have put a filter in front.

    The list is changed directly: `warnings.filterwarnings` would also make Python forget which warnings it
    has shown, and a caller's own warning that is to be shown once would be shown after each image again.
    """
    filters = cast("list[Any]", warnings.filters)
    if not filters or filters[0] != IGNORE_PILLOW:
        filters.insert(0, IGNORE_PILLOW)
    if not any(known is filters for known in _filter_lists):
        _filter_lists.append(filters)


def _remove_filter() -> None:
    """Remove the filter from the present list, and from those that `catch_warnings` will put back."""
    for filters in (*_filter_lists, cast("list[Any]", warnings.filters)):
        while IGNORE_PILLOW in filters:
            filters.remove(IGNORE_PILLOW)
    _filter_lists.clear()
