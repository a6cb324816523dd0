"""The limits of the server, with a model that takes as long as a test wants it to."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("fastapi_offline", reason="the extra [serve] is not installed")
import uvicorn

from tests.images import noise
from translate.inference import Outcome
from translate.server.app import create_app
from translate.server.limits import Limits
from translate.server.worker import Worker
from translate.web.hosted import HostedModel
from translate.web.options import ImageOptions

PATH = "/v1/models/slow/translate"


class SlowModel:
    """A model that returns an image as it is, as soon as `release` is set."""

    name, needs_mask = "slow", False

    def __init__(self) -> None:
        self.release = threading.Event()
        self.running = threading.Event()

    def predictor(self, options: ImageOptions) -> None:
        pass

    def translate(self, source: Path, out: Path, options: ImageOptions, **others: Any) -> Outcome:
        self.running.set()
        while not self.release.wait(0.01):
            others["progress"](0.5)
        out.mkdir()
        target = out / source.name
        target.write_bytes(source.read_bytes())
        return Outcome(source, target, size=(1, 1))


class RunningServer:
    """A server in threads of this process, and the model that it serves."""

    def __init__(self, limits: Limits) -> None:
        self.model = SlowModel()
        app = create_app({"slow": cast(HostedModel, self.model)}, limits=limits)
        self.worker: Worker = app.state.worker
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        config = uvicorn.Config(app, lifespan="off", http="httptools", ws="none", log_config=None)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self.clients = ThreadPoolExecutor(8)

    def post(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """POST a body; return the status, the headers and the content of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", PATH, body, {"Content-Type": "image/png"})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, content

    def post_soon(self, body: bytes) -> Future[tuple[int, dict[str, str], bytes]]:
        return self.clients.submit(self.post, body)

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        content = connection.getresponse().read()
        connection.close()
        return content

    def health(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.get("/health"))
        return values


@contextmanager
def serving(**limits: float) -> Iterator[RunningServer]:
    """Serve a slow model within limits."""
    server = RunningServer(Limits(**limits))  # type: ignore[arg-type]
    server.thread.start()
    try:
        yield server
    finally:
        server.model.release.set()
        server.server.should_exit = True
        server.thread.join(20)
        server.clients.shutdown()


@pytest.fixture
def image(tmp_path: Path) -> bytes:
    return noise(tmp_path / "image.png").read_bytes()


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_full_queue_refuses_with_the_time_to_come_back(image: bytes) -> None:
    with serving(waiting=2) as server:
        first = server.post_soon(image)
        assert server.model.running.wait(20)
        others = [server.post_soon(image) for _ in range(2)]
        wait_until(lambda: server.worker.jobs == 3)
        status, headers, content = server.post(image)
        assert (status, headers["retry-after"]) == (429, "1")
        assert b"2 requests are waiting" in content
        assert server.health() == {"status": "ok", "waiting": 2}
        server.model.release.set()
        assert [future.result() for future in (first, *others)] == [
            (200, future.result()[1], image) for future in (first, *others)
        ]


def test_what_takes_too_long_is_given_up(image: bytes) -> None:
    with serving(seconds=0.3) as server:
        started = time.monotonic()
        status, _, content = server.post(image)
        assert (status, b"0.3 s" in content) == (504, True)
        assert time.monotonic() - started < 5
        wait_until(lambda: server.worker.jobs == 0)  # The thread is free again.
        server.model.release.set()
        assert server.post(image)[0] == 200


def test_while_draining_accepted_requests_are_finished_and_others_refused(image: bytes) -> None:
    with serving() as server:
        accepted = server.post_soon(image)
        assert server.model.running.wait(20)
        server.worker.drain()
        assert server.post(image)[0] == 503
        assert server.health()["status"] == "draining"
        server.model.release.set()
        assert accepted.result()[0] == 200


def test_a_large_body_is_refused(image: bytes) -> None:
    with serving(body=1000) as server:
        status, headers, content = server.post(b"x" * 1001)
        assert (status, headers["connection"]) == (413, "close")
        assert b"reduce the image" in content


def test_a_large_body_of_unknown_length_is_refused() -> None:
    with serving(body=1000) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        headers = {"Content-Type": "image/png"}
        connection.request("POST", PATH, iter([b"x" * 600] * 2), headers, encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()


def test_a_body_that_stalls_is_refused() -> None:
    with serving(stall_seconds=0.3) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        head = ["Host: localhost", "Content-Type: image/png", "Content-Length: 9"]
        client.sendall("\r\n".join([f"POST {PATH} HTTP/1.1", *head, "", "x"]).encode())
        client.settimeout(20)
        answer = b"".join(iter(lambda: client.recv(2**16), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"too slowly" in answer


def test_a_client_that_goes_away_leaves_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            head = ["Host: localhost", "Content-Type: image/png", "Content-Length: 9"]
            client.sendall("\r\n".join([f"POST {PATH} HTTP/1.1", *head, "", "x"]).encode())
        wait_until(lambda: b'status="400"' in server.get("/metrics"))
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
