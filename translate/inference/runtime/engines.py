"""Inference engines on the CPU: PyTorch, or OpenVINO or ONNX Runtime if faster with the same output."""

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

from translate.config import MultiDomainModelConfig
from translate.errors import UsageError, nearest
from translate.inference.runtime.engine_cache import EngineCache, EngineStats, hash_files
from translate.inference.runtime.formats import EXPORT_FORMATS, Files, Forward, first_line
from translate.inference.runtime.inputs import Inputs, random_labels
from translate.inference.runtime.tracing import trace_program
from translate.metrics import psnr
from translate.models import Model, Precision
from translate.networks.blocks import per_image_norms

log = logging.getLogger(__name__)

LIBRARIES = {"openvino": EXPORT_FORMATS["openvino"], "onnxruntime": EXPORT_FORMATS["onnx"]}
FLOAT32_ONLY = ("onnxruntime",)  # The engines that cannot compute in bfloat16.
ENGINES = ("auto", "torch", *LIBRARIES)
MIN_PSNR = 40.0  # In dB, of an engine in bfloat16 against torch in float32.
MAX_PSNR = 200.0  # In dB, reported for equal images, because the cache holds finite numbers.
MAX_DIFFERENCE = 1e-3  # On the scale [-1, 1], of an engine in float32 against torch in float32.
MAX_BATCH_SIZE = 8  # Images per forward pass, if the images of a batch do not affect each other.
BENCHMARK_SIDE = 256  # In pixels, rounded up to a multiple of the model's size multiple.


def max_batch_size(network: nn.Module) -> int:
    """Return the number of images per forward pass of torch: 1 if norms use each image's own statistics."""
    return 1 if per_image_norms(network) else MAX_BATCH_SIZE


class Engine(Protocol):
    """A callable that runs a network: (N, C, H, W) float32 in [-1, 1] on the CPU -> (N, C', H, W) float32.

    H and W are multiples of the model's size multiple, at least 8. A network of several domains also takes
    the labels of the targets, (N, domains). The output for an image is the same to the bit whatever else is
    in its batch and whatever ran before. Any number of threads may call an engine.
    """

    name: str

    def __call__(self, *inputs: Tensor) -> Tensor: ...


@dataclass
class SequentialEngine:
    """An engine that runs the images of a batch one after the other."""

    name: str
    forward: Forward

    def __call__(self, *inputs: Tensor) -> Tensor:
        items = zip(*(x.unsqueeze(1) for x in inputs), strict=True)
        return torch.cat([self.forward(*item) for item in items])


def find_engine(name: str, model: Model, direction: str | None, precision: Precision) -> Engine | None:
    """Return the engine called `auto`, `torch`, `openvino` or `onnxruntime`; None stands for torch itself.

    `auto` selects the fastest engine that is installed, supports the precision and agrees with torch on this
    model. Engines are benchmarked once; the results are cached on disk.

    Args:
        direction: the name of a route; None is the model's first.
        precision: bf16 allows an engine to compute in bfloat16; onnxruntime always computes in float32.

    Raises:
        UsageError: the engine is unknown or not installed, the device is not the CPU, or the engine's output
            differs from torch's.
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
    return selector.fastest() if name == "auto" else selector.get(name)


class EngineSelector:
    """A benchmark of engines on one direction of a model: checks each against torch and times it, once."""

    def __init__(self, model: Model, direction: str | None, precision: Precision) -> None:
        self.generator = model.generator(direction)
        self.config, self.precision = model.config, precision
        self.direction = key = model.direction(direction)
        # A network of several domains is converted once for all of them, because the label is an input.
        if isinstance(model.config, MultiDomainModelConfig):
            self.direction, key = "all domains", "labeled"
        self.cache = EngineCache(f"{model.fingerprint()}-{key}", str(precision))
        self.conversions: dict[str, tuple[Forward, Files]] = {}  # By engine, those of this process.

    def fastest(self) -> Engine | None:
        """Return the fastest engine that agrees with torch; None stands for torch."""
        candidates = [name for name, library in LIBRARIES.items() if not library.missing_packages()]
        if self.precision.dtype != torch.float32:
            # In bf16, torch takes half the time that it takes in float32.
            candidates = [name for name in candidates if name not in FLOAT32_ONLY]
        if not candidates:
            return None
        for name in sorted(("torch", *candidates), key=lambda name: self.stats(name).seconds):
            if name == "torch":
                return None
            if engine := self.engine(name):
                return engine
        return None

    def get(self, name: str) -> Engine:
        """Return the engine called `name`.

        Raises:
            UsageError: it is not installed, or it does not agree with torch on this model.
        """
        LIBRARIES[name].require_packages(f"engine {name!r}")
        engine = self.engine(name)
        if engine is None:
            raise UsageError(f"engine {name!r} {self.rejection_reason(name)}: use --engine torch")
        return engine

    def engine(self, name: str) -> Engine | None:
        """Return an engine, or None if it is rejected; convert the model if it is not cached."""
        if self.rejection_reason(name):
            return None
        if name not in self.conversions:
            if forward := self._load_from_cache(name):
                return SequentialEngine(name, forward)
            self.measure(name)
            if self.rejection_reason(name):
                return None
        forward, files = self.conversions[name]
        self.cache.write_files(files)
        return SequentialEngine(name, forward)

    def stats(self, name: str) -> EngineStats:
        """Return an engine's stats from the cache; measure them if they are not there."""
        return self.cache.stats.get(name) or self.measure(name)

    def rejection_reason(self, name: str) -> str:
        """Return why an engine must not be used on this model; empty if it agrees with torch."""
        stats = self.stats(name)
        if stats.failure:
            return f"cannot run this model ({stats.failure})"
        if stats.difference <= MAX_DIFFERENCE:
            return ""
        if self.precision.dtype == torch.float32 or name in FLOAT32_ONLY:
            return f"differs from torch by up to {stats.difference:.2g} (at most {MAX_DIFFERENCE:g} allowed)"
        if not stats.psnr >= MIN_PSNR:  # Written this way, NaN is rejected, too.
            return f"has a PSNR of {stats.psnr:.1f} dB against torch (at least {MIN_PSNR:.0f} dB required)"
        return ""

    def measure(self, name: str) -> EngineStats:
        """Compare an engine's output with torch in float32, time it, and cache the result."""
        log.info("benchmarking %s on this model, %s (the result is cached)", name, self.direction)
        if name == "torch":
            count = max_batch_size(self.generator)
            batch = [torch.cat([x] * count) for x in self.inputs[0]]
            stats = EngineStats(seconds=median_seconds(self.eager, *batch) / count)
        else:
            try:
                stats = self._measure_library(name)
            except Exception as error:  # The libraries raise exceptions of any type.
                stats = EngineStats(failure=first_line(error))
        self.cache.add(name, stats)
        return stats

    def _load_from_cache(self, name: str) -> Forward | None:
        """Load the converted model that the stats were measured with."""
        library = LIBRARIES[name]
        files = self.cache.read_files(name, library.suffixes)
        try:
            return library.load(files, self.precision.dtype) if files else None
        except Exception:  # The libraries raise exceptions of any type; the caller converts the model again.
            return None

    def _measure_library(self, name: str) -> EngineStats:
        library = LIBRARIES[name]
        files = library.convert(self.program, {})
        forward = library.load(files, self.precision.dtype)
        outputs = [forward(*inputs) for inputs in self.inputs]
        if not torch.equal(forward(*self.inputs[0]), outputs[0]):
            return EngineStats(failure="its output for the same image changes from run to run")
        self.conversions[name] = forward, files
        pairs = list(zip(outputs, self.targets, strict=True))
        # The minimum and maximum of tensors pass NaN on; Python's may drop it.
        differences = torch.stack([(output - target).abs().max() for output, target in pairs])
        psnrs = torch.tensor(
            [min(psnr(output, target, data_range=2), MAX_PSNR) for output, target in pairs],
            dtype=torch.float64,
        )
        return EngineStats(
            seconds=median_seconds(forward, *self.inputs[0]),
            difference=float(differences.max()),
            psnr=float(psnrs.min()),
            digest=hash_files(files),
        )

    @cached_property
    def network(self) -> nn.Module:
        """Return the generator with its weights in the precision."""
        return self.precision.cast_weights(self.generator)

    @torch.inference_mode()
    def eager(self, *inputs: Tensor) -> Tensor:
        """Run the generator in torch with mixed precision, (N, C, H, W) -> (N, C', H, W) float32."""
        with self.precision.autocast():
            out: Tensor = self.network(*inputs)
        return out.float()

    @cached_property
    def program(self) -> ExportedProgram:
        """Return the traced generator, from which the libraries convert."""
        return trace_program(self.generator, self.config)

    @cached_property
    def inputs(self) -> list[Inputs]:
        """Return the inputs for two test images, a square and a taller one, both (1, C, H, W)."""
        multiple, channels = self.config.size_multiple, self.config.in_channels
        side = -(-BENCHMARK_SIDE // multiple) * multiple
        images = [random_image(channels, height, side, seed=height) for height in (side, side + multiple)]
        if not isinstance(self.config, MultiDomainModelConfig):
            return [(image,) for image in images]
        return list(zip(images, random_labels(self.config, len(images)), strict=True))

    @cached_property
    def targets(self) -> list[Tensor]:
        """Return torch's output for the test images, in float32."""
        with torch.inference_mode():
            return [self.generator(*inputs) for inputs in self.inputs]


def random_image(channels: int, height: int, width: int, seed: int) -> Tensor:
    """Return a photo-like random image, (1, C, H, W) in [-1, 1]: large smooth shapes under a little noise."""
    random = torch.Generator().manual_seed(seed)
    shapes = torch.randn(1, channels, -(-height // 32), -(-width // 32), generator=random)
    grain = torch.randn(1, channels, height, width, generator=random)
    smooth = F.interpolate(shapes, (height, width), mode="bicubic", align_corners=False)
    return (0.5 * smooth + 0.05 * grain).clamp(-1, 1)


def median_seconds(forward: Callable[..., Tensor], *inputs: Tensor) -> float:
    """Return the median time of a forward pass over 3 runs, or up to 9 within a second, after a warm-up."""
    forward(*inputs)
    times: list[float] = []
    while len(times) < 3 or (len(times) < 9 and sum(times) < 1):
        started = time.perf_counter()
        forward(*inputs)
        times.append(time.perf_counter() - started)
    return statistics.median(times)
