"""The worker processes of the batch loader: their signals, and what it means if one has ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

import cv2

from translate import distributed, signals
from translate.errors import TranslateError, UsageError

UNGUARDED_EXIT = 79  # The exit code of a worker process that ran the user's script again.


def set_up_worker(_: int) -> None:
    """Leave signals to the main process, and use one thread, because the networks need the other cores."""
    signals.ignore_signals()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # The main process ends workers with SIGTERM.
    if distributed.world_size() > 1:
        # Torchrun sends SIGTERM to all processes, but the main process still needs batches for its last step.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(0)


def leave_unguarded_script() -> None:
    """End this process if it is a worker process that runs the user's script again.

    Where processes do not fork (macOS, Windows, Python 3.14), a worker process begins by importing the
    script, and must not train there. The main process reports it (`unguarded_script_errors`).
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED_EXIT)  # Unlike sys.exit, the fork server passes this code on.


@contextmanager
def unguarded_script_errors(workers: Sequence[BaseProcess] = ()) -> Iterator[None]:
    """Replace the error of torch or of a pipe, if worker processes run the user's script again.

    Args:
        workers: the worker processes; empty while they are started.

    Raises:
        UsageError: they do.
    """
    try:
        yield
    except (RuntimeError, BrokenPipeError) as error:
        codes = [worker.exitcode for worker in workers]
        # A worker that ends early closes the pipe by which it gets its dataset.
        early = isinstance(error, BrokenPipeError) and not workers
        if early or UNGUARDED_EXIT in codes or f"with exit code {UNGUARDED_EXIT}." in str(error):
            raise UsageError(
                "the worker processes that load images run this script again, and it trains at once: put the"
                ' call of translate.train below if __name__ == "__main__":, or give workers=0'
            ) from None
        raise


@contextmanager
def lost_worker_errors(workers: int) -> Iterator[None]:
    """Raise torch's error, which any line may get because a worker process was killed, with a remedy."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise TranslateError(
            "a process that loads images was killed, perhaps for lack of memory:"
            f" continue with --resume and --workers {max(0, workers - 1)}"
        ) from None
