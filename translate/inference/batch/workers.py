"""Run functions in worker threads, or in the caller's thread if there are no workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Submit = Callable[..., Future[Any]]


@contextmanager
def worker_threads(count: int, *, finish: bool = False) -> Iterator[Submit]:
    """Start worker threads and yield a function that submits work to them; with 0 threads it runs the work.

    Args:
        finish: at the end, finish the work that waits; else cancel it.
    """
    if count == 0:
        yield _run_now
        return
    pool = ThreadPoolExecutor(count)
    try:
        yield pool.submit
    finally:
        pool.shutdown(cancel_futures=not finish)


def run_here(function: Callable[..., T], *arguments: Any) -> T:
    """Run a function and return its result."""
    return function(*arguments)


def _run_now(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Run a function and return a future with its result."""
    future: Future[Any] = Future()
    future.set_result(function(*arguments))
    return future


class Backlog(Generic[T]):
    """The images that workers are working on or have finished, in order.

    Args:
        max_images, max_pixels: the limits on their number and on their pixels together.
    """

    def __init__(self, max_images: int, max_pixels: int) -> None:
        self.max_images, self.max_pixels = max_images, max_pixels
        self._futures: deque[tuple[Future[T], int]] = deque()
        self._pixels = 0

    def __len__(self) -> int:
        return len(self._futures)

    def append(self, future: Future[T], pixels: int) -> None:
        """Add an image of so many pixels."""
        self._futures.append((future, pixels))
        self._pixels += pixels

    @property
    def is_full(self) -> bool:
        """Return whether there are more images or pixels than the limits allow."""
        return len(self) > self.max_images or (len(self) > 1 and self._pixels > self.max_pixels)

    @property
    def has_result(self) -> bool:
        """Return whether work on the first image has ended."""
        return bool(self._futures) and self._futures[0][0].done()

    def pop(self) -> T:
        """Remove the first image, wait for it, and return its result."""
        future, pixels = self._futures.popleft()
        self._pixels -= pixels
        return future.result()

    def pop_all(self) -> Iterator[T]:
        """Remove all images in order, and yield their results."""
        while self:
            yield self.pop()

    def wait(self) -> None:
        """Wait until work on all images has ended, and leave them here."""
        wait([future for future, _ in self._futures])
