"""Pairs stay pairs, and every image becomes one that the network can take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from translate.config import ImageTrainConfig
from translate.config.images import PREPROCESSING
from translate.data.datasets.transforms import evaluation_transform, training_transform, whole_size
from translate.images import resize, to_tensor
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.networks import PatchGAN, create_generator, generator_spec

SIZES = [(1, 1), (30, 200), (200, 30), (45, 61), (64, 64), (3, 17)]


def random_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def config(**settings: Any) -> Pix2PixConfig:
    return Pix2PixConfig(**{"image_size": 32, "flip": False, "ngf": 2, "ndf": 2, **settings})


def random_crops(c: Pix2PixConfig, a: np.ndarray, b: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    transform = training_transform(c)
    transform.set_random_seed(seed)
    done = transform(image=whole(c, a, training=True), b=whole(c, b, training=True))
    return done["image"], done["b"]


def whole(c: ImageTrainConfig, pixels: np.ndarray, *, training: bool) -> np.ndarray:
    return resize(pixels, *whole_size(c, *pixels.shape[:2], training=training))


def for_training(c: ImageTrainConfig, **images: np.ndarray) -> dict[str, Any]:
    return training_transform(c)(**{n: whole(c, pixels, training=True) for n, pixels in images.items()})


def for_validation(c: ImageTrainConfig, **images: np.ndarray) -> dict[str, Any]:
    return evaluation_transform(c)(**{n: whole(c, pixels, training=False) for n, pixels in images.items()})


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
def test_a_pair_is_transformed_alike(size: tuple[int, int], settings: dict[str, Any], tolerance: int) -> None:
    a = random_image(*size)
    for seed in range(8):
        left, right = random_crops(config(**settings), a, 255 - a, seed)
        assert np.abs(left.astype(int) + right - 255).max() <= tolerance


def test_colours_of_a_pair_are_changed_alike() -> None:
    a = random_image(40, 40)
    left, right = random_crops(config(preprocess="crop", color_jitter=1), a, a, seed=1)
    plain, _ = random_crops(config(preprocess="crop"), a, a, seed=1)
    assert np.array_equal(left, right)
    assert not np.array_equal(left, plain)


def test_flips_come_half_of_the_time_and_only_if_asked_for() -> None:
    a = random_image(32, 32)
    c = config(preprocess="none", flip=True)
    flipped = [np.array_equal(random_crops(c, a, a, seed)[0], a[:, ::-1]) for seed in range(100)]
    assert 30 < sum(flipped) < 70
    c = config(preprocess="none", flip=False)
    assert all(np.array_equal(random_crops(c, a, a, seed)[0], a) for seed in range(5))


def test_crops_reach_every_place() -> None:
    rows, columns = np.mgrid[:40, :40].astype(np.uint8)
    a = np.dstack([rows, columns, rows])
    corners = {tuple(random_crops(config(preprocess="crop"), a, a, seed)[0][0, 0, :2]) for seed in range(300)}
    assert {row for row, _ in corners} == {column for _, column in corners} == set(range(9))


@pytest.mark.parametrize("mode", PREPROCESSING)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transform", [for_training, for_validation])
def test_every_image_becomes_one_that_the_networks_can_take(transform, size, mode: str) -> None:
    for c in (
        CycleGANConfig(image_size=32, preprocess=mode, ngf=2, ndf=2, blocks=1),
        config(preprocess=mode),
    ):
        done = transform(c, image=random_image(*size), b=random_image(*size, seed=1))
        sides = done["image"].shape[:2]
        assert done["b"].shape == done["image"].shape
        assert all(side % c.size_multiple == 0 for side in sides)
        if mode.endswith("crop"):
            assert sides == (32, 32)
        if max(sides) <= 300:
            x = to_tensor(done["image"])
            spec = generator_spec(c.generator, {"width": c.ngf, "depth": c.depth, "norm": c.norm})
            with torch.no_grad():
                assert create_generator(spec).eval()(x).shape == x.shape
                assert PatchGAN(width=2, norm="instance")(x).numel() > 0


@pytest.mark.parametrize("mode", ["none", "scale_width"])
def test_modes_that_keep_the_shape_keep_the_whole_image(mode: str) -> None:
    c = config(preprocess=mode, load_size=48)
    done = for_training(c, image=random_image(48, 48), b=random_image(48, 48))["image"]
    assert done.shape == (64, 64, 3)
    framed = [
        np.array_equal(done[y : y + 48, x : x + 48], random_image(48, 48)) for y in (0, 8) for x in (0, 8)
    ]
    assert any(framed)


@pytest.mark.parametrize("mode", PREPROCESSING)
def test_validation_leaves_nothing_to_chance(mode: str) -> None:
    c = config(preprocess=mode, flip=True, affine=20, color_jitter=1)
    a = random_image(50, 70)
    results = []
    for seed in range(3):
        transform = evaluation_transform(c)
        transform.set_random_seed(seed)
        results.append(transform(image=whole(c, a, training=False))["image"])
    assert all(np.array_equal(results[0], other) for other in results)


def test_validation_shows_the_whole_image_where_training_resizes() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    done = for_validation(config(), image=ramp)["image"]
    assert done.shape == (32, 32, 3)
    assert done.min() < 8
    assert done.max() > 247


@pytest.mark.parametrize(
    ("mode", "training", "expected"),
    [
        ("resize_and_crop", True, (36, 36)),
        ("resize_and_crop", False, (32, 32)),
        ("scale_width", True, (24, 36)),
        ("scale_width_and_crop", False, (21, 32)),
        ("random_resized_crop", True, (40, 60)),
        ("random_resized_crop", False, (32, 48)),
        ("crop", True, (40, 60)),
        ("none", False, (40, 60)),
    ],
)
def test_whole_images_are_brought_to_a_size(mode: str, training: bool, expected: tuple[int, int]) -> None:
    c = config(preprocess=mode, load_size=36)
    assert whole_size(c, 40, 60, training=training) == expected
