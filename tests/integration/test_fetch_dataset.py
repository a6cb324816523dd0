"""tools/fetch_dataset.py with a local server: complete, interrupted, malicious and damaged archives."""

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

Result = subprocess.CompletedProcess[str]


class Server(ThreadingHTTPServer):
    """A server that sends `body` at every path; the tool runs in `folder`.

    Attributes:
        supports_range: whether it heeds the header Range.
        close_after: bytes after which it closes the first connection.
        stall: keep the connection open without sending the rest.
        ranges: the headers Range of all requests.
    """

    body = b""
    supports_range = True
    close_after: int | None = None
    stall = False

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.url = folder, f"http://127.0.0.1:{self.server_port}"
        self.ranges: list[str | None] = []
        self.released = threading.Event()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the tool, by default to download facades from this server."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", TOOL, *(arguments or ("facades", "--from", self.url))],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "no_proxy": "*"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fetch(self, *arguments: str) -> Result:
        """Run the tool to its end."""
        return wait(self.start(*arguments))


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of a `Server`."""

    server: Server

    def do_GET(self) -> None:
        header = self.headers["Range"]
        self.server.ranges.append(header)
        start = int(header.removeprefix("bytes=").rstrip("-")) if header and self.server.supports_range else 0
        if "missing" in self.path:
            self.send_error(404)
        elif start >= len(self.server.body):
            self.send_error(416)
        else:
            self.send_body(self.server.body[start:], 206 if start else 200)

    def send_body(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.close_after])
        self.server.close_after = None
        if self.server.stall:
            self.server.released.wait(10)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def wait(tool: subprocess.Popen[str]) -> Result:
    out, err = tool.communicate(timeout=20)
    assert "Traceback" not in err
    return Result(tool.args, tool.returncode, out, err)


def error_line(result: Result) -> str:
    """Return the last line of stderr, which must be the only error."""
    *progress, last = result.stderr.splitlines()
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


def read_files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def write_download(server: Server, content: bytes) -> None:
    """Write the download that an earlier run of the tool left."""
    (server.folder / "datasets").mkdir()
    (server.folder / PART).write_bytes(content)


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_an_archive_is_downloaded_and_unpacked(server: Server, make: Callable[..., bytes]) -> None:
    server.body = make(IMAGES)
    result = server.fetch()
    assert result.returncode == 0, result.stderr
    assert read_files(server.folder / "datasets") == IMAGES
    assert "MB/s" in result.stderr
    assert hashlib.sha256(server.body).hexdigest() in result.stdout
    assert result.stdout.endswith("translate train configs/facades.yaml\n")


def test_an_archive_without_a_top_folder_is_unpacked_into_one(server: Server) -> None:
    server.body = make_zip({"trainA/1.jpg": b"a", "trainB/1.jpg": b"b"})
    result = server.fetch("maps-unpaired", "--from", server.url, "--into", "here")
    images = {"trainA/1.jpg": b"a", "trainB/1.jpg": b"b"}
    assert read_files(server.folder / "here/maps-unpaired") == images
    assert result.stdout.endswith("configs/maps-unpaired.yaml --data here/maps-unpaired\n")


def test_an_interrupted_download_is_resumed(server: Server) -> None:
    server.body = make_tar(IMAGES)
    server.close_after = half = len(server.body) // 2
    assert "run the same command again" in error_line(server.fetch())
    assert (server.folder / PART).read_bytes() == server.body[:half]
    assert server.fetch().returncode == 0
    assert server.ranges == [None, f"bytes={half}-"]
    assert read_files(server.folder / "datasets") == IMAGES


def test_the_download_restarts_if_the_server_ignores_range(server: Server) -> None:
    server.body, server.supports_range = make_tar(IMAGES), False
    write_download(server, b"something else")
    assert server.fetch().returncode == 0
    assert read_files(server.folder / "datasets") == IMAGES


def test_a_complete_download_is_unpacked(server: Server) -> None:
    server.body = make_tar(IMAGES)
    write_download(server, server.body)
    assert server.fetch().returncode == 0
    assert read_files(server.folder / "datasets") == IMAGES


def test_ctrl_c_keeps_the_partial_download(server: Server) -> None:
    server.body, server.stall = make_tar(IMAGES), True
    server.close_after = len(server.body) // 2
    tool = server.start()
    while not (server.folder / PART).exists():
        assert tool.poll() is None
        time.sleep(0.01)
    tool.send_signal(signal.SIGINT)
    result = wait(tool)
    assert result.returncode == 130
    assert "run the same command again" in error_line(result)
    assert server.body.startswith((server.folder / PART).read_bytes())


def flip_byte(archive: bytes) -> bytes:
    """Return the archive with one byte in the middle changed."""
    middle = len(archive) // 2
    return archive[:middle] + bytes([archive[middle] ^ 255]) + archive[middle + 1 :]


BAD = {
    "a damaged tar": (flip_byte(make_tar(IMAGES)), "damaged"),
    "a damaged zip": (flip_byte(make_zip(IMAGES)), "damaged"),
    "a truncated tar": (make_tar(IMAGES)[:30_000], "damaged"),
    "a web page": (b"<html>moved</html>", "damaged"),
    "an empty archive": (make_zip({}), "empty"),
    "a tar with a path outside": (make_tar({"../evil": b"x"}), "outside"),
    "a zip with a path outside": (make_zip({"facades/../../evil": b"x"}), "outside"),
    "a zip with a path outside by backslashes": (make_zip({"..\\evil": b"x"}), "outside"),
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
def test_a_bad_archive_is_refused_and_no_file_is_written(server: Server, body: bytes, reason: str) -> None:
    server.body = body
    result = server.fetch()
    assert result.returncode == 1
    assert reason in error_line(result)
    assert list(server.folder.rglob("*")) == [server.folder / "datasets"]
    assert not list(server.folder.parent.glob("evil*"))
    assert not Path("/tmp/evil-translate").exists()


def test_an_existing_folder_is_not_overwritten(server: Server) -> None:
    image = server.folder / "datasets/facades/mine.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"mine")
    assert "--into" in error_line(server.fetch())
    assert read_files(server.folder) == {"datasets/facades/mine.jpg": b"mine"}


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["facade"], 2, "did you mean 'facades'?"),
        (["cityscapes"], 2, "licence"),
        (["facades", "--from", "ftp://example.org/a"], 2, "http://"),
        (["facades", "--from", "http://127.0.0.1:1/"], 1, "refused"),
        (["facades", "--from", "http://[half"], 1, "Invalid IPv6"),
        (["facades", "--from", "SERVER/missing"], 1, "404"),
    ],
)
def test_mistakes_are_reported_in_one_line(
    server: Server, arguments: list[str], code: int, reason: str
) -> None:
    result = server.fetch(*(argument.replace("SERVER", server.url) for argument in arguments))
    assert result.returncode == code
    assert reason in error_line(result)
    assert read_files(server.folder) == {}


def test_list_names_the_known_datasets(server: Server) -> None:
    assert {"facades", "facades-unpaired", "horse2zebra"} < set(server.fetch("--list").stdout.split())
