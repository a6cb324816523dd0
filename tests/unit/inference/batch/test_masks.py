"""Which mask belongs to which photo, and what is said where there is none."""

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
from translate.inference.batch.masks import Masks
from translate.models import Model
from translate.networks import create_generator

HEIGHT, WIDTH = 24, 32


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A model that fills holes, small."""
    spec = GeneratorSpec(name="inpainter", args={"width": 4})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_generator(spec)
        nn.init.normal_(network.last.bias)  # so that what is filled is never what was there
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
    predictor: Predictor, root: Path, out: Path, path: Path | None = None, **options: Any
) -> dict[str, Outcome]:
    """Fill a folder: what became of each file, by its path in it."""
    settings = {name: options.pop(name) for name in ("invert", "dilate") if name in options}
    outcomes = translate_folder(predictor, [root], out, masks=Masks(path, **settings), **options)
    return {str(outcome.source.relative_to(root)): outcome for outcome in outcomes}


def changed(before: Path, after: Path) -> Hole:
    """Which pixels of a file are others."""
    (one,), (other,) = read(before).frames, read(after).frames
    return np.asarray((one.pixels != other.pixels).any(axis=2))


def fills(before: Path, after: Path, hole: Hole) -> bool:
    """Whether nothing but a hole was changed, and hardly a pixel of it was not."""
    found = changed(before, after)
    return not (found & ~hole).any() and (found & hole).sum() > 0.9 * hole.sum()


# Which one


@pytest.mark.parametrize("workers", [0, 2])
def test_one_file_is_the_mask_of_all(
    workers: int, predictor: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    names = ["a.png", "b.bmp", "sub/c.png"]
    for number, name in enumerate(names):
        photo(root / name, number)
    path = mask(tmp_path / "m.png", box())
    outcomes = apply(predictor, root, out, path, workers=workers)
    assert list(outcomes) == names
    for name, outcome in outcomes.items():
        assert (outcome.failure, outcome.note, outcome.skipped) == ("", "", "")
        assert fills(root / name, out / name, box())


def test_masks_of_a_folder_go_by_stem_and_by_path_first(
    predictor: Predictor, root: Path, out: Path, masks: Path
) -> None:
    holes = {"a": box(), "sub/a": box(0, 5, 0, 32), "b": box(20, 24, 0, 9), "x.1": box(10, 20, 20, 30)}
    for name, hole in holes.items():
        mask(masks / f"{name}.png", hole)
    expected = {"a.jpg.png": None, "a.png": "a", "other/b.png": "b", "sub/a.tif": "sub/a", "x.1.png": "x.1"}
    for name in expected:
        photo(root / name)
    outcomes = apply(predictor, root, out, masks)
    for name, mine in expected.items():
        if mine is None:
            assert "no mask of the stem 'a.jpg'" in outcomes[name].failure
        else:
            assert fills(root / name, out / name, holes[mine])


def test_the_mask_of_a_renamed_target_is_that_of_its_source(
    predictor: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.bmp", "a.png"):
        photo(root / name)
    mask(masks / "a.png", box())
    outcomes = apply(predictor, root, out, masks, format="png")
    assert sorted(outcome.target.name for outcome in outcomes.values()) == ["a-2.png", "a.png"]
    for name, outcome in outcomes.items():
        assert fills(root / name, outcome.target, box())


def test_a_single_photo_has_its_mask_by_stem_too(
    predictor: Predictor, tmp_path: Path, out: Path, masks: Path
) -> None:
    path = photo(tmp_path / "deep" / "down" / "a.png")
    mask(masks / "a.png", box())
    (outcome,) = translate_folder(predictor, [path], out, masks=Masks(masks))
    assert fills(path, outcome.target, box())


def test_without_masks_what_is_transparent_is_filled(predictor: Predictor, root: Path, out: Path) -> None:
    root.mkdir()
    planes = np.random.default_rng(0).integers(1, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    planes[..., 3][box()] = 0
    Image.fromarray(planes).save(root / "a.png")
    photo(root / "opaque.png")
    outcomes = apply(predictor, root, out)
    assert fills(root / "a.png", out / "a.png", box())
    (written,) = read(out / "a.png").frames
    assert written.alpha is not None
    assert np.array_equal(written.alpha, np.where(box(), 255, planes[..., 3]))
    failure = outcomes["opaque.png"].failure
    assert failure.startswith(
        f"{root / 'opaque.png'}: no mask, and nothing in it is transparent: give --mask"
    )


def test_a_mask_goes_before_transparency(predictor: Predictor, root: Path, out: Path, tmp_path: Path) -> None:
    root.mkdir()
    planes = np.full((HEIGHT, WIDTH, 4), 77, np.uint8)
    planes[:3, :, 3] = 0
    Image.fromarray(planes).save(root / "a.png")
    apply(predictor, root, out, mask(tmp_path / "m.png", box()))
    (written,) = read(out / "a.png").frames
    assert written.alpha is not None
    assert np.array_equal(written.alpha, np.where(box(), 255, planes[..., 3]))


# What is asked for beside it


@pytest.mark.parametrize(
    ("options", "hole"),
    [
        ({"invert": True}, ~box()),
        ({"dilate": 3}, box(1, 15, 3, 23)),
        ({"invert": True, "dilate": 2}, ~box(6, 10, 8, 18)),
    ],
)
def test_a_hole_can_be_inverted_and_enlarged(
    options: dict[str, Any], hole: Hole, predictor: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    photo(root / "a.png")
    apply(predictor, root, out, mask(tmp_path / "m.png", box()), **options)
    found = changed(root / "a.png", out / "a.png")
    assert not (found & ~hole).any()
    assert (found & hole).sum() > 0.9 * hole.sum()  # but for the corners, which are round


def test_an_erased_part_can_be_enlarged_too(predictor: Predictor, root: Path, out: Path) -> None:
    """An eraser's edge is soft, and what it left of the object is not wanted."""
    root.mkdir()
    planes = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    planes[..., :3] = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3))
    planes[..., 3][box()] = 0
    Image.fromarray(planes).save(root / "a.png")
    apply(predictor, root, out, dilate=3)
    found = changed(root / "a.png", out / "a.png")
    assert found[1:15, 6:20].mean() > 0.9
    assert not (found & ~box(1, 15, 3, 23)).any()


# What cannot be


def test_a_photo_without_a_mask_is_told_and_the_others_are_done(
    predictor: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        photo(root / name)
    for name in ("a.png", "c.png"):
        mask(masks / name, box())
    failures = {name: outcome.failure for name, outcome in apply(predictor, root, out, masks).items()}
    assert failures == {
        "a.png": "",
        "b.png": f"{root / 'b.png'}: no mask of the stem 'b' in {masks}: add one (all black fills nothing)",
        "c.png": "",
    }
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "c.png"]


def test_a_mask_that_does_not_fit_or_cannot_be_read_is_named_with_its_photo(
    predictor: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png"):
        photo(root / name)
    mask(masks / "a.png", np.zeros((10, 30), bool))
    (masks / "b.png").write_text("no image")
    outcomes = apply(predictor, root, out, masks)
    for name, reason in (("a.png", "a mask of 30x10 for an image of 32x24"), ("b.png", "not an image of")):
        failure = outcomes[name].failure
        assert str(root / name) in failure
        assert str(masks / name) in failure
        assert reason in failure
    assert not out.exists()


def test_an_empty_mask_is_noted_and_the_photo_comes_back_as_it_was(
    predictor: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    photo(root / "a.png")
    (outcome,) = apply(predictor, root, out, mask(tmp_path / "m.png", box() & False)).values()
    assert (outcome.failure, outcome.note) == ("", "the mask is empty")
    assert not changed(root / "a.png", out / "a.png").any()


@pytest.mark.parametrize("invert", [False, True])
def test_a_mask_of_all_is_refused_with_the_remedy(
    invert: bool, predictor: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    photo(root / "a.png")
    everything = np.full((HEIGHT, WIDTH), not invert)
    path = mask(tmp_path / "m.png", everything)
    (outcome,) = apply(predictor, root, out, path, invert=invert).values()
    assert outcome.failure.startswith(
        f"{root / 'a.png'}: all of the image is hole: leave black what is to be kept"
    )
    assert not out.exists()


@pytest.mark.parametrize("name", ["nowhere", "x" * 300])
def test_a_path_that_leads_nowhere_is_refused_before_the_work(
    name: str, predictor: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    photo(root / "a.png")
    with pytest.raises(UsageError, match=name):
        apply(predictor, root, out, tmp_path / name)
    assert not out.exists()


def test_a_folder_without_masks_is_refused(predictor: Predictor, root: Path, out: Path, masks: Path) -> None:
    photo(root / "a.png")
    masks.mkdir()
    (masks / "a.txt").touch()
    with pytest.raises(UsageError, match="masks holds no masks: give images under the photos' stems"):
        apply(predictor, root, out, masks)


@pytest.mark.parametrize("options", [{"path": Path("m.png")}, {"invert": True}, {"dilate": 2}])
def test_a_model_that_fills_no_holes_takes_no_mask(options: dict[str, Any], root: Path, out: Path) -> None:
    photo(root / "a.png")
    negative = predictor_of(Negative())
    with pytest.raises(UsageError, match="this model fills no holes"):
        translate_folder(negative, [root], out, masks=Masks(**options))
    assert not apply(negative, root, out)["a.png"].failure


# A second run


def test_a_changed_mask_does_its_photo_anew_and_an_unchanged_one_does_not(
    predictor: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png"):
        photo(root / name)
        mask(masks / name, box())
    apply(predictor, root, out, masks)
    assert {outcome.skipped for outcome in apply(predictor, root, out, masks).values()} == {"done before"}
    mask(masks / "b.png", box(10, 20, 1, 31))
    skipped = {name: outcome.skipped for name, outcome in apply(predictor, root, out, masks).items()}
    assert skipped == {"a.png": "done before", "b.png": ""}
    assert fills(root / "a.png", out / "a.png", box())
    assert fills(root / "b.png", out / "b.png", box(10, 20, 1, 31))


@pytest.mark.parametrize("options", [{"invert": True}, {"dilate": 1}])
def test_what_is_asked_for_beside_the_mask_counts_as_well(
    options: dict[str, Any], predictor: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    path = mask(tmp_path / "m.png", box())
    photo(root / "a.png")
    apply(predictor, root, out, path)
    assert not apply(predictor, root, out, path, **options)["a.png"].skipped
    assert apply(predictor, root, out, path, **options)["a.png"].skipped == "done before"


def test_a_mask_that_is_given_later_does_its_photo(
    predictor: Predictor, root: Path, out: Path, masks: Path
) -> None:
    for name in ("a.png", "b.png"):
        photo(root / name)
    mask(masks / "a.png", box())
    assert apply(predictor, root, out, masks)["b.png"].failure
    mask(masks / "b.png", box())
    outcomes = apply(predictor, root, out, masks)
    assert [outcome.skipped for outcome in outcomes.values()] == ["done before", ""]
    assert fills(root / "b.png", out / "b.png", box())


# Files of several frames


def test_one_mask_serves_all_frames_of_an_animation(
    predictor: Predictor, root: Path, out: Path, tmp_path: Path
) -> None:
    root.mkdir()
    frames = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), level, np.uint8)) for level in (10, 120, 250)]
    frames[0].save(
        root / "a.webp", save_all=True, append_images=frames[1:], duration=100, lossless=True, exact=True
    )
    apply(predictor, root, out, mask(tmp_path / "m.png", box()))
    before, after = read(root / "a.webp").frames, read(out / "a.webp").frames
    assert len(after) == 3
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.rgb()[~box()], other.rgb()[~box()])
        assert (one.rgb()[box()] != other.rgb()[box()]).any()
