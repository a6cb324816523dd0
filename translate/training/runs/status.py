"""The status of a run as its folder shows it, while it trains and afterwards."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translate.config import load_yaml
from translate.errors import TranslateError, UsageError
from translate.training.runs.folder import Run
from translate.training.runs.lock import find_owner

# The beginnings of the last line of log.txt, before the number of the step.
ENDED, STOPPED = "ended at step", "stopped at step"
TAIL = 4096  # Bytes at the end of a log, which hold its last lines.


@dataclass(frozen=True)
class RunStatus:
    """The status of a run.

    Attributes:
        folder: the folder of the run.
        recipe: the method that it trains.
        state: `training`; `ended`, after its budget or by early stopping; `stopped` by a signal; or
            `interrupted`, if its process did not live to say so.
        line: the newest line of its log.
        changed: the time of that line, in seconds since the epoch.
    """

    folder: Path
    recipe: str
    state: str
    line: str
    changed: float


def find_runs(folder: Path) -> list[Path]:
    """Return the folders of the runs in a folder, at any depth but not inside one another, sorted."""
    runs = []
    for path, folders, _ in os.walk(folder):
        if _is_run(Path(path)):
            runs.append(Path(path))
            folders.clear()
    return sorted(runs)


def read_status(folder: Path) -> RunStatus:
    """Read the status of a run.

    Raises:
        UsageError: the folder holds no run.
    """
    run = Run(folder)
    if not _is_run(folder):
        raise UsageError(f"{folder} holds no run: give the folder that --out named")
    line = (read_log(run, 1) or [""])[0]
    newest = run.log if run.log.exists() else run.config
    return RunStatus(
        folder, load_yaml(run.config)["recipe"], _state(folder, line), line, newest.stat().st_mtime
    )


def read_log(run: Run, lines: int) -> list[str]:
    """Return the last lines of the log of a run; of a run without one, none."""
    try:
        with run.log.open("rb") as file:
            file.seek(max(0, run.log.stat().st_size - TAIL))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def read_metrics(run: Run) -> list[dict[str, Any]]:
    """Return the records of a run's losses and scores: each has `step`, `seconds`, and values by name."""
    try:
        text = run.metrics.read_text(encoding="utf-8")
    except OSError:
        return []
    # The last line may be incomplete, as the run is perhaps writing it.
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def stop_training(folder: Path) -> None:
    """Ask the process that trains in a folder to stop after its step, and to save.

    Raises:
        UsageError: no process of this machine trains there.
    """
    owner = find_owner(folder)
    if owner is None:
        raise UsageError(f"no process is training in {folder}: there is nothing to stop")
    if not owner.is_local:
        raise UsageError(f"{folder} is trained on {owner.host}: stop it there")
    os.kill(owner.pid, signal.SIGTERM)  # SIGINT is ignored by what nohup starts.


def _is_run(folder: Path) -> bool:
    try:
        return Run(folder).exists()
    except TranslateError:  # Its config.yaml is damaged.
        return False


def _state(folder: Path, line: str) -> str:
    if find_owner(folder):
        return "training"
    if line.startswith(ENDED):
        return "ended"
    return "stopped" if line.startswith(STOPPED) else "interrupted"
