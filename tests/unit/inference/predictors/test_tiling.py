"""An image in tiles is the image in one piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.inference.making import lively, load, noise, predictor_of, scene
from translate.images import Frame, find_images, read_rgb
from translate.inference.predictors.canvas import Canvas
from translate.inference.predictors.tiling import Tiling, plan_tiles
from translate.models import Model
from translate.networks import MemoryCost
from translate.networks.generators.identity import Identity

COST = MemoryCost(forward=100.0, held=30.0)
RESNETS: dict[str, dict[str, Any]] = {
    "instance": {"norm": "instance"},
    "affine": {"norm": "instance-affine"},
    "batch": {"norm": "batch"},
    "resized": {"upsample": "resize"},
    "deeper": {"depth": 9},
}


def planned(
    size: tuple[int, int], tile: str | int, limits: tuple[float, float] = (1e6, 1e6)
) -> Tiling | None:
    frame = Frame(pixels=np.zeros((size[1], size[0], 3), np.uint8))
    return plan_tiles(Canvas(frame, 8, 3), tile, multiple=8, cost=COST, limits=limits)


def difference(model: Model, frame: np.ndarray, tile: int = 64, **options: Any) -> np.ndarray:
    """How far the tiles are from the whole, at each value, in levels of the image's depth."""
    whole, tiled = (load(model, tile=t, **options)(frame) for t in ("off", tile))
    assert tiled.dtype == whole.dtype
    assert tiled.shape == whole.shape
    assert whole.std() > 20  # an answer with something in it
    return np.abs(tiled.astype(int) - whole)


def test_an_image_that_fits_goes_in_one_piece() -> None:
    assert planned((100, 100), "auto", (100 * 104 * 104, 1e6)) is None
    assert planned((100, 100), "auto", (100 * 104 * 103, 1e6)) is not None
    assert planned((5000, 5000), "off") is None
    assert planned((100, 100), 104) is None
    assert planned((100, 200), 104) is not None


@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    whole=st.integers(10**4, 10**9),
    tiled=st.integers(10**4, 10**8),
)
def test_tiles_keep_to_the_memory_that_they_may_take(width: int, height: int, whole: int, tiled: int) -> None:
    tiling = planned((width, height), "auto", (whole, tiled))
    if tiling is None:
        assert width * height * COST.forward <= max(whole, tiled)
        return
    (rows, columns), least = (tiling.rows, tiling.columns), 8 + 2 * tiling.overlap
    sides = [spans[0].stop - spans[0].start for spans in (rows, columns)]
    assert all(side % 8 == 0 for side in sides)
    assert sides[0] * sides[1] * COST.forward <= max(tiled, least**2 * COST.forward)
    row, column = tiling.sample[0]
    held = len(tiling.sample) * (row.stop - row.start) * (column.stop - column.start) * COST.held
    assert held <= max(whole, tiled) or len(tiling.sample) == 1


def test_the_sample_is_of_all_tiles_where_they_fit_together() -> None:
    tiling = planned((1000, 600), 200, (1e8, 1e6))
    assert tiling is not None
    assert len(tiling.sample) == len(tiling.rows) * len(tiling.columns) == 15
    few = planned((1000, 600), 200, (1e6, 1e6))
    assert few is not None
    assert few.rows == tiling.rows
    assert len(few.sample) == 2  # of 96 pixels and 16 around them, at 30 bytes each


@pytest.mark.parametrize("kind", RESNETS)
def test_tiles_agree_with_the_whole(kind: str) -> None:
    assert difference(lively(**RESNETS[kind]), scene(170, 250)).max() <= 2


@pytest.mark.parametrize("tile", [32, 44, 100])
def test_tiles_of_any_side_agree_with_the_whole(tile: int) -> None:
    assert difference(lively(depth=1), noise(100, 150), tile).max() <= 2


def test_tiles_of_a_photo_agree_with_the_whole(real_data: Path) -> None:
    photo = read_rgb(find_images(real_data / "photos" / "val")[0])
    assert difference(lively(depth=6), photo, 160).max() <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gray_network_tiles(channels: int) -> None:
    model = lively(in_channels=1, out_channels=1)
    found = difference(model, scene(150, 130)[..., :channels])
    assert found.shape == (150, 130, 1)
    assert found.max() <= 2


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_deep_image_tiles(channels: int) -> None:
    planes = np.dstack([scene(150, 130), noise(150, 130, 1)])[..., :channels].astype(np.uint16) * 257
    has_alpha = channels in (2, 4)
    found = difference(lively(), planes)
    assert found.max() <= 2 * 257
    assert not has_alpha or not found[..., -1].any()


def test_tiles_in_bfloat16_are_near_the_whole() -> None:
    found = difference(lively(), scene(150, 130), precision="bf16")
    assert found.mean() < 1
    assert found.max() < 12


@pytest.mark.parametrize("statistics", ["running", "picture"])
def test_a_u_net_tiles(statistics: str) -> None:
    shallow = lively("unet", norm="batch", statistics=statistics)
    assert difference(shallow, scene(200, 300)).max() <= 2
    # This one sees farther than a tile does.
    assert (
        difference(lively("unet", depth=5, norm="batch", statistics=statistics), scene(200, 300)).mean() < 3
    )


@pytest.mark.parametrize("tile", [32, 64, 200])
def test_tiles_that_nothing_changes_are_the_image(tile: int) -> None:
    for frame in (noise(130, 333), noise(64, 65).astype(np.uint16) * 251):
        assert np.array_equal(predictor_of(Identity(), tile=tile)(frame), frame)


def sampled(frame: np.ndarray, windows: int) -> np.ndarray:
    """How far tiles are from the whole whose statistics are those of some small windows, in levels."""
    model = lively()
    predictor = load(model)
    cost = model.generator().memory_per_pixel(torch.float32.itemsize)
    predictor._limits = 2.0**20, windows * 128 * 128 * cost.held
    tiling = predictor._tiling(predictor._canvas(Frame(pixels=frame)))
    assert tiling is not None
    assert len(tiling.sample) < 1.2 * windows
    return np.abs(predictor(frame).astype(int) - load(model, tile="off")(frame))


def test_an_image_that_does_not_fit_is_near_the_whole() -> None:
    assert sampled(scene(600, 900), 50).mean() < 8


def test_a_photo_that_does_not_fit_is_near_the_whole(real_data: Path) -> None:
    with Image.open(find_images(real_data / "photos" / "val")[0]) as image:
        photo = np.asarray(image.convert("RGB").resize((1152, 768), Image.Resampling.BICUBIC))
    assert sampled(photo, 60).mean() < 8


def test_a_tall_image_is_cut_one_way() -> None:
    predictor = predictor_of(Identity(), tile=256)
    tall = noise(2000, 30)
    tiling = predictor._tiling(predictor._canvas(Frame(pixels=tall)))
    assert tiling is not None
    assert (len(tiling.rows), len(tiling.columns)) == (8, 1)
    assert np.array_equal(predictor(tall), tall)


def test_an_error_in_one_image_does_not_change_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    model, frame = lively(), scene(150, 130)
    predictor = load(model, tile=64)
    before = predictor(frame)

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(predictor.generator.decoder[-1], "forward", fail)
        with pytest.raises(RuntimeError, match="memory"):
            predictor(frame)
    assert np.array_equal(predictor(frame), before)
    assert np.array_equal(predictor(frame[:40, :40]), load(model, tile="off")(frame[:40, :40]))
