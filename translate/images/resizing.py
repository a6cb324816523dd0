"""Resize and crop 8-bit images on the CPU."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from translate.images.frame import Pixels


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize images with Pillow's bicubic filter, which is antialiased: its support grows with the reduction.

    Args:
        pixels: (..., H, W, C) uint8.

    Returns:
        (..., height, width, C) uint8; the input itself if it has that size.
    """
    *batch, h, w, channels = pixels.shape
    if (h, w) == (height, width):
        return pixels
    images = torch.from_numpy(pixels).reshape(-1, h, w, channels).permute(0, 3, 1, 2)
    out = F.interpolate(images, (height, width), mode="bicubic", antialias=True)
    return out.permute(0, 2, 3, 1).reshape(*batch, height, width, channels).numpy()


def shorter_side_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the height and width of an image that is scaled until its shorter side is `side` pixels."""
    factor = side / min(height, width)
    return max(side, round(factor * height)), max(side, round(factor * width))


def resize_and_center_crop(image: Pixels, side: int, *, enlarge: bool = True) -> Pixels:
    """Scale an image until its shorter side is `side` pixels, and crop its center to a square of that side.

    Small images are enlarged with a bicubic filter; large ones are reduced by area averaging.

    Args:
        image: (H, W, 3) uint8.
        enlarge: whether to enlarge an image whose shorter side is smaller. If not, such an image is only
            cropped, and its sides may stay shorter than `side`.
    """
    height, width = image.shape[:2]
    shrinks = side < min(height, width)
    if shrinks or enlarge:
        height, width = shorter_side_size(height, width, side)
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return image[top : top + side, left : left + side]
