"""The projected discriminator: heads on mixed features of a frozen backbone (arXiv:2111.01007)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.backbones import Backbone
from translate.networks.blocks import leaky_relu, make_norm
from translate.networks.spectral_norm import add_spectral_norm
from translate.pretrained import convert_to_buffers

MAX_MULTIPLIER = 8  # Channels of the widest layers, times the width.


class ProjectedDiscriminator(nn.Module):
    """A discriminator that judges images by the features of a frozen backbone, one head for each scale.

    Fixed random projections mix the features (section 3.2), so that the heads cannot rely on a few of them.
    All heads return scores of one size, with spectral norm in each layer.

    Args:
        backbone: maps images to features of four scales.
        width: channels of the projected features of the first scale (ndf); each further scale has twice as
            many.
        norm: the norm of the heads.
    """

    def __init__(self, backbone: Backbone, *, width: int = 64, norm: str = "instance") -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = RandomProjection(backbone.channels, width)
        scales = len(backbone.channels)
        self.heads = nn.ModuleList(
            _head(channels, scales - scale, MAX_MULTIPLIER * width, norm)
            for scale, channels in enumerate(self.projection.channels)
        )
        add_spectral_norm(self.heads)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Score (N, C, H, W) images in [-1, 1], C 1 or 3; return (N, 1, h, w) logits for each scale."""
        projected = self.projection(self.backbone(x))
        return tuple(head(features) for head, features in zip(self.heads, projected, strict=True))


class RandomProjection(nn.Module):
    """Fixed random mixing of features across channels (1 x 1) and across scales (3 x 3), as in section 3.2.

    Args:
        channels: the channels of the features, from the largest features to the smallest.
        width: channels of the largest projected features; smaller ones have two, four, ... times as many.

    Attributes:
        channels: the channels of the projected features.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.channels = [width * 2**scale for scale in range(len(channels))]
        self.across_channels = nn.ModuleList(
            nn.Conv2d(before, after, 1) for before, after in zip(channels, self.channels, strict=True)
        )
        self.across_scales = nn.ModuleList(
            nn.Conv2d(smaller, larger, 3, padding=1)
            for larger, smaller in zip(self.channels, self.channels[1:], strict=False)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is not None
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)
        # A resumed run needs the same projections, so they are part of a checkpoint.
        convert_to_buffers(self, persistent=True)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Mix features, from the smallest to the largest; each scale keeps its size."""
        mixed = [mix(scale) for mix, scale in zip(self.across_channels, features, strict=True)]
        for scale in reversed(range(len(mixed) - 1)):
            from_below = F.interpolate(
                self.across_scales[scale](mixed[scale + 1]),
                mixed[scale].shape[2:],
                mode="bilinear",
                align_corners=False,
            )
            mixed[scale] = mixed[scale] + from_below
        return mixed


def _head(channels: int, halvings: int, max_channels: int, norm: str) -> nn.Sequential:
    """Create a head that halves its features so many times, and scores each position of the result."""
    layers: list[nn.Module] = []
    for _ in range(halvings):
        before, channels = channels, min(2 * channels, max_channels)
        layers += [
            nn.Conv2d(before, channels, 4, stride=2, padding=1),
            make_norm(norm, channels),
            leaky_relu(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))
