"""The averaged generators follow those that train."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from translate.training.step.ema import EMA


def network(value: float) -> nn.Module:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    for parameter in net.parameters():
        nn.init.constant_(parameter, value)
    return net


def moved(averaged: EMA, source: nn.Module, value: float, step: int) -> float:
    """Where the copy's weights are after one update towards `value`."""
    for parameter in source.parameters():
        nn.init.constant_(parameter, value)
    averaged.set_step(step)
    averaged.update()
    (weights,) = {round(v.item(), 5) for p in averaged.copies["AtoB"].parameters() for v in p.flatten()}
    return weights


def test_a_decay_of_0_is_the_source_itself() -> None:
    source = network(0)
    averaged = EMA({"AtoB": source}, 0.0)
    for step in (1, 100):
        for parameter in source.parameters():
            nn.init.normal_(parameter)
        averaged.set_step(step)
        averaged.update()
        for old, new in zip(averaged.copies["AtoB"].parameters(), source.parameters(), strict=True):
            assert torch.equal(old, new)


@pytest.mark.parametrize(("step", "past"), [(1, 2 / 11), (90, 0.9), (10**6, 0.9)])
def test_a_copy_moves_towards_its_source_ever_more_slowly(step: int, past: float) -> None:
    source = network(0)
    averaged = EMA({"AtoB": source}, 0.9)
    assert moved(averaged, source, 1.0, step) == pytest.approx(1 - past, abs=1e-4)


def test_buffers_are_the_sources() -> None:
    source = network(1)
    averaged = EMA({"AtoB": source}, 0.9)
    source(torch.randn(2, 1, 3, 3))
    averaged.set_step(1)
    averaged.update()
    for copied, own in zip(averaged.copies["AtoB"].buffers(), source.buffers(), strict=True):
        assert torch.equal(copied, own)


def test_copies_neither_train_nor_share_weights_with_their_sources() -> None:
    source = network(1)
    averaged = EMA({"AtoB": source}, 0.9)
    assert not any(weight.requires_grad for weight in averaged.parameters())
    assert not averaged.copies.training
    assert source.training
    assert all(weight.requires_grad for weight in source.parameters())
    nn.init.zeros_(source[0].weight)
    assert (averaged.copies["AtoB"][0].weight == 1).all()


def test_only_the_copies_are_state_and_come_back() -> None:
    averaged, other = EMA({"AtoB": network(1)}, 0.9), EMA({"AtoB": network(2)}, 0.9)
    assert all(name.startswith("copies.AtoB.") for name in averaged.state_dict())
    other.load_state_dict(averaged.state_dict())
    assert (other.copies["AtoB"][0].weight == 1).all()
    assert (other.sources[0][0].weight == 2).all()
