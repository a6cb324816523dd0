"""Worker processes that decode and encode images, where threads would wait for each other.

Python runs one thread at a time. While a GPU computes a thousand images a second, that one thread has no time
to decode and encode them as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast

import torch

from translate import distributed
from translate.errors import DataError
from translate.inference.batch.worker_process import receive, send, wait_until_ready
from translate.progress import message

T = TypeVar("T")
# The processes are ready after 0.3 to 1 s, in which threads are done with so many small images.
MIN_IMAGES = 100
MIN_CORES = 4  # With fewer, processes take the cores from each other.
DEFAULT_THREADS = 2
MAIN = "from translate.inference.batch.worker_process import main; main()"
FILES_PER_WORKER = 16  # Of those that this process may open: two processes with two pipes each, and images.
END_SECONDS = 5.0
PIPE_BYTES = 2**20  # Enough for an image of 512 px, so that neither side waits for the other to go on.


@dataclass(frozen=True)
class Workers:
    """The number of workers that decode, and of those that encode, and whether they are processes."""

    count: int
    are_processes: bool


def choose_workers(count: int | None, device: torch.device, images: int) -> Workers:
    """Return the workers for so many images.

    On a CPU they are threads, because there the network takes more time than all else, and all cores.

    Args:
        count: the value of `--workers`; None for two threads, or for as many processes as there are cores.
    """
    cores = count_cores() // distributed.local_world_size()
    if device.type == "cpu" or images < MIN_IMAGES or cores < MIN_CORES or count == 0:
        return Workers(DEFAULT_THREADS if count is None else count, are_processes=False)
    count = min(cores // 2 if count is None else count, max(1, _max_open_files() // FILES_PER_WORKER))
    return Workers(count, are_processes=True)


def _max_open_files() -> int:
    """Return how many files this process may open at the same time."""
    if sys.platform == "win32":
        return 8192
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**20 if limit == resource.RLIM_INFINITY else limit


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorkerLostError(DataError):
    """A worker process that has ended before its work was done."""


class WorkerProcesses:
    """Worker processes that run functions. If they cannot be started, functions run in the calling thread.

    Args:
        count: how many are started at once; where all are busy or lost, more are started.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._can_start = True
        with contextlib.suppress(OSError):
            for _ in range(count):
                self._idle.append(WorkerProcess())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._idle:
            worker.close()

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function, which can be pickled, in a worker process that is idle; return its result.

        Raises:
            WorkerLostError: the process was killed.
            Exception: what the function raises.
        """
        worker = self._take()
        if worker is None:
            return function(*arguments)
        try:
            result, error = worker.run(function, arguments)
        except BaseException:
            worker.close()
            raise
        with self._lock:
            self._idle.append(worker)
        if error is not None:
            raise error
        return cast("T", result)

    def _take(self) -> WorkerProcess | None:
        """Return a process that is idle, or else a new one; None if it cannot be started."""
        with self._lock:
            worker = None
            while self._idle and worker is None:
                worker = self._idle.pop()
                if worker.has_ended():
                    worker.close()
                    worker = None
            if worker is None and not self._can_start:
                return None
        try:
            worker = worker or WorkerProcess()
            worker.wait_until_ready()
        except (OSError, EOFError):
            if worker:
                worker.close()
            with self._lock:
                could_start, self._can_start = self._can_start, False
            if could_start:
                message("the processes that decode images cannot be started, so threads decode them")
            return None
        return worker


class WorkerProcess:
    """A process that runs one function at a time.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self) -> None:
        # Python itself ignores what is no string in its path.
        folders = [folder for folder in sys.path if isinstance(folder, str) and "\0" not in folder]
        path = os.pathsep.join(folder or os.curdir for folder in folders)
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        # In a session of its own, a process does not get the Ctrl-C of the terminal.
        self._process = subprocess.Popen(
            [sys.executable or "", "-P", "-c", MAIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **threads, "PYTHONPATH": path},
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        for stream in (self._requests, self._replies):
            _enlarge_pipe(stream.fileno())
        self._is_ready = False

    def wait_until_ready(self) -> None:
        """Wait until the process has imported what it needs.

        Raises:
            EOFError: it has ended.
        """
        if not self._is_ready:
            wait_until_ready(self._replies)
            self._is_ready = True

    def has_ended(self) -> bool:
        """Return whether the process was killed while it was idle."""
        return self._process.poll() is not None

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
        """Run a function in the process; return its result, or the exception that it raised.

        Raises:
            WorkerLostError: the process was killed.
        """
        try:
            send(self._requests, (function, arguments))
            reply: tuple[Any, Exception | None] = receive(self._replies)
        except (EOFError, BrokenPipeError):
            raise WorkerLostError(f"{self._describe_end()}: if memory is short, lower --workers") from None
        return reply

    def close(self) -> None:
        """Let the process end, which it does when its input ends; kill it if it does not."""
        for stream in (self._requests, self._replies):
            with contextlib.suppress(OSError):
                stream.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:  # It may wait for a file system that does not answer.
            self._process.kill()
            self._process.wait()

    def _describe_end(self) -> str:
        code = self._process.wait()
        reason = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the process that worked on it {reason}"


def _enlarge_pipe(descriptor: int) -> None:
    """Enlarge the buffer of a pipe, where the operating system allows it."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
