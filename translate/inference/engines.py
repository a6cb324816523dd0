"""What runs a network on the CPU: torch, or another library that computes the same and is quicker."""

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
from translate.inference.formats import FORMATS, Files, Run, reason, trace
from translate.inference.records import Figures, Records, digest
from translate.models import Model, Precision
from translate.networks.blocks import picture_norms

log = logging.getLogger(__name__)

LIBRARIES = {"openvino": FORMATS["openvino"], "onnxruntime": FORMATS["onnx"]}
FLOAT32_ONLY = ("onnxruntime",)
ENGINES = ("auto", "torch", *LIBRARIES)
LEAST_PSNR = 40.0  # dB, of bfloat16 against float32
MOST_DIFFERENCE = 1e-3  # of float32 against float32, on [-1, 1]
TOGETHER = 8  # pictures of one size in a forward of torch, where they do not touch each other
SIDE = 256  # pixels, at least, of the picture whose time is taken


def together(network: nn.Module) -> int:
    """How many pictures torch takes in one forward: one, where norms look at the picture at hand."""
    return 1 if picture_norms(network) else TOGETHER


class Engine(Protocol):
    """Runs a network: (N, C, H, W) float32 in [-1, 1] on the CPU -> (N, C', H, W) float32.

    H and W are multiples of the model's size multiple, at least 8. A picture's answer is the
    same to the bit whatever it is given with, and whatever came before it.
    """

    name: str

    def __call__(self, x: Tensor) -> Tensor: ...


@dataclass
class OneByOne:
    """An engine that runs the pictures of a batch one after the other."""

    name: str
    run: Run

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([self.run(picture) for picture in x.unsqueeze(1)])


def find_engine(name: str, model: Model, direction: str | None, precision: Precision) -> Engine | None:
    """The engine called `auto`, `torch`, `openvino` or `onnxruntime`; None is torch itself.

    `auto` is the quickest of those that are installed, compute in this precision and agree with
    torch on this model. What is found out is remembered in the cache folder, for the next start.

    Args:
        direction: `AtoB` or `BtoA`, by default the model's first.
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
    bench = Bench(model, direction, precision)
    return bench.quickest() if name == "auto" else bench.named(name)


class Bench:
    """Tries engines on one direction of a model, each once."""

    def __init__(self, model: Model, direction: str | None, precision: Precision) -> None:
        self.generator = model.generator(direction)
        self.config, self.precision = model.config, precision
        self.direction = direction or model.config.directions[0]
        name = f"{model.fingerprint()}-{self.direction}"
        self.records = Records(name, str(precision))
        self.tried: dict[str, tuple[Run, Files]] = {}

    def quickest(self) -> Engine | None:
        """The engine with the least time among those that agree with torch; None is torch."""
        rivals = [name for name, library in LIBRARIES.items() if not library.missing()]
        if self.precision.dtype != torch.float32:  # which takes torch half the time of float32
            rivals = [name for name in rivals if name not in FLOAT32_ONLY]
        if not rivals:
            return None
        for name in sorted(("torch", *rivals), key=lambda name: self.figures(name).seconds):
            if name == "torch":
                return None
            if engine := self.engine(name):
                return engine
        return None

    def named(self, name: str) -> Engine:
        """One engine, if it is installed and agrees with torch."""
        LIBRARIES[name].require(f"engine {name!r}")
        engine = self.engine(name)
        if engine is None:
            raise UsageError(f"engine {name!r} {self.objection(name)}: use --engine torch")
        return engine

    def engine(self, name: str) -> Engine | None:
        """An engine that agrees with torch: the one just tried, the one kept, or a new one."""
        if self.objection(name):
            return None
        if name not in self.tried:
            if run := self._kept(name):
                return OneByOne(name, run)
            self.measure(name)
            if self.objection(name):
                return None
        run, files = self.tried[name]
        self.records.keep(files)
        return OneByOne(name, run)

    def figures(self, name: str) -> Figures:
        """What is known of an engine, measured if nothing is."""
        return self.records.figures.get(name) or self.measure(name)

    def objection(self, name: str) -> str:
        """Why an engine is not to be used, or nothing."""
        found = self.figures(name)
        if found.failure:
            return f"cannot run this model ({found.failure})"
        if found.difference <= MOST_DIFFERENCE:
            return ""
        if self.precision.dtype == torch.float32 or name in FLOAT32_ONLY:
            return f"is up to {found.difference:.2g} off torch's answer ({MOST_DIFFERENCE:g} is allowed)"
        if not found.psnr >= LEAST_PSNR:  # NaN is not
            return f"is {found.psnr:.1f} dB from torch's answer (at least {LEAST_PSNR:.0f} dB is asked for)"
        return ""

    def measure(self, name: str) -> Figures:
        """Compare an engine with torch in float32, take its time, and remember both."""
        log.info("trying %s on this model, %s (once: what is found is remembered)", name, self.direction)
        if name == "torch":
            count = together(self.generator)
            batch = self.pictures[0].expand(count, -1, -1, -1)
            figures = Figures(seconds=median_seconds(self.eager, batch) / count)
        else:
            try:
                figures = self._try(name)
            except Exception as error:  # of whatever kind the library raises
                figures = Figures(failure=reason(error))
        self.records.remember(name, figures)
        return figures

    def _kept(self, name: str) -> Run | None:
        """The engine that its figures were found with, from the cache folder."""
        library = LIBRARIES[name]
        files = self.records.files(name, library.suffixes)
        try:
            return library.load(files, self.precision.dtype) if files else None
        except Exception:  # of whatever kind the library raises: it is made anew
            return None

    def _try(self, name: str) -> Figures:
        library = LIBRARIES[name]
        files = library.convert(self.program, {})
        run = library.load(files, self.precision.dtype)
        answers = [run(picture) for picture in self.pictures]
        if not torch.equal(run(self.pictures[0]), answers[0]):
            return Figures(failure="it gave the same picture two answers")
        self.tried[name] = run, files
        pairs = list(zip(answers, self.truth, strict=True))
        return Figures(
            seconds=median_seconds(run, self.pictures[0]),
            difference=float(torch.stack([(a - b).abs().max() for a, b in pairs]).max()),
            psnr=float(torch.stack([psnr(a, b) for a, b in pairs]).min()),
            digest=digest(files),
        )

    @cached_property
    def network(self) -> nn.Module:
        return self.precision.weights(self.generator)

    @torch.inference_mode()
    def eager(self, x: Tensor) -> Tensor:
        with self.precision.autocast():
            out: Tensor = self.network(x)
        return out.float()

    @cached_property
    def program(self) -> ExportedProgram:
        return trace(self.generator, self.config)

    @cached_property
    def pictures(self) -> list[Tensor]:
        """A square and a taller picture, both (1, C, H, W)."""
        multiple, channels = self.config.size_multiple, self.config.generator.in_channels
        side = -(-SIDE // multiple) * multiple
        return [random_picture(channels, height, side, seed=height) for height in (side, side + multiple)]

    @cached_property
    def truth(self) -> list[Tensor]:
        with torch.inference_mode():
            return [self.generator(picture) for picture in self.pictures]


def random_picture(channels: int, height: int, width: int, seed: int) -> Tensor:
    """(1, C, H, W) in [-1, 1]: large soft shapes under a little noise, as a photo has."""
    draw = torch.Generator().manual_seed(seed)
    shapes = torch.randn(1, channels, -(-height // 32), -(-width // 32), generator=draw)
    grain = torch.randn(1, channels, height, width, generator=draw)
    smooth = F.interpolate(shapes, (height, width), mode="bicubic", align_corners=False)
    return (0.5 * smooth + 0.05 * grain).clamp(-1, 1)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of two pictures in [-1, 1], in dB, at most 200."""
    return 10 * torch.log10(4 / (a - b).double().square().mean().clamp(min=4e-20))


def median_seconds(run: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """The median time of 3 runs, or of up to 9 within a second, after one that does not count."""
    run(x)
    times: list[float] = []
    while len(times) < 3 or (len(times) < 9 and sum(times) < 1):
        started = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - started)
    return statistics.median(times)
