"""Run the studio until it is stopped."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import uvicorn

from translate.studio.app import create_app
from translate.studio.model_library import ModelLibrary

SHUTDOWN_SECONDS = 3  # An open page holds a connection, which would keep the studio from ending.


class StudioServer(uvicorn.Server):
    """A server that, when it ends, closes the connections that open pages hold."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the connections of pages, and wait for what else is being answered."""
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


def run_studio(library: ModelLibrary, listener: socket.socket, *, host: str, token: str) -> None:
    """Serve the page until SIGINT or SIGTERM, and remove what was uploaded; trainings go on.

    Args:
        listener: the socket to listen on.
        host, token: as for `create_app`.
    """
    with tempfile.TemporaryDirectory(prefix="translate-studio-", ignore_cleanup_errors=True) as folder:
        tempfile.tempdir = folder
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder) / "uploads")
        config = uvicorn.Config(
            create_app(library, host=host, token=token),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        StudioServer(config).run(sockets=[listener])
