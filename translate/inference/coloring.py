"""Colour for a photo of any size: the network's a and b with the photo's own lightness."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.images import Array, Picture, levels, to_tensor
from translate.images.lab import join_lab, split_lab
from translate.inference.canvas import Canvas

LONGEST = 16  # times the shorter side: more of a panorama is seen reduced
STRIP = 2**20  # pixels put together at once
HALVINGS = 7  # of the interval in which a colour's most chroma is looked for
SIZES = (1.0, 1.25)  # at which the network looks at a photo, times its working size
WINDOW, SMOOTH = 2, 1e-2  # of the guided filter: its radius in pixels, and what lightness differs by in noise

Network = Callable[[Tensor], Tensor]


def colorize(
    picture: Picture, network: Network, *, side: int, multiple: int, saturation: float = 1.0
) -> Picture:
    """A photo in colour; its lightness and its alpha are its own.

    The network sees the photo with a shorter side of `side` pixels, and a quarter larger, each as it is
    and mirrored: where these answers differ they are guesses, and their mean is paler. It follows the
    edges of the photo's lightness (fast guided filter, arXiv:1505.00996). A colour that sRGB does not
    have at that lightness loses chroma, not lightness.

    Args:
        network: lightness (1, 1, h, w) -> a and b (1, 2, h, w), all in [-1, 1].
        saturation: factor of a and b.
    """
    small = _reduced(picture, side)
    canvas = Canvas(small, multiple, 3)
    light, _ = split_lab(canvas.whole())
    chroma = saturation * _looked_at(light, network, multiple)
    width, height = small.size
    slope, offset = _guided(light[..., :height, :width], chroma[..., :height, :width])
    return Picture(pixels=_merged(picture, slope, offset), alpha=picture.alpha)


def _reduced(picture: Picture, side: int) -> Picture:
    """The picture with a shorter side of `side` pixels at most, and no longer than a panorama."""
    width, height = picture.size
    factor = min(1.0, side / min(width, height), LONGEST * side / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = picture.rgb()
    return Picture(pixels=cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if factor < 1 else pixels)


def _looked_at(light: Tensor, network: Network, multiple: int) -> Tensor:
    """The mean of the network's answers for lightness at several sizes and both ways round, (1, 2, H, W)."""
    answers = []
    for factor in SIZES:
        size = [max(1, round(factor * side / multiple)) * multiple for side in light.shape[2:]]
        seen = F.interpolate(light, size, mode="bilinear", antialias=True)
        for mirrored in (False, True):
            answer = network(seen.flip(-1) if mirrored else seen).float().cpu()
            answer = answer.flip(-1) if mirrored else answer
            answers.append(F.interpolate(answer, light.shape[2:], mode="bilinear"))
    return torch.stack(answers).mean(dim=0)


def _guided(light: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
    """The slope and the offset by which a and b follow lightness around each pixel: (1, 2, h, w) each."""

    def mean(x: Tensor) -> Tensor:
        padded = F.pad(x, (WINDOW,) * 4, mode="replicate")
        return F.avg_pool2d(padded, 2 * WINDOW + 1, stride=1)

    mean_light, mean_chroma = mean(light), mean(chroma)
    variance = mean(light * light) - mean_light**2
    covariance = mean(light * chroma) - mean_light * mean_chroma
    slope = covariance / (variance + SMOOTH)
    return mean(slope), mean(mean_chroma - slope * mean_light)


def _merged(picture: Picture, slope: Tensor, offset: Tensor) -> Array:
    """The photo's lightness with the colour that the coefficients give for it, strip by strip."""
    width, height = picture.size
    out = np.empty((height, width, 3), picture.pixels.dtype)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        part = Picture(pixels=picture.pixels[top : top + rows])
        light, _ = split_lab(to_tensor(part.rgb()))
        a, b = (_strip(t, (height, width), top, light.shape[2]) for t in (slope, offset))
        rgb = join_lab(light, _within_srgb(light, a * light + b))
        out[top : top + rows] = levels(rgb[0].permute(1, 2, 0), picture.pixels.dtype.type)
    return out


def _strip(x: Tensor, size: tuple[int, int], top: int, rows: int) -> Tensor:
    """Rows `top` to `top + rows` of a small map enlarged to `size`, bilinearly."""
    height, width = size
    y = ((torch.arange(top, top + rows) + 0.5) / height * 2 - 1)[:, None].expand(rows, width)
    across = ((torch.arange(width) + 0.5) / width * 2 - 1)[None].expand(rows, width)
    grid = torch.stack([across, y], dim=-1)[None]
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _within_srgb(light: Tensor, chroma: Tensor) -> Tensor:
    """Chroma reduced, hue and lightness kept, where the colour would lie outside of sRGB.

    Args:
        light, chroma: (1, 1, H, W) and (1, 2, H, W) in [-1, 1].
    """
    outside = (join_lab(light, chroma).abs() > 1).any(dim=1)[0]
    gray, color = light[:, :, outside, None], chroma[:, :, outside, None]
    low, high = torch.zeros_like(gray), torch.ones_like(gray)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        fits = (join_lab(gray, middle * color).abs() <= 1).all(dim=1, keepdim=True)
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    chroma[:, :, outside] = (low * color)[..., 0]
    return chroma
