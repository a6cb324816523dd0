"""What a forward keeps for its gradient: an input of each convolution and of each norm, once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from translate.networks import DCGANDiscriminator, PatchGAN, UNet
from translate.networks.blocks import InstanceNorm


def kept_maps(network: nn.Module, x: Tensor) -> int:
    """How many blocks of memory with feature maps autograd holds after a forward."""
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    held: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = network(x)
    assert y.requires_grad
    return len({t.untyped_storage().data_ptr() for t in held if t.ndim == 4} - weights)


@pytest.mark.parametrize(
    ("network", "more"),
    [
        (PatchGAN(3, width=4), 0),
        (DCGANDiscriminator(3, width=4, depth=3), 0),
        (UNet(width=4, depth=5, norm="batch"), 1),  # what tanh gave
        (UNet(width=4, depth=5, norm="instance"), 1),
    ],
)
def test_no_layer_is_kept_twice(network: nn.Module, more: int) -> None:
    layers = (nn.Conv2d, nn.ConvTranspose2d, InstanceNorm, _BatchNorm)
    count = sum(isinstance(module, layers) for module in network.modules())
    assert kept_maps(network, torch.randn(2, 3, 32, 32)) == count + more
