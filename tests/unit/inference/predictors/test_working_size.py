"""The working size: an image is translated at the size of the training, and keeps its own size and detail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

import translate
from tests.unit.inference.making import RecordingIdentity, load, noise, predictor_of, random_model, scene
from translate.config import TrainingScale
from translate.errors import UsageError
from translate.images.working_size import working_shape
from translate.inference import Predictor
from translate.models import Model
from translate.networks.generators.identity import Identity

IDENTITY = Path(__file__).parents[3] / "models" / "identity"
PERIOD = 8  # Pixels of a stripe and its gap, as the network sees them.


class Stripes(Identity):
    """A network that paints black and white stripes where an image is red, and keeps the rest."""

    def forward(self, x: Tensor) -> Tensor:
        red = (x[:, :1] > 0.5) & (x[:, 1:2] < -0.5)
        columns = torch.arange(x.shape[3]) % PERIOD < PERIOD // 2
        return torch.where(red, torch.where(columns, 1.0, -1.0), x)


class Painter(Identity):
    """A network that paints a picture of its own, whatever its input is."""

    def forward(self, x: Tensor) -> Tensor:
        y = 2 * torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(0)) - 1
        return torch.nn.functional.interpolate(y, x.shape[2:], mode="bilinear").expand_as(x)


class Tint(Identity):
    """A network that adds a tint."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 0.9 + torch.tensor([0.1, 0.0, -0.1])[:, None, None]


def model_trained_at(side: int | None, preprocess: str = "resize_and_crop") -> Model:
    """Return a model that records how large its training images were."""
    model = random_model()
    scale = TrainingScale(preprocess=preprocess, resize_to=side, crop=32)
    return Model(model.config.replace(scale=scale), dict(model.generators.items()))


def energy(pixels: np.ndarray) -> float:
    """Return the mean square of the differences between neighbouring pixels."""
    values = pixels.astype(float)
    return float(np.mean(np.diff(values, axis=0) ** 2) + np.mean(np.diff(values, axis=1) ** 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "shape", [(301, 407), (301, 407, 1), (90, 50, 3), (37, 900, 3), (90, 50, 4), (90, 50, 2)]
)
def test_a_network_that_changes_nothing_returns_every_bit(shape: tuple[int, ...], dtype: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
    output = translate.load(IDENTITY, size=32, device="cpu")(pixels)
    expected = pixels
    if len(shape) == 2 or shape[2] < 3:  # A colour model turns gray into colour.
        planes = pixels.reshape(*shape[:2], -1)
        expected = np.dstack([planes[..., :1].repeat(3, axis=2), planes[..., 1:]])
    assert np.array_equal(output.reshape(expected.shape), expected)


def test_an_object_changes_as_in_training_and_the_background_keeps_its_detail() -> None:
    image = scene(256, 320)
    image[64:192, 96:224] = [255, 0, 0]
    network = predictor_of(Stripes(), size=64)
    output = network(image)
    assert output.shape == image.shape
    middle = output[128, 100:220].mean(axis=1)
    assert np.count_nonzero(np.diff(middle > 127)) == 120 // (4 * PERIOD // 2)  # Stripes grow with the image.
    assert np.count_nonzero(np.diff(predictor_of(Stripes())(image)[128, 100:220].mean(axis=1) > 127)) > 25
    background = np.s_[:40, :]
    assert np.abs(output[background].astype(int) - image[background]).max() <= 1
    plain = cv2.resize(cv2.resize(image, (80, 64), interpolation=cv2.INTER_AREA), (320, 256))
    assert energy(plain[background]) < 0.1 * energy(image[background])


def test_a_tint_keeps_the_detail_of_the_whole_image() -> None:
    image = scene(256, 320)
    output = predictor_of(Tint(), size=64)(image)
    assert 0.9 < energy(output) / energy(image) < 1.1
    assert output[..., 0].mean() > image[..., 0].mean() + 3
    assert output[..., 2].mean() < image[..., 2].mean() - 3


def test_what_the_network_paints_anew_has_no_ghosts_of_the_input() -> None:
    labels = np.kron(noise(16, 16) // 255 * 255, np.ones((16, 16, 1), np.uint8))
    output = predictor_of(Painter(), size=64)(labels)
    without_input = predictor_of(Painter(), size=64)(np.full_like(labels, 128))
    assert np.abs(output.astype(int) - without_input).mean() < 1


@pytest.mark.parametrize(
    ("size", "side", "multiple", "expected"),
    [
        ((100, 200), None, 4, (100, 200)),
        ((64, 64), 64, 4, (64, 64)),  # Never enlarged.
        ((50, 300), 64, 4, (50, 300)),
        ((512, 512), 68, 4, (68, 68)),
        ((1000, 1500), 286, 4, (288, 428)),
        ((1500, 1000), 286, 4, (428, 288)),
        ((512, 512), 286, 256, (256, 256)),  # A U-Net of eight levels.
        ((1000, 1500), 286, 256, (256, 429)),  # 429 is too far from 512, so padding completes it.
        ((20, 2000), 16, 4, (16, 1600)),
    ],
)
def test_the_shape_that_the_network_sees(
    size: tuple[int, int], side: int | None, multiple: int, expected: tuple[int, int]
) -> None:
    assert working_shape(*size, side, multiple) == expected


@pytest.mark.parametrize(
    ("scale", "options", "expected"),
    [
        ((40,), {}, 40),
        ((40, "scale_width"), {}, 40),
        ((None, "random_resized_crop"), {}, 32),
        ((None, "crop"), {}, None),
        ((40,), {"size": "native"}, None),
        ((40,), {"size": 100}, 100),
        ((40,), {"size": "100"}, 100),
        ((40,), {"tile": 64}, None),
        ((40,), {"tile": "off"}, 40),
    ],
)
def test_the_size_is_that_of_the_training_unless_told_otherwise(
    scale: tuple[Any, ...], options: dict[str, Any], expected: int | None
) -> None:
    predictor = load(model_trained_at(*scale), **options)
    assert predictor.working_size == expected
    assert str(expected or "own size") in predictor.size_note


def test_a_model_without_the_record_works_at_the_own_size_and_says_so() -> None:
    predictor = load(random_model())
    assert predictor.working_size is None
    assert "--size N" in predictor.size_note


def test_a_saved_model_keeps_its_working_size(tmp_path: Path) -> None:
    model_trained_at(40).save_pretrained(tmp_path)
    assert translate.load(tmp_path, device="cpu").predictor.working_size == 40


@pytest.mark.parametrize(
    ("options", "token"),
    [({"size": "big"}, "'big'"), ({"size": 7}, "7"), ({"size": 64, "tile": 64}, "--tile 64")],
)
def test_a_size_that_cannot_be_is_refused(options: dict[str, Any], token: str) -> None:
    with pytest.raises(UsageError, match=token):
        load(random_model(), **options)


def test_an_inpainting_model_refuses_a_size() -> None:
    with pytest.raises(UsageError, match="--size 64"):
        translate.load("inpaint", size=64, device="cpu")


def test_a_colorizer_works_at_the_given_size() -> None:
    photo = scene(96, 128)[..., 0]
    outputs = [translate.load("colorize", size=size, device="cpu")(photo) for size in (32, 64, "native")]
    assert outputs[0].shape == (96, 128, 3)
    assert not np.array_equal(outputs[0], outputs[1])
    assert np.array_equal(outputs[2], translate.load("colorize", device="cpu")(photo))


@pytest.mark.parametrize("size", [(64, 64), (90, 150)])
def test_images_of_one_size_go_through_the_network_together(size: tuple[int, int]) -> None:
    network = RecordingIdentity()
    predictor: Predictor = predictor_of(network, size=32)
    images = [noise(*size, seed=seed) for seed in range(3)]
    frames = [translate.images.frame.from_array(image) for image in images]
    outputs = predictor.apply(frames)
    assert max(network.batch_sizes) == 3
    assert all(
        np.array_equal(out.pixels, predictor(image)) for out, image in zip(outputs, images, strict=True)
    )


def test_memory_does_not_grow_with_the_image_beyond_a_strip() -> None:
    # Strips of the result meet without a seam: a smooth image stays smooth.
    ramp = np.linspace(0, 255, 1500).astype(np.uint8)[:, None, None].repeat(1500, axis=1).repeat(3, axis=2)
    output = predictor_of(Tint(), size=64)(ramp)
    assert np.abs(np.diff(output.astype(int), axis=0)).max() <= 2
