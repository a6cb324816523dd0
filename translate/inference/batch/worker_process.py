"""A process that runs functions on images for the pipeline, and the messages between the two.

It is started as a program of its own rather than by `multiprocessing`, which would import the user's script
again. It imports neither torch nor the networks, so it starts in a fraction of a second.
"""

from __future__ import annotations

import os
import pickle
import struct
import traceback
from collections.abc import Callable
from typing import IO, Any

import cv2

from translate import signals
from translate.errors import TranslateError

READY = b"\0translate worker: ready\0"
SIZE = struct.Struct("<Q")


def send(stream: IO[bytes], value: Any) -> None:
    """Send a value; its arrays go through the pipe as they lie in memory, without a copy.

    Raises:
        BrokenPipeError: the other process has ended.
        Exception: the value cannot be pickled; nothing is sent.
    """
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    views = [memoryview(content), *(buffer.raw() for buffer in buffers)]
    stream.write(b"".join(SIZE.pack(number) for number in (len(views), *map(len, views))))
    for view in views:
        stream.write(view)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Receive a value that `send` has sent.

    Raises:
        EOFError: the other process has ended.
    """
    (count,) = SIZE.unpack(_read(stream, SIZE.size))
    sizes = [SIZE.unpack(_read(stream, SIZE.size))[0] for _ in range(count)]
    content, *buffers = [_read(stream, size) for size in sizes]
    return pickle.loads(content, buffers=buffers)


def wait_until_ready(stream: IO[bytes]) -> None:
    """Read until a process says that it is ready; what is printed while Python starts comes before that.

    Raises:
        EOFError: the other process has ended.
    """
    received = b""
    while not received.endswith(READY):
        received += bytes(_read(stream, 1))


def _read(stream: IO[bytes], size: int) -> bytearray:
    """Read so many bytes into memory that arrays can use as theirs.

    Raises:
        EOFError: the stream ends before.
    """
    content = bytearray(size)
    if stream.readinto(content) < size:  # type: ignore[attr-defined]
        raise EOFError
    return content


def main() -> None:
    """Run the functions that arrive on the standard input, until it ends because the main process has."""
    signals.ignore_signals()
    cv2.setNumThreads(1)
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What a library prints must not come between the replies, and it must not read a request.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        replies.write(READY)
        replies.flush()
        while True:
            function, arguments = receive(requests)
            reply = _run(function, arguments)
            del arguments
            _send_reply(replies, reply)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # The main process has ended, and nobody reads what is left in the buffers.


def _run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    """Return the result of a function, or the exception that it raised."""
    try:
        return function(*arguments), None
    except Exception as error:
        if not isinstance(error, TranslateError):
            error.add_note("".join(traceback.format_exception(error)))
        return None, error


def _send_reply(stream: IO[bytes], reply: tuple[Any, Exception | None]) -> None:
    """Send a reply; an exception that cannot be sent becomes a RuntimeError of the same text."""
    try:
        # Some exceptions can be pickled, but not created again from that.
        if reply[1] is not None:
            pickle.loads(pickle.dumps(reply[1]))
    except Exception:
        reply = None, RuntimeError(f"{type(reply[1]).__name__}: {reply[1]}")
    send(stream, reply)
