"""Ways of doing one thing, each in a process of its own, timed in turn; and the machine they run on."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import torch

from translate import heap
from translate.models import pick_precision

Run = Callable[[], object]
Build = Callable[[], Run]  # pickled: a function of a module, or a partial of one
KEPT = ExitStack()
SIDE = 3072  # of the matrices by which the machine's rate is measured


@dataclass(frozen=True)
class Timed:
    """What became of one way.

    Attributes:
        seconds: of a run, the median of the rounds.
        peak: bytes, the most that its process ever held, torch and all.
    """

    seconds: float
    peak: int


def timed(ways: Mapping[str, Build], rounds: int, *, warm_up: int = 2) -> dict[str, Timed]:
    """Each way, run in turn with the others, `rounds` times; a way that cannot be built is told and left out.

    Args:
        warm_up: runs of each before it counts.
    """
    workers: dict[str, _Worker] = {}
    for name, build in ways.items():
        try:
            workers[name] = _Worker(build, warm_up)
        except RuntimeError as error:
            click.echo(f"{name}: left out: {error}", err=True)
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            seconds[name].append(worker.ask("run"))
    return {name: Timed(statistics.median(seconds[name]), worker.close()) for name, worker in workers.items()}


class _Worker:
    """A process that builds a way and runs it when asked."""

    def __init__(self, build: Build, warm_up: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(build, theirs), daemon=False)
        self.process.start()
        theirs.close()
        for _ in range(1 + warm_up):  # the first answer tells that it is built
            self.ask("run")

    def ask(self, what: str) -> Any:
        self.pipe.send(what)
        try:
            answer = self.pipe.recv()
        except EOFError:
            raise RuntimeError("its process ended") from None
        if isinstance(answer, str):
            self.process.join()
            raise RuntimeError(answer)
        return answer

    def close(self) -> int:
        """End the process; the most bytes that it held."""
        peak: int = self.ask("end")
        self.process.join()
        return peak


def keep_heap() -> None:
    """Keep freed memory, as long as this process lives."""
    KEPT.enter_context(heap.kept())


def _serve(build: Build, pipe: Connection) -> None:
    try:
        run = build()
        while pipe.recv() == "run":
            started = time.perf_counter()
            run()
            pipe.send(time.perf_counter() - started)
    except Exception as error:  # told by the parent, which knows the way's name
        pipe.send(f"{type(error).__name__}: {error}")
        return
    unit = 1 if sys.platform == "darwin" else 1024
    pipe.send(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def machine() -> dict[str, Any]:
    """What the figures are taken on."""
    name = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(": ")[2] if lines else name
    amx = bool(torch.cpu._is_amx_tile_supported())
    return {"processor": name, "threads": torch.get_num_threads(), "amx": amx, "torch": torch.__version__}


def matrix_rates() -> dict[str, float]:
    """Operations a second of the machine's matrix products, in float32 and in what `--precision auto` takes
    here: what any network's are measured by.
    """
    own = str(pick_precision("auto", torch.device("cpu")).dtype).removeprefix("torch.")
    ways = {name: _Products(name) for name in dict.fromkeys(("float32", own))}  # no type that is imitated
    return {name: 2 * SIDE**3 / way.seconds for name, way in timed(ways, rounds=7).items()}


@dataclass(frozen=True)
class _Products:
    """Builds a product of two square matrices."""

    dtype: str

    def __call__(self) -> Run:
        a = torch.randn(SIDE, SIDE).to(getattr(torch, self.dtype))
        return lambda: a @ a


def in_words(told: Mapping[str, Any]) -> str:
    """A machine, and its rates where they were measured."""
    amx = "with" if told["amx"] else "no"
    words = f"{told['processor']}, {told['threads']} threads, {amx} AMX, torch {told['torch']}"
    rates = told.get("rates", {})
    shown = [f"{rate / 1e12:.2f} TFLOP/s in {name}" for name, rate in rates.items()]
    return f"{words}; matrix products: {', '.join(shown)}" if shown else words
