"""A folder of images through a network, each way in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image

from timing import plain
from translate.api import Translator
from translate.config import GeneratorSpec, ModelConfig
from translate.images import find_images, read_rgb
from translate.inference import load_predictor
from translate.models import Model
from translate.networks import create_generator, initialize

NETWORKS = {
    "resnet": GeneratorSpec(name="resnet", args={"depth": 9}),
    "unet": GeneratorSpec(name="unet", args={"depth": 8, "norm": "batch", "dropout": False}),
}


def random_model(network: str) -> Model:
    """A network of the papers' size with weights as training starts from them."""
    spec = NETWORKS[network]
    torch.manual_seed(0)
    generator = create_generator(spec)
    initialize(generator)
    config = ModelConfig(generator=spec, size_multiple=generator.size_multiple, statistics="running")
    return Model(config, {"AtoB": generator})


def write_jpegs(folder: Path, photos: Path, count: int, side: int) -> list[Path]:
    """`count` square JPEGs of the images in a folder."""
    found = find_images(photos)
    folder.mkdir()
    files = []
    for number in range(count):
        image = Image.fromarray(read_rgb(found[number % len(found)]))
        files.append(folder / f"{number:03}.jpg")
        image.resize((side, side), Image.Resampling.LANCZOS).save(files[-1], quality=90)
    return files


Way = Callable[[list[Path], Path], None]


def the_ways(model: Model, compiled: bool) -> dict[str, tuple[Way, Callable[[Path], Any]]]:
    """Each way: what translates a folder, and what translates one image to pixels."""
    network = plain.plain(model.generator())

    def loop(files: list[Path], out: Path) -> None:
        for path in files:
            plain.image(network, path).save(out / path.name, quality=90)

    ways: dict[str, tuple[Way, Callable[[Path], Any]]] = {
        "plain loop, float32": (loop, lambda path: plain.image(network, path))
    }
    for name, about, settings in (
        ("torch", "ours, torch eager", {}),
        *([("torch", "ours, torch compiled", {"compile": True})] if compiled else []),
        ("openvino", "ours, OpenVINO", {}),
        ("onnxruntime", "ours, ONNX Runtime", {}),
    ):
        try:
            predictor = load_predictor(model, engine=name, device="cpu", **settings)  # type: ignore[arg-type]
        except Exception as error:  # not installed, or it does not agree: told, and left out
            click.echo(f"{about}: left out: {error}", err=True)
            continue

        translator = Translator(predictor)

        def folder(files: list[Path], out: Path, translator: Translator = translator) -> None:
            failed = [o.failure for o in translator.folder(files, out, overwrite=True) if o.failure]
            assert not failed, failed

        ways[about] = (folder, translator)
    return ways


def timed(
    ways: dict[str, tuple[Way, Callable[[Path], Any]]], files: list[Path], work: Path, rounds: int
) -> list[dict[str, Any]]:
    """Seconds of each way for all files, the ways in turn; the first round warms up and does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, (way, _) in ways.items():
            out = work / "out" / name
            out.mkdir(parents=True, exist_ok=True)
            started = time.perf_counter()
            way(files if turn else files[:8], out)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    (first, (_, exact)), *_ = ways.items()
    base = statistics.median(seconds[first])
    return [
        {
            "way": name,
            "ms_a_image": 1000 * statistics.median(seconds[name]) / len(files),
            "ratio": base / statistics.median(seconds[name]),
            "psnr": psnr(exact, one, files[:8]),
        }
        for name, (_, one) in ways.items()
    ]


def psnr(exact: Callable[[Path], Any], one: Callable[[Path], Any], files: list[Path]) -> float:
    """Of a way's pixels against those in float32, in dB, over some images."""
    errors = [
        np.mean(np.square(np.asarray(exact(path), np.float64) - np.asarray(one(path), np.float64)))
        for path in files
    ]
    mean = float(np.mean(errors))
    return 10 * float(np.log10(255**2 / mean)) if mean else float("inf")
