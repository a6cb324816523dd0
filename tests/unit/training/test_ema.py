"""The exponential moving average (EMA) follows the weights of the networks in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from translate.training.step.ema import EMA


def network(value: float) -> nn.Module:
    """Return a network all of whose weights have a value."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    for parameter in net.parameters():
        nn.init.constant_(parameter, value)
    return net


def average_after_step(ema: EMA, source: nn.Module, value: float, step: int) -> float:
    """Set the source's weights to a value and update once; return the value of the averaged weights."""
    for parameter in source.parameters():
        nn.init.constant_(parameter, value)
    ema.set_step(step)
    ema.update()
    (average,) = {round(v.item(), 5) for p in ema.copies["AtoB"].parameters() for v in p.flatten()}
    return average


def test_with_decay_0_the_average_is_the_newest_weights() -> None:
    source = network(0)
    ema = EMA({"AtoB": source}, 0.0)
    for step in (1, 100):
        for parameter in source.parameters():
            nn.init.normal_(parameter)
        ema.set_step(step)
        ema.update()
        for average, weight in zip(ema.copies["AtoB"].parameters(), source.parameters(), strict=True):
            assert torch.equal(average, weight)


@pytest.mark.parametrize(("step", "decay"), [(1, 2 / 11), (90, 0.9), (10**6, 0.9)])
def test_the_decay_rises_to_the_one_of_the_settings(step: int, decay: float) -> None:
    source = network(0)
    ema = EMA({"AtoB": source}, 0.9)
    assert average_after_step(ema, source, 1.0, step) == pytest.approx(1 - decay, abs=1e-4)


def test_running_statistics_are_averaged_and_their_batches_counted() -> None:
    source = network(1)
    ema = EMA({"AtoB": source}, 0.9)
    source(torch.randn(2, 1, 3, 3))
    ema.set_step(10**6)
    ema.update()
    average, own = ema.copies["AtoB"][1], source[1]
    torch.testing.assert_close(average.running_mean, 0.1 * own.running_mean)  # They began at 0 and 1.
    torch.testing.assert_close(average.running_var, 0.9 + 0.1 * own.running_var)
    assert average.num_batches_tracked == own.num_batches_tracked == 1


def test_buffers_that_are_no_running_statistics_are_copied() -> None:
    source = network(1)
    source.register_buffer("scale", torch.zeros(()))
    ema = EMA({"AtoB": source}, 0.9)
    source.scale.fill_(3)
    ema.set_step(10**6)
    ema.update()
    assert ema.copies["AtoB"].scale == 3


def test_averages_do_not_train_and_share_no_weights_with_their_sources() -> None:
    source = network(1)
    ema = EMA({"AtoB": source}, 0.9)
    assert not any(weight.requires_grad for weight in ema.parameters())
    assert not ema.copies.training
    assert source.training
    assert all(weight.requires_grad for weight in source.parameters())
    nn.init.zeros_(source[0].weight)
    assert (ema.copies["AtoB"][0].weight == 1).all()


def test_the_state_dict_holds_only_the_averages() -> None:
    source = network(2)
    ema, restored = EMA({"AtoB": network(1)}, 0.9), EMA({"AtoB": source}, 0.9)
    assert all(name.startswith("copies.AtoB.") for name in ema.state_dict())
    restored.load_state_dict(ema.state_dict())
    assert (restored.copies["AtoB"][0].weight == 1).all()
    assert (source[0].weight == 2).all()
