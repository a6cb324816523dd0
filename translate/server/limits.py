"""The limits of the server, and the ASGI middleware that holds request bodies to theirs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from translate.web.access import App, Receive, Scope, Send

CLOSE = {"connection": "close"}  # The rest of a refused body is not read.


@dataclass(frozen=True)
class Limits:
    """The limits of the server.

    Attributes:
        body: the bytes of a request body (413).
        megapixels: the size of an image, all frames counted (422).
        waiting: the requests that wait while an image is translated (429).
        seconds: the time for a translation, including the time that it waits (504), and for a body (408).
        stall_seconds: the time in which more of a body must arrive (408).
        drain_seconds: the time for the accepted requests when the server is stopped.
    """

    body: int = 32 * 2**20
    megapixels: float = 40.0
    waiting: int = 16
    seconds: float = 60.0
    stall_seconds: float = 10.0
    drain_seconds: float = 30.0


class BodyLimit:
    """An ASGI middleware that ends a request whose body is too large, or arrives too slowly.

    Raises:
        HTTPException: 413 or 408, when the application reads the body.
    """

    def __init__(self, app: App, *, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with a `receive` that counts and waits."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self.limits, receive, dict(scope["headers"]).get(b"content-length", b""))
        await self.app(scope, body.receive, send)


class _Body:
    """The body of one request."""

    def __init__(self, limits: Limits, receive: Receive, length: bytes) -> None:
        self.limits, self.source = limits, receive
        self.length = int(length) if length.isdigit() else 0
        self.received, self.started = 0, time.monotonic()
        self.is_complete = False

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next event of the request."""
        if self.is_complete:
            return await self.source()  # Waits until the client disconnects.
        self._check_size(self.length)
        left = self.started + self.limits.seconds - time.monotonic()
        try:
            async with asyncio.timeout(min(self.limits.stall_seconds, left)):
                event = await self.source()
        except TimeoutError:
            raise HTTPException(408, "the body arrived too slowly: send it again", CLOSE) from None
        self.received += len(event.get("body", b""))
        self._check_size(self.received)
        self.is_complete = not event.get("more_body", False)
        return event

    def _check_size(self, size: int) -> None:
        if size > self.limits.body:
            limit = f"at most {self.limits.body / 2**20:g} MiB are taken: reduce the image"
            raise HTTPException(413, f"a body of {size / 2**20:.1f} MiB: {limit}", CLOSE)
