"""Time variants of one task in turn, each in a process of its own; describe the machine and its FLOP/s."""

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
from translate.inference.batch.processes import count_cores
from translate.models import pick_precision

Run = Callable[[], object]
Build = Callable[[], Run]  # must be picklable: a function of a module, or a partial of one
RESOURCES = ExitStack()  # contexts that stay open until the process ends
CPU = torch.device("cpu")
MATRIX_SIZE, MATRIX_SIZE_ON_GPU = 3072, 8192  # of the square matrices that measure the machine's FLOP/s
# A GPU runs asynchronously, and waiting for it takes time, so a timing is of as many runs as take this long.
SECONDS_PER_TIMING_ON_GPU = 0.5


@dataclass(frozen=True)
class Timing:
    """The time and the memory of a variant.

    Attributes:
        seconds: the median time of a run.
        start: seconds from the start of the process to the end of its first runs.
        peak: the peak memory in bytes: of the whole process with torch; or on a GPU, all that torch holds
            there, which is tensors, freed memory that it keeps for later, and the pools of CUDA graphs.
        tensors: the part of it that tensors took, on a GPU; of a graph, when it was captured.
    """

    seconds: float
    start: float
    peak: int
    tensors: int = 0


def time_variants(
    variants: Mapping[str, Build],
    rounds: int,
    *,
    first_runs: int = 1,
    warm_up: int = 2,
    device: torch.device = CPU,
) -> dict[str, Timing]:
    """Run each variant for a number of rounds; skip those that cannot be built, with a message.

    On a CPU they take turns, which spreads the drift of the machine's speed over all of them. On a GPU they
    run one after the other, because together they may not fit into its memory.

    Args:
        first_runs: the runs of each variant that `Timing.start` includes.
        warm_up: untimed runs of each variant after those, before the rounds.
        device: the device that the variants run on.
    """
    groups = [list(variants)] if device.type == "cpu" else [[name] for name in variants]
    timings: dict[str, Timing] = {}
    for group in groups:
        workers: dict[str, _Worker] = {}
        for name in group:
            try:
                workers[name] = _Worker(variants[name], first_runs, warm_up, device)
            except RuntimeError as error:
                click.echo(f"{name}: skipped: {error}", err=True)
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(rounds):
            for name, worker in workers.items():
                seconds[name].append(worker.time())
        for name, worker in workers.items():
            timings[name] = Timing(statistics.median(seconds[name]), worker.start, **worker.close())
    return timings


class _Worker:
    """A process that builds a variant and runs it on request.

    Attributes:
        start: seconds until the first runs had ended.
    """

    def __init__(self, build: Build, first_runs: int, warm_up: int, device: torch.device) -> None:
        context = multiprocessing.get_context("spawn")
        before = time.perf_counter()
        self.device, self.runs = device, 1
        self.pipe, child_pipe = context.Pipe()
        self.process = context.Process(target=_serve, args=(build, child_pipe, device), daemon=False)
        self.process.start()
        child_pipe.close()
        self.request(first_runs)
        self.start = time.perf_counter() - before
        for _ in range(warm_up):
            self.time()

    def time(self) -> float:
        """Run the variant, on a GPU often enough for a timing; return the seconds of one run."""
        seconds: float = self.request(self.runs)
        if self.device.type != "cpu":
            self.runs = max(1, round(SECONDS_PER_TIMING_ON_GPU / seconds))
        return seconds

    def request(self, runs: int) -> Any:
        """Have the variant run so often, and return the seconds of one run; 0 ends the process."""
        self.pipe.send(runs)
        try:
            answer = self.pipe.recv()
        except EOFError:
            raise RuntimeError("its process ended") from None
        if isinstance(answer, str):
            self.process.join()
            raise RuntimeError(answer)
        return answer

    def close(self) -> dict[str, int]:
        """End the process; return its peak memory in bytes, by the names of `Timing`."""
        peaks: dict[str, int] = self.request(0)
        self.process.join()
        return peaks


def retain_freed_memory() -> None:
    """Retain freed memory until this process ends, as `translate train` does."""
    RESOURCES.enter_context(allocator.retain_freed_memory())


def _serve(build: Build, pipe: Connection, device: torch.device) -> None:
    """Build a variant and run it for each request, in the child process."""
    try:
        run = build()
        while runs := pipe.recv():
            start = time.perf_counter()
            for _ in range(runs):
                run()
            if device.type != "cpu":
                torch.accelerator.synchronize(device)
            pipe.send((time.perf_counter() - start) / runs)
    except Exception as error:  # The parent prints it, because it knows the name of the variant.
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send(_peak_memory(device))


def _peak_memory(device: torch.device) -> dict[str, int]:
    if device.type == "cuda":
        return {
            "peak": torch.cuda.max_memory_reserved(device),
            "tensors": torch.cuda.max_memory_allocated(device),
        }
    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak": unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def machine(device: torch.device = CPU) -> dict[str, Any]:
    """Return the version of torch, and the GPU and the CPU's cores, or the CPU, its threads and AMX."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return {"processor": name, "cores": count_cores(), "torch": torch.__version__}
    name = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(": ")[2] if lines else name
    amx = bool(torch.cpu._is_amx_tile_supported())
    return {"processor": name, "threads": torch.get_num_threads(), "amx": amx, "torch": torch.__version__}


def matrix_rates(device: torch.device) -> dict[str, float]:
    """Measure the FLOP/s of matrix products in float32 and in the precision of `--precision auto`."""
    auto = str(pick_precision("auto", device).dtype).removeprefix("torch.")
    variants = {name: _MatrixProduct(name, device) for name in dict.fromkeys(("float32", auto))}
    timings = time_variants(variants, rounds=7, device=device)
    return {name: 2 * _matrix_size(device) ** 3 / timing.seconds for name, timing in timings.items()}


def _matrix_size(device: torch.device) -> int:
    return MATRIX_SIZE if device.type == "cpu" else MATRIX_SIZE_ON_GPU


@dataclass(frozen=True)
class _MatrixProduct:
    """A function that builds a product of two square matrices."""

    dtype: str
    device: torch.device

    def __call__(self) -> Run:
        size = _matrix_size(self.device)
        a = torch.randn(size, size, device=self.device).to(getattr(torch, self.dtype))
        return lambda: a @ a


def describe_machine(machine: Mapping[str, Any]) -> str:
    """Describe a machine in one line, with its FLOP/s if they were measured."""
    text = f"{machine['processor']}, torch {machine['torch']}"
    if "cores" in machine:
        text += f", {machine['cores']} CPU cores"
    if "threads" in machine:
        text += f", {machine['threads']} threads, {'with' if machine['amx'] else 'no'} AMX"
    rates = [f"{rate / 1e12:.2f} TFLOP/s in {name}" for name, rate in machine.get("rates", {}).items()]
    return f"{text}; matrix products: {', '.join(rates)}" if rates else text
