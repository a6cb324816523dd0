"""Worker processes decode and encode as threads do, and survive what may happen to them."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

from tests.images import noise
from tests.unit.inference.making import Negative, predictor_of
from translate.errors import DataError
from translate.images import read
from translate.inference import Outcome, translate_folder
from translate.inference.batch import folder, processes
from translate.inference.batch.outcome import PipelineItem
from translate.inference.batch.processes import WorkerLostError, WorkerProcesses, Workers, choose_workers
from translate.inference.batch.reader import FileReader
from translate.networks.generators.identity import Identity

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of ten images, of which one is damaged and one of many pixels."""
    for number in range(10):
        noise(tmp_path / "in" / f"{number}.png", 20 + number % 2, 30, seed=number)
    noise(tmp_path / "in" / "5.jpg", 40, 40)
    (tmp_path / "in" / "3.png").write_text("no image")
    return tmp_path / "in"


@pytest.fixture
def with_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one process decode and another one encode."""
    monkeypatch.setattr(folder, "choose_workers", lambda *_: Workers(1, are_processes=True))


def translate(root: Path, out: Path, network: Identity) -> list[Outcome]:
    return list(translate_folder(predictor_of(network), [root], out))


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerProcesses]:
    with WorkerProcesses(1) as pool:
        yield pool


@pytest.mark.usefixtures("with_processes")
def test_processes_write_the_same_files_as_threads(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translate.inference.batch.stages.LARGE_IMAGE", 1500)
    monkeypatch.setattr(folder, "LARGE_IMAGE", 1500)
    children = psutil.Process().children()
    by_processes = translate(root, tmp_path / "a", Negative())
    assert psutil.Process().children() == children
    monkeypatch.setattr(folder, "choose_workers", lambda *_: Workers(1, are_processes=False))
    by_threads = translate(root, tmp_path / "b", Negative())
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) == 10
    assert [outcome.source for outcome in by_processes] == sorted(root.iterdir())
    assert [outcome.failure for outcome in by_processes] == [outcome.failure for outcome in by_threads]


@pytest.mark.usefixtures("with_processes")
def test_a_process_that_is_killed_fails_its_file_at_most_and_the_others_are_written(
    root: Path, tmp_path: Path
) -> None:
    (root / "3.png").unlink()
    children = psutil.Process().children()

    class KillsOnce(Identity):
        is_armed = True

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.is_armed:
                self.is_armed = False
                for child in psutil.Process().children():
                    if child not in children:
                        child.kill()
            return x

    outcomes = translate(root, tmp_path / "out", KillsOnce())
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    assert len(failures) <= 2  # One that it was decoding, and one that it was encoding.
    for failure in failures:
        assert "SIGKILL" in failure
        assert "--workers" in failure
    assert len(contents(tmp_path / "out")) == len(outcomes) - len(failures)
    again = translate(root, tmp_path / "out", Identity())
    assert not any(outcome.failure for outcome in again)


@pytest.mark.usefixtures("with_processes")
def test_a_process_that_is_killed_while_it_reads_headers_loses_no_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = WorkerProcesses.__enter__

    def kill_one(self: WorkerProcesses) -> WorkerProcesses:
        self.run(os.getpid)  # It is ready now.
        os.kill(self._idle[-1]._process.pid, signal.SIGKILL)
        return start(self)

    monkeypatch.setattr(WorkerProcesses, "__enter__", kill_one)
    outcomes = translate(root, tmp_path / "out", Identity())
    assert [outcome.source.name for outcome in outcomes if outcome.failure] == ["3.png"]


def test_a_process_imports_neither_torch_nor_the_main_module(pool: WorkerProcesses) -> None:
    assert pool.run(eval, "'torch' in __import__('sys').modules") is False
    assert pool.run(eval, "getattr(__import__('__main__'), '__file__', None)") is None


def test_a_process_is_not_interrupted_by_the_signals_of_its_terminal(pool: WorkerProcesses) -> None:
    pid = pool.run(os.getpid)
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGTERM)  # as of a batch system that ends all processes of a job
    assert pool.run(os.getpid) == pid


def test_errors_come_from_the_process_as_they_are(pool: WorkerProcesses, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        pool.run(eval, "1 / 0")
    with pytest.raises(DataError, match=r"nowhere\.png"):
        pool.run(read, tmp_path / "nowhere.png")
    with pytest.raises(FileNotFoundError):
        pool.run(os.stat, tmp_path / "nowhere")
    with pytest.raises(RuntimeError, match="Unsendable: no image"):
        pool.run(eval, "(_ for _ in ()).throw(type('Unsendable', (Exception,), {})('no image'))")


def test_a_lost_process_is_replaced() -> None:
    with WorkerProcesses(1) as pool:
        first = pool.run(os.getpid)
        with pytest.raises(WorkerLostError, match="exit code 7"):
            pool.run(os._exit, 7)
        assert pool.run(os.getpid) not in (first, os.getpid())


def test_a_process_that_was_killed_while_it_was_idle_is_replaced() -> None:
    with WorkerProcesses(1) as pool:
        first = pool.run(os.getpid)
        psutil.Process(first).kill()
        psutil.wait_procs([psutil.Process(first)], timeout=10)
        assert pool.run(os.getpid) not in (first, os.getpid())


def test_what_is_printed_while_a_process_starts_is_no_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.write(1, b'hello, ' * 1000)")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path, b"bytes", "a\0b"])
    with WorkerProcesses(1) as pool:
        assert pool.run(os.getpid) != os.getpid()
        assert pool.run(eval, "__import__('sys').stdin.read()") == ""


def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "END_SECONDS", 0.1)
    with WorkerProcesses(1) as pool:
        worker = psutil.Process(pool.run(os.getpid))
        worker.suspend()
    assert not worker.is_running()


@pytest.mark.usefixtures("with_processes")
def test_threads_do_the_work_where_no_process_can_be_started(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with caplog.at_level(logging.INFO, "translate"):
        translate(root, tmp_path / "out", Identity())
    assert len(contents(tmp_path / "out")) == 10
    assert caplog.text.count("cannot be started") == 1


def test_processes_are_for_many_images_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "count_cores", lambda: 16)
    assert choose_workers(None, GPU, 1600) == Workers(8, are_processes=True)
    assert choose_workers(3, GPU, 1600) == Workers(3, are_processes=True)
    assert choose_workers(0, GPU, 1600) == Workers(0, are_processes=False)
    assert choose_workers(None, GPU, 10) == Workers(2, are_processes=False)
    assert choose_workers(None, CPU, 1600) == Workers(2, are_processes=False)
    monkeypatch.setattr(processes, "_max_open_files", lambda: 64)
    assert choose_workers(None, GPU, 1600) == Workers(4, are_processes=True)
    monkeypatch.setattr(processes, "count_cores", lambda: 2)
    assert choose_workers(None, GPU, 1600) == Workers(2, are_processes=False)


def test_writing_does_not_wait_for_reading(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the only thread that decodes is busy, images that were decoded before are written."""
    read_file, first = FileReader.read, tmp_path / "out" / "0.png"
    deadline = time.monotonic() + 20

    def read_slowly(self: FileReader, item: PipelineItem) -> PipelineItem:
        while item.job.source.name == "7.png" and not first.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return read_file(self, item)

    monkeypatch.setattr(FileReader, "read", read_slowly)
    outcomes = list(translate_folder(predictor_of(Negative()), [root], tmp_path / "out", workers=1))
    assert len(outcomes) == 11
