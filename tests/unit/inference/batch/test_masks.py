"""Masks of a folder: which one belongs to which photo, and the failure where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.images import noise
from tests.unit.inference.making import Negative, load, predictor_of
from translate.config import GeneratorSpec, ModelConfig
from translate.errors import UsageError
from translate.images import Hole, read
from translate.inference import Outcome, Predictor, translate_folder
from translate.models import Model
from translate.networks import create_generator

HEIGHT, WIDTH = 24, 32


@pytest.fixture(scope="module")
def inpainter() -> Predictor:
    """Return a small inpainting model."""
    spec = GeneratorSpec(name="inpainter", args={"width": 4})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_generator(spec)
        nn.init.normal_(network.last.bias)  # so that filled pixels differ from the original ones
    config = ModelConfig(kind="inpainting", generator=spec, in_channels=4, size_multiple=32)
    return load(Model(config, {"AtoB": network}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    return tmp_path / "masks"


def photo(path: Path, seed: int = 0) -> Path:
    return noise(path, HEIGHT, WIDTH, seed)


def box(top: int = 4, bottom: int = 12, left: int = 6, right: int = 20) -> Hole:
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[top:bottom, left:right] = True
    return hole


def mask(path: Path, hole: Hole) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(255 * hole.astype(np.uint8)).save(path)
    return path


def apply(
    inpainter: Predictor, root: Path, out: Path, path: Path | None = None, **options: Any
) -> dict[str, Outcome]:
    """Inpaint a folder; return the outcome of each file by its path in the folder."""
    mask = None if path is None else str(path)
    outcomes = translate_folder(inpainter, [root], out, mask=mask, **options)
    return {str(outcome.source.relative_to(root)): outcome for outcome in outcomes}


def changed_pixels(before: Path, after: Path) -> Hole:
    """Return which pixels differ between two files."""
    (a,), (b,) = read(before).frames, read(after).frames
    return np.asarray((a.pixels != b.pixels).any(axis=2))


def fills_only(before: Path, after: Path, hole: Hole) -> bool:
    """Return whether pixels changed_pixels in the hole only, and nearly all of those."""
    difference = changed_pixels(before, after)
    return not (difference & ~hole).any() and (difference & hole).sum() > 0.9 * hole.sum()


# Which mask belongs to which photo


@pytest.mark.parametrize("workers", [0, 2])
def test_one_mask_serves_all_photos(
    workers: int, inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    names = ["a.png", "b.bmp", "sub/c.png"]
    for number, name in enumerate(names):
        photo(root / name, number)
    path = mask(tmp_path / "m.png", box())
    outcomes = apply(inpainter, root, out, path, workers=workers)
    assert list(outcomes) == names
    for name, outcome in outcomes.items():
        assert (outcome.failure, outcome.note, outcome.skipped) == ("", "", "")
        assert fills_only(root / name, out / name, box())


def test_masks_of_a_folder_are_found_by_subfolder_and_stem_and_then_by_stem(
    inpainter: Predictor, root: Path, out: Path, masks: Path
) -> None:
    holes = {"a": box(), "sub/a": box(0, 5, 0, 32), "b": box(20, 24, 0, 9), "x.1": box(10, 20, 20, 30)}
    for name, hole in holes.items():
        mask(masks / f"{name}.png", hole)
    expected = {"a.jpg.png": None, "a.png": "a", "other/b.png": "b", "sub/a.tif": "sub/a", "x.1.png": "x.1"}
    for name in expected:
        photo(root / name)
    outcomes = apply(inpainter, root, out, masks)
    for name, stem in expected.items():
        if stem is None:
            assert "'a.jpg'" in outcomes[name].failure
        else:
            assert fills_only(root / name, out / name, holes[stem])


def test_a_renamed_target_gets_the_mask_of_its_source(
    inpainter: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.bmp", "a.png"):
        photo(root / name)
    mask(masks / "a.png", box())
    outcomes = apply(inpainter, root, out, masks, format="png")
    assert sorted(outcome.target.name for outcome in outcomes.values()) == ["a-2.png", "a.png"]
    for name, outcome in outcomes.items():
        assert fills_only(root / name, outcome.target, box())


def test_the_mask_of_a_single_photo_is_found_by_stem(
    inpainter: Predictor, tmp_path: Path, out: Path, masks: Path
) -> None:
    path = photo(tmp_path / "deep" / "down" / "a.png")
    mask(masks / "a.png", box())
    (outcome,) = translate_folder(inpainter, [path], out, mask=str(masks))
    assert fills_only(path, outcome.target, box())


def test_without_masks_transparent_pixels_are_filled(inpainter: Predictor, root: Path, out: Path) -> None:
    root.mkdir()
    planes = np.random.default_rng(0).integers(1, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    planes[..., 3][box()] = 0
    Image.fromarray(planes).save(root / "a.png")
    photo(root / "opaque.png")
    outcomes = apply(inpainter, root, out)
    assert fills_only(root / "a.png", out / "a.png", box())
    (written,) = read(out / "a.png").frames
    assert written.alpha is not None
    assert np.array_equal(written.alpha, np.where(box(), 255, planes[..., 3]))
    failure = outcomes["opaque.png"].failure
    assert str(root / "opaque.png") in failure
    assert "give --mask" in failure


def test_a_mask_takes_precedence_over_transparency(
    inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    root.mkdir()
    planes = np.full((HEIGHT, WIDTH, 4), 77, np.uint8)
    planes[:3, :, 3] = 0
    Image.fromarray(planes).save(root / "a.png")
    apply(inpainter, root, out, mask(tmp_path / "m.png", box()))
    (written,) = read(out / "a.png").frames
    assert written.alpha is not None
    assert np.array_equal(written.alpha, np.where(box(), 255, planes[..., 3]))


# Invert and dilate


@pytest.mark.parametrize(
    ("options", "hole"),
    [
        ({"invert": True}, ~box()),
        ({"dilate": 3}, box(1, 15, 3, 23)),
        ({"invert": True, "dilate": 2}, ~box(6, 10, 8, 18)),
    ],
)
def test_a_hole_can_be_inverted_and_dilated(
    options: dict[str, Any], hole: Hole, inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    photo(root / "a.png")
    apply(inpainter, root, out, mask(tmp_path / "m.png", box()), **options)
    difference = changed_pixels(root / "a.png", out / "a.png")
    assert not (difference & ~hole).any()
    assert (difference & hole).sum() > 0.9 * hole.sum()  # dilation rounds the corners off


def test_a_transparent_hole_can_be_dilated(inpainter: Predictor, root: Path, out: Path) -> None:
    """The edge of an eraser is soft, and leaves some of the object behind."""
    root.mkdir()
    planes = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    planes[..., :3] = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3))
    planes[..., 3][box()] = 0
    Image.fromarray(planes).save(root / "a.png")
    apply(inpainter, root, out, dilate=3)
    difference = changed_pixels(root / "a.png", out / "a.png")
    assert difference[1:15, 6:20].mean() > 0.9
    assert not (difference & ~box(1, 15, 3, 23)).any()


# Failures


def test_a_photo_without_a_mask_fails_and_the_others_are_written(
    inpainter: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        photo(root / name)
    for name in ("a.png", "c.png"):
        mask(masks / name, box())
    failures = {name: outcome.failure for name, outcome in apply(inpainter, root, out, masks).items()}
    assert (failures["a.png"], failures["c.png"]) == ("", "")
    assert all(part in failures["b.png"] for part in (str(root / "b.png"), "no mask", "'b'", str(masks)))
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "c.png"]


def test_the_failure_of_an_unusable_mask_names_the_mask_and_the_photo(
    inpainter: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png"):
        photo(root / name)
    mask(masks / "a.png", np.zeros((10, 30), bool))
    (masks / "b.png").write_text("no image")
    outcomes = apply(inpainter, root, out, masks)
    for name, reason in (("a.png", "30x10"), ("b.png", "not an image")):
        failure = outcomes[name].failure
        assert str(root / name) in failure
        assert str(masks / name) in failure
        assert reason in failure
    assert not out.exists()


def test_an_empty_mask_fails_and_nothing_is_written(
    inpainter: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png"):
        photo(root / name)
    mask(masks / "a.png", box() & False)
    mask(masks / "b.png", box())
    outcomes = apply(inpainter, root, out, masks)
    assert "only 0 (768 pixels)" in outcomes["a.png"].failure
    assert outcomes["b.png"].failure == ""
    assert [path.name for path in out.iterdir()] == ["b.png"]


def test_a_mask_of_most_of_the_photo_is_noted(
    inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    """It may be black where the photo is to be filled."""
    photo(root / "a.png")
    (outcome,) = apply(inpainter, root, out, mask(tmp_path / "m.png", ~box())).values()
    assert outcome.failure == ""
    assert "85%" in outcome.note
    assert "--invert" in outcome.note


# Masks beside their photos


@pytest.mark.parametrize("ending", ["_mask", "-mask", ".mask", "_MASK", "_mask001", " Mask"])
@pytest.mark.parametrize("place", ["none", "same", "inside"])
def test_a_mask_beside_its_photo_is_found_and_is_no_photo(
    ending: str, place: str, inpainter: Predictor, root: Path, out: Path
) -> None:
    masks = root / "masks" if place == "inside" else root
    for number, name in enumerate(("a", "b")):
        photo(root / f"{name}.png", number)
        mask(masks / f"{name}{ending}.png", box(top=number))
    outcomes = apply(inpainter, root, out, {"none": None, "same": root, "inside": masks}[place])
    assert sorted(outcomes) == ["a.png", "b.png"]
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.png")) == ["a.png", "b.png"]
    for number, name in enumerate(("a.png", "b.png")):
        assert fills_only(root / name, out / name, box(top=number))


def test_the_mask_of_a_photo_that_is_given_as_a_file_lies_beside_it(
    inpainter: Predictor, root: Path, out: Path
) -> None:
    path = photo(root / "IMG_1.PNG")
    mask(root / "img_1_mask.png", box())
    (outcome,) = translate_folder(inpainter, [path], out)
    assert fills_only(path, outcome.target, box())


def test_two_photos_of_one_stem_share_the_mask_beside_them(
    inpainter: Predictor, root: Path, out: Path
) -> None:
    for name in ("a.bmp", "a.png"):
        photo(root / name)
    mask(root / "a_mask.png", box())
    outcomes = apply(inpainter, root, out)
    assert sorted(outcomes) == ["a.bmp", "a.png"]
    assert all(fills_only(root / name, outcome.target, box()) for name, outcome in outcomes.items())


def test_a_photo_is_not_its_own_mask(inpainter: Predictor, root: Path, out: Path) -> None:
    photo(root / "a.png")
    photo(root / "b.png")
    mask(root / "b_mask.png", box())
    outcomes = apply(inpainter, root, out, root)
    assert "no mask named 'a'" in outcomes["a.png"].failure
    assert fills_only(root / "b.png", out / "b.png", box())
    with pytest.raises(UsageError, match=r"only masks, a\.png"):
        translate_folder(inpainter, [root / "a.png"], out, mask=str(root / "a.png"))


def test_masks_without_a_photo_are_left_out_where_others_have_one(
    inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    photo(root / "a.png")
    photo(root / "plain" / "theatre_mask.png")  # There are no pairs here, so it is a photo.
    for name in ("a_mask.png", "z_mask.png"):
        mask(root / name, box())
    outcomes = apply(inpainter, root, out, mask(tmp_path / "m.png", box(0, 3)))
    assert sorted(outcomes) == ["a.png", "plain/theatre_mask.png"]
    assert fills_only(root / "a.png", out / "a.png", box(0, 3))


def test_a_photo_of_several_masks_is_refused(inpainter: Predictor, root: Path, out: Path) -> None:
    photo(root / "a.png")
    for name in ("a_mask001.png", "a_mask002.png"):
        mask(root / name, box())
    for path in (None, root):
        with pytest.raises(UsageError, match=r"a\.png.*a_mask001\.png, a_mask002\.png"):
            apply(inpainter, root, out, path)
    assert not out.exists()


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_mask_of_a_photo_with_an_orientation_belongs_to_the_upright_photo(
    orientation: int, inpainter: Predictor, root: Path, out: Path, masks: Path
) -> None:
    root.mkdir()
    exif = Image.Exif()
    exif[0x112] = orientation
    for name in ("upright", "turned", "stored"):
        pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        stored = np.rot90(pixels, {3: 2, 6: 1, 8: 3}[orientation])
        Image.fromarray(np.ascontiguousarray(stored)).save(root / f"{name}.png", exif=exif)
    hole = 255 * box().astype(np.uint8)
    on_stored = Image.fromarray(np.ascontiguousarray(np.rot90(hole, {3: 2, 6: 1, 8: 3}[orientation])))
    mask(masks / "upright.png", box())
    on_stored.save(masks / "turned.png", exif=exif)  # a mask with an orientation of its own
    on_stored.save(masks / "stored.png")
    outcomes = apply(inpainter, root, out, masks)
    for name in ("upright.png", "turned.png"):
        assert fills_only(root / name, out / name, box())
    if orientation != 3:  # Upside down, the sizes are equal, and nothing shows which way is up.
        assert "width and height swapped" in outcomes["stored.png"].failure


@pytest.mark.parametrize("invert", [False, True])
def test_a_mask_that_covers_the_whole_photo_fails(
    invert: bool, inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    photo(root / "a.png")
    everything = np.full((HEIGHT, WIDTH), not invert)
    path = mask(tmp_path / "m.png", everything)
    (outcome,) = apply(inpainter, root, out, path, invert=invert).values()
    assert str(root / "a.png") in outcome.failure
    assert "the mask covers the whole image" in outcome.failure
    assert not out.exists()


@pytest.mark.parametrize("name", ["nowhere", "x" * 300])
def test_a_missing_mask_is_refused_before_any_photo_is_written(
    name: str, inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    photo(root / "a.png")
    with pytest.raises(UsageError, match=name):
        apply(inpainter, root, out, tmp_path / name)
    assert not out.exists()


def test_a_folder_without_masks_is_refused(inpainter: Predictor, root: Path, out: Path, masks: Path) -> None:
    photo(root / "a.png")
    masks.mkdir()
    (masks / "a.txt").touch()
    with pytest.raises(UsageError, match="masks holds no masks"):
        apply(inpainter, root, out, masks)


@pytest.mark.parametrize("options", [{"mask": "m.png"}, {"invert": True}, {"dilate": 2}])
def test_a_translation_model_takes_no_mask(options: dict[str, Any], root: Path, out: Path) -> None:
    photo(root / "a.png")
    negative = predictor_of(Negative())
    with pytest.raises(UsageError, match="--mask"):
        translate_folder(negative, [root], out, **options)
    assert not apply(negative, root, out)["a.png"].failure


# A second run


def test_only_photos_with_a_changed_mask_are_written_again(
    inpainter: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png"):
        photo(root / name)
        mask(masks / name, box())
    apply(inpainter, root, out, masks)
    assert {outcome.skipped for outcome in apply(inpainter, root, out, masks).values()} == {"done before"}
    mask(masks / "b.png", box(10, 20, 1, 31))
    skipped = {name: outcome.skipped for name, outcome in apply(inpainter, root, out, masks).items()}
    assert skipped == {"a.png": "done before", "b.png": ""}
    assert fills_only(root / "a.png", out / "a.png", box())
    assert fills_only(root / "b.png", out / "b.png", box(10, 20, 1, 31))


@pytest.mark.parametrize("options", [{"invert": True}, {"dilate": 1}])
def test_photos_are_written_again_with_another_invert_or_dilate(
    options: dict[str, Any], inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    path = mask(tmp_path / "m.png", box())
    photo(root / "a.png")
    apply(inpainter, root, out, path)
    assert not apply(inpainter, root, out, path, **options)["a.png"].skipped
    assert apply(inpainter, root, out, path, **options)["a.png"].skipped == "done before"


def test_a_photo_that_had_no_mask_is_written_once_it_has_one(
    inpainter: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png"):
        photo(root / name)
    mask(masks / "a.png", box())
    assert apply(inpainter, root, out, masks)["b.png"].failure
    mask(masks / "b.png", box())
    outcomes = apply(inpainter, root, out, masks)
    assert [outcome.skipped for outcome in outcomes.values()] == ["done before", ""]
    assert fills_only(root / "b.png", out / "b.png", box())


# Files of several frames


def test_one_mask_serves_all_frames_of_an_animation(
    inpainter: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    root.mkdir()
    frames = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), level, np.uint8)) for level in (10, 120, 250)]
    frames[0].save(
        root / "a.webp", save_all=True, append_images=frames[1:], duration=100, lossless=True, exact=True
    )
    apply(inpainter, root, out, mask(tmp_path / "m.png", box()))
    before, after = read(root / "a.webp").frames, read(out / "a.webp").frames
    assert len(after) == 3
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a.rgb()[~box()], b.rgb()[~box()])
        assert (a.rgb()[box()] != b.rgb()[box()]).any()
