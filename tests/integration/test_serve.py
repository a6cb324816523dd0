"""`translate serve`: the answers are the files that `translate apply` writes, and errors are one line."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.integration.conftest import Command, command, environment

pytest.importorskip("fastapi_offline", reason="the extra [serve] is not installed")

TOKEN = "a-token-of-this-test"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1"


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    content: bytes
    headers: Mapping[str, str]

    @property
    def error(self) -> str:
        values: dict[str, str] = json.loads(self.content)
        assert list(values) == ["error"]
        assert "\n" not in values["error"]
        return values["error"]


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        answer = Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
        connection.close()
        return answer

    def post(self, path: str, files: Mapping[str, tuple[str, bytes]]) -> Answer:
        """POST files, by the name of their part in the form: the file name and the content."""
        boundary, disposition = "boundary-of-the-test", "Content-Disposition: form-data"
        parts = [
            f'--{boundary}\r\n{disposition}; name="{part}"; filename="{name}"\r\n\r\n'.encode() + content
            for part, (name, content) in files.items()
        ]
        body = b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()])
        kind = f"multipart/form-data; boundary={boundary}"
        return self.request("POST", path, body, {"Content-Type": kind})


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a tiny CycleGAN under the name `run`, and the installed models."""
    with serve(tmp_path_factory.mktemp("serve"), model, "inpaint", "colorize") as server:
        yield server


@contextmanager
def serve(folder: Path, *arguments: str | Path) -> Iterator[Server]:
    words = command("serve", *arguments, "--port", "0")
    errors = folder / "stderr"  # Not a pipe, which the server could fill.
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            words, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert " at http://127.0.0.1:" in line
            yield Server(process, int(line.partition(" at http://127.0.0.1:")[2].partition(",")[0]))
        finally:
            process.terminate()
            process.wait(60)
    assert process.returncode == 143
    assert b"Traceback" not in errors.read_bytes()


def random_image(size: tuple[int, int], channels: int, dtype: Any = np.uint8) -> Any:
    shape = (size[1], size[0], channels) if channels > 1 else (size[1], size[0])
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Write images of several kinds to tmp_path/images."""
    folder = tmp_path / "images"
    folder.mkdir()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(random_image((40, 33), 3)).save(folder / "photo.jpg", icc_profile=profile)
    Image.fromarray(random_image((37, 50), 4)).save(folder / "transparent.png")
    Image.fromarray(random_image((48, 32), 1, np.uint16)).save(folder / "deep.png")
    frames = [Image.fromarray(random_image((32, 32), 3)).rotate(angle) for angle in (0, 90)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(random_image((33, 35), 3)).save(folder / "scan.tif", dpi=(300, 300))
    return folder


def test_answers_are_the_files_that_apply_writes(
    server: Server, translate: Command, model: Path, images: Path, tmp_path: Path
) -> None:
    translate("apply", model, images, "-o", "out", "--direction", "BtoA")
    types = {".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".tif": "image/tiff"}
    for path in sorted(images.iterdir()):
        written = (tmp_path / "out" / path.name).read_bytes()
        form = server.post(
            "/v1/models/run/translate?direction=BtoA", {"image": (path.name, path.read_bytes())}
        )
        assert form.status == 200, form.content
        assert form.content == written, path
        assert f'filename="{path.name}"' in form.headers["content-disposition"]
        kind = types[path.suffix]
        raw = server.request(
            "POST", "/v1/models/run/translate?direction=BtoA", path.read_bytes(), {"Content-Type": kind}
        )
        assert raw.content == written
        assert form.headers["content-type"] == raw.headers["content-type"] == kind


def test_a_format_can_be_asked_for(server: Server, images: Path) -> None:
    files = {"image": ("photo.jpg", (images / "photo.jpg").read_bytes())}
    answer = server.post("/v1/models/run/translate?format=webp", files)
    assert answer.headers["content-type"] == "image/webp"
    assert answer.content[8:12] == b"WEBP"
    assert 'filename="photo.webp"' in answer.headers["content-disposition"]


def test_outside_of_the_mask_a_repaired_image_is_the_same(
    server: Server, translate: Command, images: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(random_image((64, 48), 3)).save(photo)
    hole = np.zeros((48, 64), np.uint8)
    hole[10:20, 30:50] = 255
    Image.fromarray(hole).save(tmp_path / "mask.png")
    files = {"image": ("photo.png", photo.read_bytes()), "mask": ("m", (tmp_path / "mask.png").read_bytes())}
    answer = server.post("/v1/models/inpaint/translate", files)
    translate("inpaint", photo, "--mask", "mask.png", "-o", "out")
    assert answer.content == (tmp_path / "out" / "photo.png").read_bytes()


def test_models_and_health_are_listed(server: Server) -> None:
    models = json.loads(server.request("GET", "/v1/models").content)
    assert [model["name"] for model in models] == ["run", "inpaint", "colorize"]
    assert models[0]["directions"] == ["AtoB", "BtoA"]
    assert [model["takes_mask"] for model in models] == [False, True, False]
    assert json.loads(server.request("GET", "/health").content) == {"status": "ok", "waiting": 0}
    metrics = server.request("GET", "/metrics").content.decode()
    assert 'translate_requests_total{model="",status="200"}' in metrics


def test_the_documentation_is_served_from_here(server: Server) -> None:
    page = server.request("GET", "/docs").content.decode()
    assert "http://" not in page.replace("http://127.0.0.1", "")
    assert "https://" not in page
    assert server.request("GET", "/static-offline-docs/swagger-ui-bundle.js").status == 200
    schema = json.loads(server.request("GET", "/openapi.json").content)
    operation = schema["paths"]["/v1/models/{name}/translate"]["post"]
    assert "image/png" in operation["requestBody"]["content"]
    assert schema["components"]["schemas"]["ModelName"]["enum"] == ["run", "inpaint", "colorize"]


@pytest.mark.parametrize("name", ["日本.jpg", "日" * 120 + ".jpg", "mask", "out", "image", 'a"b;c.jpg'])
def test_any_file_name_is_taken(server: Server, images: Path, name: str) -> None:
    content = (images / "photo.jpg").read_bytes()
    answer = server.post("/v1/models/run/translate", {"image": (name.replace('"', "%22"), content)})
    assert answer.status == 200, answer.content
    if name == "日本.jpg":
        assert "filename*=UTF-8''%E6%97%A5%E6%9C%AC.jpg" in answer.headers["content-disposition"]


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'


@pytest.mark.parametrize(
    ("query", "name", "content", "status", "words"),
    [
        ("", "photo.png", b"", 422, ["photo.png", "empty"]),
        ("", "photo.png", b"not an image", 422, ["photo.png: not an image"]),
        ("", "drawing.svg", SVG, 422, ["drawing"]),
        ("", "../../etc/cron.d/x.png", b"none", 422, ["x.png: not an image"]),
        ("", "a\\b\\c.jpg", b"none", 422, ["c.jpg: not an image"]),
        ("?direction=CtoD", "a.png", b"", 409, ["CtoD", "AtoB", "BtoA"]),
        ("?saturation=2", "a.png", b"", 409, ["saturation"]),
        ("?saturation=200", "a.png", b"", 422, ["saturation", "200", "10"]),
        ("?colour=red", "a.png", b"", 422, ["colour"]),
        ("?size=huge", "a.png", b"", 422, ["size", "huge"]),
        ("?size=64&size=32", "a.png", b"", 422, ["size", "more than once"]),
    ],
)
def test_a_bad_request_is_answered_by_one_line(
    server: Server, query: str, name: str, content: bytes, status: int, words: list[str]
) -> None:
    answer = server.post(f"/v1/models/run/translate{query}", {"image": (name, content)})
    assert answer.status == status
    for word in words:
        assert word in answer.error
    assert "/tmp" not in answer.error


def test_a_decompression_bomb_is_refused_by_its_header(server: Server, tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png", optimize=True)
    content = (tmp_path / "bomb.png").read_bytes()
    started = time.monotonic()
    answer = server.post("/v1/models/run/translate", {"image": ("bomb.png", content)})
    assert (answer.status, "megapixels" in answer.error) == (422, True)
    assert time.monotonic() - started < 5


def test_what_follows_an_image_is_not_passed_on(server: Server, images: Path) -> None:
    script = b"<script>alert(1)</script>PK\x03\x04"
    content = (images / "photo.jpg").read_bytes() + script
    answer = server.post("/v1/models/run/translate", {"image": ("photo.jpg", content)})
    assert answer.status == 200
    assert script not in answer.content
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_other_refusals(server: Server, images: Path) -> None:
    photo = ("photo.jpg", (images / "photo.jpg").read_bytes())
    path = "/v1/models/run/translate"
    assert server.request("POST", "/v1/models/nobody/translate").status == 404
    assert server.request("GET", "/v1/models/../../etc/passwd").status == 404
    assert server.request("GET", path).status == 405
    assert server.request("POST", path, b"{}", {"Content-Type": "application/json"}).status == 415
    assert server.request("GET", "/health", headers={"Host": "evil.example"}).status == 421
    assert server.request("GET", "/health", headers={"Host": "evil.example:8000"}).status == 421
    assert server.request("GET", "/health", headers={"Origin": "http://evil.example"}).status == 403
    assert server.request("GET", "/health", headers={"Origin": "null"}).status == 403
    own = f"http://127.0.0.1:{server.port}"
    assert server.request("GET", "/health", headers={"Origin": own}).status == 200
    assert "named image" in server.post(path, {"mask": photo}).error
    assert "mask" in server.post(path, {"image": photo, "mask": photo}).error
    assert "'url'" in server.post(path, {"image": photo, "url": ("x", b"http://127.0.0.1/")}).error


def test_a_body_of_two_gigabytes_is_refused_before_it_is_sent(server: Server) -> None:
    head = "POST /v1/models/run/translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {2 * 2**30}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))  # Until the server closes it.
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"32 MiB" in answer


def test_another_host_needs_a_token(translate: Command, model: Path, tmp_path: Path) -> None:
    result = translate("serve", model, "--host", "0.0.0.0", code=2)
    assert "--token-file" in result.stderr
    (tmp_path / "token").write_text("short", encoding="utf-8")
    result = translate("serve", model, "--host", "0.0.0.0", "--token-file", "token", code=2)
    assert "16" in result.stderr


def test_with_a_token_only_its_holder_is_served(model: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    with serve(tmp_path, model, "--token-file", "token") as server:
        assert server.request("GET", "/v1/models").status == 401
        assert server.request("GET", "/v1/models", headers={"Authorization": "Bearer no"}).status == 401
        assert server.request("GET", "/v1/models", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
        for user_and_password, status in ((f"any:{TOKEN}", 200), ("any:no", 401), (TOKEN, 401)):
            basic = f"Basic {base64.b64encode(user_and_password.encode()).decode()}"
            assert server.request("GET", "/v1/models", headers={"Authorization": basic}).status == status
        assert server.request("GET", "/v1/models", headers={"Authorization": "Basic ?"}).status == 401
        assert server.request("GET", "/health").status == 200


def test_a_port_in_use_is_named(translate: Command, server: Server, model: Path) -> None:
    result = translate("serve", model, "--port", str(server.port), code=2)
    assert f"--port {server.port}" in result.stderr


def test_two_models_of_one_name_are_refused(translate: Command, model: Path) -> None:
    assert "'run'" in translate("serve", model, model, "--port", "0", code=2).stderr


def test_a_model_from_noise_is_refused(translate: Command) -> None:
    result = translate("serve", FIXTURES / "dcgan", "--port", "0", code=2)
    assert "translate sample" in result.stderr
