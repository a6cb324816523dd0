"""Crops, and what all suites of images share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.images import noise
from tests.unit.evaluation.making import Network, Stub, colorize, inpaint, off_by, photos
from translate.errors import DataError
from translate.evaluation.photos import crop
from translate.evaluation.scoring import ImageScorer


def test_a_large_photo_is_scaled_down_by_area_and_cut_in_the_middle() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (512, 800, 3), dtype=np.uint8)
    blocks = photo[:, 144:656].reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(crop(photo) - blocks).max() <= 0.5
    assert crop(photo.transpose(1, 0, 2)).shape == (256, 256, 3)


@pytest.mark.parametrize(("height", "width"), [(300, 100), (100, 300), (256, 257), (1, 9), (256, 256)])
def test_a_small_photo_is_cut_and_never_enlarged(height: int, width: int) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    top, left = max(0, height - 256) // 2, max(0, width - 256) // 2
    assert np.array_equal(crop(photo), photo[top : top + 256, left : left + 256])


@pytest.mark.parametrize(("height", "width"), [(257, 4001), (333, 333), (1023, 769)])
def test_a_crop_of_a_large_photo_is_whole(height: int, width: int) -> None:
    assert crop(np.zeros((height, width, 3), np.uint8)).shape == (256, 256, 3)


def test_a_photo_that_is_a_little_larger_is_scaled_and_not_cut() -> None:
    framed = np.full((280, 280, 3), 255, np.uint8)
    framed[8:-8, 8:-8] = 0
    assert crop(framed)[[0, -1], :6].min() == 255


def test_what_cannot_be_scored_is_left_out_of_every_row_and_named(tmp_path: Path) -> None:
    photos(tmp_path, 2)
    (tmp_path / "broken.png").write_bytes(b"no image")
    noise(tmp_path / "small.png", 8, 40)
    done = colorize(tmp_path, Stub(lambda photo: photo))
    assert {one.images for one in done.rows} == {done.images} == {2}
    assert [reason.split(": ")[0] for reason in done.left_out] == [
        str(tmp_path / "broken.png"),
        str(tmp_path / "small.png"),
    ]
    assert "40 x 8 pixels are too few for SSIM" in done.left_out[1]
    assert colorize(tmp_path, Stub(lambda photo: photo), scores=["psnr"]).images == 3


def test_nothing_that_can_be_scored(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(
        DataError, match=r"none of 1 images can be scored; the first: .*broken\.png: not an image"
    ):
        colorize(tmp_path, Stub(lambda photo: photo))


@pytest.mark.parametrize("kind", [colorize, inpaint])
def test_progress_goes_forward(tmp_path: Path, kind: Any) -> None:
    told: list[tuple[float, int]] = []
    stub = Stub(lambda photo, hole=None: photo)
    kind(photos(tmp_path), stub, scores=["psnr"], progress=lambda *state: told.append(state))
    assert {total for _, total in told} == {3}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {0, 1, 2} <= {done for done, _ in told}
    assert told[-1][0] < 3


def test_a_truth_is_looked_at_once(tmp_path: Path) -> None:
    network = Network()
    colorize(photos(tmp_path), Stub(lambda photo: photo), scorer=ImageScorer([], network))
    assert network.count == 3 * 3


def test_scoring_draws_nothing_from_torchs_generator(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    inpaint(photos(tmp_path, 1), off_by(5))
    assert torch.equal(before, torch.get_rng_state())
