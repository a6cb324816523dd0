"""Every registered method trains, saves, resumes, and can be applied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import translate
from tests.images import demo, training_data
from tests.variants import ATTENTION
from translate.api import Translator
from translate.config import MultiDomainModelConfig, NoiseTrainConfig
from translate.images import Pixels
from translate.inference import Sampler, VolumeSampler
from translate.methods.gan3d.config import GAN3DConfig
from translate.methods.registry import METHODS
from translate.networks.blocks import BatchNorm
from translate.training.runs import checkpoint
from translate.training.step import optimization

pytestmark = pytest.mark.usefixtures("torch_engine_only")
TINY = {"image_size": 32, "batch_size": 2, "workers": 0, "device": "cpu"}
WIDTHS = {"ngf": 4, "ndf": 4, "fmap_base": 64, "fmap_max": 8}
FROM_NOISE = [name for name, recipe in METHODS.items() if issubclass(recipe.config_class(), NoiseTrainConfig)]
VOLUMES = [name for name, recipe in METHODS.items() if issubclass(recipe.config_class(), GAN3DConfig)]
TRANSLATIONS = [name for name in METHODS if name not in FROM_NOISE + VOLUMES]
VARIANTS = [*((recipe, {}) for recipe in METHODS), ("inpaint", ATTENTION)]
SECOND_ORDER = {  # Settings with gradients of gradients, or of a weight's norm.
    "dcgan": {"spectral": True, "d_norm": "none"},
    "pix2pix": {"gan_loss": "wgan-gp", "norm": "instance"},
}


def own_settings(recipe: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return those of the settings that a method has."""
    fields = METHODS[recipe].config_class().__dataclass_fields__
    return {name: value for name, value in settings.items() if name in fields}


def train(recipe: str, images: Path, out: Path, **settings: Any) -> Translator | Sampler | VolumeSampler:
    small = {**TINY, **own_settings(recipe, {**WIDTHS, "blocks": 1, "d_layers": 2})}
    data = training_data(recipe, images)
    return translate.train(recipe, data=str(data), out=str(out), **{**small, **settings})


def apply(model: Translator | Sampler | VolumeSampler, image: Pixels) -> Pixels:
    """Translate an image, to the first of several domains, or inpaint its left half; or generate a sample."""
    if isinstance(model, (Sampler, VolumeSampler)):
        return model(model.draw(1, seed=0))[0]
    if isinstance(model.config, MultiDomainModelConfig):
        return model(image, to=model.config.domains[0])
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[:, : mask.shape[1] // 2] = 255
    result: Pixels = model(image, mask if model.predictor.needs_mask else None)
    return result


def adversaries(recipe: str) -> list[dict[str, Any]]:
    """Return settings for each adversarial loss of a method; none for one with a single loss of its own."""
    if "gan_loss" not in METHODS[recipe].config_class().__dataclass_fields__:
        return [{}]
    # By default, colorize and inpaint have no adversarial loss.
    weight = {"lambda_gan": 0.1} if recipe in ("colorize", "inpaint") else {}
    losses = ("vanilla", "lsgan", "hinge", "wgan-gp")
    own = [ATTENTION] if recipe == "inpaint" else []
    return [{"gan_loss": loss, "norm": "instance", **weight} for loss in losses] + own


@pytest.mark.parametrize(
    ("recipe", "adversary"), [(recipe, each) for recipe in TRANSLATIONS for each in adversaries(recipe)]
)
def test_trains_two_steps_and_applies(recipe: str, adversary: dict[str, Any], tmp_path: Path) -> None:
    data, out = demo(tmp_path / "data"), tmp_path / "run"
    translator = train(recipe, data, out, steps=2, **adversary)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert apply(translator, image).shape == image.shape
    assert translator.config.method == recipe
    assert [p.name for p in (out / "checkpoints").iterdir()] == ["step-00000002.safetensors"]


OPTIONS: dict[str, dict[str, Any]] = {  # Settings of methods from noise; a method that lacks one skips them.
    "default": {},
    "mlp": {"networks": "mlp", "d_norm": "none"},
    "resize": {"networks": "dcgan", "upsample": "resize", "d_norm": "instance"},
    "spectral": {"networks": "dcgan", "d_norm": "none", "spectral": True},
    "small datasets": {"diffaugment": True, "flip": True, "d_steps": 2, "channels": 1},
    "attention": {"attention": 16, "hierarchical": False, "lambda_ortho": 0.0},
}


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        pytest.param(recipe, options, id=f"{recipe}-{name}")
        for recipe in FROM_NOISE
        for name, options in OPTIONS.items()
        if options == own_settings(recipe, options)
    ],
)
def test_trains_two_steps_and_samples(recipe: str, options: dict[str, Any], tmp_path: Path) -> None:
    data, out = demo(tmp_path / "data"), tmp_path / "run"
    sampler = train(recipe, data, out, steps=2, **options)
    assert [image.shape for image in sampler(sampler.draw(3, seed=1))] == 3 * [(32, 32, 3)]
    assert sampler.config.method == recipe
    assert [p.name for p in (out / "samples").iterdir()] == ["step-00000002.png"]


@pytest.mark.parametrize("recipe", VOLUMES)
def test_trains_two_steps_and_samples_volumes(recipe: str, tmp_path: Path) -> None:
    sampler = train(recipe, tmp_path / "data", tmp_path / "run", steps=2)
    assert [volume.shape for volume in sampler(sampler.draw(2, seed=1))] == 2 * [(32, 32, 32)]
    assert sampler.config.method == recipe
    assert [p.name for p in (tmp_path / "run" / "samples").iterdir()] == ["step-00000002.png"]


@pytest.mark.parametrize(("recipe", "settings"), VARIANTS)
def test_a_finished_run_continues_with_more_steps(
    recipe: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    train(recipe, demo(tmp_path / "data"), out := tmp_path / "run", steps=2, **settings)
    longer = translate.train(recipe, out=str(out), resume=True, steps=3)
    assert longer.config.trained_on["steps"] == 3


@pytest.mark.parametrize(("recipe", "settings"), VARIANTS)
def test_gradient_checkpointing_trains_the_same_model(
    recipe: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    data, runs = demo(tmp_path / "data"), {False: tmp_path / "plain", True: tmp_path / "recomputed"}
    for recompute, out in runs.items():
        train(recipe, data, out, steps=2, precision="fp32", recompute=recompute, **settings)
    plain, recomputed = (load_file(next((out / "model").glob("*.safetensors"))) for out in runs.values())
    for name, weight in plain.items():
        torch.testing.assert_close(recomputed[name], weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("recipe", "settings"), VARIANTS)
def test_weights_that_step_during_the_backward_pass_reach_the_same_bits(
    recipe: str, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, runs = demo(tmp_path / "data"), {2**23: tmp_path / "at-the-end", 1: tmp_path / "one-by-one"}
    for bucket, out in runs.items():
        monkeypatch.setattr(optimization, "MAX_PENDING_GRADIENTS", bucket)
        train(recipe, data, out, steps=2, precision="fp32", **SECOND_ORDER.get(recipe, settings))
    name = "checkpoints/step-00000002.safetensors"
    at_the_end, one_by_one = (checkpoint.load(out / name)["trainer"] for out in runs.values())
    assert at_the_end
    assert [key for key, weight in at_the_end.items() if not weight.equal(one_by_one[key])] == []


@pytest.fixture
def undo_deterministic() -> Iterator[None]:
    """Undo `deterministic` after a test, because it is a setting of the process."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("undo_deterministic")
@pytest.mark.parametrize(
    ("recipe", "settings"),
    [*((recipe, {}) for recipe in FROM_NOISE + VOLUMES), ("inpaint", ATTENTION)],
)
def test_a_resumed_run_equals_an_uninterrupted_one_bitwise(
    recipe: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    data, name = demo(tmp_path / "data"), "checkpoints/step-00000004.safetensors"
    if recipe in FROM_NOISE:  # Where there is ADA, it is on by default.
        augmentation = {"flip": True, "diffaugment": not own_settings(recipe, {"ada": True})}
        settings = {**settings, **own_settings(recipe, augmentation)}
    for out in ("uninterrupted", "resumed"):
        train(recipe, data, tmp_path / out, steps=4, checkpoint_every=2, deterministic=True, **settings)
    (tmp_path / "resumed" / name).unlink()  # As if the run had been killed after step 2.
    translate.train(recipe, out=str(tmp_path / "resumed"), resume=True)
    expected, resumed = (load_file(tmp_path / run / name) for run in ("uninterrupted", "resumed"))
    assert expected.keys() == resumed.keys()
    assert [key for key in expected if not expected[key].equal(resumed[key])] == []


@pytest.mark.parametrize("recipe", METHODS)
def test_init_starts_from_the_weights_of_a_model(recipe: str, tmp_path: Path) -> None:
    data, frozen = demo(tmp_path / "data"), {"steps": 1, "lr": 0, "ema": 0}
    first = train(recipe, data, tmp_path / "1", **frozen)
    second = train(recipe, data, tmp_path / "2", seed=9, init=str(tmp_path / "1"), **frozen)
    other = train(recipe, data, tmp_path / "3", seed=9, **frozen)
    weights = [
        torch.cat([weight.flatten() for weight in model.generator.parameters()])
        for model in (first, second, other)
    ]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2]), "the seed alone leads to other weights"
    if not any(isinstance(module, BatchNorm) for module in first.generator.modules()):
        image = np.zeros((32, 32, 3), np.uint8)
        assert np.array_equal(apply(first, image), apply(second, image))
