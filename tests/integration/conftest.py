"""Fixtures that run the command line as a user does: in a process of its own, or quicker in this process.

The commands that apply a model do so on the CPU. Those that train get it from `TINY`, or name it themselves.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.images import demo
from tests.integration import warm
from translate.cli import main

TINY = [
    *("--image-size", "32", "--ngf", "4", "--ndf", "4"),
    *("--batch-size", "2", "--workers", "0", "--device", "cpu"),
]
TINY_TRANSLATION = [*TINY, "--blocks", "1", "--d-layers", "2"]
APPLYING = ("apply", "colorize", "inpaint", "evaluate", "sample", "project", "serve", "studio")
Result = subprocess.CompletedProcess[str]
Command = Callable[..., Result]
SHARED: dict[str, str] = {}  # Environment variables of all commands of the test session.


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Share one cache folder among all commands, so that the engines of a model are measured once."""
    folder = tmp_path_factory.mktemp("shared-cache")
    SHARED["TRANSLATE_CACHE"] = str(folder)
    return folder


def environment() -> dict[str, str]:
    """Return the environment of a command: one thread per process, and no settings of the developer's own."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TRANSLATE_")}
    return {**inherited, **SHARED, "OMP_NUM_THREADS": "1"}


def on_cpu(*arguments: str | Path) -> list[str]:
    """Return the arguments of `translate` as words, with `--device cpu` if they apply a model."""
    words = [str(argument) for argument in arguments]
    return [words[0], "--device", "cpu", *words[1:]] if words and words[0] in APPLYING else words


def command(*arguments: str | Path) -> list[str]:
    """Return the words of `translate ARGUMENTS` for `subprocess`."""
    return [sys.executable, "-m", "translate", *on_cpu(*arguments)]


@pytest.fixture(autouse=True)
def default_signals() -> Iterator[None]:
    """Let child processes react to SIGINT and SIGHUP, which tests in the background or under nohup ignore."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def translate(tmp_path: Path) -> Command:
    """Run `translate ARGUMENTS` in tmp_path, in a process of its own. The exit code must be `code`."""

    def run(*arguments: str | Path, code: int = 0, **variables: str) -> Result:
        result = warm.run(on_cpu(*arguments), tmp_path, {**environment(), **variables})
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr, result.stderr
        return result

    return run


@pytest.fixture
def within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `translate ARGUMENTS` in tmp_path like the fixture `translate`, but in this process: quicker."""

    def run(*arguments: str | Path, code: int = 0) -> Result:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TRANSLATE_CACHE", SHARED["TRANSLATE_CACHE"])
        monkeypatch.setattr(sys, "argv", ["translate", *on_cpu(*arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        output = capsys.readouterr()
        assert end.value.code == code, output.out + output.err
        return Result(sys.argv, code, output.out, output.err)

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write a small built-in dataset to tmp_path/data."""
    return demo(tmp_path / "data")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a tiny CycleGAN for one step, and return its run."""
    folder = tmp_path_factory.mktemp("model")
    demo(folder / "data")
    arguments = ["train", "cyclegan", "--data", "data", "--steps", "1", "--out", "run", *TINY]
    result = warm.run(arguments, folder, environment())
    assert result.returncode == 0, result.stderr
    return folder / "run"
