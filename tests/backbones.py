"""A tiny backbone in place of a pretrained one, whose weights are a download."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.networks.backbones import Backbone

CHANNELS = (3, 5, 7, 4)


class TinyLayers(nn.Module):
    """Random convolutions and batch norms, which return features with 1/4, 1/8, 1/16 and 1/32 of the side."""

    def __init__(self) -> None:
        super().__init__()
        before = (3, *CHANNELS)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before[scale], channels, 4, stride=4 if scale == 0 else 2, padding=int(scale > 0)),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
            for scale, channels in enumerate(CHANNELS)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def tiny_backbone(name: str = "") -> Backbone:
    """Return the same backbone for every name; torch's random number generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Backbone(TinyLayers(), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
