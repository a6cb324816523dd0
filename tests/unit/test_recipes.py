"""Every recipe of the registry trains, saves, resumes and is applied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import translate
from tests.pictures import demo
from translate.images import Pixels
from translate.inference import Translator
from translate.recipes import RECIPES

TINY = {
    "image_size": 32,
    "ngf": 4,
    "ndf": 4,
    "blocks": 1,
    "d_layers": 2,
    "batch_size": 2,
    "workers": 0,
    "device": "cpu",
}


def applied(translator: Translator, picture: Pixels) -> Pixels:
    """The picture translated, or its left half repaired."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[:, : mask.shape[1] // 2] = 255
    answer: Pixels = translator(picture, mask if translator.config.mask else None)
    return answer


@pytest.mark.parametrize("gan_loss", ["vanilla", "lsgan", "hinge", "wgan-gp"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_trains_two_steps_and_applies(recipe: str, gan_loss: str, tmp_path: Path) -> None:
    data, out = demo(tmp_path / "data"), tmp_path / "run"
    adversary = {"lambda_gan": 0.1} if recipe in ("colorize", "inpaint") else {}  # which have none otherwise
    translator = translate.train(
        recipe, data=str(data), out=str(out), steps=2, gan_loss=gan_loss, norm="instance", **TINY, **adversary
    )
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert applied(translator, picture).shape == picture.shape
    assert translator.config.recipe == recipe
    assert [p.name for p in (out / "checkpoints").iterdir()] == ["step-00000002.safetensors"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_longer_run_goes_on_from_a_finished_one(recipe: str, tmp_path: Path) -> None:
    data, out = demo(tmp_path / "data"), tmp_path / "run"
    translate.train(recipe, data=str(data), out=str(out), steps=2, **TINY)
    translator = translate.train(recipe, out=str(out), resume=True, steps=3)
    assert translator.config.trained_on["steps"] == 3


@pytest.mark.parametrize("recipe", RECIPES)
def test_fine_tunes_from_a_model(recipe: str, tmp_path: Path) -> None:
    data = demo(tmp_path / "data")
    first = translate.train(recipe, data=str(data), out=str(tmp_path / "1"), steps=1, lr=0, ema=0, **TINY)
    init = str(tmp_path / "1")
    second = translate.train(
        recipe, data=str(data), out=str(tmp_path / "2"), steps=1, lr=0, ema=0, seed=9, init=init, **TINY
    )
    picture = np.zeros((32, 32, 3), np.uint8)
    assert np.array_equal(applied(first, picture), applied(second, picture)) or recipe in (
        "pix2pix",
        "colorize",
    )  # batch norm's averages move
    for old, new in zip(first.generator.parameters(), second.generator.parameters(), strict=True):
        assert old.equal(new)
