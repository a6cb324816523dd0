"""The multi-scale discriminator of pix2pixHD (arXiv:1711.11585, section 3.2)."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.discriminators.patchgan import PatchGAN


class MultiscaleDiscriminator(nn.Module):
    """PatchGANs of one architecture for an image and its smaller copies.

    The one for the smallest copy has the largest receptive field and judges the whole; the one for the image
    itself judges details. Each copy averages the one before over 3 x 3 pixels, with stride 2.

    Args:
        scales: the number of PatchGANs.
        patch: arguments of `PatchGAN`.
    """

    def __init__(self, in_channels: int = 3, *, scales: int = 3, **patch: Any) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchGAN(in_channels, **patch) for _ in range(scales))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Score (N, in_channels, H, W) images in [-1, 1].

        Returns:
            (N, 1, h, w) logits for each scale, from the images' own size down.
        """
        scores = []
        for number, discriminator in enumerate(self.scales):
            if number:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            scores.append(discriminator(x))
        return tuple(scores)
