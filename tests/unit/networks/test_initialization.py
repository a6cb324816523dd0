"""Tests of weight initialisation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from translate.networks import PatchGAN, initialize

FAN_IN, FAN_OUT = 64 * 9, 128 * 9


@pytest.mark.parametrize(
    ("kind", "deviation"),
    [
        ("normal", 0.02),
        ("xavier", 0.02 * math.sqrt(2 / (FAN_IN + FAN_OUT))),
        ("kaiming", math.sqrt(2 / FAN_IN)),
    ],
)
def test_weights_have_the_standard_deviation_of_their_kind(kind: str, deviation: float) -> None:
    torch.manual_seed(0)
    conv = initialize(nn.Conv2d(64, 128, 3), kind, 0.02)
    assert conv.weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert conv.weight.mean().item() == pytest.approx(0, abs=0.02 * deviation)
    assert not conv.bias.any()


def test_orthogonal_weights_are_orthogonal_with_the_gain_as_norm() -> None:
    torch.manual_seed(0)
    rows = initialize(nn.Conv2d(8, 16, 3), "orthogonal", 0.5).weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, 0.25 * torch.eye(16), rtol=0, atol=1e-6)


def test_batch_norm_weights_start_around_1() -> None:
    torch.manual_seed(0)
    norm = initialize(nn.BatchNorm2d(10_000), "normal", 0.02)
    assert norm.weight.mean().item() == pytest.approx(1, abs=1e-3)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not norm.bias.any()


@pytest.mark.parametrize("kind", ["normal", "xavier", "kaiming", "orthogonal"])
def test_every_layer_of_a_network_is_initialized(kind: str) -> None:
    network = nn.Sequential(PatchGAN(width=4, norm="batch"), nn.ConvTranspose2d(4, 4, 3))
    for weight in network.parameters():
        nn.init.constant_(weight, 7)
    initialize(network, kind)
    assert all(not (weight == 7).any() for weight in network.parameters())


def test_the_seed_determines_the_weights() -> None:
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append(initialize(nn.Conv2d(3, 4, 3)).weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
