"""Data augmentation treats both images of a pair alike and gives images that the networks accept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from translate.config import ImageTrainConfig
from translate.config.training.augmentation import PREPROCESSING
from translate.data.datasets.transforms import evaluation_transform, resized_shape, training_transform
from translate.images import resize, to_tensor
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.networks import PatchGAN, create_generator, generator_spec

SIZES = [(1, 1), (30, 200), (200, 30), (45, 61), (64, 64), (3, 17)]


def random_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def config(**settings: Any) -> Pix2PixConfig:
    return Pix2PixConfig(**{"image_size": 32, "flip": False, "ngf": 2, "ndf": 2, **settings})


def augment(c: Pix2PixConfig, a: np.ndarray, b: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Resize and augment a pair."""
    transform = training_transform(c)
    transform.set_random_seed(seed)
    pair = transform(image=resize_before_crop(c, a, training=True), b=resize_before_crop(c, b, training=True))
    return pair["image"], pair["b"]


def resize_before_crop(c: ImageTrainConfig, pixels: np.ndarray, *, training: bool) -> np.ndarray:
    return resize(pixels, *resized_shape(c, *pixels.shape[:2], training=training))


def for_training(c: ImageTrainConfig, **images: np.ndarray) -> dict[str, Any]:
    resized = {name: resize_before_crop(c, pixels, training=True) for name, pixels in images.items()}
    return training_transform(c)(**resized)


def for_validation(c: ImageTrainConfig, **images: np.ndarray) -> dict[str, Any]:
    resized = {name: resize_before_crop(c, pixels, training=False) for name, pixels in images.items()}
    return evaluation_transform(c)(**resized)


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        ({"preprocess": "crop"}, 0),
        ({"preprocess": "crop", "flip": True}, 0),
        ({"preprocess": "none", "flip": True}, 0),
        ({"preprocess": "resize_and_crop", "flip": True}, 1),
        ({"preprocess": "scale_width_and_crop", "flip": True}, 1),
        ({"preprocess": "crop", "affine": 30, "flip": True}, 1),
    ],
)
@pytest.mark.parametrize("size", [(60, 80), (20, 90)])
def test_both_images_of_a_pair_get_the_same_crop_flip_and_rotation(
    size: tuple[int, int], settings: dict[str, Any], tolerance: int
) -> None:
    image = random_image(*size)
    for seed in range(8):
        a, b = augment(config(**settings), image, 255 - image, seed)
        assert np.abs(a.astype(int) + b - 255).max() <= tolerance


def test_both_images_of_a_pair_get_the_same_color_jitter() -> None:
    image = random_image(40, 40)
    a, b = augment(config(preprocess="crop", color_jitter=1), image, image, seed=1)
    plain, _ = augment(config(preprocess="crop"), image, image, seed=1)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, plain)


def test_half_of_the_images_are_flipped_if_flips_are_enabled() -> None:
    image = random_image(32, 32)
    c = config(preprocess="none", flip=True)
    flipped = [np.array_equal(augment(c, image, image, seed)[0], image[:, ::-1]) for seed in range(100)]
    assert 30 < sum(flipped) < 70
    c = config(preprocess="none", flip=False)
    assert all(np.array_equal(augment(c, image, image, seed)[0], image) for seed in range(5))


def test_random_crops_reach_all_positions() -> None:
    rows, columns = np.mgrid[:40, :40].astype(np.uint8)
    image = np.dstack([rows, columns, rows])
    c = config(preprocess="crop")
    corners = {tuple(augment(c, image, image, seed)[0][0, 0, :2]) for seed in range(300)}
    assert {row for row, _ in corners} == {column for _, column in corners} == set(range(9))


@pytest.mark.parametrize("mode", PREPROCESSING)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transform", [for_training, for_validation])
def test_images_of_any_size_become_images_that_the_networks_accept(transform, size, mode: str) -> None:
    for c in (
        CycleGANConfig(image_size=32, preprocess=mode, ngf=2, ndf=2, blocks=1),
        config(preprocess=mode),
    ):
        pair = transform(c, image=random_image(*size), b=random_image(*size, seed=1))
        sides = pair["image"].shape[:2]
        assert pair["b"].shape == pair["image"].shape
        assert all(side % c.size_multiple == 0 for side in sides)
        if mode.endswith("crop") and (transform is for_training or mode in ("crop", "random_resized_crop")):
            assert sides == (32, 32)
        if max(sides) <= 300:
            x = to_tensor(pair["image"])
            spec = generator_spec(c.generator, {"width": c.ngf, "depth": c.depth, "norm": c.norm})
            with torch.no_grad():
                assert create_generator(spec).eval()(x).shape == x.shape
                assert PatchGAN(width=2, norm="instance")(x).numel() > 0


@pytest.mark.parametrize("mode", ["none", "scale_width"])
def test_modes_without_a_crop_pad_the_image_and_keep_all_of_it(mode: str) -> None:
    c = config(preprocess=mode, load_size=48)
    image = random_image(48, 48)
    padded = for_training(c, image=image, b=image)["image"]
    assert padded.shape == (64, 64, 3)
    contains_image = [np.array_equal(padded[y : y + 48, x : x + 48], image) for y in (0, 8) for x in (0, 8)]
    assert any(contains_image)


@pytest.mark.parametrize("mode", PREPROCESSING)
def test_the_pipeline_for_validation_is_deterministic(mode: str) -> None:
    c = config(preprocess=mode, flip=True, affine=20, color_jitter=1)
    image = random_image(50, 70)
    results = []
    for seed in range(3):
        transform = evaluation_transform(c)
        transform.set_random_seed(seed)
        results.append(transform(image=resize_before_crop(c, image, training=False))["image"])
    assert all(np.array_equal(results[0], result) for result in results)


def test_validation_sees_the_whole_image_in_the_default_mode() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    image = for_validation(config(), image=ramp)["image"]
    assert image.shape == (32, 32, 3)
    assert image.min() < 8
    assert image.max() > 247


@pytest.mark.parametrize(
    ("mode", "training", "expected"),
    [
        ("resize_and_crop", True, (36, 36)),
        ("resize_and_crop", False, (32, 54)),
        ("scale_width", True, (24, 36)),
        ("scale_width_and_crop", False, (32, 54)),
        ("random_resized_crop", True, (40, 60)),
        ("random_resized_crop", False, (32, 48)),
        ("crop", True, (40, 60)),
        ("none", False, (40, 60)),
    ],
)
def test_images_are_resized_before_the_crop(mode: str, training: bool, expected: tuple[int, int]) -> None:
    c = config(preprocess=mode, load_size=36)
    assert resized_shape(c, 40, 60, training=training) == expected
