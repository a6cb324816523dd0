"""Colour for a gray photo, as a choice among classes of colour (arXiv:1603.08511)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.generators.base import Generator
from translate.networks.generators.efficientnet import CHANNELS, EfficientNetLite

SIDE = 23  # classes along a and along b: every 10 of the Lab unit from -110 to 110
TEMPERATURE = 0.7  # of the annealed mean (section 2.3, where it is 0.38)


class Colorizer(Generator):
    """Scores for each class of colour at a quarter of the size, on features of a backbone.

    Args:
        width: channels of the decoder.
    """

    size_multiple = 32

    def __init__(self, in_channels: int = 1, *, width: int = 128) -> None:
        super().__init__()
        self.width = width
        self.backbone = EfficientNetLite(in_channels)
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in CHANNELS[1:])
        self.merge = nn.ModuleList(_block(width) for _ in CHANNELS[1:])
        self.classes = nn.Conv2d(width, SIDE**2, 1)

    def forward(self, x: Tensor, *, logits: bool = False) -> Tensor:
        """Colour (N, 1, H, W) lightness in [-1, 1]; H, W multiples of 32.

        Returns:
            (N, 2, H, W), a and b in [-1, 1]; with `logits` (N, 529, H/4, W/4), those of the classes.
        """
        _, *features = self.backbone(x, self.segment)
        deep = torch.zeros_like(features[-1][:, :1])
        for feature, lateral, merge in zip(
            reversed(features), reversed(self.lateral), reversed(self.merge), strict=True
        ):
            size = feature.shape[2:]
            deep = self.segment(merge, lateral(feature) + F.interpolate(deep, size, mode="nearest"))
        scores: Tensor = self.classes(deep)
        if logits:
            return scores
        chroma = annealed_mean(scores)
        return F.interpolate(chroma, x.shape[2:], mode="bilinear", align_corners=False)


def _block(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


def annealed_mean(scores: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """(N, 529, H, W) logits -> (N, 2, H, W) in [-1, 1]: the mean colour of the sharpened choice (eq. 5)."""
    weights = (scores.float() / temperature).softmax(1)
    weights = weights.view(-1, SIDE, SIDE, *scores.shape[2:])
    axis = torch.linspace(-1, 1, SIDE, device=scores.device)
    a = torch.einsum("nabhw,a->nhw", weights, axis)
    b = torch.einsum("nabhw,b->nhw", weights, axis)
    return torch.stack([a, b], dim=1)
