"""Scores of models from noise, by samples whose classes and colours are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.unit.evaluation.making import Network
from translate.config import GenerationModelConfig, GeneratorSpec, Route
from translate.errors import DataError, UsageError
from translate.evaluation import generation
from translate.evaluation.generation import evaluate_samples, share_of_class, untrained
from translate.evaluation.scoring import ImageScorer, Request, SuiteResult
from translate.images import Pixels, write_rgb
from translate.inference import Sampler
from translate.metrics import classifier, frechet_distance
from translate.models import Model
from translate.networks import create_generator

COLORS = {"blue": (20, 40, 200), "green": (10, 150, 30), "red": (200, 20, 20)}
KINDS = list(COLORS)


def known(channels: int = 3, **settings: object) -> GenerationModelConfig:
    spec = GeneratorSpec(
        name="dcgan", args={"in_channels": 4, "out_channels": channels, "width": 4, "depth": 2}
    )
    return GenerationModelConfig(
        kind="generation",
        generator=spec,
        domains=["image"],
        routes={"sample": Route(source=None, target="image", generator="sample")},
        in_channels=4,
        out_channels=channels,
        image_size=16,
        latent=4,
        **settings,
    )


class Paints:
    """A sampler whose images are of the colour that the class asked for stands for, but for some noise."""

    def __init__(self, config: GenerationModelConfig, colors: Sequence[str] = KINDS) -> None:
        self.config, self.colors = config, colors

    def draw(self, count: int, seed: int) -> Tensor:
        return torch.arange(count)[:, None]

    def __call__(self, inputs: Tensor) -> list[Pixels]:
        return [painted(self.colors[int(row) % len(self.colors)], seed=int(row)) for row in inputs]


def painted(color: str, seed: int) -> Pixels:
    random = np.random.default_rng(seed)
    image = np.array(COLORS[color]) + random.integers(-10, 11, (16, 16, 3))
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number in range(120):
        color = KINDS[number % 3]
        write_rgb(painted(color, seed=1000 + number), tmp_path / "data" / color / f"{number}.png")
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 30)


def scored(
    data: Path, config: GenerationModelConfig, scores: Sequence[str], **rows: Sequence[str]
) -> SuiteResult:
    samplers = {name: Paints(config, colors) for name, colors in rows.items()}
    scorer = ImageScorer((), Network() if "frechet" in scores else None)
    return evaluate_samples(samplers, Request(data=str(data), scorer=scorer, scores=scores))


def test_the_class_asked_for_counts(data: Path) -> None:
    done = scored(
        data,
        known(classes=KINDS),
        ["frechet", "class"],
        untrained=["green"],
        half=["blue", "red", "red"],
        model=KINDS,
    )
    assert [round(row.values["class"], 2) for row in done.rows] == [0.33, 0.67, 1.0]
    first, half, model = (row.values["frechet"] for row in done.rows)
    assert first > half > model
    assert [row.values["untrained-share"] for row in done.rows] == [None, half / first, model / first]
    assert "right on 100%" in done.protocol["class"]
    assert (
        done.protocol["images"] == f"120 of 120 images of {data}, as in training; as many samples of seed 0"
    )


def test_a_category_may_stand_for_any_class_but_only_one(data: Path) -> None:
    config = known(categories=3)
    done = scored(data, config, ["class"], other=["red", "blue", "green"], same=["red", "red", "blue"])
    assert [round(row.values["class"], 2) for row in done.rows] == [1.0, 0.67]
    assert set(done.rows[0].values) == {"class"}
    assert "the class that goes best with their category" in done.protocol["class"]


def test_the_best_matching_is_found_not_the_first() -> None:
    # Category 0 makes 6 of class 0 and 4 of class 1, category 1 makes 9 of class 0 and 1 of class 1.
    found = np.empty(20, np.int64)
    found[0::2] = [0] * 6 + [1] * 4
    found[1::2] = [0] * 9 + [1]
    assert share_of_class(found, known(categories=2)) == (9 + 4) / 20


def test_the_distance_is_of_as_many_images_as_the_data_has(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "MAX_SAMPLES", 30)
    done = scored(data, known(), ["frechet"], model=KINDS)
    places = np.linspace(0, 119, 30).astype(int)
    files = [path for color in KINDS for path in sorted((data / color).iterdir())]
    true = Network()(cv2.imread(str(files[place]))[..., ::-1] for place in places)
    made = Network()(painted(KINDS[number % 3], seed=number) for number in range(30))
    assert done.rows[0].values["frechet"] == pytest.approx(frechet_distance(made, true))
    assert done.images == 30


def test_gray_models_are_compared_with_gray_images(data: Path) -> None:
    gray, color = (
        scored(data, known(channels), ["frechet"], model=KINDS).rows[0].values["frechet"]
        for channels in (1, 3)
    )
    assert gray > 5 * color


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"classes": ["blue", "green"]}, "has other classes than the model"),
        ({"classes": ["only"]}, "of 1 class to train on: 2 classes and 100 images at least"),
    ],
)
def test_a_class_that_cannot_be_told_is_left_out_with_the_reason(
    settings: dict[str, object], reason: str, data: Path, tmp_path: Path
) -> None:
    folder = data
    if settings["classes"] == ["only"]:
        folder = tmp_path / "one"
        for number in range(3):
            write_rgb(painted("red", seed=number), folder / "only" / f"{number}.png")
    done = scored(folder, known(**settings), ["frechet", "class"], model=KINDS)
    assert "class" not in done.rows[0].values
    assert reason in done.notes[0]
    with pytest.raises(UsageError, match=reason):
        scored(folder, known(**settings), ["class"], model=KINDS)


def test_bad_images_are_left_out_and_one_alone_is_too_few(data: Path) -> None:
    (data / "blue" / "bad.png").write_bytes(b"no image")
    done = scored(data, known(), ["frechet"], model=KINDS)
    assert done.images == 120
    assert "bad.png" in done.left_out[0]
    for path in sorted(data.rglob("*.png"))[1:]:
        path.unlink()
    with pytest.raises(DataError, match="fewer than 2 images"):
        scored(data, known(), ["frechet"], model=KINDS)


def test_an_untrained_model_is_the_same_each_time_and_draws_nothing_of_torchs() -> None:
    config = known()
    model = Model(config, {"sample": create_generator(config.generator)})
    before = torch.get_rng_state()
    first, second = (Sampler(untrained(model), precision="fp32") for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    inputs = first.draw(2, 1)
    assert all(np.array_equal(a, b) for a, b in zip(first(inputs), second(inputs), strict=True))
