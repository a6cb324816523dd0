"""Gradient accumulation and checkpointing take the same step; a step out of memory says what helps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.variants import ATTENTION
from translate.config import ImageTrainConfig
from translate.errors import TranslateError, UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.gan.config import DCGANConfig
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.registry import find_method
from translate.training.memory import memory_remedies
from translate.training.step.stepper import Stepper

CONFIGS: dict[str, type[ImageTrainConfig]] = {"cyclegan": CycleGANConfig, "pix2pix": Pix2PixConfig}
SMALL: dict[str, Any] = {"ngf": 4, "ndf": 4, "image_size": 32, "batch_size": 4, "device": "cpu"}


def config(method: str, **settings: Any) -> ImageTrainConfig:
    own = {"cyclegan": {"blocks": 1, "pool_size": 0}, "pix2pix": {}}[method]
    return CONFIGS[method](**{**SMALL, **own, "precision": "fp32", "d_layers": 2, **settings})


def state_after_steps(c: ImageTrainConfig, method: str) -> dict[str, Tensor]:
    """Return weights and running statistics after three steps in float64, from a fixed seed."""
    torch.manual_seed(0)
    stepper = Stepper(find_method(method).load_task().trainer(c).double(), c)
    for step in range(3):
        a, b = torch.rand(2, c.batch_size, 3, 32, 32, dtype=torch.float64)
        losses = stepper.step({"a": a, "b": b}, steps_done=step)
        assert all(loss.isfinite() for loss in losses.values())
    state = {**dict(stepper.trainer.named_parameters()), **dict(stepper.trainer.named_buffers())}
    return {
        name: value.detach() for name, value in state.items() if value.is_floating_point() and value.numel()
    }


def max_difference(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    return max(float((first[name] - second[name]).abs().max()) for name in first)


def test_gradient_accumulation_takes_the_same_step() -> None:
    batch = state_after_steps(config("cyclegan"), "cyclegan")
    microbatches = state_after_steps(config("cyclegan", accumulate=4), "cyclegan")
    assert max_difference(batch, microbatches) < 1e-9
    smaller_batch = state_after_steps(config("cyclegan", batch_size=2), "cyclegan")
    assert max_difference(batch, smaller_batch) > 1e-4


@pytest.mark.parametrize("method", CONFIGS)
def test_gradient_checkpointing_takes_the_same_step(method: str) -> None:
    """Recomputed dropout draws the same masks, and batch norm counts each batch once."""
    plain = state_after_steps(config(method), method)
    recomputed = state_after_steps(config(method, recompute=True), method)
    assert max_difference(plain, recomputed) < 1e-9


def step_with_large_networks(**settings: Any) -> tuple[dict[str, Tensor], float]:
    """Return the weights after two steps, and the peak share of the generator's weights with a gradient."""
    torch.manual_seed(0)
    c = config("pix2pix", ngf=64, batch_size=2, **settings)
    trainer = Pix2Pix(c)
    weights, peak = list(trainer.g.parameters()), 0.0
    total = sum(weight.numel() for weight in weights)

    def measure(_: Tensor) -> None:
        nonlocal peak
        with_gradient = sum(weight.numel() for weight in weights if weight.grad is not None)
        peak = max(peak, with_gradient / total)

    for weight in weights:
        weight.register_post_accumulate_grad_hook(measure)
    stepper = Stepper(trainer, c)
    for step in range(2):
        a, b = torch.randint(256, (2, 2, 3, 32, 32), dtype=torch.uint8)
        stepper.step({"a": a, "b": b}, steps_done=step)
    return trainer.state_dict(), peak


def test_weights_that_step_during_the_backward_pass_reach_the_same_bits_in_less_memory() -> None:
    in_backward, peak = step_with_large_networks()
    # Clipping needs all gradients at once; this limit is never reached.
    after_backward, full_peak = step_with_large_networks(clip_grad=1e9)
    assert peak < 0.6
    assert full_peak == 1
    assert [name for name, value in in_backward.items() if not value.equal(after_backward[name])] == []


def test_microbatches_must_be_of_equal_size() -> None:
    with pytest.raises(UsageError, match=r"accumulate 3 .* --accumulate 2"):
        config("pix2pix", accumulate=3).check()


class OutOfMemory(Pix2Pix):
    def step(self, *_: Any) -> dict[str, Tensor]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


def test_a_step_out_of_memory_says_what_helps() -> None:
    c = config("pix2pix")
    stepper = Stepper(OutOfMemory(c), c)
    with pytest.raises(TranslateError, match=r"--accumulate 4 .* --recompute .* --image-size under 32"):
        stepper.step({"a": torch.rand(4, 3, 32, 32)})


class SinglePixel(Pix2Pix):
    """A trainer with a batch norm of one pixel, as the colorizer has at 32 px."""

    def step(self, *_: Any) -> dict[str, Tensor]:
        return {"g": torch.nn.BatchNorm2d(3)(torch.zeros(1, 3, 1, 1))}


def test_batch_norm_of_a_single_pixel_is_an_error_with_a_remedy() -> None:
    c = config("pix2pix")
    stepper = Stepper(SinglePixel(c), c)
    with pytest.raises(TranslateError, match=r"image_size 32 .* --batch-size"):
        stepper.step({"a": torch.rand(4, 3, 32, 32)})


def test_only_remedies_that_are_left_are_suggested() -> None:
    remedies = memory_remedies(config("pix2pix", accumulate=4, recompute=True))
    assert "--image-size under 32" in remedies
    assert "--accumulate" not in remedies
    assert "--recompute" not in remedies
    assert "--batch-size 32" in memory_remedies(DCGANConfig())
    several_updates = memory_remedies(InpaintConfig(**ATTENTION))
    assert "--batch-size 8" in several_updates
    assert "--accumulate" not in several_updates
