"""The styles of StyleGAN2: finding those of an image, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.backbones import tiny_backbone
from tests.unit.inference.predictors.test_generation import model
from translate.errors import DataError, UsageError
from translate.inference import Sampler
from translate.inference.predictors.styles import projection
from translate.inference.predictors.styles.latent_file import load_styles, save_styles


@pytest.fixture
def sampler(monkeypatch: pytest.MonkeyPatch) -> Sampler:
    def load(name: str, **options: Any) -> torch.nn.Module:
        return tiny_backbone(name)

    monkeypatch.setattr(projection, "load_backbone", load)
    return Sampler(model("stylegan2"), device="cpu", precision="fp32")


def test_the_styles_of_a_generated_image_are_found(sampler: Sampler) -> None:
    styles, mean = sampler.draw(1, seed=7), sampler.draw(1, truncation=0)
    found = projection.find_styles(sampler, sampler(styles)[0], steps=60)
    assert found.styles.shape == (1, 6, 5)
    assert found.distance < 0.2 * found.start
    assert (found.styles - styles).norm() < 0.6 * (mean - styles).norm()


def test_a_projection_depends_on_its_seed_only(sampler: Sampler) -> None:
    target = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    first, second, other = (
        projection.find_styles(sampler, target, steps=3, seed=seed).styles for seed in (1, 1, 2)
    )
    assert first.equal(second)
    assert not first.equal(other)


def test_only_a_model_with_styles_has_some_to_find() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(UsageError, match="a model of dcgan has no styles to find: give a model of stylegan2"):
        projection.find_styles(Sampler(model(), device="cpu"), image)


def test_files_of_styles(sampler: Sampler, tmp_path: Path) -> None:
    styles = sampler.draw(2)
    save_styles(styles, tmp_path / "found.safetensors")
    assert load_styles(tmp_path / "found.safetensors", sampler).equal(styles)
    save_file({"w": torch.zeros(1, 8, 5)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match=r"has styles of 8 x 5, and this model has 6 x 5: give the model"):
        load_styles(tmp_path / "other.safetensors", sampler)
    save_file({"z": torch.zeros(1)}, tmp_path / "z.safetensors")
    (tmp_path / "text.safetensors").write_text("no styles")
    for name in ("z", "text", "missing"):
        with pytest.raises(DataError, match=f"{name}.safetensors is no file of styles: give one that"):
            load_styles(tmp_path / f"{name}.safetensors", sampler)
    save_styles(styles * torch.nan, tmp_path / "nan.safetensors")
    with pytest.raises(DataError, match=r"nan\.safetensors has styles that are not finite"):
        load_styles(tmp_path / "nan.safetensors", sampler)
