"""tools/fetch_dataset.py against a server on loopback: whole, cut, hostile and damaged archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = str(ROOT / "tools/fetch_dataset.py")
PART = "datasets/facades.download"
IMAGES = {f"facades/train/{i}.jpg": os.urandom(20_000) for i in range(3)}


Done = subprocess.CompletedProcess[str]


class Server(ThreadingHTTPServer):
    """Serves `body` at every path, misbehaving as told, to the tool that runs in `folder`."""

    body = b""
    knows_range = True
    cut_first: int | None = None
    stall = False

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.url = folder, f"http://127.0.0.1:{self.server_port}"
        self.ranges: list[str | None] = []
        self.released = threading.Event()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the tool, with this server as its source if nothing else is said."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", TOOL, *(words or ("facades", "--from", self.url))],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "no_proxy": "*"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fetch(self, *words: str) -> Done:
        return finished(self.start(*words))


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.knows_range else 0
        if "missing" in self.path:
            self.send_error(404)
        elif start >= len(self.server.body):
            self.send_error(416)
        else:
            self.answer(self.server.body[start:], 206 if start else 200)

    def answer(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_first])
        self.server.cut_first = None
        if self.server.stall:
            self.server.released.wait(10)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def finished(tool: subprocess.Popen[str]) -> Done:
    out, err = tool.communicate(timeout=20)
    assert "Traceback" not in err
    return Done(tool.args, tool.returncode, out, err)


def error_line(done: Done) -> str:
    """The last line of stderr, which is the one error there is."""
    *progress, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert not any("error" in line for line in progress)
    return last


def make_tar(members: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
        for info in extra:
            file.addfile(info)
    return buffer.getvalue()


def make_zip(members: dict[str, bytes], *extra: zipfile.ZipInfo) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
        for info in extra:
            file.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def tar_link(kind: bytes) -> tarfile.TarInfo:
    link = tarfile.TarInfo("facades/link")
    link.type, link.linkname = kind, "/etc/passwd"
    return link


def zip_link() -> zipfile.ZipInfo:
    link = zipfile.ZipInfo("facades/link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    return link


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def keep_download(server: Server, content: bytes) -> None:
    (server.folder / "datasets").mkdir()
    (server.folder / PART).write_bytes(content)


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_downloads_and_unpacks(server: Server, make: Callable[..., bytes]) -> None:
    server.body = make(IMAGES)
    done = server.fetch()
    assert done.returncode == 0, done.stderr
    assert files(server.folder / "datasets") == IMAGES
    assert "MB/s" in done.stderr
    assert hashlib.sha256(server.body).hexdigest() in done.stdout
    assert done.stdout.endswith("try: translate train configs/facades.yaml\n")


def test_unpacks_an_archive_without_a_folder_of_its_own(server: Server) -> None:
    server.body = make_zip({"trainA/1.jpg": b"a", "trainB/1.jpg": b"b"})
    done = server.fetch("maps-unpaired", "--from", server.url, "--into", "here")
    assert files(server.folder / "here/maps-unpaired") == {"trainA/1.jpg": b"a", "trainB/1.jpg": b"b"}
    assert done.stdout.endswith("configs/maps-unpaired.yaml --data here/maps-unpaired\n")


def test_goes_on_after_a_cut(server: Server) -> None:
    server.body = make_tar(IMAGES)
    server.cut_first = half = len(server.body) // 2
    assert "run the same command again to go on" in error_line(server.fetch())
    assert (server.folder / PART).read_bytes() == server.body[:half]
    assert server.fetch().returncode == 0
    assert server.ranges == [None, f"bytes={half}-"]
    assert files(server.folder / "datasets") == IMAGES


def test_starts_anew_where_the_server_ignores_range(server: Server) -> None:
    server.body, server.knows_range = make_tar(IMAGES), False
    keep_download(server, b"something else")
    assert server.fetch().returncode == 0
    assert files(server.folder / "datasets") == IMAGES


def test_takes_a_download_that_was_whole(server: Server) -> None:
    server.body = make_tar(IMAGES)
    keep_download(server, server.body)
    assert server.fetch().returncode == 0
    assert files(server.folder / "datasets") == IMAGES


def test_ctrl_c_keeps_what_came(server: Server) -> None:
    server.body, server.stall = make_tar(IMAGES), True
    server.cut_first = len(server.body) // 2
    tool = server.start()
    while not (server.folder / PART).exists():
        assert tool.poll() is None
        time.sleep(0.01)
    tool.send_signal(signal.SIGINT)
    done = finished(tool)
    assert done.returncode == 130
    assert "run the same command again to go on" in error_line(done)
    assert server.body.startswith((server.folder / PART).read_bytes())


def broken(archive: bytes) -> bytes:
    """The archive with one byte of its middle changed."""
    middle = len(archive) // 2
    return archive[:middle] + bytes([archive[middle] ^ 255]) + archive[middle + 1 :]


BAD = {
    "a damaged tar": (broken(make_tar(IMAGES)), "damaged"),
    "a damaged zip": (broken(make_zip(IMAGES)), "damaged"),
    "half a tar": (make_tar(IMAGES)[:30_000], "damaged"),
    "a web page": (b"<html>moved</html>", "damaged"),
    "an empty archive": (make_zip({}), "empty"),
    "a tar that climbs": (make_tar({"../evil": b"x"}), "outside"),
    "a zip that climbs": (make_zip({"facades/../../evil": b"x"}), "outside"),
    "a zip that climbs by backslashes": (make_zip({"..\\evil": b"x"}), "outside"),
    "a tar with an absolute path": (make_tar({"/tmp/evil-translate": b"x"}), "outside"),
    "a zip with an absolute path": (make_zip({"/tmp/evil-translate": b"x"}), "outside"),
    "a tar with a symlink": (make_tar(IMAGES, tar_link(tarfile.SYMTYPE)), "link"),
    "a tar with a hard link": (make_tar(IMAGES, tar_link(tarfile.LNKTYPE)), "link"),
    "a tar with a device": (make_tar(IMAGES, tar_link(tarfile.CHRTYPE)), "device"),
    "a zip with a symlink": (make_zip(IMAGES, zip_link()), "link"),
    "a zip bomb": (make_zip({"facades/1.jpg": bytes(10**6)}), "200 times its own size"),
    "a gzip bomb": (gzip.compress(bytes(10**6)), "200 times its own size"),
}


@pytest.mark.parametrize(("body", "reason"), BAD.values(), ids=BAD.keys())
def test_refuses_and_leaves_nothing(server: Server, body: bytes, reason: str) -> None:
    server.body = body
    done = server.fetch()
    assert done.returncode == 1
    assert reason in error_line(done)
    assert list(server.folder.rglob("*")) == [server.folder / "datasets"]
    assert not list(server.folder.parent.glob("evil*"))
    assert not Path("/tmp/evil-translate").exists()


def test_existing_folder_is_left_alone(server: Server) -> None:
    mine = server.folder / "datasets/facades/mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert "remove it" in error_line(server.fetch())
    assert files(server.folder) == {"datasets/facades/mine.jpg": b"mine"}


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["facade"], 2, "did you mean 'facades'?"),
        (["cityscapes"], 2, "licence"),
        (["facades", "--from", "ftp://example.org/a"], 2, "http://"),
        (["facades", "--from", "http://127.0.0.1:1/"], 1, "refused"),
        (["facades", "--from", "http://[half"], 1, "Invalid IPv6"),
        (["facades", "--from", "SERVER/missing"], 1, "404"),
    ],
)
def test_one_line_says_what_is_wrong(server: Server, words: list[str], code: int, reason: str) -> None:
    done = server.fetch(*(word.replace("SERVER", server.url) for word in words))
    assert done.returncode == code
    assert reason in error_line(done)
    assert files(server.folder) == {}


def test_lists_what_there_is(server: Server) -> None:
    assert {"facades", "facades-unpaired", "horse2zebra"} < set(server.fetch("--list").stdout.split())
