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

from translate import allocator
from translate.models import pick_precision

Run = Callable[[], object]
Build = Callable[[], Run]  # pickled: a function of a module, or a partial of one
KEPT = ExitStack()
CPU = torch.device("cpu")
SIDE, SIDE_ON_GPU = 3072, 8192  # of the matrices by which the machine's rate is measured
AT_ONCE_ON_GPU = 10  # runs that are timed as one: it works while the next is asked for


@dataclass(frozen=True)
class Timed:
    """What became of one way.

    Attributes:
        seconds: of a run, the median of the rounds.
        peak: bytes, the most that its process ever held, torch and all; on a GPU the most of its memory that
            torch had given out.
    """

    seconds: float
    peak: int


def timed(
    ways: Mapping[str, Build], rounds: int, *, warm_up: int = 2, device: torch.device = CPU
) -> dict[str, Timed]:
    """Each way, run in turn with the others, `rounds` times; a way that cannot be built is told and left out.

    Args:
        warm_up: rounds of each before it counts.
        device: that the ways work on.
    """
    workers: dict[str, _Worker] = {}
    for name, build in ways.items():
        try:
            workers[name] = _Worker(build, warm_up, device)
        except RuntimeError as error:
            click.echo(f"{name}: left out: {error}", err=True)
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            seconds[name].append(worker.ask("run"))
    return {name: Timed(statistics.median(seconds[name]), worker.close()) for name, worker in workers.items()}


class _Worker:
    """A process that builds a way and runs it when asked."""

    def __init__(self, build: Build, warm_up: int, device: torch.device) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(build, theirs, device), daemon=False)
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
    KEPT.enter_context(allocator.retain_freed_memory())


def _serve(build: Build, pipe: Connection, device: torch.device) -> None:
    at_once = 1 if device.type == "cpu" else AT_ONCE_ON_GPU
    try:
        run = build()
        while pipe.recv() == "run":
            started = time.perf_counter()
            for _ in range(at_once):
                run()
            if device.type != "cpu":
                torch.accelerator.synchronize(device)
            pipe.send((time.perf_counter() - started) / at_once)
    except Exception as error:  # told by the parent, which knows the way's name
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send(_peak(device))


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine(device: torch.device = CPU) -> dict[str, Any]:
    """What the figures are taken on."""
    if device.type == "cuda":
        return {"processor": torch.cuda.get_device_name(device), "torch": torch.__version__}
    name = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(": ")[2] if lines else name
    amx = bool(torch.cpu._is_amx_tile_supported())
    return {"processor": name, "threads": torch.get_num_threads(), "amx": amx, "torch": torch.__version__}


def matrix_rates(device: torch.device) -> dict[str, float]:
    """Operations a second of the device's matrix products, in float32 and in what `--precision auto` takes
    there: what any network's are measured by.
    """
    own = str(pick_precision("auto", device).dtype).removeprefix("torch.")
    ways = {name: _Products(name, device) for name in dict.fromkeys(("float32", own))}  # none imitated
    found = timed(ways, rounds=7, device=device)
    return {name: 2 * _side(device) ** 3 / way.seconds for name, way in found.items()}


def _side(device: torch.device) -> int:
    return SIDE if device.type == "cpu" else SIDE_ON_GPU


@dataclass(frozen=True)
class _Products:
    """Builds a product of two square matrices."""

    dtype: str
    device: torch.device

    def __call__(self) -> Run:
        side = _side(self.device)
        a = torch.randn(side, side, device=self.device).to(getattr(torch, self.dtype))
        return lambda: a @ a


def describe_error(told: Mapping[str, Any]) -> str:
    """A machine, and its rates where they were measured."""
    words = f"{told['processor']}, torch {told['torch']}"
    if "threads" in told:
        words += f", {told['threads']} threads, {'with' if told['amx'] else 'no'} AMX"
    rates = told.get("rates", {})
    shown = [f"{rate / 1e12:.2f} TFLOP/s in {name}" for name, rate in rates.items()]
    return f"{words}; matrix products: {', '.join(shown)}" if shown else words
