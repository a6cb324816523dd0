"""Scores of inpainting, for predictors whose results are known; holes and baselines."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.images import noise
from tests.unit.evaluation.helpers import (
    StubPredictor,
    create_inpainter,
    create_predictor,
    fill_with_error,
    find_row,
    score_inpainting,
    write_photos,
)
from tests.unit.inference.making import scene
from translate.data.datasets.masks import HOLE_SIZES, draw_mask
from translate.errors import DataError, UsageError
from translate.evaluation.holes import BASELINES, SIZE_CLASSES, draw_holes, read_holes, size_class
from translate.images import write_rgb
from translate.metrics import psnr


def write_flat_photos(folder: Path, count: int = 2) -> Path:
    """Write photos of the constant level 100."""
    for number in range(count):
        write_rgb(np.full((32, 32, 3), 100, np.uint8), folder / f"{number}.png")
    return folder


def test_each_photo_has_a_hole_of_each_size_and_only_holes_are_scored(tmp_path: Path) -> None:
    predictor = fill_with_error(5)
    result = score_inpainting(write_flat_photos(tmp_path), predictor)
    assert [row.group for row in result.rows] == [*SIZE_CLASSES, "all sizes"]
    assert [row.images for row in result.rows] == [2] * 6 + [12]
    for row in result.rows:
        assert row.values["psnr"] == pytest.approx(20 * np.log10(255 / 5))
    assert len(predictor.inputs) == 12
    for index, (holed, hole) in enumerate(predictor.inputs):
        low, high = HOLE_SIZES[index % 6]
        assert low <= hole.mean() <= high
        assert (holed[hole] == 0).all()
        assert (holed[~hole] == 100).all()
    assert result.images == 2


def test_the_row_of_all_sizes_is_the_mean_over_all_holes(tmp_path: Path) -> None:
    result = score_inpainting(write_photos(tmp_path), StubPredictor(lambda holed, hole: holed))
    *rows, all_sizes = result.rows
    for score in ("psnr", "ssim", "delta-e"):
        assert all_sizes.values[score] == pytest.approx(np.mean([row.values[score] for row in rows]))
    assert rows[0].values["ssim"] > rows[-1].values["ssim"]
    assert rows[0].values["frechet"] < rows[-1].values["frechet"]


@pytest.mark.parametrize(("number", "kind"), [(0, "strokes"), (1, "boxes"), (2, "strokes"), (7, "boxes")])
def test_holes_alternate_between_strokes_and_boxes_and_are_reproducible(number: int, kind: str) -> None:
    holes = draw_holes(number, (64, 48))
    assert [name for name, _ in holes] == list(SIZE_CLASSES)
    for index, (_, hole) in enumerate(holes):
        rng = np.random.default_rng([0, number, index])
        expected = draw_mask(rng, 64, 48, kinds=(kind,), size=HOLE_SIZES[index])
        assert np.array_equal(hole, expected > 0)


@pytest.mark.parametrize(
    ("fraction", "name"),
    [
        (0.004, "under 1%"),
        (0.01, "under 1%"),
        (0.011, "1-10%"),
        (0.1, "1-10%"),
        (0.15, "10-20%"),
        (0.25, "20-30%"),
        (0.35, "30-40%"),
        (0.45, "40-50%"),
        (0.6, "50-60%"),
        (0.601, "over 60%"),
        (0.99, "over 60%"),
    ],
)
def test_the_size_class_of_a_hole(fraction: float, name: str) -> None:
    assert size_class(fraction) == name


def write_mask(path: Path, fraction: float, side: int = 32) -> Path:
    """Write a square mask whose upper rows are white."""
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[: round(side * fraction)] = 255
    write_rgb(pixels, path)
    return path


def test_each_photo_gets_a_mask_of_each_size_and_unusable_masks_are_noted(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    for number, fraction in enumerate((0.25, 1.0, 0.5, 0.0, 0.75, 0.28125)):
        write_mask(masks / f"{number}.png", fraction, side=64 if number == 2 else 32)
    (masks / "6.png").write_bytes(b"no image")
    predictor = fill_with_error(5)
    result = score_inpainting(write_flat_photos(tmp_path / "photos", 3), predictor, masks=masks)
    fractions = [float(hole.mean()) for _, hole in predictor.inputs]
    assert fractions == [0.25, 0.5, 0.75, 0.28125, 0.5, 0.75, 0.25, 0.5, 0.75]
    assert [(row.group, row.images) for row in result.rows] == [
        ("20-30%", 3),
        ("40-50%", 3),
        ("over 60%", 3),
        ("all sizes", 9),
    ]
    full, empty, broken = result.notes
    assert f"{masks / '1.png'}: the mask covers the whole image" in full
    assert f"{masks / '3.png'}: the mask marks nothing" in empty
    assert f"{masks / '6.png'}: not an image" in broken
    assert str(masks) in result.protocol["holes"]


def test_a_photo_of_another_aspect_ratio_than_its_mask_is_skipped(tmp_path: Path) -> None:
    mask = write_mask(tmp_path / "masks" / "a.png", 0.5)
    photos = write_flat_photos(tmp_path / "photos", 2)
    noise(photos / "wide.png", 32, 50)
    result = score_inpainting(photos, fill_with_error(5), masks=mask.parent)
    assert result.images == 2
    (reason,) = result.skipped
    assert reason.startswith(f"{photos / 'wide.png'}: {mask}: ")
    assert "32x32" in reason
    assert "50x32" in reason


def test_a_photo_too_small_for_masks_is_skipped(tmp_path: Path) -> None:
    write_mask(tmp_path / "masks" / "a.png", 0.5)
    photos = write_flat_photos(tmp_path / "photos", 1)
    noise(photos / "small.png", 15, 15)
    result = score_inpainting(photos, fill_with_error(5), masks=tmp_path / "masks", scores=["psnr"])
    assert result.images == 1
    assert "15 x 15" in result.skipped[0]


def test_masks_that_are_missing_or_cannot_be_used_are_errors(tmp_path: Path) -> None:
    photos = write_flat_photos(tmp_path / "photos")
    for missing in (tmp_path / "nowhere", photos / "0.png"):
        with pytest.raises(UsageError, match=f"no masks in '{missing}'"):
            read_holes(missing, [])
    mask = write_mask(tmp_path / "masks" / "a.png", 1.0)
    with pytest.raises(DataError, match=f"{mask}: the mask covers the whole image"):
        score_inpainting(photos, fill_with_error(5), masks=mask.parent)


def test_baselines_fill_the_hole_and_keep_all_other_pixels() -> None:
    rows, columns = np.mgrid[:40, :48]
    truth = np.dstack([3 * rows, 2 * columns, rows + columns]).astype(np.uint8)
    hole = np.zeros((40, 48), bool)
    hole[10:20, 14:30] = True
    holed = np.where(hole[..., None], np.uint8(0), truth)
    for name, min_psnr in (("Telea", 20), ("Navier-Stokes", 25), ("biharmonic", 45)):
        image = BASELINES[name](holed, hole)
        assert image.dtype == np.uint8
        assert np.array_equal(image[~hole], truth[~hole])
        assert psnr(image[hole], truth[hole], data_range=255) > min_psnr, name


def test_opencv_baselines_use_a_radius_of_3_pixels() -> None:
    truth, hole = scene(40, 48), np.zeros((40, 48), bool)
    hole[10:20, 14:30] = True
    for name, method in (("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS)):
        expected = cv2.inpaint(truth, 255 * hole.astype(np.uint8), 3, method)
        assert np.array_equal(BASELINES[name](truth, hole), expected)


def test_baselines_have_a_row_for_each_size_beside_the_model(tmp_path: Path) -> None:
    photos = write_photos(tmp_path, 2)
    result = score_inpainting(photos, fill_with_error(5), scores=["psnr"], baselines=True)
    names = ["model", "Telea", "Navier-Stokes", "biharmonic"]
    assert [(row.group, row.name) for row in result.rows] == [
        (group, name) for group in (*SIZE_CLASSES, "all sizes") for name in names
    ]
    small, large = (find_row(result, "biharmonic", group) for group in ("1-10%", "50-60%"))
    assert small.values["psnr"] > large.values["psnr"]


def test_an_inpainting_network_is_scored(tmp_path: Path) -> None:
    result = score_inpainting(write_photos(tmp_path, 2), create_predictor(create_inpainter()))
    assert 0 < find_row(result, "model", "all sizes").values["psnr"] < 60
