"""Models and runs of earlier versions load: models give the same output, and runs resume."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import translate
from tests.images import demo
from tests.integration.conftest import Command
from translate.data.demo import write_demo
from translate.training.runs import checkpoint

V1, V2 = (Path(__file__).parents[1] / "fixtures" / version for version in ("v1", "v2"))
TRANSLATIONS = ("pix2pix", "cyclegan", "colorize", "inpaint")
FROM_NOISE = ("gan", "dcgan", "cgan", "wgan", "wgan-gp", "infogan")
EXACT = {"device": "cpu", "precision": "fp32"}


def translate_image(model: str, folder: Path, direction: str | None = None) -> torch.Tensor:
    """Translate the image of the fixtures with a model; return (H, W, 3) uint8."""
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    mask = np.zeros((40, 50), np.uint8)
    mask[:, :25] = 255
    translator = translate.load(folder, direction=direction, engine="torch", **EXACT)
    return torch.from_numpy(np.ascontiguousarray(translator(image, mask if "inpaint" in model else None)))


def assert_same_pixels(ours: torch.Tensor, expected: torch.Tensor) -> None:
    """Check that images are equal up to rounding, which differs between processors."""
    assert (ours.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("recipe", TRANSLATIONS)
def test_translation_models_give_the_same_output(recipe: str) -> None:
    expected = load_file(V1 / recipe / "expected.safetensors")
    for name, output in expected.items():
        if name.startswith("output."):
            # Models of photos used to have one direction; now they have none.
            direction = name.removeprefix("output.") if recipe in ("pix2pix", "cyclegan") else None
            translator = translate.load(V1 / recipe, direction=direction, engine="torch", **EXACT)
            with torch.no_grad():
                torch.testing.assert_close(
                    translator.generator(expected["input"]), output, rtol=1e-5, atol=1e-5
                )
            assert_same_pixels(
                translate_image(recipe, V1 / recipe, direction), expected[name.replace("output", "pixels")]
            )


def test_a_model_of_format_2_gives_the_same_output() -> None:
    expected = load_file(V2 / "pix2pix" / "expected.safetensors")
    translator = translate.load(V2 / "pix2pix", engine="torch", size="native", **EXACT)
    with torch.no_grad():
        output = translator.generator(expected["input"])
    torch.testing.assert_close(output, expected["output.AtoB"], rtol=1e-5, atol=1e-5)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert_same_pixels(torch.from_numpy(np.ascontiguousarray(translator(image))), expected["pixels.AtoB"])


@pytest.mark.parametrize("recipe", FROM_NOISE)
def test_models_from_noise_give_the_same_output(recipe: str) -> None:
    expected = load_file(V1 / recipe / "expected.safetensors")
    sampler = translate.sampler(V1 / recipe, **EXACT)
    assert sampler.draw(2, seed=3).equal(expected["input"])
    with torch.no_grad():
        torch.testing.assert_close(
            sampler.generator(expected["input"]), expected["output"], rtol=1e-5, atol=1e-5
        )
    assert_same_pixels(torch.from_numpy(np.stack(sampler(expected["input"]))), expected["pixels"])


@pytest.mark.parametrize("model", ["colorize", "inpaint"])
def test_installed_models_give_the_same_output(model: str, tmp_path: Path) -> None:
    expected = load_file(V1 / f"installed-{model}" / "expected.safetensors")["pixels"]
    assert_same_pixels(translate_image(model, Path(model)), expected)
    installed = Path(translate.__file__).parent / "models" / "installed" / model
    shutil.copy(V1 / f"installed-{model}" / "config.json", tmp_path)
    shutil.copy(installed / "model.safetensors", tmp_path)
    assert_same_pixels(translate_image(model, tmp_path), expected)


def test_a_run_resumes(translate: Command, tmp_path: Path) -> None:
    shutil.copytree(V1 / "run", tmp_path / "run")
    write_demo(tmp_path / "data", size=32, train=12, test=4)
    old = checkpoint.load(tmp_path / "run" / "checkpoints" / "step-00000006.safetensors")
    # With a learning rate of 0 the weights stay as they were.
    result = translate("train", "cyclegan", "--out", "run", "--resume", "--steps", "7", "--lr", "0")
    assert "resuming run from step 6" in result.stderr
    assert "image pools" in result.stderr
    new = checkpoint.load(tmp_path / "run" / "checkpoints" / "step-00000007.safetensors")
    weights = [name for name in new["trainer"] if not name.startswith("pool_")]
    assert len(weights) > 20
    assert [name for name in weights if not new["trainer"][name].equal(old["trainer"][name])] == []
    for name, averaged in new["ema"].items():  # The EMA moves towards the weights from where it was.
        torch.testing.assert_close(averaged, old["averaged"][name], rtol=0, atol=1e-2)
    for name in ("g", "d"):
        assert new["optimizers"][name]["state"][0]["step"] == 7, "Adam has its moments of 6 steps"
    assert new["trainer"]["pool_a.count"] > 0
    assert new["history"][: len(old["looks"])] == old["looks"]
    translate("apply", "run", demo(tmp_path / "photos") / "testA", "-o", "out", "--engine", "torch")
    assert list((tmp_path / "out").iterdir())
