"""Texture synthesis: fine detail from known pixels for a smooth fill."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from translate.images import Array, Hole
from translate.inference.predictors.texture import BLOCK_SIZE, add_texture

WHITE = {"uint8": 255, "uint16": 65535, "float32": 1}
SIGMA = 4.0  # pixels; detail is what a Gaussian blur of this sigma removes


def grainy(height: int, width: int, dtype: str = "uint8", seed: int = 0) -> Array:
    """Return grain on gray."""
    grain: Array = np.random.default_rng(seed).normal(0.5, 0.06, (height, width, 3)).clip(0, 1) * WHITE[dtype]
    return (grain if dtype == "float32" else grain.round()).astype(dtype)


def box(height: int, width: int, top: int, bottom: int, left: int, right: int) -> Hole:
    hole = np.zeros((height, width), bool)
    hole[top:bottom, left:right] = True
    return hole


def smooth_in(pixels: Array, hole: Hole) -> Array:
    return np.where(hole[..., None], np.array(WHITE[str(pixels.dtype)] / 2, pixels.dtype), pixels)


def grain(pixels: Array) -> float:
    """Return the standard deviation of the fine detail, as a fraction of the range."""
    values = pixels.astype(np.float32) / WHITE[str(pixels.dtype)]
    return float((values - cv2.GaussianBlur(values, (0, 0), SIGMA)).std())


@pytest.mark.parametrize("dtype", list(WHITE))
def test_a_smooth_fill_gets_grain_and_the_other_pixels_stay_the_same(dtype: str) -> None:
    photo, hole = grainy(200, 160, dtype), box(200, 160, 60, 140, 50, 110)
    smooth = smooth_in(photo, hole)
    out = add_texture(smooth, hole, ~hole)
    assert out.dtype == photo.dtype
    np.testing.assert_array_equal(out[~hole], photo[~hole])
    inside = np.s_[70:130, 60:100]
    assert 0.25 * grain(photo[inside]) < grain(out[inside]) < grain(photo[inside])
    assert abs(out[inside].mean() / WHITE[dtype] - 0.5) < 0.01


def test_a_smooth_image_stays_smooth() -> None:
    ramp = np.repeat(np.linspace(60, 200, 300)[None, :, None], 200, axis=0).repeat(3, axis=2)
    smooth, hole = ramp.round().astype(np.uint8), box(200, 300, 50, 150, 100, 200)
    assert np.abs(add_texture(smooth, hole, ~hole).astype(int) - smooth).max() <= 1


def test_each_part_of_the_hole_gets_the_detail_of_similar_patches() -> None:
    photo, hole = grainy(240, 240), box(240, 240, 60, 180, 60, 180)
    photo[:, :120] = 30  # dark and smooth; the other half is bright and grainy
    smooth = np.where(hole[..., None], np.where(np.arange(240) < 120, 30, 128)[None, :, None], photo)
    out = add_texture(smooth.astype(np.uint8), hole, ~hole)
    assert grain(out[70:170, 130:170]) > 5 * grain(out[70:170, 70:105])


def test_no_detail_is_copied_from_unknown_pixels() -> None:
    """They belong to a second hole, which is not filled yet."""
    damage, hole = box(200, 400, 0, 200, 200, 400), box(200, 400, 60, 140, 60, 140)
    pixels = np.full((200, 400, 3), 128, np.uint8)
    pixels[damage] = grainy(200, 400)[damage]
    np.testing.assert_array_equal(add_texture(pixels, hole, ~(hole | damage)), pixels)


@pytest.mark.parametrize("size", [(5, 7), (15, 300), (40, 40)])
def test_an_image_without_a_known_patch_stays_the_same(size: tuple[int, int]) -> None:
    hole = box(*size, 1, size[0] - 1, 1, size[1] - 1)
    pixels = grainy(*size)
    np.testing.assert_array_equal(add_texture(pixels, hole, ~hole), pixels)


@pytest.mark.parametrize("size", [(17, 64), (64, 17), (33, 90), (16, 16)])
def test_pixels_outside_of_the_hole_of_a_narrow_image_stay_the_same(size: tuple[int, int]) -> None:
    hole = box(*size, 0, size[0], size[1] - 5, size[1])
    pixels = grainy(*size)
    np.testing.assert_array_equal(add_texture(pixels, hole, ~hole)[~hole], pixels[~hole])


@pytest.mark.parametrize("size", [(24, 200), (200, 24), (31, 48), (20, 40), (24, 24), (9, 300)])
def test_the_fill_of_a_narrow_or_small_image_gets_grain(size: tuple[int, int]) -> None:
    (top, bottom), (left, right) = ((side // 2 - side // 6, side // 2 + side // 6) for side in size)
    photo, hole = grainy(*size), box(*size, top, bottom, left, right)
    if min(size) < 16:  # The hole goes from side to side.
        hole = box(*size, 0, size[0], left, right)
    smooth = smooth_in(photo, hole)
    out = add_texture(smooth, hole, ~hole)
    np.testing.assert_array_equal(out[~hole], photo[~hole])
    assert 0.25 * photo[hole].std() < out[hole].std() < photo[hole].std()


def test_texture_does_not_depend_on_distant_pixels() -> None:
    hole = box(700, 700, 20, 40, 20, 60)
    photo = smooth_in(grainy(700, 700), hole)
    other = photo.copy()
    other[400:] = 0
    out = add_texture(photo, hole, ~hole)
    assert not np.array_equal(out[hole], photo[hole])
    np.testing.assert_array_equal(out[hole], add_texture(other, hole, ~hole)[hole])


def test_blocks_leave_no_seam() -> None:
    size = BLOCK_SIZE + 200
    photo, hole = grainy(size, size), box(size, size, 40, size - 40, 40, size - 40)
    out = add_texture(smooth_in(photo, hole), hole, ~hole).astype(np.float32).mean(2)
    steps = np.abs(np.diff(out, axis=0))[50 : size - 50, 50 : size - 50].mean(1)
    assert steps[BLOCK_SIZE - 50 - 2 : BLOCK_SIZE - 50 + 2].max() < 1.25 * steps.mean()


def test_the_texture_does_not_repeat() -> None:
    photo, hole = grainy(300, 300), box(300, 300, 80, 220, 80, 220)
    out = add_texture(smooth_in(photo, hole), hole, ~hole)[90:210, 90:210].astype(np.float32).mean(2)
    out -= out.mean()
    autocorrelation = [(out[:, :-8] * out[:, 8:]).mean(), (out[:-8] * out[8:]).mean()]
    assert max(np.abs(autocorrelation)) < 0.25 * out.var()
