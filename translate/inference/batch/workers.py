"""Run functions in threads, or at once where there are none."""

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
    """Start threads, and give a function that submits work to them; with none of them it is done at once.

    Args:
        finish: at the end, finish the work that is waiting; else it is dropped.
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
    future: Future[Any] = Future()
    future.set_result(function(*arguments))
    return future


def pop_results(futures: deque[Future[T]]) -> Iterator[T]:
    """Yield the results in order, each when it is there, and forget them."""
    while futures:
        yield futures.popleft().result()
