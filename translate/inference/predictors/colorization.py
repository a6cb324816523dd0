"""Colorize a photo of any size: keep the photo's lightness L, and take a and b of Lab from the network.

The network's output is small. A guided filter brings it to the photo's size along the edges of its lightness.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.config import ColorizationModelConfig, ModelConfig
from translate.images import Array, Frame, denormalize, to_tensor
from translate.images.color.lab import join_lab, split_lab
from translate.inference.predictors.base import Predictor
from translate.inference.predictors.padding import PaddedImage
from translate.inference.runtime.runner import Runner
from translate.models import Model
from translate.progress import Progress, ignore_progress

MAX_ASPECT_RATIO = 16  # A longer panorama is downscaled further for the network.
STRIP_PIXELS = 2**20  # The pixels of a photo that are computed at once, to bound memory.
BISECTION_STEPS = 7  # The steps of the search for the maximum chroma that a colour may have in sRGB.
SCALES = (1.0, 1.25)  # The scales of the test-time augmentation, relative to the working size.
GUIDED_FILTER_RADIUS = 2  # In pixels at the working size.
GUIDED_FILTER_EPSILON = 1e-2  # A variance of lightness, in [-1, 1] squared, that counts as noise.

Network = Callable[[Tensor], Tensor]


class ColorizationPredictor(Predictor):
    """A predictor that colorizes photos; of a photo in colour it uses the lightness only."""

    auto_engine = "torch"  # For one forward pass per photo, starting another engine takes longer.
    has_saturation = True
    channels = ((1, 2),)
    channels_rule = "only 1 (lightness) to 2 (a and b of Lab) can be applied"

    def __init__(self, model: Model, runner: Runner, **options: Any) -> None:
        super().__init__(model, runner, **options)
        assert isinstance(model.config, ColorizationModelConfig)
        self.model_saturation = model.config.saturation

    @classmethod
    def choose_size(cls, config: ModelConfig, size: str | int, tile: str | int) -> tuple[int | None, str]:
        return super().choose_size(config, size, tile)[0], ""

    @torch.inference_mode()
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        return colorize(
            frame,
            partial(self.runner, exact=frame.high_bit_depth),
            working_size=self.working_size or min(frame.size),
            multiple=self.config.size_multiple,
            saturation=self.saturation * self.model_saturation,
        )


def colorize(
    frame: Frame,
    network: Network,
    *,
    working_size: int,
    multiple: int,
    saturation: float = 1.0,
    strip_pixels: int = STRIP_PIXELS,
) -> Frame:
    """Colorize an opaque photo, and keep its lightness.

    1. Downscale the photo to the working size.
    2. Average the network's outputs over scales and flips (test-time augmentation). Where the outputs differ
       they are guesses, and their mean has less chroma.
    3. Upsample a and b along the edges of the lightness (fast guided filter, arXiv:1505.00996).
    4. Map colours that are out of the sRGB gamut into it: reduce their chroma, keep their lightness.

    Args:
        network: takes lightness (1, 1, h, w) and returns a and b (1, 2, h, w), all in [-1, 1].
        working_size: the maximum of the shorter side that the network sees at scale 1, in pixels.
        multiple: each side of the network's input must be a multiple of this, in pixels.
        saturation: the factor of a and b.
        strip_pixels: how many pixels of the photo are computed at once, to bound memory.
    """
    small = _downscale(frame, working_size)
    lightness, _ = split_lab(PaddedImage(small, multiple, 3).to_tensor())
    chroma = saturation * _predict_chroma(lightness, network, multiple)
    width, height = small.size
    slope, offset = _fit_guided_filter(lightness[..., :height, :width], chroma[..., :height, :width])
    return Frame(pixels=_apply_guided_filter(frame, slope, offset, strip_pixels))


def _downscale(frame: Frame, working_size: int) -> Frame:
    """Downscale an image to a shorter side of at most `working_size`, and a panorama further."""
    width, height = frame.size
    max_side = MAX_ASPECT_RATIO * working_size
    factor = min(1.0, working_size / min(width, height), max_side / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = frame.rgb()
    return Frame(pixels=cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if factor < 1 else pixels)


def _predict_chroma(lightness: Tensor, network: Network, multiple: int) -> Tensor:
    """Return a and b, (1, 2, H, W): the mean of the network's outputs over scales and horizontal flips."""
    outputs = []
    for scale in SCALES:
        size = [max(1, round(scale * side / multiple)) * multiple for side in lightness.shape[2:]]
        x = F.interpolate(lightness, size, mode="bilinear", antialias=True)
        for flip in (False, True):
            y = network(x.flip(-1) if flip else x).float().cpu()
            y = y.flip(-1) if flip else y
            outputs.append(F.interpolate(y, lightness.shape[2:], mode="bilinear"))
    return torch.stack(outputs).mean(dim=0)


def _fit_guided_filter(lightness: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
    """Fit a guided filter: around each pixel, a and b are linear in the lightness.

    Returns:
        Slope and offset, (1, 2, h, w) each.
    """

    def box_mean(x: Tensor) -> Tensor:
        padded = F.pad(x, (GUIDED_FILTER_RADIUS,) * 4, mode="replicate")
        return F.avg_pool2d(padded, 2 * GUIDED_FILTER_RADIUS + 1, stride=1)

    mean_lightness, mean_chroma = box_mean(lightness), box_mean(chroma)
    variance = box_mean(lightness * lightness) - mean_lightness**2
    covariance = box_mean(lightness * chroma) - mean_lightness * mean_chroma
    slope = covariance / (variance + GUIDED_FILTER_EPSILON)
    return box_mean(slope), box_mean(mean_chroma - slope * mean_lightness)


def _apply_guided_filter(frame: Frame, slope: Tensor, offset: Tensor, strip_pixels: int) -> Array:
    """Compute a and b from the photo's lightness at its own size, strip by strip; return the RGB pixels."""
    width, height = frame.size
    pixels = np.empty((height, width, 3), frame.pixels.dtype)
    rows = max(1, strip_pixels // width)
    for top in range(0, height, rows):
        strip = Frame(pixels=frame.pixels[top : top + rows])
        lightness, _ = split_lab(to_tensor(strip.rgb()))
        a, b = (_upsample_rows(t, (height, width), top, lightness.shape[2]) for t in (slope, offset))
        rgb = join_lab(lightness, _map_to_gamut(lightness, a * lightness + b))
        pixels[top : top + rows] = denormalize(rgb[0].permute(1, 2, 0), frame.pixels.dtype.type)
    return pixels


def _upsample_rows(small: Tensor, size: tuple[int, int], top: int, rows: int) -> Tensor:
    """Upsample (1, C, h, w) to `size` bilinearly; return its rows `top` to `top + rows`."""
    height, width = size
    y = ((torch.arange(top, top + rows) + 0.5) / height * 2 - 1)[:, None].expand(rows, width)
    x = ((torch.arange(width) + 0.5) / width * 2 - 1)[None].expand(rows, width)
    grid = torch.stack([x, y], dim=-1)[None]
    return F.grid_sample(small, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _map_to_gamut(lightness: Tensor, chroma: Tensor) -> Tensor:
    """Reduce the chroma of colours that are out of the sRGB gamut; keep their hue and lightness.

    Args:
        lightness, chroma: (1, 1, H, W) and (1, 2, H, W) in [-1, 1]. The chroma is changed in place.
    """
    outside = (join_lab(lightness, chroma).abs() > 1).any(dim=1)[0]
    gray, color = lightness[:, :, outside, None], chroma[:, :, outside, None]
    low, high = torch.zeros_like(gray), torch.ones_like(gray)
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        inside = (join_lab(gray, middle * color).abs() <= 1).all(dim=1, keepdim=True)
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    chroma[:, :, outside] = (low * color)[..., 0]
    return chroma
