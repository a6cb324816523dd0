"""What the tests of evaluation share: predictors and features whose answers are known, and small data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from tests.unit.inference.making import scene
from translate.config import ColorizationModelConfig, GeneratorSpec, ModelConfig, Route
from translate.evaluation.colorization import evaluate_colorization
from translate.evaluation.inpainting import evaluate_inpainting
from translate.evaluation.scoring import MEASURES, ImageScorer, Request, Row, SuiteResult
from translate.images import write_rgb
from translate.inference import Predictor, load_predictor
from translate.metrics.frechet import FEATURES, Features
from translate.metrics.images import Pixels
from translate.models import Model
from translate.networks import create_generator, initialize


class Stub:
    """A predictor with any answer; it keeps what it was given."""

    def __init__(self, answer: Any, direction: str = "AtoB", *, paired: bool | None = True) -> None:
        self.answer, self.direction, self.given = answer, direction, []
        route = Route(source=direction[0], target=direction[-1], generator=direction)
        self.config = ModelConfig(routes={direction: route}, paired=paired)

    def __call__(self, *given: Any) -> Pixels:
        self.given.append(given)
        return self.answer(*given)


class Network:
    """Features that tell images apart: 4 x 4 of their colours; it counts the images."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, images: Iterable[Pixels]) -> Features:
        features = np.zeros((0, FEATURES))
        for image in images:
            self.count += 1
            small = cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA).ravel() / 255
            features = np.concatenate([features, np.pad(small, (0, FEATURES - small.size))[None]])
        return features


def request(data: Path, scores: Iterable[str] = MEASURES, **more: Any) -> Request:
    scorer = more.pop("scorer", None) or ImageScorer(list(scores), Network())
    return Request(data=str(data), scorer=scorer, **more)


def row(result: SuiteResult, name: str, group: str = "") -> Row:
    (found,) = [row for row in result.rows if (row.group, row.name) == (group, name)]
    return found


def photos(folder: Path, count: int = 3, height: int = 40, width: int = 48) -> Path:
    """A flat folder of smooth images, each other."""
    for seed in range(count):
        write_rgb(np.roll(scene(height, width, seed), 9 * seed, axis=1), folder / f"{seed}.png")
    return folder


def colorize(data: Path, predictor: Any, **asked: Any) -> SuiteResult:
    return evaluate_colorization({"colorize": predictor}, request(data, **asked))


def inpaint(data: Path, predictor: Any, **asked: Any) -> SuiteResult:
    return evaluate_inpainting({"inpaint": predictor}, request(data, **asked))


def off_by(level: int) -> Stub:
    """A predictor that fills holes by truth it cannot know: the first pixel, the photos being flat."""
    return Stub(lambda holed, hole: np.where(hole[..., None], np.uint8(100 + level), holed))


def colorizer() -> Model:
    """A small model that gives lively colours of its own."""
    spec = GeneratorSpec(name="unet", args={"in_channels": 1, "out_channels": 2, "width": 4, "depth": 3})
    config = ColorizationModelConfig(
        kind="colorization",
        generator=spec,
        domains=["gray", "color"],
        routes={"colorize": Route(source="gray", target="color", generator="colorize")},
        in_channels=1,
        out_channels=2,
        color="Lab",
        size_multiple=8,
        working_size=32,
    )
    return lively(config)


def inpainter() -> Model:
    """A small model that fills holes with lively content of its own."""
    spec = GeneratorSpec(name="inpainter", args={"width": 4})
    config = ModelConfig(
        kind="inpainting",
        generator=spec,
        domains=["holes", "photo"],
        routes={"inpaint": Route(source="holes", target="photo", generator="inpaint")},
        in_channels=4,
        size_multiple=32,
    )
    return lively(config)


def lively(config: ModelConfig) -> Model:
    """A model whose weights are not tiny; the same ones each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generators = {
            name: initialize(create_generator(config.generator), "kaiming") for name in config.generator_names
        }
    return Model(config, generators)


def predictor_of(model: Model) -> Predictor:
    return load_predictor(model, device="cpu", precision="fp32", engine="torch")
