"""Scores of generation from noise, for samples whose colours and classes are known."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.unit.evaluation.helpers import StubFeatures
from translate.config import GenerationModelConfig, GeneratorSpec, Route
from translate.errors import DataError, UsageError
from translate.evaluation.generation import create_untrained, evaluate_samples
from translate.evaluation.sample_scores import class_accuracy
from translate.evaluation.scoring import ImageScorer, Request, SuiteResult
from translate.images import Pixels, write_rgb
from translate.inference import Sampler
from translate.metrics import classifier, frechet_distance
from translate.models import Model
from translate.networks import create_generator

COLORS = {"blue": (20, 40, 200), "green": (10, 150, 30), "red": (200, 20, 20)}
CLASSES = list(COLORS)


def create_config(channels: int = 3, **settings: object) -> GenerationModelConfig:
    """Create the config of a small DCGAN for images of 16 x 16 pixels."""
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


class StubSampler:
    """A sampler of images of one colour with some noise; the colours alternate from sample to sample."""

    def __init__(self, config: GenerationModelConfig, colors: Sequence[str]) -> None:
        self.config, self.colors = config, colors

    def draw(self, count: int, seed: int) -> Tensor:
        return torch.arange(count)[:, None]

    def __call__(self, inputs: Tensor) -> list[Pixels]:
        return [noisy_image(self.colors[int(row) % len(self.colors)], seed=int(row)) for row in inputs]


def noisy_image(color: str, seed: int) -> Pixels:
    rng = np.random.default_rng(seed)
    image = np.array(COLORS[color]) + rng.integers(-10, 11, (16, 16, 3))
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """120 images in three classes, each of its own colour."""
    for number in range(120):
        color = CLASSES[number % 3]
        write_rgb(noisy_image(color, seed=1000 + number), tmp_path / "data" / color / f"{number}.png")
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train the classifier for 30 steps, which are enough for three colours."""
    monkeypatch.setattr(classifier, "STEPS", 30)


def score(
    data: Path, config: GenerationModelConfig, scores: Sequence[str], **colors: Sequence[str]
) -> SuiteResult:
    """Score a sampler for each keyword, the name of a row; its value is the colours of the samples."""
    samplers = {name: StubSampler(config, row_colors) for name, row_colors in colors.items()}
    scorer = ImageScorer((), StubFeatures() if "frechet" in scores else None)
    return evaluate_samples(samplers, Request(data=str(data), scorer=scorer, scores=scores))


def test_samples_of_the_requested_class_are_counted(data: Path) -> None:
    result = score(
        data,
        create_config(classes=CLASSES),
        ["frechet", "class"],
        untrained=["green"],
        half=["blue", "red", "red"],
        model=CLASSES,
    )
    assert [round(row.values["class"], 2) for row in result.rows] == [0.33, 0.67, 1.0]
    untrained, half, model = (row.values["frechet"] for row in result.rows)
    assert untrained > half > model
    ratios = [row.values["untrained-share"] for row in result.rows]
    assert ratios == [None, half / untrained, model / untrained]
    assert "requested class" in result.protocol["class"]
    assert "accuracy of 100%" in result.protocol["class"]
    assert f"120 of 120 images of {data}" in result.protocol["images"]
    assert "seed 0" in result.protocol["images"]


class RepeatingSampler(StubSampler):
    """A sampler whose samples of some classes are all the same."""

    def __init__(self, config: GenerationModelConfig, repeated: Sequence[str]) -> None:
        super().__init__(config, CLASSES)
        self.repeated = repeated

    def draw(self, count: int, seed: int) -> Tensor:
        return torch.tensor(
            [number % 3 if CLASSES[number % 3] in self.repeated else number for number in range(count)]
        )[:, None]


def test_diversity_is_measured_within_each_class(data: Path) -> None:
    for classes in CLASSES, []:  # Without classes, all pairs count, most of which differ in colour.
        config = create_config(classes=classes)
        samplers = {
            "varied": RepeatingSampler(config, []),
            "repeated": RepeatingSampler(config, ["red"] if classes else CLASSES),
        }
        request = Request(data=str(data), scorer=ImageScorer(()), scores=["diversity"])
        result = evaluate_samples(samplers, request)
        varied, repeated = (row.values["diversity"] for row in result.rows)
        assert varied == pytest.approx(1, abs=0.1)
        assert repeated == pytest.approx(2 / 3, abs=0.05) if classes else repeated < 0.9
        assert ("of a class" in result.protocol["diversity"]) == bool(classes)


def test_each_category_is_matched_to_one_class(data: Path) -> None:
    config = create_config(categories=3)
    result = score(data, config, ["class"], permuted=["red", "blue", "green"], twice=["red", "red", "blue"])
    assert [round(row.values["class"], 2) for row in result.rows] == [1.0, 0.67]
    assert set(result.rows[0].values) == {"class"}
    assert "category" in result.protocol["class"]


def test_the_matching_of_categories_is_optimal_not_greedy() -> None:
    # Category 0 has 6 samples of class 0 and 4 of class 1, category 1 has 9 of class 0 and 1 of class 1.
    predictions = np.empty(20, np.int64)
    predictions[0::2] = [0] * 6 + [1] * 4
    predictions[1::2] = [0] * 9 + [1]
    assert class_accuracy(predictions, create_config(categories=2)) == (9 + 4) / 20


def test_at_most_2000_evenly_spaced_images_are_compared_with_as_many_samples(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2101, 16, 16), dtype=np.uint8)
    images[:, :8] //= (1 + np.arange(2101) // 500).astype(np.uint8)[:, None, None]  # The order matters.
    header = bytes([0, 0, 8, 3]) + struct.pack(">3I", *images.shape)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header + images.tobytes())
    result = score(tmp_path, create_config(), ["frechet"], model=CLASSES)
    real = [np.repeat(images[i][..., None], 3, axis=2) for i in np.linspace(0, 2100, 2000).astype(int)]
    fake = [noisy_image(CLASSES[number % 3], seed=number) for number in range(2000)]
    features = StubFeatures()
    assert result.rows[0].values["frechet"] == pytest.approx(frechet_distance(features(fake), features(real)))
    assert result.images == 2000
    assert "2000 of 2101 images" in result.protocol["images"]


def test_a_gray_model_is_compared_with_gray_images(data: Path) -> None:
    gray, color = (
        score(data, create_config(channels), ["frechet"], model=CLASSES).rows[0].values["frechet"]
        for channels in (1, 3)
    )
    assert gray > 5 * color


def test_a_dataset_with_other_classes_than_the_model_has_no_class_score(data: Path) -> None:
    config = create_config(classes=["blue", "green"])
    result = score(data, config, ["frechet", "class"], model=CLASSES)
    assert list(result.rows[0].values) == ["frechet", "untrained-share"]
    assert "other classes than the model" in result.notes[0]
    with pytest.raises(UsageError, match="other classes than the model"):
        score(data, config, ["class"], model=CLASSES)


def test_a_dataset_with_few_images_or_one_class_has_no_class_score(tmp_path: Path) -> None:
    for number in range(3):
        write_rgb(noisy_image("red", seed=number), tmp_path / "only" / f"{number}.png")
    config = create_config(classes=["only"])
    result = score(tmp_path, config, ["frechet", "class"], model=CLASSES)
    assert "class" not in result.rows[0].values
    assert "1 class and 3 images" in result.notes[0]
    with pytest.raises(UsageError, match="1 class and 3 images"):
        score(tmp_path, config, ["class"], model=CLASSES)


def test_unreadable_images_are_skipped_and_one_readable_image_is_too_few(data: Path) -> None:
    (data / "blue" / "bad.png").write_bytes(b"no image")
    result = score(data, create_config(), ["frechet"], model=CLASSES)
    assert result.images == 120
    assert "bad.png" in result.skipped[0]
    for path in sorted(data.rglob("*.png"))[1:]:
        path.unlink()
    with pytest.raises(DataError, match="fewer than 2 images"):
        score(data, create_config(), ["frechet"], model=CLASSES)


def test_the_untrained_model_is_reproducible_and_spares_the_global_random_generator() -> None:
    config = create_config()
    model = Model(config, {"sample": create_generator(config.generator)})
    state = torch.get_rng_state()
    first, second = (Sampler(create_untrained(model), device="cpu", precision="fp32") for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    inputs = first.draw(2, 1)
    assert all(np.array_equal(a, b) for a, b in zip(first(inputs), second(inputs), strict=True))
