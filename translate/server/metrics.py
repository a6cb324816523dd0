"""The metrics of the server for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Collection, MutableMapping
from http import HTTPStatus
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from translate.server.worker import Worker
from translate.web.access import App, Receive, Scope, Send

MEDIA_TYPE = CONTENT_TYPE_LATEST
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60)  # Seconds.


class Metrics:
    """The metrics of a server, and an ASGI middleware that counts each request when its answer starts.

    They are the requests by model and status, where the model is empty for requests that concern none; the
    seconds of the successful ones; and the images that are translated or wait.

    Args:
        models: the names of the models.
    """

    def __init__(self, worker: Worker, models: Collection[str]) -> None:
        self.models, self.registry = models, CollectorRegistry()
        self.requests = Counter(
            "translate_requests", "Requests by model and status.", ["model", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "translate_request_seconds",
            "Seconds from the head of a request to its answer, if that is an image.",
            ["model"],
            registry=self.registry,
            buckets=BUCKETS,
        )
        jobs = Gauge("translate_jobs", "Images that are translated or wait for it.", registry=self.registry)
        jobs.set_function(lambda: worker.jobs)

    def export(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self.registry)

    def middleware(self, app: App) -> App:
        """Return an application that counts the requests to another."""

        async def count_requests(scope: Scope, receive: Receive, send: Send) -> None:
            started = time.perf_counter()

            async def count_and_send(event: MutableMapping[str, Any]) -> None:
                if event["type"] == "http.response.start":
                    self._count(scope, event["status"], time.perf_counter() - started)
                await send(event)

            try:
                await app(scope, receive, count_and_send)
            except Exception:  # A bug, which is answered further out.
                self._count(scope, HTTPStatus.INTERNAL_SERVER_ERROR, time.perf_counter() - started)
                raise

        return count_requests

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # The router has added the parameters of the path. A name that is no model's must not become a series.
        name = scope.get("path_params", {}).get("name", "")
        model = name if name in self.models else ""
        self.requests.labels(model, str(int(status))).inc()
        if status == HTTPStatus.OK and model:
            self.seconds.labels(model).observe(seconds)
