"""Keep Gradio from opening addresses: a visitor's value can name a file by a URL, which Gradio would load."""

from __future__ import annotations

from typing import Any, NoReturn

import httpx
import safehttpx
from gradio import processing_utils


def forbid_downloads() -> None:
    """Let every download by Gradio fail, from the internet and from the local network."""
    safehttpx.get = safehttpx.async_validate_url = _refuse_url
    processing_utils.sync_client = httpx.Client(transport=httpx.MockTransport(_refuse_request))


async def _refuse_url(*_args: Any, **_options: Any) -> NoReturn:
    raise ValueError("the studio opens no URLs: upload the file")


def _refuse_request(request: httpx.Request) -> NoReturn:
    raise httpx.ConnectError("the studio opens no URLs: upload the file", request=request)
