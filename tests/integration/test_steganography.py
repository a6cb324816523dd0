"""`translate hide` and `translate reveal`: files, standard output, a typed key, mistakes and exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.images import noise
from tests.integration.conftest import Command, environment
from translate.cli.main import translate as command_line
from translate.images import read_rgb

MESSAGE = bytes(range(256))  # Neither text nor without line breaks.
HIDE = ("hide", "cover.png", "--message-file", "message", "--key-file", "key")
REVEAL = ("reveal", "stego.png", "--key-file", "key")


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """Write a cover, a message and a key."""
    noise(tmp_path / "cover.png", 32, 48)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "key").write_bytes(b"\xff\0key\n")


def test_a_message_comes_back_as_a_file(within: Command, tmp_path: Path) -> None:
    summary = within(*HIDE, "-o", "stego.png").stdout
    assert summary.startswith("stego.png: 256 of at most 568 bytes")
    difference = read_rgb(tmp_path / "stego.png").astype(int) - read_rgb(tmp_path / "cover.png")
    assert abs(difference).max() == 1
    assert f" {(difference != 0).sum()} of 4608 values" in summary
    assert within(*REVEAL, "-o", "out").stdout == "out: 256 bytes\n"
    assert (tmp_path / "out").read_bytes() == MESSAGE


def test_the_message_alone_goes_to_standard_output(within: Command, tmp_path: Path) -> None:
    within(*HIDE, "-o", "stego.png")
    words = [sys.executable, "-m", "translate", *REVEAL]
    result = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, check=True)
    assert result.stdout == MESSAGE
    assert result.stderr == b""


def test_an_empty_message_is_a_message(within: Command, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(b"")
    within(*HIDE, "-o", "stego.png")
    assert within(*REVEAL).stdout == ""
    within(*REVEAL, "-o", "out")
    assert (tmp_path / "out").read_bytes() == b""


def test_a_typed_key_is_not_shown_and_equals_its_bytes_in_a_file(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_bytes("Schlüssel".encode())
    words = ["hide", "cover.png", "--message-file", "message", "-o", "stego.png"]
    hidden = CliRunner().invoke(command_line, words, input="Schlüssel\nSchlüssel\n")
    assert hidden.exit_code == 0, hidden.output
    assert "Key:" in hidden.stderr
    assert "Schlüssel" not in hidden.output
    within(*REVEAL, "-o", "out")
    assert (tmp_path / "out").read_bytes() == MESSAGE
    revealed = CliRunner().invoke(command_line, ["reveal", "stego.png"], input="Schlüssel\n")
    assert revealed.stdout_bytes == MESSAGE


def test_a_key_that_nobody_types_is_a_usage_error(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("a new session without a terminal is for POSIX")
    words = [sys.executable, "-m", "translate", "reveal", "cover.png"]
    result = subprocess.run(
        words,
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert "--key-file" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


MISTAKES = {  # name: the arguments, the exit code, and words of the message
    "no message": (
        ["reveal", "cover.png", "--key-file", "key"],
        1,
        ["no message under this key in cover.png"],
    ),
    "wrong key": (
        ["reveal", "stego.png", "--key-file", "message"],
        1,
        ["no message under this key in stego.png"],
    ),
    "JPEG in": (
        ["hide", "photo.jpg", "--message-file", "message", "--key-file", "key", "-o", "a.png"],
        1,
        ["photo.jpg", "lossy"],
    ),
    "JPEG revealed": (["reveal", "photo.jpg", "--key-file", "key"], 1, ["photo.jpg", "lossy"]),
    "JPEG out": ([*HIDE, "-o", "a.jpg"], 2, ["a.jpg", "lossy", ".png"]),
    "too long": (
        ["hide", "cover.png", "--message-file", "stego.png", "--key-file", "key", "-o", "a.png"],
        1,
        ["cover.png", "568 bytes"],
    ),
    "existing image": ([*HIDE, "-o", "stego.png"], 2, ["stego.png", "--overwrite"]),
    "existing message": ([*REVEAL, "-o", "message"], 2, ["message", "--overwrite"]),
    "missing image": (["reveal", "gone.png", "--key-file", "key"], 1, ["gone.png", "No such file"]),
    "missing key": (["reveal", "stego.png", "--key-file", "gone"], 2, ["--key-file gone"]),
    "missing message": (
        ["hide", "cover.png", "--message-file", "gone", "--key-file", "key", "-o", "a.png"],
        2,
        ["--message-file gone"],
    ),
    "empty key": (["reveal", "stego.png", "--key-file", "empty"], 2, ["key is empty"]),
    "unwritable message": ([*REVEAL, "-o", "message/out"], 1, ["message/out"]),
    "unwritable image": ([*HIDE, "-o", "message/a.png"], 1, ["message/a.png"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(mistake: str, within: Command, tmp_path: Path) -> None:
    within(*HIDE, "-o", "stego.png")
    noise(tmp_path / "photo.jpg")
    (tmp_path / "empty").touch()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    arguments, code, words = MISTAKES[mistake]
    result = within(*arguments, code=code)
    (error,) = result.stderr.splitlines()
    for word in words:
        assert word in error
    assert result.stdout == ""
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_overwrite_replaces_the_files(within: Command, tmp_path: Path) -> None:
    within(*HIDE, "-o", "cover.png", "--overwrite")
    within("reveal", "cover.png", "--key-file", "key", "-o", "key", "--overwrite")
    assert (tmp_path / "key").read_bytes() == MESSAGE
