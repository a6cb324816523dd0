"""The warning of diverging weights names the learning rate that trains them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from translate.methods.dclgan.config import DCLGANConfig
from translate.training.divergence import divergence_warnings


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("g_ab", "--lr (it is 0.0002)"),
        ("d_b", "--lr-d (it is 0.1)"),
        ("f_a", "--lr-f (it is 0.001)"),
    ],
)
def test_the_remedy_is_the_learning_rate_of_the_network(name: str, remedy: str) -> None:
    healthy, diverged = nn.Linear(3, 3), nn.Linear(3, 3)
    with torch.no_grad():
        diverged.weight.fill_(100)
    (line,) = divergence_warnings({"other": healthy, name: diverged}, DCLGANConfig(lr_d=0.1))
    assert name in line
    assert remedy in line
