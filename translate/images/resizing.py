"""Resize images on the CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from translate.images.frame import Pixels


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize images by the bicubic filter that Pillow has, which covers more pixels where they shrink.

    Args:
        pixels: (..., H, W, C) uint8.

    Returns:
        (..., height, width, C) uint8; `pixels` themselves, if they have that size.
    """
    *several, h, w, channels = pixels.shape
    if (h, w) == (height, width):
        return pixels
    images = torch.from_numpy(pixels).reshape(-1, h, w, channels).permute(0, 3, 1, 2)
    done = F.interpolate(images, (height, width), mode="bicubic", antialias=True)
    return done.permute(0, 2, 3, 1).reshape(*several, height, width, channels).numpy()
