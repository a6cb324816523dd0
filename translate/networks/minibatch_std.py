"""Minibatch standard deviation: it shows a discriminator how images differ (arXiv:1710.10196, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from translate.mixed_precision import at_least_float32

EPSILON = 1e-8  # Keeps the root of a variance differentiable at 0.


def append_minibatch_std(x: Tensor, *, group_size: int = 4, channels: int = 1) -> Tensor:
    """Append the standard deviations within groups of images, as channels that are constant in an image.

    Image i is in group i modulo the number of groups. The deviation of each feature within its group is
    averaged over the pixels and over the features of its part of the channels. Of one image it is sqrt(1e-8).

    Args:
        x: (N, C, H, W) features.
        group_size: the largest number of images in a group, whose number divides N.
        channels: the number of contiguous parts of the C channels; each appends one channel.

    Returns:
        (N, C + channels, H, W).
    """
    count, features, height, width = x.shape
    size = max(divisor for divisor in range(1, min(group_size, count) + 1) if count % divisor == 0)
    groups = at_least_float32(x).reshape(size, count // size, channels, features // channels, height, width)
    deviations = (groups.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=(2, 3, 4))
    maps = deviations.repeat(size, 1)[:, :, None, None].expand(-1, -1, height, width)
    return torch.cat([x, maps.to(x.dtype)], dim=1)
