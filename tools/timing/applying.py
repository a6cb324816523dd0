"""Time the translation of a folder of images by each inference engine and by the plain loop."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from timing import plain
from translate.api import Translator
from translate.config import GeneratorSpec, ModelConfig
from translate.images import find_images, read_rgb
from translate.inference import load_predictor
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
    files = []
    for number in range(count):
        image = Image.fromarray(read_rgb(images[number % len(images)]))
        files.append(folder / f"{number:03}.jpg")
        image.resize((side, side), Image.Resampling.LANCZOS).save(files[-1], quality=90)
    return files


@dataclass(frozen=True)
class Variant:
    """A way to apply a model.

    Attributes:
        translate_files: translates files into a folder.
        translate_image: translates one file and returns its pixels.
    """

    translate_files: Callable[[list[Path], Path], None]
    translate_image: Callable[[Path], Any]


def create_variants(model: Model, compiled: bool) -> dict[str, Variant]:
    """Create the plain loop and a variant for each engine; skip engines that fail, with a message.

    Args:
        compiled: whether to include torch with the compiled network.
    """
    variants = {"plain loop, float32": _plain_variant(model)}
    for engine, name, settings in (
        ("torch", "ours, torch eager", {}),
        *([("torch", "ours, torch compiled", {"compile": True})] if compiled else []),
        ("openvino", "ours, OpenVINO", {}),
        ("onnxruntime", "ours, ONNX Runtime", {}),
    ):
        try:
            predictor = load_predictor(model, engine=engine, device="cpu", **settings)
        except Exception as error:  # The engine is not installed, or its output differs from torch's.
            click.echo(f"{name}: skipped: {error}", err=True)
            continue
        variants[name] = _our_variant(Translator(predictor))
    return variants


def _plain_variant(model: Model) -> Variant:
    network = plain.plain_copy(model.generator())

    def translate_files(files: list[Path], out: Path) -> None:
        for path in files:
            plain.translate_image(network, path).save(out / path.name, quality=90)

    return Variant(translate_files, lambda path: plain.translate_image(network, path))


def _our_variant(translator: Translator) -> Variant:
    def translate_files(files: list[Path], out: Path) -> None:
        outcomes = translator.folder(files, out, overwrite=True)
        failures = [outcome.failure for outcome in outcomes if outcome.failure]
        assert not failures, failures

    return Variant(translate_files, translator)


def time_variants(
    variants: dict[str, Variant], files: list[Path], work: Path, rounds: int
) -> list[dict[str, Any]]:
    """Return the time per image and the PSNR to float32 of each variant.

    The variants translate all files in turn in each round, after a warm-up round of a few files.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, variant in variants.items():
            out = work / "out" / name
            out.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            variant.translate_files(files if turn else files[:WARM_UP_FILES], out)
            if turn:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    (first, reference), *_ = variants.items()
    truth = _translate(reference, files[:WARM_UP_FILES])
    return [
        {
            "way": name,
            "ms_a_image": 1000 * medians[name] / len(files),
            "ratio": medians[first] / medians[name],
            "psnr": psnr(truth, _translate(variant, files[:WARM_UP_FILES]), data_range=255),
        }
        for name, variant in variants.items()
    ]


def _translate(variant: Variant, files: list[Path]) -> NDArray[np.uint8]:
    """Translate images of one size; return their pixels, (N, H, W, 3)."""
    return np.stack([np.asarray(variant.translate_image(path)) for path in files])
