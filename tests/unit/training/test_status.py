"""The status of a run, as its folder shows it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from translate.errors import UsageError
from translate.training.runs.folder import Run
from translate.training.runs.lock import lock_run
from translate.training.runs.status import (
    ENDED,
    STOPPED,
    find_runs,
    read_log,
    read_metrics,
    read_status,
    stop_training,
)


def make_run(folder: Path, log: str) -> Path:
    folder.mkdir(parents=True)
    Run(folder).config.write_text("recipe: cyclegan\n", encoding="utf-8")
    Run(folder).log.write_text(log, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("last", "state"), [(f"{ENDED} 9", "ended"), (f"{STOPPED} 9", "stopped"), ("epoch 1", "interrupted")]
)
def test_the_last_line_of_the_log_says_how_a_run_ended(tmp_path: Path, last: str, state: str) -> None:
    status = read_status(make_run(tmp_path / "run", f"epoch 1\n{last}\n"))
    assert (status.recipe, status.state, status.line) == ("cyclegan", state, last)


def test_a_run_trains_while_its_process_holds_the_lock(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "epoch 1\n")
    with lock_run(run):
        assert read_status(run).state == "training"
    assert read_status(run).state == "interrupted"


def test_a_process_that_has_got_the_number_of_one_that_was_killed_does_not_train(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "epoch 1\n")
    owner = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
    (run / ".lock-owner").write_text(owner, encoding="utf-8")
    assert read_status(run).state == "interrupted"
    with pytest.raises(UsageError, match="nothing to stop"):
        stop_training(run)


def test_stopping_interrupts_the_process_that_trains(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "epoch 1\n")
    script = (
        "import sys, time; from pathlib import Path; from translate.training.runs.lock import lock_run\n"
        "with lock_run(Path(sys.argv[1])):\n    print('locked', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, run], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"locked\n"
            stop_training(run)
            assert process.wait(timeout=30) != 0
        finally:
            process.kill()


def test_a_run_on_another_machine_is_stopped_there(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "epoch 1\n")
    with lock_run(run):
        (run / ".lock-owner").write_text('{"host": "elsewhere", "pid": 1}', encoding="utf-8")
        assert read_status(run).state == "training"
        with pytest.raises(UsageError, match="elsewhere"):
            stop_training(run)


def test_runs_are_found_at_any_depth_but_not_in_one_another(tmp_path: Path) -> None:
    run = make_run(tmp_path / "b" / "run", "")
    make_run(run / "samples" / "inner", "")
    other = make_run(tmp_path / "a", "")
    (tmp_path / "empty").mkdir()
    damaged = make_run(tmp_path / "damaged", "")
    Run(damaged).config.write_text("recipe: [", encoding="utf-8")
    assert find_runs(tmp_path) == [other, run]
    with pytest.raises(UsageError, match="no run"):
        read_status(tmp_path / "empty")


def test_records_and_logs_that_are_being_written_can_be_read(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path / "run", "".join(f"line {number}\n" for number in range(9))))
    run.metrics.write_text('{"step": 1, "g": 2.0}\n{"step": 2, "g"', encoding="utf-8")
    assert read_metrics(run) == [{"step": 1, "g": 2.0}]
    assert read_log(run, 2) == ["line 7", "line 8"]
    run.log.unlink()
    run.metrics.unlink()
    assert (read_log(run, 2), read_metrics(run)) == ([], [])
