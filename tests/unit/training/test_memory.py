"""The estimate of a training step's memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.images import demo
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.training.memory import estimate
from translate.training.session import Session

METHODS = {"pix2pix": (Pix2Pix, Pix2PixConfig), "cyclegan": (CycleGAN, CycleGANConfig)}


def estimated(method: str, *, half: bool = False, **settings: Any) -> tuple[int, int]:
    """The estimate, and the bytes of the weights."""
    kind, config = METHODS[method]
    own = {"pool_size": 0} if method == "cyclegan" else {}
    c = config(**{"ngf": 4, "ndf": 4, "blocks": 1, "image_size": 64, "batch_size": 1, **own, **settings})
    trainer = kind(c)
    weights = sum(weight.numel() * weight.element_size() for weight in trainer.parameters())
    image = torch.zeros(3, c.image_size, c.image_size, dtype=torch.uint8)
    return estimate(trainer, c, {"a": image, "b": image}, half), weights


@pytest.mark.parametrize("method", METHODS)
def test_weights_count_with_gradient_and_two_averages(method: str) -> None:
    total, weights = estimated(method)
    assert total > 4 * weights


@pytest.mark.parametrize("method", METHODS)
def test_what_a_step_keeps_grows_with_the_images(method: str) -> None:
    one, _ = estimated(method)
    four, _ = estimated(method, batch_size=4)
    larger, _ = estimated(method, image_size=128, **({"levels": 6} if method == "pix2pix" else {}))
    per_image = (four - one) / 3
    assert per_image > 3 * 64 * 64 * 4  # more than the image itself, in float32
    assert larger - one == pytest.approx(3 * per_image, rel=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_half_precision_halves_the_images_share(method: str) -> None:
    batches = [estimated(method, batch_size=n)[0] for n in (1, 5)]
    halves = [estimated(method, batch_size=n, half=True)[0] for n in (1, 5)]
    assert halves[1] - halves[0] == pytest.approx((batches[1] - batches[0]) / 2, rel=0.01)


def test_parts_and_computing_again_need_less() -> None:
    whole, weights = estimated("cyclegan", batch_size=4)
    parts, _ = estimated("cyclegan", batch_size=4, accumulate=4)
    one, _ = estimated("cyclegan", batch_size=1)
    assert parts == one
    again, _ = estimated("cyclegan", batch_size=4, recompute=True)
    assert 5 * weights < again < whole


def test_a_large_step_is_estimated_without_taking_it() -> None:
    total, _ = estimated("cyclegan", ngf=64, ndf=64, blocks=9, image_size=1024, batch_size=16)
    assert total > 100 * 2**30
    assert torch.get_default_device().type == "cpu"


def test_a_step_that_cannot_be_walked_through_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Pix2Pix.step

    def with_constant(self: Pix2Pix, batch: dict[str, torch.Tensor], *arguments: Any) -> Any:
        return step(self, {name: part + torch.zeros(1) for name, part in batch.items()}, *arguments)

    monkeypatch.setattr(Pix2Pix, "step", with_constant)
    folder = demo(tmp_path / "data")
    small = {"image_size": 32, "ngf": 4, "ndf": 4, "blocks": 1, "d_layers": 2, "workers": 0}
    given = {"data": str(folder), "out": str(tmp_path / "run"), "steps": 1, "device": "cpu", **small}
    session = Session("pix2pix", given)
    assert "memory: not known" in session.describe()
    assert session.train()
