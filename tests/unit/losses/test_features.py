"""The difference of features: of frozen ones, that no training of the loss moves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.losses import FeatureLoss


class Backbone(nn.Module):
    """Features of two sizes, with a batch norm and dropout on the way."""

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
    """The image itself at several magnitudes."""

    def __init__(self, *scales: float) -> None:
        super().__init__()
        self.scales = scales

    def forward(self, x: Tensor) -> list[Tensor]:
        return [scale * x for scale in self.scales]


@pytest.fixture
def backbone() -> Backbone:
    torch.manual_seed(0)
    return Backbone()


def image(seed: int = 0) -> Tensor:
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_equal_images_cost_nothing_and_others_the_more_the_less_alike(backbone: Backbone) -> None:
    loss, truth = FeatureLoss(backbone), image()
    assert loss(truth.clone(), truth) == 0
    near, far = (loss(truth + change * image(1), truth) for change in (0.1, 1.0))
    assert near.shape == ()
    assert 0 < near < far


def test_a_gradient_reaches_the_image_and_not_the_backbone(backbone: Backbone) -> None:
    x = image(1).requires_grad_()
    FeatureLoss(backbone)(x, image()).backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0
    assert all(weight.grad is None and not weight.requires_grad for weight in backbone.parameters())


def test_training_what_is_around_it_leaves_the_backbone_as_it_is(backbone: Backbone) -> None:
    loss = FeatureLoss(backbone)
    around = nn.ModuleDict({"features": loss}).train()
    before = {key: value.clone() for key, value in around.state_dict().items()}
    values = [float(loss.train()(image(1), image())) for _ in range(3)]
    assert len(set(values)) == 1  # no dropout
    assert not any(module.training for module in backbone.modules())
    assert all(torch.equal(before[key], value) for key, value in around.state_dict().items())


def test_each_size_counts_by_its_own_magnitude() -> None:
    truth, other = image(), image(1)
    share = float((other - truth).abs().mean() / truth.abs().mean())
    for scales in ((1.0,), (1.0, 1000.0), (0.01, 1.0, 7.0)):
        assert float(FeatureLoss(Scaled(*scales))(other, truth)) == pytest.approx(share, rel=1e-5)


def test_a_truth_without_features_costs_no_infinity() -> None:
    assert FeatureLoss(Scaled(1.0))(image(), torch.zeros(2, 1, 16, 16)).isfinite()
