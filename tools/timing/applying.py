"""Time the translation of a folder of images by each inference engine and by the plain loop."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from shutil import copyfile
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from timing import plain
from timing.measure import CPU
from translate.api import Translator
from translate.config import GeneratorSpec, ModelConfig
from translate.images import find_images, read_rgb
from translate.inference import Predictor, load_predictor, translate_folder
from translate.metrics import psnr
from translate.models import Model
from translate.networks import create_generator, initialize

NETWORKS = {
    "resnet": GeneratorSpec(name="resnet", args={"depth": 9}),
    "unet": GeneratorSpec(name="unet", args={"depth": 8, "norm": "batch", "dropout": False}),
}
WARM_UP_FILES = 8  # translated before the timing, and compared with float32


def create_random_model(network: str) -> Model:
    """Create a model of the papers' size with initial weights."""
    spec = NETWORKS[network]
    torch.manual_seed(0)
    generator = create_generator(spec)
    initialize(generator)
    config = ModelConfig(generator=spec, size_multiple=generator.size_multiple, statistics="running")
    return Model(config, {"AtoB": generator})


def write_jpegs(folder: Path, photos: Path, count: int, side: int) -> list[Path]:
    """Write square JPEGs from the images of a folder, repeating them if they are few."""
    images = find_images(photos)
    folder.mkdir()
    files = [folder / f"{number:04}.jpg" for number in range(count)]
    for source, file in zip(images, files, strict=False):
        image = Image.fromarray(read_rgb(source)).resize((side, side), Image.Resampling.LANCZOS)
        image.save(file, quality=90)
    for number in range(len(images), count):
        copyfile(files[number % len(images)], files[number])
    return files


@dataclass(frozen=True)
class Variant:
    """A way to apply a model.

    Attributes:
        translate_files: translates files into a folder, one at each step of the iterator that it returns.
        translate_image: translates one file and returns its pixels.
        load: loads the model anew; None for the plain loop.
    """

    translate_files: Callable[[list[Path], Path], Iterator[object]]
    translate_image: Callable[[Path], Any]
    load: Callable[[], Predictor] | None = None


def create_variants(model: Model, compiled: bool, device: torch.device = CPU) -> dict[str, Variant]:
    """Create the plain loop and our variants; skip engines that fail, with a message.

    On a CPU, our variants are the engines; on a GPU, torch without a flag.

    Args:
        compiled: whether to include torch with the compiled network.
    """
    if device.type == "cuda":
        plain.set_tf32(False)
    variants = {"plain loop, float32": _plain_variant(model, device)}
    ways: dict[str, dict[str, Any]]
    if device.type == "cpu":
        ways = {
            "ours, torch eager": {"engine": "torch"},
            "ours, torch compiled": {"engine": "torch", "compile": True},
            "ours, OpenVINO": {"engine": "openvino"},
            "ours, ONNX Runtime": {"engine": "onnxruntime"},
        }
    else:
        ways = {"ours, no flag given": {}, "ours, --compile": {"compile": True}}
    for name, settings in ways.items():
        if settings.get("compile") and not compiled:
            continue
        load = partial(load_predictor, model, device=str(device), **settings)
        try:
            variants[name] = our_variant(load)
        except Exception as error:  # The engine is not installed, or its output differs from torch's.
            click.echo(f"{name}: skipped: {error}", err=True)
    return variants


def _plain_variant(model: Model, device: torch.device) -> Variant:
    network = plain.plain_copy(model.generator()).to(device)

    def translate_files(files: list[Path], out: Path) -> Iterator[object]:
        for path in files:
            plain.translate_image(network, path).save(out / path.name, quality=90)
            yield path

    return Variant(translate_files, lambda path: plain.translate_image(network, path))


def our_variant(load: Callable[[], Predictor]) -> Variant:
    """Return the variant of a function that loads a model."""
    predictor = load()

    def translate_files(files: list[Path], out: Path) -> Iterator[object]:
        for outcome in translate_folder(predictor, files, out, overwrite=True):
            assert not outcome.failure, outcome.failure
            yield outcome

    return Variant(translate_files, Translator(predictor), load)


def time_variants(
    variants: dict[str, Variant], files: list[Path], work: Path, rounds: int
) -> list[dict[str, Any]]:
    """Return the speed of each variant, and its PSNR to float32.

    The variants translate all files in turn in each round, after a warm-up round of a few files.
    """
    rounds_of: dict[str, list[_Round]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, variant in variants.items():
            out = work / "out" / name
            out.mkdir(parents=True, exist_ok=True)
            timed = _time_round(variant, files if turn else files[:WARM_UP_FILES], out)
            if turn:
                rounds_of[name].append(timed)
    (first, reference), *_ = variants.items()
    medians = {name: statistics.median(r.seconds for r in timed) for name, timed in rounds_of.items()}
    truth = _translate(reference, files[:WARM_UP_FILES])
    return [
        {
            "way": name,
            "ms_a_image": 1000 * medians[name] / len(files),
            "images_a_second": len(files) / medians[name],
            "start": statistics.median(r.first for r in rounds_of[name]),
            "after_start": statistics.median(
                (len(files) - 1) / (r.seconds - r.first) for r in rounds_of[name]
            ),
            "ratio": medians[first] / medians[name],
            "psnr": psnr(truth, _translate(variant, files[:WARM_UP_FILES]), data_range=255),
        }
        for name, variant in variants.items()
    ]


@dataclass(frozen=True)
class _Round:
    """The seconds until the first of some files was written, and until all were."""

    files: int
    first: float
    seconds: float

    @property
    def rate(self) -> float:
        """Return the files per second after the first."""
        return (self.files - 1) / (self.seconds - self.first)


def _time_round(variant: Variant, files: list[Path], out: Path) -> _Round:
    start = time.perf_counter()
    steps = variant.translate_files(files, out)
    next(steps)
    first = time.perf_counter() - start
    for _ in steps:
        pass
    return _Round(len(files), first, time.perf_counter() - start)


def count_differing(variant: Variant, files: list[Path], work: Path) -> int:
    """Count the images whose output depends on their company or their place, compared to the bit.

    All files are translated in order, and in another order with other neighbours, in which the first is the
    last. Three of them are also translated alone, and three with one other, each by a model that was just
    loaded. The outputs are PNGs, because a JPEG could hide a difference.
    """
    assert variant.load
    numbers = count()

    def translate_all(predictor: Predictor, order: list[Path]) -> dict[Path, bytes]:
        out = work / "same" / str(next(numbers))
        outcomes = translate_folder(predictor, order, out, format="png")
        return {outcome.source: outcome.target.read_bytes() for outcome in outcomes}

    predictor = variant.load()
    truth = translate_all(predictor, files)
    others = [translate_all(predictor, [*files[-2:0:-1], files[-1], files[0]])]
    for place in (0, len(files) // 2, len(files) - 1):
        image, neighbour = files[place], files[place - 1]
        others += [translate_all(variant.load(), order) for order in ([image], [image, neighbour])]
    return len({path for other in others for path in other if other[path] != truth[path]})


def _translate(variant: Variant, files: list[Path]) -> NDArray[np.uint8]:
    """Translate images of one size; return their pixels, (N, H, W, 3)."""
    return np.stack([np.asarray(variant.translate_image(path)) for path in files])
