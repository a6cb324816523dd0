"""Ways to take the same step in less memory, and what is told where it does not fit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from translate.config import ImageTrainConfig
from translate.errors import TranslateError, UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.gan.config import DCGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.registry import find_method
from translate.training.memory import remedies
from translate.training.step import optimization
from translate.training.step.stepper import Stepper

CONFIGS: dict[str, type[ImageTrainConfig]] = {"cyclegan": CycleGANConfig, "pix2pix": Pix2PixConfig}
SMALL: dict[str, Any] = {"ngf": 4, "ndf": 4, "image_size": 32, "batch_size": 4, "device": "cpu"}


def config(method: str, **settings: Any) -> ImageTrainConfig:
    own = {"cyclegan": {"blocks": 1, "pool_size": 0}, "pix2pix": {}}[method]
    return CONFIGS[method](**{**SMALL, **own, "precision": "fp32", "d_layers": 2, **settings})


def stepped(c: ImageTrainConfig, method: str) -> dict[str, Tensor]:
    """Weights and running statistics after three steps in float64: the same start, the same images."""
    torch.manual_seed(0)
    made = Stepper(find_method(method).load_task().trainer(c).double(), c)
    for number in range(3):
        a, b = torch.rand(2, c.batch_size, 3, 32, 32, dtype=torch.float64)
        losses = made.step({"a": a, "b": b}, step=number)
        assert all(loss.isfinite() for loss in losses.values())
    parts = {**dict(made.trainer.named_parameters()), **dict(made.trainer.named_buffers())}
    return {
        name: value.detach() for name, value in parts.items() if value.is_floating_point() and value.numel()
    }


def farthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_a_batch_in_parts_is_the_same_step() -> None:
    whole = stepped(config("cyclegan"), "cyclegan")
    assert farthest(whole, stepped(config("cyclegan", accumulate=4), "cyclegan")) < 1e-9
    assert farthest(whole, stepped(config("cyclegan", batch_size=2), "cyclegan")) > 1e-4


@pytest.mark.parametrize("method", CONFIGS)
def test_layers_computed_again_change_nothing(method: str) -> None:
    """Dropout draws the same again, and batch norm counts each image once."""
    assert farthest(stepped(config(method), method), stepped(config(method, recompute=True), method)) < 1e-9


def test_weights_that_move_early_move_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []  # how many weights each moves
    step = torch.optim.Adam.step

    def counted(self: torch.optim.Adam) -> None:
        weights = [weight for group in self.param_groups for weight in group["params"]]
        steps.append(sum(weight.grad is not None for weight in weights))
        step(self)

    def moved(early: int, **settings: Any) -> dict[str, Tensor]:
        steps.clear()
        monkeypatch.setattr(optimization, "GRADIENT_BUCKET", early)
        return stepped(config("pix2pix", **settings), "pix2pix")

    monkeypatch.setattr(torch.optim.Adam, "step", counted)
    together = moved(2**23)
    count = sum(steps)
    assert farthest(together, moved(1)) == 0
    assert set(steps) == {0, 1, 10}, "one by one, but for the discriminator's, whose losses come in two parts"
    assert sum(steps) == count, "each once in a step"
    assert farthest(together, moved(1, clip_grad=1e9)) < 1e-9
    assert 1 not in steps, "clipping looks at all gradients"


def test_parts_must_be_equal() -> None:
    with pytest.raises(UsageError, match=r"accumulate 3 does not cut batch_size 4 .*: use --accumulate 2"):
        config("pix2pix", accumulate=3).check()


def test_a_step_that_does_not_fit_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    c = config("pix2pix")
    made = Stepper(find_method("pix2pix").load_task().trainer(c), c)

    def full(*_: object) -> dict[str, Tensor]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(made.trainer, "step", full)
    with pytest.raises(TranslateError, match=r"does not fit .* --accumulate 4 .* --recompute .* under 32"):
        made.step({"a": torch.rand(4, 3, 32, 32)})


def test_remedies_are_those_that_are_left() -> None:
    assert remedies(config("pix2pix", accumulate=4, recompute=True)) == "use an --image-size under 32"
    assert "--batch-size 32" in remedies(DCGANConfig())
