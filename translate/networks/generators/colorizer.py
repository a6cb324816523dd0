"""The colourisation generator: classification over quantised colours (arXiv:1603.08511)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.generators.base import Generator
from translate.networks.generators.efficientnet import CHANNELS, EfficientNetLite

BINS = 23  # Classes along a and along b: every 10 units of Lab from -110 to 110.
TEMPERATURE = 0.7  # Of the annealed mean; the paper's value is 0.38 (section 2.3).


class Colorizer(Generator):
    """A colourisation network: an EfficientNet-lite0 backbone and a feature-pyramid decoder.

    The decoder merges the features from 1/32 to 1/4 of the image's size, and its last layer gives the logits
    of 23 x 23 = 529 classes of (a, b) at a quarter of the size. Their annealed mean is the colour.

    Args:
        in_channels: 1, the lightness.
        width: channels of the decoder.
    """

    size_multiple = 32

    def __init__(self, in_channels: int = 1, *, width: int = 128) -> None:
        super().__init__()
        self.width = width
        self.backbone = EfficientNetLite(in_channels)
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in CHANNELS[1:])
        self.merge = nn.ModuleList(_create_block(width) for _ in CHANNELS[1:])
        self.classes = nn.Conv2d(width, BINS**2, 1)

    def forward(self, x: Tensor, *, logits: bool = False) -> Tensor:
        """Colourise (N, 1, H, W) lightness in [-1, 1]; H and W are multiples of 32.

        Returns:
            (N, 2, H, W), a and b in [-1, 1]; with `logits` the class logits instead, (N, 529, H/4, W/4).
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


def _create_block(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


def annealed_mean(logits: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the mean colour of the class probabilities, sharpened by a temperature (eq. 5).

    Args:
        logits: (N, 529, H, W).
        temperature: 1 gives the plain mean; near 0, the most probable class.

    Returns:
        (N, 2, H, W), a and b in [-1, 1].
    """
    probabilities = (logits.float() / temperature).softmax(1)
    probabilities = probabilities.view(-1, BINS, BINS, *logits.shape[2:])
    axis = torch.linspace(-1, 1, BINS, device=logits.device)
    a = torch.einsum("nabhw,a->nhw", probabilities, axis)
    b = torch.einsum("nabhw,b->nhw", probabilities, axis)
    return torch.stack([a, b], dim=1)
