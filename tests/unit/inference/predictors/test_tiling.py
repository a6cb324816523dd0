"""Tiling: an image that is run tile by tile gives the same output as in one piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.inference.making import load, noise, predictor_of, random_model, scene
from translate.images import Frame, find_images, read_rgb
from translate.inference.predictors.padding import PaddedImage
from translate.inference.predictors.statistics import trace_norms
from translate.inference.predictors.tiling import TiledNetwork, Tiling, plan_tiles, predict_tiled
from translate.models import Model
from translate.networks import MemoryCost
from translate.networks.generators.identity import Identity
from translate.progress import ignore_progress

COST = MemoryCost(100.0, 30.0)  # bytes per pixel: of a forward, and between layers
RESNETS: dict[str, dict[str, Any]] = {
    "instance norm": {"norm": "instance"},
    "affine instance norm": {"norm": "instance-affine"},
    "batch norm": {"norm": "batch"},
    "resize convolution": {"upsample": "resize"},
    "antialiased": {"downsample": "blur", "upsample": "blur"},
    "nine blocks": {"depth": 9},
}


def plan(
    size: tuple[int, int], tile: str | int, max_untiled: float = 1e6, max_tiled: float = 1e6
) -> Tiling | None:
    """Plan the tiles of an image of this width and height."""
    frame = Frame(pixels=np.zeros((size[1], size[0], 3), np.uint8))
    image = PaddedImage(frame, 8, 3)
    return plan_tiles(image, tile, multiple=8, cost=COST, max_untiled=max_untiled, max_tiled=max_tiled)


def difference(model: Model, image: np.ndarray, tile: int = 64, **options: Any) -> np.ndarray:
    """Return the absolute difference between tiles and one piece, in levels of the image's bit depth."""
    whole, tiled = (load(model, tile=t, **options)(image) for t in ("off", tile))
    assert tiled.dtype == whole.dtype
    assert tiled.shape == whole.shape
    assert whole.std() > 20  # The output is not flat, so the comparison means something.
    return np.abs(tiled.astype(int) - whole)


def test_an_image_that_fits_into_memory_runs_in_one_piece() -> None:
    assert plan((100, 100), "auto", 100 * 104 * 104) is None
    assert plan((100, 100), "auto", 100 * 104 * 103) is not None
    assert plan((5000, 5000), "off") is None
    assert plan((100, 100), 104) is None
    assert plan((100, 200), 104) is not None


@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    max_untiled=st.integers(10**4, 10**9),
    max_tiled=st.integers(10**4, 10**8),
)
def test_tiles_stay_within_their_memory_limit(
    width: int, height: int, max_untiled: int, max_tiled: int
) -> None:
    forward, between_layers = 100.0, 30.0
    tiling = plan((width, height), "auto", max_untiled, max_tiled)
    if tiling is None:
        assert width * height * forward <= max(max_untiled, max_tiled)
        return
    min_side = 8 + 2 * tiling.overlap
    sides = [windows[0].stop - windows[0].start for windows in (tiling.rows, tiling.columns)]
    assert all(side % 8 == 0 for side in sides)
    assert sides[0] * sides[1] * forward <= max(max_tiled, min_side**2 * forward)
    row, column = tiling.statistics_tiles[0]
    area = (row.stop - row.start) * (column.stop - column.start)
    sample_bytes = len(tiling.statistics_tiles) * area * between_layers
    assert sample_bytes <= max(max_untiled, max_tiled) or len(tiling.statistics_tiles) == 1


def test_statistics_come_from_all_tiles_if_these_fit_into_memory_and_else_from_a_sample() -> None:
    tiling = plan((1000, 600), 200, 1e8, 1e6)
    assert tiling is not None
    assert len(tiling.statistics_tiles) == len(tiling.rows) * len(tiling.columns) == 15
    little_memory = plan((1000, 600), 200, 1e6, 1e6)
    assert little_memory is not None
    assert little_memory.rows == tiling.rows
    assert (
        len(little_memory.statistics_tiles) == 2
    )  # tiles of 96 pixels and 16 around them, at 30 bytes a pixel


@pytest.mark.parametrize("kind", RESNETS)
def test_tiles_agree_with_one_piece(kind: str) -> None:
    assert difference(random_model(**RESNETS[kind]), scene(170, 250)).max() <= 2


@pytest.mark.parametrize("tile", [32, 44, 100])
def test_tiles_of_any_side_agree_with_one_piece(tile: int) -> None:
    assert difference(random_model(depth=1), noise(100, 150), tile).max() <= 2


def test_tiles_of_a_photo_agree_with_one_piece(real_data: Path) -> None:
    photo = read_rgb(find_images(real_data / "photos" / "val")[0])
    assert difference(random_model(depth=6), photo, 160).max() <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gray_network_runs_in_tiles(channels: int) -> None:
    model = random_model(in_channels=1, out_channels=1)
    levels = difference(model, scene(150, 130)[..., :channels])
    assert levels.shape == (150, 130, 1)
    assert levels.max() <= 2


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_16_bit_image_runs_in_tiles(channels: int) -> None:
    planes = np.dstack([scene(150, 130), noise(150, 130, 1)])[..., :channels].astype(np.uint16) * 257
    levels = difference(random_model(), planes, alpha="drop")
    assert levels.max() <= 2 * 257


def test_tiles_in_bfloat16_are_near_one_piece() -> None:
    levels = difference(random_model(), scene(150, 130), precision="bf16")
    assert levels.mean() < 1
    assert levels.max() < 12


@pytest.mark.parametrize("statistics", ["running", "picture"])
def test_a_u_net_runs_in_tiles(statistics: str) -> None:
    shallow = random_model("unet", norm="batch", statistics=statistics)
    assert difference(shallow, scene(200, 300)).max() <= 2
    # The receptive field of this U-Net is larger than a tile.
    deep = random_model("unet", depth=5, norm="batch", statistics=statistics)
    assert difference(deep, scene(200, 300)).mean() < 3


@pytest.mark.parametrize("tile", [32, 64, 200])
def test_tiles_of_the_identity_give_the_image_back(tile: int) -> None:
    for image in (noise(130, 333), noise(64, 65).astype(np.uint16) * 251):
        assert np.array_equal(predictor_of(Identity(), tile=tile)(image), image)


def sample_difference(image: np.ndarray, tiles: int) -> np.ndarray:
    """Return the difference to one piece, in levels, if the statistics come from a sample of tiles."""
    model = random_model().requires_grad_(False)
    network = model.generator().eval()
    cost = network.memory_per_pixel(torch.float32.itemsize)
    padded = PaddedImage(Frame(pixels=image), model.config.size_multiple, 3)
    sample_bytes = tiles * 128 * 128 * cost.between_layers
    tiling = plan_tiles(
        padded,
        "auto",
        multiple=model.config.size_multiple,
        cost=cost,
        max_untiled=2.0**20,
        max_tiled=sample_bytes,
    )
    assert tiling is not None
    assert len(tiling.statistics_tiles) < 1.2 * tiles
    tiled_network = TiledNetwork(network, trace_norms(network), 3, torch.device("cpu"))
    tiled = predict_tiled(padded, tiling, tiled_network, ignore_progress)
    return np.abs(tiled.astype(int) - load(model, tile="off")(image))


def test_an_image_with_sampled_statistics_is_near_one_piece() -> None:
    assert sample_difference(scene(600, 900), 50).mean() < 8


def test_a_photo_with_sampled_statistics_is_near_one_piece(real_data: Path) -> None:
    with Image.open(find_images(real_data / "photos" / "val")[0]) as image:
        photo = np.asarray(image.convert("RGB").resize((1152, 768), Image.Resampling.BICUBIC))
    assert sample_difference(photo, 60).mean() < 8


def test_a_tall_image_is_split_along_its_height_only() -> None:
    tiling = plan((30, 2000), 256)
    assert tiling is not None
    assert (len(tiling.rows), len(tiling.columns)) == (8, 1)
    tall = noise(2000, 30)
    assert np.array_equal(predictor_of(Identity(), tile=256)(tall), tall)


def test_an_error_in_one_image_does_not_change_the_next() -> None:
    model, image = random_model(), scene(150, 130)
    predictor, fails = load(model, tile=64), False

    def fail(*_: object) -> None:
        if fails:
            raise RuntimeError("out of memory")

    model.generator().decoder[-1].register_forward_pre_hook(fail)
    before = predictor(image)
    fails = True
    with pytest.raises(RuntimeError, match="memory"):
        predictor(image)
    fails = False
    assert np.array_equal(predictor(image), before)
    assert np.array_equal(predictor(image[:40, :40]), load(model, tile="off")(image[:40, :40]))
