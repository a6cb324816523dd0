"""Levels of progressive growing, which the generator and the discriminator share (arXiv:1710.10196).

A level l has images of 4 * 2^l pixels a side. A new level fades in: its weight alpha rises from 0 to 1.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from translate.config.model import BASE_SIDE


def level_of(side: int) -> int:
    """Return the level whose images have so many pixels a side."""
    return (side // BASE_SIDE).bit_length() - 1


def count_channels(depth: int, fmap_base: int, fmap_max: int) -> list[int]:
    """Return the channels of the levels 0 to `depth`, halved from level to level (table 2).

    Args:
        fmap_base: channels of an imaginary level of 2 x 2 pixels.
        fmap_max: no level has more channels.
    """
    return [max(1, min(fmap_base // 2 ** (level + 1), fmap_max)) for level in range(depth + 1)]


def upsample(x: Tensor) -> Tensor:
    """Double the sides of (N, C, H, W) features by repeating their pixels."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def downsample(x: Tensor) -> Tensor:
    """Halve the sides of (N, C, H, W) features by averaging 2 x 2 pixels."""
    return F.avg_pool2d(x, 2)


def blend(old: Tensor, new: Tensor, alpha: Tensor) -> Tensor:
    """Fade from `old` to `new` features of one shape by the weight of the new ones, () from 0 to 1.

    At 0 and at 1 the result equals one of them to the bit.
    """
    return (1 - alpha) * old + alpha * new
