"""The one thread that translates, with a bounded queue: a device works on one image at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.exceptions import HTTPException

from translate.progress import Progress
from translate.server.limits import Limits

T = TypeVar("T")


class DeadlineError(Exception):
    """A translation that has taken too long, and of which nobody waits for the end."""


class Worker:
    """A thread that runs one job after the other, and a limit on how many wait for it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="translate-worker")
        self._draining = threading.Event()
        self._lock = threading.Lock()
        self.jobs = 0  # Running and waiting.

    @property
    def is_draining(self) -> bool:
        """Return whether the server finishes what it has accepted, and accepts nothing else."""
        return self._draining.is_set()

    def drain(self) -> None:
        """Accept no more jobs. A signal handler may call this."""
        self._draining.set()

    def check_capacity(self) -> None:
        """Refuse a request that could not wait.

        Raises:
            HTTPException: 503 if the server is being stopped, 429 if the queue is full.
        """
        if self.is_draining:
            raise HTTPException(503, "the server is being stopped: try again later", {"connection": "close"})
        if self.jobs > self.limits.waiting:
            message = f"{self.limits.waiting} requests are waiting, and no more can: try again in a second"
            raise HTTPException(429, message, {"retry-after": "1"})

    async def run(self, job: Callable[[Progress], T]) -> T:
        """Run a job when all before it are done.

        Args:
            job: a function that takes another, which it calls now and then, and which ends it after its time.

        Raises:
            HTTPException: as for `check_capacity`; 504 if the job is not done in time.
        """
        self.check_capacity()
        deadline = time.monotonic() + self.limits.seconds

        def check_deadline(fraction: float) -> None:
            if time.monotonic() > deadline:
                raise DeadlineError

        self._count(1)
        future = self._pool.submit(job, check_deadline)
        # A job that runs cannot be cancelled: it counts until it has ended.
        future.add_done_callback(lambda _: self._count(-1))
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await asyncio.wrap_future(future)
        except (TimeoutError, DeadlineError):
            seconds = f"{self.limits.seconds:g} s"
            message = f"the image was not done within {seconds}: reduce it, or try again when less is to do"
            raise HTTPException(504, message) from None
        except asyncio.CancelledError:
            if not self.is_draining:
                raise
            raise HTTPException(503, "the server was stopped before the image was done") from None

    def _count(self, change: int) -> None:
        with self._lock:
            self.jobs += change
