"""Scores of models that colour, whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.evaluation.making import Network, Stub, colorize, colorizer, photos, predictor_of, row
from tests.unit.inference.making import scene
from translate.evaluation.colorization import gray
from translate.evaluation.photos import crop
from translate.evaluation.scoring import ImageScorer
from translate.images import read_rgb, write_rgb
from translate.images.color.lab import split_lab
from translate.images.tensors import to_tensor
from translate.metrics import frechet_distance, image_psnr, ssim


def test_gray_keeps_the_lightness_and_nothing_else() -> None:
    image = scene(30, 40)
    made = gray(image)
    assert np.ptp(made.astype(int), axis=2).max() <= 1
    before, after = (split_lab(to_tensor(one))[0] for one in (image, made))
    assert (before - after).abs().max() < 0.01
    assert np.abs(gray(made).astype(int) - made).max() <= 1


def test_a_model_that_knows_the_colours_is_perfect(tmp_path: Path) -> None:
    done = colorize(photos(tmp_path), Stub(lambda photo: photo))
    assert [one.name for one in done.rows] == ["gray", "model"]
    assert row(done, "model").values == pytest.approx(
        {
            "psnr": 100,
            "ssim": 1,
            "delta-e": 0,
            "colorfulness": row(done, "model").values["colorfulness"],
            "colorfulness-share": 1,
            "frechet": 0,
            "frechet-share": 0,
        },
        abs=1e-9,
    )
    assert row(done, "gray").values["frechet-share"] == 1
    assert row(done, "gray").values["colorfulness-share"] < 0.1
    assert (done.images, row(done, "gray").images, done.left_out) == (3, 3, [])


def test_the_scores_are_means_of_the_images(tmp_path: Path) -> None:
    files = sorted(photos(tmp_path).iterdir())
    done = colorize(tmp_path, Stub(lambda photo: 255 - photo))
    true = [crop(read_rgb(path)) for path in files]
    expected = [image_psnr(255 - one, one) for one in true]
    assert row(done, "model").values["psnr"] == pytest.approx(sum(expected) / 3)
    expected = [ssim(gray(one), one) for one in true]
    assert row(done, "gray").values["ssim"] == pytest.approx(sum(expected) / 3)
    network = Network()
    distance = frechet_distance(network([gray(one) for one in true]), network(true))
    assert row(done, "gray").values["frechet"] == pytest.approx(distance)


def test_of_a_flat_folder_all_photos_count_and_else_those_held_out(tmp_path: Path) -> None:
    flat = colorize(photos(tmp_path / "flat", 21), Stub(lambda photo: photo), scores=["psnr"])
    assert (flat.images, flat.protocol["images"].split(";")[0]) == (
        21,
        f"all photos of {tmp_path / 'flat'}",
    )
    for name, expected in (("train", 2), ("val", 21), ("test", 21)):
        photos(tmp_path / name / "train", 21)
        photos(tmp_path / name / name, 21)
        apart = colorize(tmp_path / name, Stub(lambda photo: photo), scores=["psnr"])
        assert apart.images == expected
        assert apart.protocol["images"].startswith("held-out photos of")


def test_gray_photos_have_no_colour_to_have_a_share_of(tmp_path: Path) -> None:
    for seed in range(2):
        write_rgb(np.full((16, 16, 3), 100 * seed, np.uint8), tmp_path / f"{seed}.png")
    done = colorize(tmp_path, Stub(lambda photo: photo))
    assert row(done, "model").values["colorfulness-share"] is None
    assert row(done, "model").values["frechet-share"] is None
    assert row(done, "gray").values["psnr"] == 100


def test_one_image_is_no_set(tmp_path: Path) -> None:
    done = colorize(photos(tmp_path, 1), Stub(lambda photo: photo))
    assert row(done, "model").values["frechet"] is None
    assert row(done, "model").values["psnr"] == 100


def test_only_what_was_asked_for_is_scored(tmp_path: Path) -> None:
    done = colorize(photos(tmp_path), Stub(lambda photo: photo), scorer=ImageScorer(["delta-e"]))
    assert [list(one.values) for one in done.rows] == [["delta-e"]] * 2
    only = colorize(tmp_path, Stub(lambda photo: photo), scorer=ImageScorer([], Network()))
    assert [list(one.values) for one in only.rows] == [["frechet", "frechet-share"]] * 2


def test_a_real_model_of_colorize(tmp_path: Path) -> None:
    done = colorize(photos(tmp_path), predictor_of(colorizer()))
    assert row(done, "model").values["colorfulness"] > row(done, "gray").values["colorfulness"]
