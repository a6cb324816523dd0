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
from translate.models import pick_precision

Run = Callable[[], object]
Build = Callable[[], Run]  # must be picklable: a function of a module, or a partial of one
RESOURCES = ExitStack()  # contexts that stay open until the process ends
CPU = torch.device("cpu")
MATRIX_SIZE, MATRIX_SIZE_ON_GPU = 3072, 8192  # of the square matrices that measure the machine's FLOP/s
RUNS_PER_TIMING_ON_GPU = (
    10  # a GPU runs asynchronously, so that a single run would be dominated by launching it
)


@dataclass(frozen=True)
class Timing:
    """The time and the memory of a variant.

    Attributes:
        seconds: the median time of a run.
        peak: the peak memory in bytes, of the whole process with torch, or on a GPU as torch allocated it.
    """

    seconds: float
    peak: int


def time_variants(
    variants: Mapping[str, Build], rounds: int, *, warm_up: int = 2, device: torch.device = CPU
) -> dict[str, Timing]:
    """Run the variants in turn for a number of rounds; skip those that cannot be built, with a message.

    Taking turns spreads the drift of the machine's speed over all variants.

    Args:
        warm_up: untimed runs of each variant before the rounds.
        device: the device that the variants run on.
    """
    workers: dict[str, _Worker] = {}
    for name, build in variants.items():
        try:
            workers[name] = _Worker(build, warm_up, device)
        except RuntimeError as error:
            click.echo(f"{name}: skipped: {error}", err=True)
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            seconds[name].append(worker.request("run"))
    return {
        name: Timing(statistics.median(seconds[name]), worker.close()) for name, worker in workers.items()
    }


class _Worker:
    """A process that builds a variant and runs it on request."""

    def __init__(self, build: Build, warm_up: int, device: torch.device) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, child_pipe = context.Pipe()
        self.process = context.Process(target=_serve, args=(build, child_pipe, device), daemon=False)
        self.process.start()
        child_pipe.close()
        for _ in range(1 + warm_up):  # The first run includes building the variant.
            self.request("run")

    def request(self, action: str) -> Any:
        """Send an action, `run` or `end`, and return its result."""
        self.pipe.send(action)
        try:
            answer = self.pipe.recv()
        except EOFError:
            raise RuntimeError("its process ended") from None
        if isinstance(answer, str):
            self.process.join()
            raise RuntimeError(answer)
        return answer

    def close(self) -> int:
        """End the process and return its peak memory in bytes."""
        peak: int = self.request("end")
        self.process.join()
        return peak


def retain_freed_memory() -> None:
    """Retain freed memory until this process ends, as `translate train` does."""
    RESOURCES.enter_context(allocator.retain_freed_memory())


def _serve(build: Build, pipe: Connection, device: torch.device) -> None:
    """Build a variant and run it for each request, in the child process."""
    runs = 1 if device.type == "cpu" else RUNS_PER_TIMING_ON_GPU
    try:
        run = build()
        while pipe.recv() == "run":
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


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine(device: torch.device = CPU) -> dict[str, Any]:
    """Return the processor, its threads and AMX support, or the GPU, and the version of torch."""
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
    if "threads" in machine:
        text += f", {machine['threads']} threads, {'with' if machine['amx'] else 'no'} AMX"
    rates = [f"{rate / 1e12:.2f} TFLOP/s in {name}" for name, rate in machine.get("rates", {}).items()]
    return f"{text}; matrix products: {', '.join(rates)}" if rates else text
