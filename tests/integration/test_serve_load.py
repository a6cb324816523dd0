"""`translate serve` under load: many clients at once, thousands of bad requests, and a signal in between."""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.integration.conftest import Command
from tests.integration.test_serve import Server, serve

PATH = "/v1/models/run/translate"
PNG = {"Content-Type": "image/png"}
CLIENTS, SECONDS = 200, 60
REQUESTS, WARM_UP = 10_000, 1000


@pytest.fixture
def contents(translate: Command, model: Path, tmp_path: Path) -> list[tuple[bytes, bytes]]:
    """Return the files of small images that differ, and what `translate apply` makes of each."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(CLIENTS):
        color = (number, 255 - number, number * 7 % 256)
        Image.new("RGB", (32, 32), color).save(folder / f"{number:03d}.png")
    translate("apply", model, folder, "-o", "expected")
    files = sorted(folder.iterdir())
    return [(path.read_bytes(), (tmp_path / "expected" / path.name).read_bytes()) for path in files]


def client_loop(server: Server, content: bytes, expected: bytes, deadline: float) -> Counter[int]:
    """POST one image again and again; each answer must be its own."""
    statuses: Counter[int] = Counter()
    while time.monotonic() < deadline:
        answer = server.request("POST", PATH, content, PNG)
        statuses[answer.status] += 1
        if answer.status == 200:
            assert answer.content == expected
    return statuses


@pytest.mark.slow
def test_many_clients_get_their_own_images_or_429(
    model: Path, contents: list[tuple[bytes, bytes]], tmp_path: Path
) -> None:
    with serve(tmp_path, model) as server, ThreadPoolExecutor(CLIENTS) as pool:
        deadline = time.monotonic() + SECONDS
        futures = [pool.submit(client_loop, server, *pair, deadline) for pair in contents]
        seconds = []
        while time.monotonic() < deadline:
            started = time.monotonic()
            assert server.request("GET", "/health").status == 200
            seconds.append(time.monotonic() - started)
            time.sleep(0.2)
        statuses = sum((future.result() for future in futures), Counter[int]())
    print(f"{dict(statuses)}, health in at most {max(seconds):.2f} s")
    assert set(statuses) == {200, 429}
    assert max(seconds) < 1


def good(server: Server, content: bytes) -> int:
    return server.request("POST", PATH, content, PNG).status


def broken(server: Server, content: bytes) -> int:
    return server.request("POST", PATH, content[: len(content) // 2], PNG).status


def no_image(server: Server, content: bytes) -> int:
    return server.post(PATH, {"image": ("x.jpg", b"<svg/>" * 1000)}).status


def wrong_option(server: Server, content: bytes) -> int:
    return server.request("POST", f"{PATH}?saturation=3", content, PNG).status


def huge(server: Server, content: bytes) -> int:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(f"{head}Content-Length: {40 * 2**20}\r\n\r\n".encode())
        return int(connection.recv(4096).split()[1])


def slow(server: Server, content: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    halves = (half for half in (content[:50], content[50:]) if not time.sleep(0.05))
    connection.request("POST", PATH, halves, {**PNG, "Content-Length": str(len(content))})
    status = connection.getresponse().status
    connection.close()
    return status


def aborted(server: Server, content: bytes) -> int:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    sent = random.choice((content, content[:30]))
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + sent)
    return 0


KINDS: list[Callable[[Server, bytes], int]] = [good, broken, no_image, wrong_option, huge, slow, aborted]


@pytest.mark.slow
def test_thousands_of_mixed_requests_neither_fail_nor_leak(
    model: Path, contents: list[tuple[bytes, bytes]], tmp_path: Path
) -> None:
    statuses: Counter[tuple[str, int]] = Counter()
    lock = threading.Lock()

    def send(number: int) -> None:
        kind = KINDS[number % len(KINDS)]
        status = kind(server, contents[number % CLIENTS][0])
        with lock:
            statuses[kind.__name__, status] += 1

    with serve(tmp_path, model) as server, ThreadPoolExecutor(8) as pool:
        process = psutil.Process(server.process.pid)
        list(pool.map(send, range(WARM_UP)))
        before = process.memory_info().rss
        list(pool.map(send, range(WARM_UP, REQUESTS)))
        growth = process.memory_info().rss / before - 1
        assert server.request("GET", "/health").content == b'{"status":"ok","waiting":0}'
    print(f"{dict(statuses)}, memory {growth:+.1%}")
    assert {status for _, status in statuses if status >= 500} <= {503, 504}
    assert statuses["good", 200] > 0
    assert growth < 0.05


@pytest.mark.slow
def test_a_signal_under_load_finishes_what_was_accepted(
    model: Path, contents: list[tuple[bytes, bytes]], tmp_path: Path
) -> None:
    answers: Counter[str] = Counter()
    large = tmp_path / "large.png"
    Image.effect_noise((2000, 1500), 60).convert("RGB").save(large)
    content = large.read_bytes()

    def post() -> None:
        try:
            answers[str(server.request("POST", f"{PATH}?size=native", content, PNG).status)] += 1
        except ConnectionError:
            answers["refused"] += 1

    with serve(tmp_path, model) as server, ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(post) for _ in range(6)]
        while b'"waiting":5' not in server.request("GET", "/health").content:
            time.sleep(0.05)
        started = time.monotonic()
        server.process.terminate()
        time.sleep(0.5)
        futures += [pool.submit(post) for _ in range(6)]
        for future in futures:
            future.result()
        server.process.wait(35)
        seconds = time.monotonic() - started
    print(f"{dict(answers)}, ended after {seconds:.1f} s")
    assert answers["200"] == 6
    assert set(answers) <= {"200", "503", "refused"}
    assert seconds < 30
