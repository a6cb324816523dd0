"""Every recipe of the registry trains, saves, resumes and is applied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import translate
from tests.images import demo
from translate.api import Translator
from translate.images import Pixels
from translate.inference import Sampler
from translate.methods.gan.config import NoiseTrainConfig
from translate.methods.registry import METHODS
from translate.training.runs import checkpoint
from translate.training.step import optimization

TINY = {"image_size": 32, "ngf": 4, "ndf": 4, "batch_size": 2, "workers": 0, "device": "cpu"}
FROM_NOISE = [name for name, recipe in METHODS.items() if issubclass(recipe.config_class(), NoiseTrainConfig)]
TRANSLATIONS = [name for name in METHODS if name not in FROM_NOISE]
SECOND_ORDER = {  # where a gradient goes through another, or a weight through a norm of it
    "dcgan": {"spectral": True, "d_norm": "none"},
    "pix2pix": {"gan_loss": "wgan-gp", "norm": "instance"},
}


def train(recipe: str, data: Path, out: Path, **settings: Any) -> Translator | Sampler:
    small = TINY if recipe in FROM_NOISE else {**TINY, "blocks": 1, "d_layers": 2}
    return translate.train(recipe, data=str(data), out=str(out), **small, **settings)


def applied(model: Translator | Sampler, image: Pixels) -> Pixels:
    """The image translated, or its left half repaired; or one from noise."""
    if isinstance(model, Sampler):
        return model(model.draw(1, seed=0))[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[:, : mask.shape[1] // 2] = 255
    answer: Pixels = model(image, mask if model.predictor.needs_mask else None)
    return answer


@pytest.mark.parametrize("gan_loss", ["vanilla", "lsgan", "hinge", "wgan-gp"])
@pytest.mark.parametrize("recipe", TRANSLATIONS)
def test_trains_two_steps_and_applies(recipe: str, gan_loss: str, tmp_path: Path) -> None:
    data, out = demo(tmp_path / "data"), tmp_path / "run"
    adversary = {"lambda_gan": 0.1} if recipe in ("colorize", "inpaint") else {}  # which have none otherwise
    translator = train(recipe, data, out, steps=2, gan_loss=gan_loss, norm="instance", **adversary)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert applied(translator, image).shape == image.shape
    assert translator.config.method == recipe
    assert [p.name for p in (out / "checkpoints").iterdir()] == ["step-00000002.safetensors"]


NETWORKS = {
    "as the paper": {},
    "mlp": {"networks": "mlp", "d_norm": "none"},
    "resize": {"networks": "dcgan", "upsample": "resize", "d_norm": "instance"},
    "spectral": {"networks": "dcgan", "d_norm": "none", "spectral": True},
    "small sets": {"diffaugment": True, "flip": True, "d_steps": 2, "channels": 1},
}


@pytest.mark.parametrize("networks", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("recipe", FROM_NOISE)
def test_trains_two_steps_and_samples(recipe: str, networks: dict[str, Any], tmp_path: Path) -> None:
    data, out = demo(tmp_path / "data"), tmp_path / "run"
    sampler = train(recipe, data, out, steps=2, **networks)
    assert [image.shape for image in sampler(sampler.draw(3, seed=1))] == 3 * [(32, 32, 3)]
    assert sampler.config.method == recipe
    assert [p.name for p in (out / "samples").iterdir()] == ["step-00000002.png"]


@pytest.mark.parametrize("recipe", METHODS)
def test_a_longer_run_goes_on_from_a_finished_one(recipe: str, tmp_path: Path) -> None:
    data, out = demo(tmp_path / "data"), tmp_path / "run"
    train(recipe, data, out, steps=2)
    longer = translate.train(recipe, out=str(out), resume=True, steps=3)
    assert longer.config.trained_on["steps"] == 3


@pytest.mark.parametrize("recipe", METHODS)
def test_layers_computed_again_make_the_same_model(recipe: str, tmp_path: Path) -> None:
    data, runs = demo(tmp_path / "data"), {False: tmp_path / "kept", True: tmp_path / "again"}
    for again, out in runs.items():
        train(recipe, data, out, steps=2, precision="fp32", recompute=again)
    kept, again_made = (load_file(next((out / "model").glob("*.safetensors"))) for out in runs.values())
    for name, weight in kept.items():
        torch.testing.assert_close(again_made[name], weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("recipe", METHODS)
def test_weights_that_move_early_make_the_same_model(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, runs = demo(tmp_path / "data"), {2**23: tmp_path / "together", 1: tmp_path / "early"}
    for weights, out in runs.items():
        monkeypatch.setattr(optimization, "GRADIENT_BUCKET", weights)
        train(recipe, data, out, steps=2, precision="fp32", **SECOND_ORDER.get(recipe, {}))
    name = "checkpoints/step-00000002.safetensors"
    together, early = (checkpoint.load(out / name)["trainer"] for out in runs.values())
    tensors = {key: weight for key, weight in together.items() if isinstance(weight, torch.Tensor)}
    assert tensors
    assert [key for key, weight in tensors.items() if not weight.equal(early[key])] == []


@pytest.fixture
def torch_as_it_was() -> Iterator[None]:
    """What `deterministic` asks of torch holds for the process: take it back."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("torch_as_it_was")
@pytest.mark.parametrize("recipe", FROM_NOISE)
def test_goes_on_bit_for_bit(recipe: str, tmp_path: Path) -> None:
    data, settings = demo(tmp_path / "data"), {"deterministic": True, "diffaugment": True, "flip": True}
    train(recipe, data, tmp_path / "whole", steps=4, **settings)
    train(recipe, data, tmp_path / "parts", steps=2, **settings)
    translate.train(recipe, out=str(tmp_path / "parts"), resume=True, steps=4)
    name = "checkpoints/step-00000004.safetensors"
    whole, parts = (load_file(tmp_path / run / name) for run in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert [key for key in whole if not whole[key].equal(parts[key])] == []


@pytest.mark.parametrize("recipe", METHODS)
def test_fine_tunes_from_a_model(recipe: str, tmp_path: Path) -> None:
    data, still = demo(tmp_path / "data"), {"steps": 1, "lr": 0, "ema": 0}
    first = train(recipe, data, tmp_path / "1", **still)
    second = train(recipe, data, tmp_path / "2", seed=9, init=str(tmp_path / "1"), **still)
    image = np.zeros((32, 32, 3), np.uint8)
    moving = ("pix2pix", "colorize", *FROM_NOISE)  # batch norm's averages move
    assert np.array_equal(applied(first, image), applied(second, image)) or recipe in moving
    for old, new in zip(first.generator.parameters(), second.generator.parameters(), strict=True):
        assert old.equal(new)
