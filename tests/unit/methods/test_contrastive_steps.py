"""The methods with PatchNCE: gradients in mixed precision, and statistics of batch norms."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.updates import Updates
from translate.methods.registry import find_method
from translate.methods.trainer import StepProgress

SMALL: dict[str, Any] = {
    "ngf": 8,
    "ndf": 8,
    "image_size": 32,
    "d_layers": 2,
    "blocks": 5,
    "nce_width": 32,
    "nce_patches": 64,
}


def gradients(method: str, *, mixed: bool) -> dict[str, Tensor]:
    """Take a step without updates; return the gradient of each network, flat."""
    torch.manual_seed(0)
    recipe = find_method(method)
    trainer = recipe.load_task().trainer(recipe.config_class()(**SMALL, init_gain=1))

    def backward(name: str, loss: Tensor, step: bool) -> None:
        groups = trainer.optimizers[name].param_groups
        weights = [weight for group in groups for weight in group["params"]]
        with torch.autocast("cpu", enabled=False):
            torch.autograd.backward(loss, inputs=weights)
        if step:
            torch.clear_autocast_cache()

    batch = {name: torch.rand(1, 3, 32, 32) * 2 - 1 for name in "ab"}
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        trainer.step(batch, Updates(backward), StepProgress())
    return {
        name: torch.cat([weight.grad.flatten() for weight in network.parameters()])
        for name, network in trainer.networks.items()
    }


@pytest.mark.parametrize("method", ["cut", "fastcut", "dclgan"])
def test_gradients_in_mixed_precision_point_as_in_float32(method: str) -> None:
    exact, mixed = (gradients(method, mixed=mixed) for mixed in (False, True))
    for name, gradient in exact.items():
        assert torch.cosine_similarity(gradient, mixed[name], dim=0) > 0.8, name
        assert float(mixed[name].norm()) == pytest.approx(float(gradient.norm()), rel=0.3), name


@pytest.mark.parametrize("method", ["cut", "fastcut", "dclgan"])
def test_batch_norms_keep_the_statistics_of_the_images_to_translate(method: str) -> None:
    recipe = find_method(method)
    torch.manual_seed(0)
    c = recipe.config_class()(**SMALL, norm="batch", batch_size=2, device="cpu")
    trainer: Any = recipe.load_task().trainer(c)
    trainer.draw_flip = lambda x: torch.tensor(False)
    batch = {name: torch.rand(2, 3, 32, 32) * 2 - 1 for name in "ab"}
    translated = {direction: batch[direction[0].lower()] for direction in trainer.generators}
    expected = copy.deepcopy(trainer.generators)
    with torch.no_grad():
        for direction, generator in expected.items():
            generator(translated[direction])
    trainer.step(batch, Updates(lambda name, loss, step: None), StepProgress())
    for direction, generator in trainer.generators.items():
        buffers = dict(generator.named_buffers())
        assert buffers
        for name, buffer in expected[direction].named_buffers():
            torch.testing.assert_close(buffers[name], buffer, msg=f"{direction} {name}")
