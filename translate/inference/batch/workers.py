"""Run functions in worker threads, or in the caller's thread if there are no workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

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


def _run_now(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Run a function and return a future with its result."""
    future: Future[Any] = Future()
    future.set_result(function(*arguments))
    return future


def pop_results(futures: deque[Future[T]]) -> Iterator[T]:
    """Remove the futures in order, wait for each, and yield its result."""
    while futures:
        yield futures.popleft().result()
