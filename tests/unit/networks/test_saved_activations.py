"""Tests of what autograd saves in a forward pass: one input of each convolution and of each norm."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from translate.networks import DCGANDiscriminator, PatchGAN, UNet
from translate.networks.blocks import InstanceNorm


def count_saved_maps(network: nn.Module, x: Tensor) -> int:
    """Return how many blocks of memory with feature maps autograd saves in a forward pass."""
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    saved: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = network(x)
    assert y.requires_grad
    return len({t.untyped_storage().data_ptr() for t in saved if t.ndim == 4} - weights)


@pytest.mark.parametrize(
    ("network", "extra"),
    [
        (PatchGAN(3, width=4), 0),
        (DCGANDiscriminator(3, width=4, depth=3), 0),
        (UNet(width=4, depth=5, norm="batch"), 1),  # The output of tanh.
        (UNet(width=4, depth=5, norm="instance"), 1),
    ],
)
def test_no_activation_is_saved_twice(network: nn.Module, extra: int) -> None:
    layers = (nn.Conv2d, nn.ConvTranspose2d, InstanceNorm, _BatchNorm)
    count = sum(isinstance(module, layers) for module in network.modules())
    assert count_saved_maps(network, torch.randn(2, 3, 32, 32)) == count + extra
