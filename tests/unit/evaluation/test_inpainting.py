"""Scores of models that fill holes, whose answers are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.images import noise
from tests.unit.evaluation.making import Network, Stub, inpaint, inpainter, off_by, photos, predictor_of, row
from tests.unit.inference.making import scene
from translate.data.datasets.masks import HOLE_SIZES, draw_mask
from translate.errors import DataError, UsageError
from translate.evaluation.holes import BASELINES, SIZE_CLASSES, draw_holes, holes_from_files, size_class
from translate.evaluation.scoring import ImageScorer
from translate.images import write_rgb
from translate.metrics import image_psnr


def flat_photos(folder: Path, count: int = 2) -> Path:
    for number in range(count):
        write_rgb(np.full((32, 32, 3), 100, np.uint8), folder / f"{number}.png")
    return folder


def test_each_photo_has_a_hole_of_each_size_and_only_that_is_scored(tmp_path: Path) -> None:
    done = inpaint(flat_photos(tmp_path), predictor := off_by(5))
    assert [one.group for one in done.rows] == [*SIZE_CLASSES, "all sizes"]
    assert [one.images for one in done.rows] == [2] * 6 + [12]
    for one in done.rows:
        assert one.values["psnr"] == pytest.approx(20 * np.log10(255 / 5))
    for index, (holed, hole) in enumerate(predictor.given):
        low, high = HOLE_SIZES[index % 6]
        assert low <= hole.mean() <= high
        assert (holed[hole] == 0).all()
        assert (holed[~hole] == 100).all()
    assert done.images == 2


def test_all_sizes_are_the_mean_of_all(tmp_path: Path) -> None:
    done = inpaint(photos(tmp_path), Stub(lambda holed, hole: holed))
    *each, together = done.rows
    for score in ("psnr", "ssim", "delta-e"):
        assert together.values[score] == pytest.approx(np.mean([one.values[score] for one in each]))
    assert each[0].values["ssim"] > each[-1].values["ssim"]
    assert each[0].values["frechet"] < each[-1].values["frechet"]


@pytest.mark.parametrize(("number", "kind"), [(0, "strokes"), (1, "boxes"), (2, "strokes"), (7, "boxes")])
def test_holes_are_strokes_and_boxes_by_turns_the_same_each_time(number: int, kind: str) -> None:
    holes = draw_holes(number, (64, 48))
    assert [name for name, _ in holes] == list(SIZE_CLASSES)
    for index, (_, hole) in enumerate(holes):
        random = np.random.default_rng([0, number, index])
        expected = draw_mask(random, 64, 48, kinds=(kind,), size=HOLE_SIZES[index])
        assert np.array_equal(hole, expected > 0)


@pytest.mark.parametrize(
    ("share", "name"),
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
def test_the_class_of_a_hole(share: float, name: str) -> None:
    assert size_class(share) == name


def mask(path: Path, share: float, side: int = 32) -> Path:
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[: round(side * share)] = 255
    write_rgb(pixels, path)
    return path


def test_each_photo_gets_a_mask_of_each_size_and_those_of_no_use_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    for number, share in enumerate((0.25, 1.0, 0.5, 0.0, 0.75, 0.28125)):
        mask(folder / f"{number}.png", share, side=64 if number == 2 else 32)
    (folder / "6.png").write_bytes(b"no image")
    photos = flat_photos(tmp_path / "photos", 3)
    done = inpaint(photos, predictor := off_by(5), masks=folder)
    shares = [float(hole.mean()) for _, hole in predictor.given]
    assert shares == [0.25, 0.5, 0.75, 0.28125, 0.5, 0.75, 0.25, 0.5, 0.75]
    assert [(one.group, one.images) for one in done.rows] == [
        ("20-30%", 3),
        ("40-50%", 3),
        ("over 60%", 3),
        ("all sizes", 9),
    ]
    assert done.notes[:2] == [
        f"mask {folder / '1.png'} is left out: all is hole",
        f"mask {folder / '3.png'} is left out: nothing is hole",
    ]
    assert done.notes[2].startswith(f"mask {folder / '6.png'}: not an image")
    assert done.notes[2].endswith("left out")
    assert done.protocol["holes"].startswith("in each photo one of each size that there is")
    assert done.protocol["holes"].endswith(f"of the masks of {folder}")


def test_a_photo_of_another_aspect_than_its_mask_is_left_out(tmp_path: Path) -> None:
    mask(tmp_path / "masks" / "a.png", 0.5)
    folder = flat_photos(tmp_path / "photos", 2)
    noise(folder / "wide.png", 32, 50)
    done = inpaint(folder, off_by(5), masks=tmp_path / "masks")
    assert done.images == 2
    (reason,) = done.left_out
    assert reason.startswith(f"{folder / 'wide.png'}: {tmp_path / 'masks' / 'a.png'}: a mask of 32x32")


def test_masks_that_are_not_there_or_of_no_use(tmp_path: Path) -> None:
    for missing in (tmp_path / "nowhere", flat_photos(tmp_path / "photos") / "0.png"):
        with pytest.raises(UsageError, match=r"no masks in .*: give a folder of them, white in the hole"):
            holes_from_files(missing, [])
    mask(tmp_path / "masks" / "a.png", 1.0)
    with pytest.raises(DataError, match=r"no mask of .* is of use; mask .*a.png is left out: all is hole"):
        inpaint(tmp_path / "photos", off_by(5), masks=tmp_path / "masks")


def test_the_baselines_fill_holes_and_touch_nothing_else() -> None:
    rows, columns = np.mgrid[:40, :48]
    truth = np.dstack([3 * rows, 2 * columns, rows + columns]).astype(np.uint8)
    hole = np.zeros((40, 48), bool)
    hole[10:20, 14:30] = True
    holed = np.where(hole[..., None], np.uint8(0), truth)
    for name, least in (("Telea", 20), ("Navier-Stokes", 25), ("biharmonic", 45)):
        filled = BASELINES[name](holed, hole)
        assert filled.dtype == np.uint8
        assert np.array_equal(filled[~hole], truth[~hole])
        assert image_psnr(filled, truth, hole) > least, name


def test_opencvs_two_ways_look_3_px_around() -> None:
    truth, hole = scene(40, 48), np.zeros((40, 48), bool)
    hole[10:20, 14:30] = True
    for name, way in (("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS)):
        expected = cv2.inpaint(truth, 255 * hole.astype(np.uint8), 3, way)
        assert np.array_equal(BASELINES[name](truth, hole), expected)


def test_the_baselines_have_rows_beside_the_models(tmp_path: Path) -> None:
    network = Network()
    scorer = ImageScorer(["psnr"], network)
    done = inpaint(photos(tmp_path, 2), off_by(5), scorer=scorer, baselines=True)
    names = ["model", "Telea", "Navier-Stokes", "biharmonic"]
    assert [(one.group, one.name) for one in done.rows] == [
        (group, name) for group in (*SIZE_CLASSES, "all sizes") for name in names
    ]
    assert network.count == 2 * (1 + 6 * 4)  # each truth once
    assert row(done, "biharmonic", "1-10%").values["psnr"] > row(done, "biharmonic", "50-60%").values["psnr"]


def test_a_real_model_of_inpaint(tmp_path: Path) -> None:
    done = inpaint(photos(tmp_path, 2), predictor_of(inpainter()))
    assert 0 < row(done, "model", "all sizes").values["psnr"] < 60
