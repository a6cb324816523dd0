"""Pages in a browser that may neither load anything from another machine nor log an error."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:  # The tests are collected, and skipped, without this package too.
    from playwright.sync_api import Browser, Page

Viewport = tuple[int, int]  # Width and height in CSS pixels.
ColorScheme = Literal["light", "dark"]
PHONE: Viewport = (390, 844)
DESKTOP: Viewport = (1280, 900)
all_viewports = pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
all_color_schemes = pytest.mark.parametrize("color_scheme", ["light", "dark"])


def find_chromium() -> str | None:
    """Return the path of the installed Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def is_local(url: str) -> bool:
    """Return whether a URL leads to this machine."""
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")


@contextmanager
def open_page(browser: Browser, viewport: Viewport, color_scheme: ColorScheme) -> Iterator[Page]:
    """Open an empty page, and check in the end what it has loaded and logged.

    Raises:
        AssertionError: the page requested something from another machine, an exception in it was not caught,
            or it logged an error to the console.
    """
    faults: list[str] = []

    def check_url(url: str) -> None:
        if not is_local(url):
            faults.append(f"request to {url}")

    size = {"width": viewport[0], "height": viewport[1]}
    with browser.new_context(viewport=size, color_scheme=color_scheme) as context:
        context.on("request", lambda request: check_url(request.url))
        context.on("page", lambda page: page.on("websocket", lambda socket: check_url(socket.url)))
        context.on("weberror", lambda error: faults.append(f"exception: {error.error}"))
        context.on(
            "console",
            lambda message: message.type == "error" and faults.append(f"console: {message.text}"),
        )
        yield context.new_page()
    assert not faults, "\n".join(faults)
