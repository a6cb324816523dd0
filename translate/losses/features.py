"""How different two images are to a network that knows images (arXiv:1603.08155, section 3.2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class FeatureLoss(nn.Module):
    """Mean absolute difference of a frozen backbone's features, each size's share of their own magnitude.

    Args:
        backbone: (N, C, H, W) in [-1, 1] -> features of several sizes; frozen by this.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = convert_to_buffers(backbone).eval()

    def train(self, mode: bool = True) -> FeatureLoss:
        """Stay as it is: the backbone's batch norms use what they learnt."""
        return self

    def forward(self, image: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of two images of one size, a scalar."""
        pairs = zip(self.backbone(image), self.backbone(truth), strict=True)
        shares = [F.l1_loss(ours, theirs) / theirs.abs().mean().clamp_min(1e-6) for ours, theirs in pairs]
        return sum(shares, image.new_zeros(())) / len(shares)


def convert_to_buffers(network: nn.Module) -> nn.Module:
    """Make a network's weights constants, in place: they are neither trained, averaged nor checkpointed."""
    for module in network.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach(), persistent=False)
        for name, value in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, value, persistent=False)
    return network
