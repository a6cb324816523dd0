"""Scores of models whose answers are known: each kind's table, its protocol, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.pictures import noise
from tests.unit.inference.making import applied, lively, scene
from translate.config import GeneratorSpec, ModelConfig, Pix2PixConfig
from translate.data.layouts import find_paired
from translate.data.masks import HOLE_SIZES, draw_mask
from translate.data.sets import Draw, PairedSet
from translate.errors import DataError, UsageError
from translate.images import read_rgb, write_rgb
from translate.images.lab import split_lab
from translate.images.tensors import to_tensor
from translate.metrics import frechet_distance, picture_psnr, ssim
from translate.metrics.frechet import FEATURES, Features
from translate.metrics.pictures import Pixels
from translate.tasks.evaluation import (
    Request,
    colorize,
    crop,
    gray,
    inpaint,
    kind_of,
    paired,
    unpaired,
)
from translate.tasks.holes import BASELINES, CLASSES, drawn, mask_files, size_class
from translate.tasks.scoring import MEASURES, Critic, Evaluation, Row


class Stub:
    """A translator with any answer; it keeps what it was given."""

    def __init__(self, answer: Any, direction: str = "AtoB") -> None:
        self.answer, self.direction, self.given = answer, direction, []

    def __call__(self, *given: Any) -> Pixels:
        self.given.append(given)
        return self.answer(*given)


class Network:
    """Features that tell pictures apart: 4 x 4 of their colours; it counts what it sees."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pictures: Iterable[Pixels]) -> Features:
        features = np.zeros((0, FEATURES))
        for picture in pictures:
            self.seen += 1
            small = cv2.resize(picture, (4, 4), interpolation=cv2.INTER_AREA).ravel() / 255
            features = np.concatenate([features, np.pad(small, (0, FEATURES - small.size))[None]])
        return features


def request(data: Path, *translators: Stub, scores: Iterable[str] = MEASURES, **more: Any) -> Request:
    critic = more.pop("critic", None) or Critic(list(scores), Network())
    return Request(translators={t.direction: t for t in translators}, data=str(data), critic=critic, **more)


def row(done: Evaluation, name: str, group: str = "") -> Row:
    (found,) = [row for row in done.rows if (row.group, row.name) == (group, name)]
    return found


def photos(folder: Path, count: int = 3, height: int = 40, width: int = 48) -> Path:
    """A flat folder of smooth pictures, each other."""
    for seed in range(count):
        write_rgb(np.roll(scene(height, width, seed), 9 * seed, axis=1), folder / f"{seed}.png")
    return folder


# Crops and gray


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


def test_gray_keeps_the_lightness_and_nothing_else() -> None:
    picture = scene(30, 40)
    made = gray(picture)
    assert np.ptp(made.astype(int), axis=2).max() <= 1
    before, after = (split_lab(to_tensor(one))[0] for one in (picture, made))
    assert (before - after).abs().max() < 0.01
    assert np.abs(gray(made).astype(int) - made).max() <= 1


# Colorize


def test_a_model_that_knows_the_colours_is_perfect(tmp_path: Path) -> None:
    done = colorize(request(photos(tmp_path), Stub(lambda photo: photo)))
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
    assert (done.pictures, row(done, "gray").pictures, done.left_out) == (3, 3, [])


def test_the_scores_are_means_of_the_pictures(tmp_path: Path) -> None:
    files = sorted(photos(tmp_path).iterdir())
    done = colorize(request(tmp_path, Stub(lambda photo: 255 - photo)))
    true = [crop(read_rgb(path)) for path in files]
    expected = [picture_psnr(255 - one, one) for one in true]
    assert row(done, "model").values["psnr"] == pytest.approx(sum(expected) / 3)
    expected = [ssim(gray(one), one) for one in true]
    assert row(done, "gray").values["ssim"] == pytest.approx(sum(expected) / 3)
    network = Network()
    distance = frechet_distance(network([gray(one) for one in true]), network(true))
    assert row(done, "gray").values["frechet"] == pytest.approx(distance)


def test_of_a_flat_folder_all_photos_count_and_else_those_held_out(tmp_path: Path) -> None:
    flat = colorize(request(photos(tmp_path / "flat", 21), Stub(lambda photo: photo), scores=["psnr"]))
    assert (flat.pictures, flat.protocol["pictures"].split(";")[0]) == (
        21,
        f"all photos of {tmp_path / 'flat'}",
    )
    for name, expected in (("train", 2), ("val", 21), ("test", 21)):
        photos(tmp_path / name / "train", 21)
        photos(tmp_path / name / name, 21)
        apart = colorize(request(tmp_path / name, Stub(lambda photo: photo), scores=["psnr"]))
        assert apart.pictures == expected
        assert apart.protocol["pictures"].startswith("held-out photos of")


def test_gray_photos_have_no_colour_to_have_a_share_of(tmp_path: Path) -> None:
    for seed in range(2):
        write_rgb(np.full((16, 16, 3), 100 * seed, np.uint8), tmp_path / f"{seed}.png")
    done = colorize(request(tmp_path, Stub(lambda photo: photo)))
    assert row(done, "model").values["colorfulness-share"] is None
    assert row(done, "model").values["frechet-share"] is None
    assert row(done, "gray").values["psnr"] == 100


def test_one_picture_is_no_set(tmp_path: Path) -> None:
    done = colorize(request(photos(tmp_path, 1), Stub(lambda photo: photo)))
    assert row(done, "model").values["frechet"] is None
    assert row(done, "model").values["psnr"] == 100


def test_only_what_was_asked_for_is_scored(tmp_path: Path) -> None:
    done = colorize(request(photos(tmp_path), Stub(lambda photo: photo), critic=Critic(["delta-e"])))
    assert [list(one.values) for one in done.rows] == [["delta-e"]] * 2
    only = Request(translators={"AtoB": Stub(lambda p: p)}, data=str(tmp_path), critic=Critic([], Network()))
    assert [list(one.values) for one in colorize(only).rows] == [["frechet", "frechet-share"]] * 2


def test_a_real_model_of_colorize(tmp_path: Path) -> None:
    model = lively("unet", in_channels=1, out_channels=2)
    model.config = model.config.replace(color="Lab", working_size=32)
    done = colorize(request(photos(tmp_path), applied(model)))
    assert row(done, "model").values["colorfulness"] > row(done, "gray").values["colorfulness"]


# Inpaint


def off_by(level: int) -> Stub:
    """A translator that fills holes by truth it cannot know: the first pixel, the photos being flat."""
    return Stub(lambda holed, hole: np.where(hole[..., None], np.uint8(100 + level), holed))


def flat_photos(folder: Path, count: int = 2) -> Path:
    for number in range(count):
        write_rgb(np.full((32, 32, 3), 100, np.uint8), folder / f"{number}.png")
    return folder


def test_each_photo_has_a_hole_of_each_size_and_only_that_is_scored(tmp_path: Path) -> None:
    done = inpaint(request(flat_photos(tmp_path), translator := off_by(5)))
    assert [one.group for one in done.rows] == [*CLASSES, "all sizes"]
    assert [one.pictures for one in done.rows] == [2] * 6 + [12]
    for one in done.rows:
        assert one.values["psnr"] == pytest.approx(20 * np.log10(255 / 5))
    for index, (holed, hole) in enumerate(translator.given):
        low, high = HOLE_SIZES[index % 6]
        assert low <= hole.mean() <= high
        assert (holed[hole] == 0).all()
        assert (holed[~hole] == 100).all()
    assert done.pictures == 2


def test_all_sizes_are_the_mean_of_all(tmp_path: Path) -> None:
    done = inpaint(request(photos(tmp_path), Stub(lambda holed, hole: holed)))
    *each, together = done.rows
    for score in ("psnr", "ssim", "delta-e"):
        assert together.values[score] == pytest.approx(np.mean([one.values[score] for one in each]))
    assert each[0].values["ssim"] > each[-1].values["ssim"]
    assert each[0].values["frechet"] < each[-1].values["frechet"]


@pytest.mark.parametrize(("number", "kind"), [(0, "strokes"), (1, "boxes"), (2, "strokes"), (7, "boxes")])
def test_holes_are_strokes_and_boxes_by_turns_the_same_each_time(number: int, kind: str) -> None:
    holes = drawn(number, (64, 48))
    assert [name for name, _ in holes] == list(CLASSES)
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
    (folder / "6.png").write_bytes(b"no picture")
    photos = flat_photos(tmp_path / "photos", 3)
    done = inpaint(request(photos, translator := off_by(5), masks=folder))
    shares = [float(hole.mean()) for _, hole in translator.given]
    assert shares == [0.25, 0.5, 0.75, 0.28125, 0.5, 0.75, 0.25, 0.5, 0.75]
    assert [(one.group, one.pictures) for one in done.rows] == [
        ("20-30%", 3),
        ("40-50%", 3),
        ("over 60%", 3),
        ("all sizes", 9),
    ]
    assert done.notes[:2] == [
        f"mask {folder / '1.png'} is left out: all is hole",
        f"mask {folder / '3.png'} is left out: nothing is hole",
    ]
    assert done.notes[2].startswith(f"mask {folder / '6.png'}: not a picture")
    assert done.notes[2].endswith("left out")
    assert done.protocol["holes"].startswith("in each photo one of each size that there is")
    assert done.protocol["holes"].endswith(f"of the masks of {folder}")


def test_a_photo_of_another_aspect_than_its_mask_is_left_out(tmp_path: Path) -> None:
    mask(tmp_path / "masks" / "a.png", 0.5)
    folder = flat_photos(tmp_path / "photos", 2)
    noise(folder / "wide.png", 32, 50)
    done = inpaint(request(folder, off_by(5), masks=tmp_path / "masks"))
    assert done.pictures == 2
    (reason,) = done.left_out
    assert reason.startswith(f"{folder / 'wide.png'}: {tmp_path / 'masks' / 'a.png'}: a mask of 32x32")


def test_masks_that_are_not_there_or_of_no_use(tmp_path: Path) -> None:
    for missing in (tmp_path / "nowhere", flat_photos(tmp_path / "photos") / "0.png"):
        with pytest.raises(UsageError, match=r"no masks in .*: give a folder of them, white in the hole"):
            mask_files(missing, [])
    mask(tmp_path / "masks" / "a.png", 1.0)
    with pytest.raises(DataError, match=r"no mask of .* is of use; mask .*a.png is left out: all is hole"):
        inpaint(request(tmp_path / "photos", off_by(5), masks=tmp_path / "masks"))


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
        assert picture_psnr(filled, truth, hole) > least, name


def test_opencvs_two_ways_look_3_px_around() -> None:
    truth, hole = scene(40, 48), np.zeros((40, 48), bool)
    hole[10:20, 14:30] = True
    for name, way in (("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS)):
        expected = cv2.inpaint(truth, 255 * hole.astype(np.uint8), 3, way)
        assert np.array_equal(BASELINES[name](truth, hole), expected)


def test_the_baselines_have_rows_beside_the_models(tmp_path: Path) -> None:
    network = Network()
    critic = Critic(["psnr"], network)
    done = inpaint(request(photos(tmp_path, 2), off_by(5), critic=critic, baselines=True))
    names = ["model", "Telea", "Navier-Stokes", "biharmonic"]
    assert [(one.group, one.name) for one in done.rows] == [
        (group, name) for group in (*CLASSES, "all sizes") for name in names
    ]
    assert network.seen == 2 * (1 + 6 * 4)  # each truth once
    assert row(done, "biharmonic", "1-10%").values["psnr"] > row(done, "biharmonic", "50-60%").values["psnr"]


def test_a_real_model_of_inpaint(tmp_path: Path) -> None:
    model = lively("inpainter", in_channels=4, out_channels=3)
    model.config = model.config.replace(mask=True)
    done = inpaint(request(photos(tmp_path, 2), applied(model)))
    assert 0 < row(done, "model", "all sizes").values["psnr"] < 60


# Pairs


def joined(folder: Path, count: int = 2) -> Path:
    """A|B files, B being A in negative, the held-out ones in val."""
    for seed in range(count):
        a = scene(24, 20, seed)
        write_rgb(np.hstack([a, 255 - a]), folder / "val" / f"{seed}.png")
        write_rgb(np.hstack([a, a]), folder / "train" / f"{seed}.png")
    return folder


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_held_out_pairs_are_translated_and_compared(tmp_path: Path, direction: str) -> None:
    folder = joined(tmp_path)
    translator = Stub(lambda picture: 255 - picture, direction)
    done = paired(request(folder, translator, scores=["psnr", "ssim", "delta-e"]))
    values = row(done, "model").values
    assert values == pytest.approx({"psnr": 100, "ssim": 1, "delta-e": 0, "frechet": 0}, abs=1e-9)
    assert row(done, "untranslated").values["psnr"] < 20
    half = 0 if direction == "AtoB" else 20
    expected = read_rgb(folder / "val" / "0.png")[:, half : half + 20]
    assert np.array_equal(translator.given[0][0], expected)
    assert done.protocol["pictures"] == f"held-out pairs of {folder}, at their own size"


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (16, 20), (16, 60)])
def test_a_partner_of_another_size_is_brought_to_as_it_is_in_training(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    noise(tmp_path / "A" / "1.png", 32, 32)
    noise(tmp_path / "B" / "1.png", *size, seed=1)
    c = Pix2PixConfig(generator="resnet", preprocess="none", image_size=32)
    pairs = find_paired(str(tmp_path), None, None).train
    in_training = PairedSet(pairs, c, training=False)[Draw(0, 0)]["b"].permute(1, 2, 0).numpy()
    done = paired(request(tmp_path, Stub(lambda picture: in_training), scores=["psnr"]))
    assert row(done, "model").values["psnr"] == 100
    assert done.protocol["pictures"].startswith("all pairs")


def test_a_gray_answer_is_compared_in_colour(tmp_path: Path) -> None:
    done = paired(request(joined(tmp_path), Stub(lambda picture: picture[..., :1])))
    assert row(done, "model").values["psnr"] < 30


def test_pairs_without_a_partner_are_told(tmp_path: Path) -> None:
    for name in ("A/1.png", "A/2.png", "B/1.png"):
        noise(tmp_path / name)
    done = paired(request(tmp_path, Stub(lambda picture: picture)))
    assert done.notes == [f"no partner in {tmp_path / 'B'}, left out: {tmp_path / 'A' / '2.png'}"]


# Two kinds


def two_kinds(folder: Path, count: int = 3) -> Path:
    for seed in range(count):
        for kind in "AB":
            picture = scene(24, 20, seed)
            picture = 255 - picture if kind == "B" else picture
            write_rgb(picture, folder / f"test{kind}" / f"{seed}.png")
            noise(folder / f"train{kind}" / f"{seed}.png")
    return folder


def test_both_directions_beside_the_untranslated(tmp_path: Path) -> None:
    folder = two_kinds(tmp_path)
    there, back = Stub(lambda picture: 255 - picture), Stub(lambda picture: picture // 2, "BtoA")
    done = unpaired(request(folder, there, back, scores=[]))
    a, b = (
        Network()([read_rgb(path) for path in sorted((folder / f"test{kind}").iterdir())]) for kind in "AB"
    )
    assert [(one.group, one.name, one.pictures) for one in done.rows] == [
        ("A to B", "untranslated", 3),
        ("A to B", "model", 3),
        ("B to A", "untranslated", 3),
        ("B to A", "model", 3),
    ]
    assert row(done, "model", "A to B").values["frechet"] == pytest.approx(0, abs=1e-9)
    for group in ("A to B", "B to A"):
        assert row(done, "untranslated", group).values["frechet"] == pytest.approx(frechet_distance(a, b))
    halved = [read_rgb(path) // 2 for path in sorted((folder / "testB").iterdir())]
    expected = frechet_distance(Network()(halved), a)
    assert row(done, "model", "B to A").values["frechet"] == pytest.approx(expected)
    assert (len(there.given), len(back.given), done.pictures) == (3, 3, 6)


def test_a_model_of_one_direction_has_that_one_only(tmp_path: Path) -> None:
    done = unpaired(request(two_kinds(tmp_path), Stub(lambda picture: picture, "BtoA"), scores=[]))
    assert {one.group for one in done.rows} == {"B to A"}


def test_too_few_pictures_of_a_kind(tmp_path: Path) -> None:
    done = unpaired(request(two_kinds(tmp_path, 1), Stub(lambda picture: picture), scores=[]))
    assert [one.values["frechet"] for one in done.rows] == [None, None]


# What all kinds share


def test_what_cannot_be_scored_is_left_out_of_every_row_and_named(tmp_path: Path) -> None:
    photos(tmp_path, 2)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    noise(tmp_path / "small.png", 8, 40)
    done = colorize(request(tmp_path, Stub(lambda photo: photo)))
    assert {one.pictures for one in done.rows} == {done.pictures} == {2}
    assert [reason.split(": ")[0] for reason in done.left_out] == [
        str(tmp_path / "broken.png"),
        str(tmp_path / "small.png"),
    ]
    assert "40 x 8 pixels are too few for SSIM" in done.left_out[1]
    assert colorize(request(tmp_path, Stub(lambda photo: photo), scores=["psnr"])).pictures == 3


def test_nothing_that_can_be_scored(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(
        DataError, match=r"none of 1 pictures can be scored; the first: .*broken\.png: not a pic"
    ):
        colorize(request(tmp_path, Stub(lambda photo: photo)))


@pytest.mark.parametrize("kind", [colorize, inpaint])
def test_progress_goes_forward(tmp_path: Path, kind: Any) -> None:
    told: list[tuple[float, int]] = []
    stub = Stub(lambda photo, hole=None: photo)
    kind(request(photos(tmp_path), stub, scores=["psnr"], progress=lambda *state: told.append(state)))
    assert {total for _, total in told} == {3}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {0, 1, 2} <= {done for done, _ in told}
    assert told[-1][0] < 3


def test_a_truth_is_looked_at_once(tmp_path: Path) -> None:
    network = Network()
    colorize(request(photos(tmp_path), Stub(lambda photo: photo), critic=Critic([], network)))
    assert network.seen == 3 * 3


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"color": "Lab"}, "colorize"),
        ({"mask": True, "recipe": "inpaint"}, "inpaint"),
        ({"recipe": "pix2pix"}, "pix2pix"),
        ({"recipe": "cyclegan"}, "cyclegan"),
    ],
)
def test_the_kind_of_a_model(settings: dict[str, Any], kind: str) -> None:
    assert kind_of(ModelConfig(**settings)) == kind


@pytest.mark.parametrize("recipe", ["", "stargan"])
def test_a_model_of_no_known_kind(recipe: str) -> None:
    spec = GeneratorSpec(name="identity")
    with pytest.raises(
        UsageError, match=f"recipe '{recipe}' has no scores: give a model of colorize, inpaint, "
    ):
        kind_of(ModelConfig(recipe=recipe, generator=spec))


def test_scoring_draws_nothing_from_torchs_generator(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    inpaint(request(photos(tmp_path, 1), off_by(5)))
    assert torch.equal(before, torch.get_rng_state())
