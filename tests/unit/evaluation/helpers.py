"""Stub predictors and features whose results are known, and small datasets and models."""

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
from translate.evaluation.scoring import IMAGE_METRICS, ImageScorer, Request, Row, SuiteResult
from translate.images import Pixels, write_rgb
from translate.inference import Predictor, load_predictor
from translate.metrics.frechet import Features
from translate.models import Model
from translate.networks import create_generator, initialize


class StubPredictor:
    """A predictor that calls a function and records its inputs."""

    def __init__(self, function: Any, direction: str = "AtoB", *, paired: bool | None = True) -> None:
        self.function, self.direction, self.inputs = function, direction, []
        self.working_size = None
        route = Route(source=direction[0], target=direction[-1], generator=direction)
        self.config = ModelConfig(routes={direction: route}, paired=paired)

    def __call__(self, *inputs: Any) -> Pixels:
        self.inputs.append(inputs)
        return self.function(*inputs)


class StubFeatures:
    """A feature network without weights: an image shrunk to 4 x 4 pixels, (N, 48)."""

    name, dimensions = "stub", 48

    def __call__(self, images: Iterable[Pixels]) -> Features:
        return np.stack(
            [cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA).ravel() / 255 for image in images]
        )


def create_request(data: Path, scores: Iterable[str] = IMAGE_METRICS, **fields: Any) -> Request:
    """Create a request for the scores of a dataset."""
    scorer = fields.pop("scorer", None) or ImageScorer(list(scores), StubFeatures())
    return Request(data=str(data), scorer=scorer, **fields)


def find_row(result: SuiteResult, name: str, group: str = "") -> Row:
    """Return the one row of a group with a name."""
    (row,) = [row for row in result.rows if (row.group, row.name) == (group, name)]
    return row


def write_photos(folder: Path, count: int = 3, height: int = 40, width: int = 48) -> Path:
    """Write different smooth images into a flat folder."""
    for seed in range(count):
        write_rgb(np.roll(scene(height, width, seed), 9 * seed, axis=1), folder / f"{seed}.png")
    return folder


def score_colorization(data: Path, predictor: Any, **fields: Any) -> SuiteResult:
    """Score a predictor that colorizes."""
    return evaluate_colorization({"colorize": predictor}, create_request(data, **fields))


def score_inpainting(data: Path, predictor: Any, **fields: Any) -> SuiteResult:
    """Score a predictor that inpaints."""
    return evaluate_inpainting({"inpaint": predictor}, create_request(data, **fields))


def fill_with_error(error: int) -> StubPredictor:
    """Create an inpainter for photos of the constant level 100, whose fill is off by that many levels."""
    return StubPredictor(lambda holed, hole: np.where(hole[..., None], np.uint8(100 + error), holed))


def create_colorizer() -> Model:
    """Create a small colorization model with random weights."""
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
    return create_model(config)


def create_inpainter() -> Model:
    """Create a small inpainting model with random weights."""
    spec = GeneratorSpec(name="inpainter", args={"width": 4})
    config = ModelConfig(
        kind="inpainting",
        generator=spec,
        domains=["holes", "photo"],
        routes={"inpaint": Route(source="holes", target="photo", generator="inpaint")},
        in_channels=4,
        size_multiple=32,
    )
    return create_model(config)


def create_model(config: ModelConfig) -> Model:
    """Create a model with large random weights, the same ones each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generators = {
            name: initialize(create_generator(config.generator), "kaiming") for name in config.generator_names
        }
    return Model(config, generators)


def create_predictor(model: Model) -> Predictor:
    """Create the predictor of a model in float32 on the CPU."""
    return load_predictor(model, device="cpu", precision="fp32", engine="torch")
