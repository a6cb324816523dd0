"""Choose what runs a network on the CPU: torch, or another library that computes the same and is quicker."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import ExportedProgram

from translate.errors import UsageError, nearest
from translate.inference.runtime.engine_cache import EngineCache, EngineStats, digest
from translate.inference.runtime.formats import EXPORT_FORMATS, Files, Run, first_line
from translate.inference.runtime.tracing import trace_program
from translate.models import Model, Precision
from translate.networks.blocks import per_image_norms

log = logging.getLogger(__name__)

LIBRARIES = {"openvino": EXPORT_FORMATS["openvino"], "onnxruntime": EXPORT_FORMATS["onnx"]}
FLOAT32_ONLY = ("onnxruntime",)
ENGINES = ("auto", "torch", *LIBRARIES)
MIN_PSNR = 40.0  # dB, of bfloat16 against float32
MAX_DIFFERENCE = 1e-3  # of float32 against float32, on [-1, 1]
MAX_BATCH_SIZE = 8  # images of one size in a forward of torch, where they do not affect each other
MIN_SIDE = 256  # pixels, of the image that engines are timed with


def max_batch_size(network: nn.Module) -> int:
    """Return how many images torch takes in one forward: one, where norms take an image's own statistics."""
    return 1 if per_image_norms(network) else MAX_BATCH_SIZE


class Engine(Protocol):
    """Runs a network: (N, C, H, W) float32 in [-1, 1] on the CPU -> (N, C', H, W) float32.

    H and W are multiples of the model's size multiple, at least 8. An image's answer is the same to the bit
    whatever is beside it in the batch, and whatever came before it. Any number of threads may call it.
    """

    name: str

    def __call__(self, x: Tensor) -> Tensor: ...


@dataclass
class OneByOne:
    """An engine that runs the images of a batch one after the other."""

    name: str
    run: Run

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([self.run(image) for image in x.unsqueeze(1)])


def find_engine(name: str, model: Model, direction: str | None, precision: Precision) -> Engine | None:
    """Return the engine called `auto`, `torch`, `openvino` or `onnxruntime`; None is torch itself.

    `auto` is the quickest of those that are installed, compute in this precision and agree with
    torch on this model. What is measured is kept in the cache folder, for the next start.

    Args:
        direction: the name of a route, by default the model's first.
        precision: bf16 allows an engine to compute in bfloat16; onnxruntime is always in float32.

    Raises:
        UsageError: there is no such engine, it is not installed, the device is not the CPU, or
            its answers are not torch's.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine {name!r}{nearest(name, ENGINES)}")
    on_cpu = precision.device.type == "cpu"
    if name == "torch" or (name == "auto" and not on_cpu):
        return None
    if not on_cpu:
        raise UsageError(
            f"engine {name!r} runs on the CPU, not on {precision.device}: use --device cpu or --engine torch"
        )
    selector = EngineSelector(model, direction, precision)
    return selector.quickest() if name == "auto" else selector.get(name)


class EngineSelector:
    """Tries engines on one direction of a model, each once."""

    def __init__(self, model: Model, direction: str | None, precision: Precision) -> None:
        self.generator = model.generator(direction)
        self.config, self.precision = model.config, precision
        self.direction = model.direction(direction)
        self.cache = EngineCache(f"{model.fingerprint()}-{self.direction}", str(precision))
        self.conversions: dict[str, tuple[Run, Files]] = {}  # those of this process, by engine

    def quickest(self) -> Engine | None:
        """Return the engine with the least time among those that agree with torch; None is torch."""
        rivals = [name for name, library in LIBRARIES.items() if not library.missing()]
        if self.precision.dtype != torch.float32:  # torch then takes half the time of float32
            rivals = [name for name in rivals if name not in FLOAT32_ONLY]
        if not rivals:
            return None
        for name in sorted(("torch", *rivals), key=lambda name: self.stats(name).seconds):
            if name == "torch":
                return None
            if engine := self.engine(name):
                return engine
        return None

    def get(self, name: str) -> Engine:
        """Return one engine, if it is installed and agrees with torch."""
        LIBRARIES[name].require(f"engine {name!r}")
        engine = self.engine(name)
        if engine is None:
            raise UsageError(f"engine {name!r} {self.objection(name)}: use --engine torch")
        return engine

    def engine(self, name: str) -> Engine | None:
        """Return an engine if it agrees with torch: the one just measured, the cache's, or a new one."""
        if self.objection(name):
            return None
        if name not in self.conversions:
            if run := self._load_from_cache(name):
                return OneByOne(name, run)
            self.measure(name)
            if self.objection(name):
                return None
        run, files = self.conversions[name]
        self.cache.write_files(files)
        return OneByOne(name, run)

    def stats(self, name: str) -> EngineStats:
        """Return an engine's stats, measured if they are not known."""
        return self.cache.stats.get(name) or self.measure(name)

    def objection(self, name: str) -> str:
        """Return why an engine is not to be used, or nothing."""
        found = self.stats(name)
        if found.failure:
            return f"cannot run this model ({found.failure})"
        if found.difference <= MAX_DIFFERENCE:
            return ""
        if self.precision.dtype == torch.float32 or name in FLOAT32_ONLY:
            return f"is up to {found.difference:.2g} off torch's answer ({MAX_DIFFERENCE:g} is allowed)"
        if not found.psnr >= MIN_PSNR:  # NaN is not
            return f"is {found.psnr:.1f} dB from torch's answer (at least {MIN_PSNR:.0f} dB is asked for)"
        return ""

    def measure(self, name: str) -> EngineStats:
        """Compare an engine with torch in float32, time it, and keep both in the cache."""
        log.info("trying %s on this model, %s (once: what is found is remembered)", name, self.direction)
        if name == "torch":
            count = max_batch_size(self.generator)
            batch = self.images[0].expand(count, -1, -1, -1)
            stats = EngineStats(seconds=median_seconds(self.eager, batch) / count)
        else:
            try:
                stats = self._measure_library(name)
            except Exception as error:  # libraries raise errors of any kind
                stats = EngineStats(failure=first_line(error))
        self.cache.add(name, stats)
        return stats

    def _load_from_cache(self, name: str) -> Run | None:
        """Load the converted model that the stats were measured with."""
        library = LIBRARIES[name]
        files = self.cache.read_files(name, library.suffixes)
        try:
            return library.load(files, self.precision.dtype) if files else None
        except Exception:  # libraries raise errors of any kind; the model is then converted anew
            return None

    def _measure_library(self, name: str) -> EngineStats:
        library = LIBRARIES[name]
        files = library.convert(self.program, {})
        run = library.load(files, self.precision.dtype)
        answers = [run(image) for image in self.images]
        if not torch.equal(run(self.images[0]), answers[0]):
            return EngineStats(failure="it gave the same image two answers")
        self.conversions[name] = run, files
        pairs = list(zip(answers, self.truth, strict=True))
        return EngineStats(
            seconds=median_seconds(run, self.images[0]),
            difference=float(torch.stack([(a - b).abs().max() for a, b in pairs]).max()),
            psnr=float(torch.stack([psnr(a, b) for a, b in pairs]).min()),
            digest=digest(files),
        )

    @cached_property
    def network(self) -> nn.Module:
        """The generator with its weights in the precision."""
        return self.precision.weights(self.generator)

    @torch.inference_mode()
    def eager(self, x: Tensor) -> Tensor:
        """Run the generator by torch, (N, C, H, W) -> (N, C', H, W) float32."""
        with self.precision.autocast():
            out: Tensor = self.network(x)
        return out.float()

    @cached_property
    def program(self) -> ExportedProgram:
        """The generator as libraries convert it."""
        return trace_program(self.generator, self.config)

    @cached_property
    def images(self) -> list[Tensor]:
        """A square and a taller image, both (1, C, H, W)."""
        multiple, channels = self.config.size_multiple, self.config.in_channels
        side = -(-MIN_SIDE // multiple) * multiple
        return [random_image(channels, height, side, seed=height) for height in (side, side + multiple)]

    @cached_property
    def truth(self) -> list[Tensor]:
        """What torch makes of the images, in float32."""
        with torch.inference_mode():
            return [self.generator(image) for image in self.images]


def random_image(channels: int, height: int, width: int, seed: int) -> Tensor:
    """Return (1, C, H, W) in [-1, 1]: large soft shapes under a little noise, as a photo has."""
    random = torch.Generator().manual_seed(seed)
    shapes = torch.randn(1, channels, -(-height // 32), -(-width // 32), generator=random)
    grain = torch.randn(1, channels, height, width, generator=random)
    smooth = F.interpolate(shapes, (height, width), mode="bicubic", align_corners=False)
    return (0.5 * smooth + 0.05 * grain).clamp(-1, 1)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of two images in [-1, 1], in dB, at most 200."""
    return 10 * torch.log10(4 / (a - b).double().square().mean().clamp(min=4e-20))


def median_seconds(run: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Return the median time of 3 runs, or of up to 9 within a second, after one that does not count."""
    run(x)
    times: list[float] = []
    while len(times) < 3 or (len(times) < 9 and sum(times) < 1):
        started = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - started)
    return statistics.median(times)
