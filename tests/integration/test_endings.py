"""Training ends well if its terminal is closed (SIGHUP), or if its worker processes run the script again."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import warnings
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from tests.integration import warm
from tests.integration.conftest import TINY, TINY_TRANSLATION, Command, environment
from tests.integration.test_resume import newest_step, train
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.progress import Advanced, Event, listening


def start_in_terminal(arguments: list[str], folder: Path) -> tuple[BaseProcess, int]:
    """Start `translate ARGUMENTS` with its output on a terminal; return the process and the terminal."""
    terminal, inner = pty.openpty()
    path = Path(os.ttyname(inner))
    process = warm.start(arguments, folder, environment(), (path, path))
    assert b"checking the dataset" in os.read(terminal, 1000)
    os.close(inner)
    return process, terminal


def test_a_closed_terminal_saves_the_run(data: Path, tmp_path: Path) -> None:
    arguments = [*train("pix2pix", "run"), "--steps", "100000", "--workers", "1"]
    process, terminal = start_in_terminal(arguments, tmp_path)
    while newest_step(tmp_path / "run") < 4 and process.is_alive():
        os.read(terminal, 10_000)  # Else the process waits until there is room for its output.
    os.close(terminal)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGHUP)
    process.join(60)
    assert process.exitcode == 129
    log = (tmp_path / "run" / "log.txt").read_text().splitlines()
    assert log[-1] == f"stopped at step {newest_step(tmp_path / 'run')}", (
        "the last step that was taken is saved"
    )


def test_a_run_goes_on_without_the_terminal_that_it_was_started_in(data: Path, tmp_path: Path) -> None:
    process, terminal = start_in_terminal(train("pix2pix", "run"), tmp_path)
    os.close(terminal)
    process.join(60)
    assert process.exitcode == 0
    assert newest_step(tmp_path / "run") == 12


def test_a_hangup_that_is_ignored_from_the_start_stops_nothing(within: Command, data: Path) -> None:
    def hang_up(event: Event) -> None:
        if isinstance(event, Advanced) and event.job == "training" and event.done == 2:
            os.kill(os.getpid(), signal.SIGHUP)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # As nohup does.
    arguments = ["train", "pix2pix", "--data", "data", *TINY_TRANSLATION, "--steps", "5"]
    with listening(hang_up):
        within(*arguments)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        within(*arguments, "--overwrite", code=129)


@pytest.mark.parametrize("ends", [True, False])
def test_an_operation_that_is_not_deterministic_is_named_in_one_line(
    ends: bool, within: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Pix2Pix.step
    text = "reflection_pad2d_backward_cuda does not have a deterministic implementation, but you set ..."

    def complain(self: Pix2Pix, *arguments: Any) -> Any:
        """Raise or warn as torch does on a GPU."""
        if ends:
            raise RuntimeError(text)
        warnings.warn(text, stacklevel=1)
        return step(self, *arguments)

    monkeypatch.setattr(Pix2Pix, "step", complain)
    flags = ["--data", "data", *TINY_TRANSLATION, "--steps", "3", "--deterministic"]
    result = within("train", "pix2pix", *flags, code=int(ends))
    (line,) = [line for line in result.stderr.splitlines() if "reflection_pad2d_backward_cuda" in line]
    assert "--deterministic: " in line
    assert "--device cpu" in line
    assert line.startswith("error: ") == ends


@pytest.mark.parametrize("recipe", ["pix2pix", "wgan"])
def test_a_learning_rate_that_diverges_draws_a_remark(
    recipe: str, within: Command, data: Path, tmp_path: Path
) -> None:
    sizes = TINY_TRANSLATION if recipe == "pix2pix" else TINY
    flags = ["train", recipe, "--data", "data", *sizes, "--steps", "3", "--out", "run", "--overwrite"]
    assert "diverges" not in within(*flags).stderr
    (line,) = [line for line in within(*flags, "--lr", "50").stderr.splitlines() if "diverges" in line]
    assert "lower --lr (it is 50)" in line
    assert line in (tmp_path / "run" / "log.txt").read_text().splitlines()


def test_the_remark_names_the_rate_of_the_network_that_diverges(within: Command, data: Path) -> None:
    flags = ["train", "wgan", "--data", "data", *TINY, "--steps", "3", "--out", "run"]
    assert "lower --lr-g (it is 50)" in within(*flags, "--lr-g", "50").stderr


# Processes do not fork on macOS, on Windows and with Python 3.14.
UNGUARDED = """
import multiprocessing
import translate
multiprocessing.set_start_method("spawn", force=True)
small = {"image_size": 32, "ngf": 4, "batch_size": 2, "device": "cpu"}
translate.train("inpaint", data="data/trainA", steps=1, workers=1, **small)
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_so(data: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(UNGUARDED)
    options = {"cwd": tmp_path, "env": environment(), "capture_output": True, "text": True}
    result = subprocess.run([sys.executable, "script.py"], check=False, **options)
    assert result.returncode == 1
    assert 'if __name__ == "__main__":' in result.stderr.splitlines()[-1]
    assert result.stderr.count("Traceback") == 1, "the worker processes print nothing"
