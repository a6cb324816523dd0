"""Start trainings as processes of their own, which outlive the page and the studio."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from translate.config import TrainConfig, setting_fields
from translate.config.schema import flag_name
from translate.errors import TranslateError
from translate.methods.registry import find_method
from translate.training.runs.folder import Run
from translate.training.runs.lock import find_owner

OUTPUT = ".output.txt"  # In the folder of the run: what its process prints.
POLL_SECONDS = 0.3


def train_command(recipe: str, settings: Mapping[str, Any], *, resume: bool = False) -> list[str]:
    """Return the arguments of `translate` that train with some settings, checked one by one and together.

    Raises:
        UsageError: a setting is not allowed.
    """
    config_class: type[TrainConfig] = find_method(recipe).config_class()
    given = {name: value for name, value in settings.items() if value is not None and value != ""}
    config_class(**given)
    flags = []
    for field in setting_fields(config_class):
        if field.name in given:
            value = given[field.name]
            flags += [flag_name(field), str(value)]
    return ["train", recipe, *flags, *(["--resume"] if resume else [])]


def start_training(command: Sequence[str], folder: Path) -> Iterator[str]:
    """Start a training, and yield what it prints until it trains or has ended.

    Args:
        command: the arguments of `translate`.
        folder: the folder of its run.

    Raises:
        TranslateError: it ended with an error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / OUTPUT).open("wb") as output:
        # In a session of its own, it does not get the signals of the studio's terminal.
        process = subprocess.Popen(
            [sys.executable, "-m", "translate", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _CHILDREN.append(process)
    while process.poll() is None and not (Run(folder).log.exists() and find_owner(folder)):
        yield read_output(folder)
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise TranslateError(read_output(folder).removeprefix("error: ") or "the training did not start")


def read_output(folder: Path) -> str:
    """Return the last line that the process of a run has printed; empty if there is none."""
    try:
        lines = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def reap_ended() -> None:
    """Let the operating system forget the trainings that have ended."""
    _CHILDREN[:] = [process for process in _CHILDREN if process.poll() is None]


_CHILDREN: list[subprocess.Popen[bytes]] = []
