"""Run the server until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import FrameType

import uvicorn

from translate.server.app import create_app
from translate.server.limits import Limits
from translate.server.worker import Worker
from translate.web.hosted import HostedModel


class DrainingServer(uvicorn.Server):
    """A server that, once a signal arrives, finishes what it has accepted, and accepts nothing else."""

    def __init__(self, config: uvicorn.Config, worker: Worker) -> None:
        super().__init__(config)
        self.worker = worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGINT or SIGTERM; uvicorn raises the signal again when the server has ended."""
        self.worker.drain()
        super().handle_exit(sig, frame)


def run_server(models: Mapping[str, HostedModel], listener: socket.socket, *, host: str, token: str) -> None:
    """Serve models until SIGINT or SIGTERM, and then finish the accepted requests, within a limit.

    Args:
        listener: the socket to listen on.
        host, token: as for `AccessControl`.
    """
    limits = Limits()
    app = create_app(models, host=host, token=token, limits=limits)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        http="httptools",
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=round(limits.drain_seconds),
    )
    DrainingServer(config, app.state.worker).run(sockets=[listener])
