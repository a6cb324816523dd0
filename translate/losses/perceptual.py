"""The perceptual loss: a distance between a frozen network's features (arXiv:1603.08155, section 3.2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from translate.pretrained import convert_to_buffers


class PerceptualLoss(nn.Module):
    """A perceptual loss: the relative L1 distance between a frozen backbone's features.

    At each scale, the mean absolute difference is divided by the mean magnitude of the target's features, so
    that all scales weigh alike; the loss is the mean over the scales.

    Args:
        backbone: maps (N, C, H, W) images in [-1, 1] to a list of features at several scales. It is frozen in
            place: its weights become buffers, and it stays in `eval()`.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = convert_to_buffers(backbone).eval()

    def train(self, mode: bool = True) -> PerceptualLoss:
        """Do nothing, because the backbone's batch norms must keep using their running statistics."""
        return self

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Return the loss between (N, C, H, W) images and targets in [-1, 1], a scalar."""
        scales = zip(self.backbone(image), self.backbone(target), strict=True)
        distances = [F.l1_loss(a, b) / b.abs().mean().clamp_min(1e-6) for a, b in scales]
        return sum(distances, image.new_zeros(())) / len(distances)
