"""DiffAugment: differentiable augmentation of real and generated images (arXiv:2006.10738)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_TRANSLATION = 1 / 8  # The largest translation, as a share of the side.
CUTOUT_SIZE = 1 / 2  # The side of the cutout's square, as a share of the image's side.


class DiffAugment(nn.Module):
    """DiffAugment: colour jitter, translation and cutout, drawn for each image and differentiable.

    It keeps a discriminator from overfitting to a small dataset. Real and generated images must both be
    augmented, in the discriminator's update and in the generator's (section 3.2).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Augment (N, C, H, W) images in [-1, 1]; colours may leave the range a little."""
        return cutout(translation(color_jitter(x)))


def color_jitter(x: Tensor) -> Tensor:
    """Jitter the colours of (N, C, H, W) images.

    Brightness shifts by at most 0.5; saturation is scaled by 0 to 2, then contrast by 0.5 to 1.5.
    """
    brightness, saturation, contrast = torch.rand(3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype)
    x = x + brightness - 0.5
    x = torch.lerp(x.mean(dim=1, keepdim=True), x, 2 * saturation)
    return torch.lerp(x.mean(dim=(1, 2, 3), keepdim=True), x, 0.5 + contrast)


def translation(x: Tensor) -> Tensor:
    """Translate (N, C, H, W) images by at most an eighth of each side, with zero padding."""
    count, _, height, width = x.shape
    max_y, max_x = round(height * MAX_TRANSLATION), round(width * MAX_TRANSLATION)
    padded = F.pad(x, (max_x, max_x, max_y, max_y))
    rows = torch.randint(2 * max_y + 1, (count, 1, 1), device=x.device) + _indices(height, x)[:, None]
    columns = torch.randint(2 * max_x + 1, (count, 1, 1), device=x.device) + _indices(width, x)
    images = torch.arange(count, device=x.device)[:, None, None]
    return padded[images, :, rows, columns].permute(0, 3, 1, 2)


def cutout(x: Tensor) -> Tensor:
    """Set a square of half the side to 0 in (N, C, H, W) images; its centre is anywhere in the image."""
    count, _, height, width = x.shape
    center = torch.rand(2, count, 1, 1, device=x.device)
    in_rows = (_indices(height, x)[:, None] - center[0] * height).abs() < height * CUTOUT_SIZE / 2
    in_columns = (_indices(width, x) - center[1] * width).abs() < width * CUTOUT_SIZE / 2
    return x.masked_fill((in_rows & in_columns)[:, None], 0.0)


def _indices(side: int, x: Tensor) -> Tensor:
    return torch.arange(side, device=x.device)
