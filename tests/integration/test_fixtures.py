"""Models and runs of earlier versions load and give the same output."""

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

V1 = Path(__file__).parents[1] / "fixtures" / "v1"
TRANSLATIONS = ("pix2pix", "cyclegan", "colorize", "inpaint")
FROM_NOISE = ("gan", "dcgan", "cgan", "wgan", "wgan-gp", "infogan")
EXACT = {"device": "cpu", "precision": "fp32"}


def answer(model: str, folder: Path, direction: str | None = None) -> torch.Tensor:
    """The answer of a model to the fixtures' image."""
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    mask = np.zeros((40, 50), np.uint8)
    mask[:, :25] = 255
    translator = translate.load(folder, direction=direction, engine="torch", **EXACT)
    return torch.from_numpy(np.ascontiguousarray(translator(image, mask if "inpaint" in model else None)))


def assert_same_pixels(ours: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal but for rounding, which differs between processors."""
    assert (ours.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("recipe", TRANSLATIONS)
def test_translation_models_give_the_same_output(recipe: str) -> None:
    expected = load_file(V1 / recipe / "expected.safetensors")
    for name, output in expected.items():
        if name.startswith("output."):
            # The models of photos had a direction once; it was the only one.
            direction = name.removeprefix("output.") if recipe in ("pix2pix", "cyclegan") else None
            translator = translate.load(V1 / recipe, direction=direction, engine="torch", **EXACT)
            with torch.no_grad():
                torch.testing.assert_close(
                    translator.generator(expected["input"]), output, rtol=1e-5, atol=1e-5
                )
            assert_same_pixels(
                answer(recipe, V1 / recipe, direction), expected[name.replace("output", "pixels")]
            )


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
    assert_same_pixels(answer(model, Path(model)), expected)
    installed = Path(translate.__file__).parent / "models" / "installed" / model
    shutil.copy(V1 / f"installed-{model}" / "config.json", tmp_path)
    shutil.copy(installed / "model.safetensors", tmp_path)
    assert_same_pixels(answer(model, tmp_path), expected)


def test_a_run_resumes(translate: Command, tmp_path: Path) -> None:
    shutil.copytree(V1 / "run", tmp_path / "run")
    write_demo(tmp_path / "data", size=32, train=12, test=4)
    result = translate("train", "cyclegan", "--out", "run", "--resume", "--steps", "8")
    assert "resuming run from step 6" in result.stderr
    assert "image pools draw otherwise" in result.stderr
    translate("apply", "run", demo(tmp_path / "photos") / "testA", "-o", "out", "--engine", "torch")
    assert list((tmp_path / "out").iterdir())
