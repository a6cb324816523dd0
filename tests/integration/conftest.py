"""The command line in a process of its own, as a person runs it."""

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
Result = subprocess.CompletedProcess[str]
Command = Callable[..., Result]
SHARED: dict[str, str] = {}  # what all commands of a session find in their environment


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache folder for all commands, so that each model's engines are tried once."""
    folder = tmp_path_factory.mktemp("shared-cache")
    SHARED["TRANSLATE_CACHE"] = str(folder)
    return folder


def environment() -> dict[str, str]:
    """One thread a process, for the tests share the machine; no settings of the person's own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TRANSLATE_")}
    return {**kept, **SHARED, "OMP_NUM_THREADS": "1"}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "translate", *map(str, arguments)]


@pytest.fixture(autouse=True)
def heeded_ctrl_c() -> Iterator[None]:
    """Child processes heed Ctrl-C, also where the tests run in the background of a shell that does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def translate(tmp_path: Path) -> Command:
    """Run `translate ARGUMENTS` in tmp_path; the exit code must be `code`."""

    def run(*arguments: str | Path, code: int = 0, **variables: str) -> Result:
        around = {**environment(), **variables}
        result = warm.run([str(argument) for argument in arguments], tmp_path, around)
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr, result.stderr
        return result

    return run


@pytest.fixture
def within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `translate ARGUMENTS` in tmp_path as `translate` does, but within this process: quicker."""

    def run(*arguments: str | Path, code: int = 0) -> Result:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TRANSLATE_CACHE", SHARED["TRANSLATE_CACHE"])
        monkeypatch.setattr(sys, "argv", ["translate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert ended.value.code == code, told.out + told.err
        return Result(sys.argv, code, told.out, told.err)

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The built-in set, small, at tmp_path/data."""
    return demo(tmp_path / "data")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a tiny CycleGAN, trained for one step."""
    folder = tmp_path_factory.mktemp("model")
    demo(folder / "data")
    arguments = ["train", "cyclegan", "--data", "data", "--steps", "1", "--out", "run", *TINY]
    result = warm.run(arguments, folder, environment())
    assert result.returncode == 0, result.stderr
    return folder / "run"
