"""Tests of the perceptual loss and of its frozen backbone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.losses import PerceptualLoss


class Backbone(nn.Module):
    """Features at two scales, with batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU()
        )
        self.second = nn.Conv2d(4, 4, 3, stride=2)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = self.first(x)
        return [first, self.second(first)]


class Scaled(nn.Module):
    """The image itself as features of several magnitudes."""

    def __init__(self, *factors: float) -> None:
        super().__init__()
        self.factors = factors

    def forward(self, x: Tensor) -> list[Tensor]:
        return [factor * x for factor in self.factors]


@pytest.fixture
def backbone() -> Backbone:
    torch.manual_seed(0)
    return Backbone()


def image(seed: int = 0) -> Tensor:
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_loss_is_0_for_equal_images_and_grows_with_the_difference(backbone: Backbone) -> None:
    loss, target = PerceptualLoss(backbone), image()
    assert loss(target.clone(), target) == 0
    near, far = (loss(target + change * image(1), target) for change in (0.1, 1.0))
    assert near.shape == ()
    assert 0 < near < far


def test_the_image_gets_a_gradient_and_the_backbone_none(backbone: Backbone) -> None:
    x = image(1).requires_grad_()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    PerceptualLoss(backbone)(x, image()).backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0
    assert list(backbone.parameters()) == []
    for key, weight in backbone.named_buffers():
        assert weight.grad is None
        assert not weight.requires_grad
        assert torch.equal(weight, before[key])


def test_train_does_not_unfreeze_the_backbone(backbone: Backbone) -> None:
    loss = PerceptualLoss(backbone)
    parent = nn.ModuleDict({"features": loss}).train()
    before = {key: value.clone() for key, value in backbone.named_buffers()}
    values = [float(loss.train()(image(1), image())) for _ in range(3)]
    assert len(set(values)) == 1  # Dropout does not act.
    assert not any(module.training for module in backbone.modules())
    assert before
    assert all(torch.equal(before[key], value) for key, value in backbone.named_buffers())
    assert list(parent.parameters()) == []


def test_a_checkpoint_does_not_contain_the_backbone(backbone: Backbone) -> None:
    assert PerceptualLoss(backbone).state_dict() == {}


def test_each_scale_is_divided_by_its_own_magnitude() -> None:
    target, other = image(), image(1)
    relative = float((other - target).abs().mean() / target.abs().mean())
    for factors in ((1.0,), (1.0, 1000.0), (0.01, 1.0, 7.0)):
        assert float(PerceptualLoss(Scaled(*factors))(other, target)) == pytest.approx(relative, rel=1e-5)


def test_the_loss_is_finite_for_a_target_whose_features_are_0() -> None:
    assert PerceptualLoss(Scaled(1.0))(image(), torch.zeros(2, 1, 16, 16)).isfinite()
