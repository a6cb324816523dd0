"""Colorize a photo of any size: the network's a and b with the photo's own lightness."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.config import ColorizationModelConfig
from translate.images import Array, Frame, levels, to_tensor
from translate.images.color.lab import join_lab, split_lab
from translate.inference.predictors.base import Predictor, Progress, ignore_progress
from translate.inference.predictors.canvas import Canvas
from translate.inference.runtime.runner import Runner
from translate.models import Model

LONGEST = 16  # times the shorter side: the network sees a longer panorama reduced
STRIP = 2**20  # pixels merged at once
HALVINGS = 7  # of the interval in which the most chroma of a colour is searched
SIZES = (1.0, 1.25)  # at which the network sees a photo, times its working size
WINDOW, SMOOTH = 2, 1e-2  # of the guided filter: its radius in pixels, and what lightness differs by in noise

Network = Callable[[Tensor], Tensor]


class ColorizationPredictor(Predictor):
    """Colours photos; of a photo in colour only the lightness counts."""

    auto_engine = "torch"  # it runs one small network a photo: no other engine is worth its start
    has_saturation = True
    channels = ((1, 2),)
    channels_rule = "a model in Lab takes lightness and gives a and b"

    def __init__(
        self, model: Model, runner: Runner, *, tile: str | int = "auto", saturation: float = 1.0
    ) -> None:
        super().__init__(model, runner, tile=tile, saturation=saturation)
        assert isinstance(model.config, ColorizationModelConfig)
        self.working_size = model.config.working_size
        self.factor = self.saturation * model.config.saturation

    @torch.inference_mode()
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        network, multiple = partial(self.runner, exact=frame.deep), self.config.size_multiple
        return colorize(frame, network, side=self.working_size, multiple=multiple, saturation=self.factor)


def colorize(frame: Frame, network: Network, *, side: int, multiple: int, saturation: float = 1.0) -> Frame:
    """Colorize a photo; its lightness and its alpha are its own.

    The network sees the photo with a shorter side of `side` pixels, and a quarter larger, each as it is
    and mirrored: where these answers differ they are guesses, and their mean is paler. The mean follows
    the edges of the photo's lightness (fast guided filter, arXiv:1505.00996). A colour that sRGB does not
    have at that lightness loses chroma, not lightness.

    Args:
        network: lightness (1, 1, h, w) -> a and b (1, 2, h, w), all in [-1, 1].
        saturation: factor of a and b.
    """
    small = _reduce(frame, side)
    canvas = Canvas(small, multiple, 3)
    light, _ = split_lab(canvas.whole())
    chroma = saturation * _predict_chroma(light, network, multiple)
    width, height = small.size
    slope, offset = _fit_guided_filter(light[..., :height, :width], chroma[..., :height, :width])
    return Frame(pixels=_merge(frame, slope, offset), alpha=frame.alpha)


def _reduce(frame: Frame, side: int) -> Frame:
    """Resize an image to a shorter side of `side` pixels at most, and to no longer than a panorama."""
    width, height = frame.size
    factor = min(1.0, side / min(width, height), LONGEST * side / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = frame.rgb()
    return Frame(pixels=cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if factor < 1 else pixels)


def _predict_chroma(light: Tensor, network: Network, multiple: int) -> Tensor:
    """Return the mean of the network's answers at several sizes and both ways round, (1, 2, H, W)."""
    answers = []
    for factor in SIZES:
        size = [max(1, round(factor * side / multiple)) * multiple for side in light.shape[2:]]
        resized = F.interpolate(light, size, mode="bilinear", antialias=True)
        for flip in (False, True):
            answer = network(resized.flip(-1) if flip else resized).float().cpu()
            answer = answer.flip(-1) if flip else answer
            answers.append(F.interpolate(answer, light.shape[2:], mode="bilinear"))
    return torch.stack(answers).mean(dim=0)


def _fit_guided_filter(light: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
    """Return slope and offset by which a and b follow lightness around each pixel, (1, 2, h, w) each."""

    def mean(x: Tensor) -> Tensor:
        padded = F.pad(x, (WINDOW,) * 4, mode="replicate")
        return F.avg_pool2d(padded, 2 * WINDOW + 1, stride=1)

    mean_light, mean_chroma = mean(light), mean(chroma)
    variance = mean(light * light) - mean_light**2
    covariance = mean(light * chroma) - mean_light * mean_chroma
    slope = covariance / (variance + SMOOTH)
    return mean(slope), mean(mean_chroma - slope * mean_light)


def _merge(frame: Frame, slope: Tensor, offset: Tensor) -> Array:
    """Join the photo's lightness with the colour that the coefficients give for it, strip by strip."""
    width, height = frame.size
    out = np.empty((height, width, 3), frame.pixels.dtype)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        part = Frame(pixels=frame.pixels[top : top + rows])
        light, _ = split_lab(to_tensor(part.rgb()))
        a, b = (_strip(t, (height, width), top, light.shape[2]) for t in (slope, offset))
        rgb = join_lab(light, _reduce_chroma(light, a * light + b))
        out[top : top + rows] = levels(rgb[0].permute(1, 2, 0), frame.pixels.dtype.type)
    return out


def _strip(x: Tensor, size: tuple[int, int], top: int, rows: int) -> Tensor:
    """Return rows `top` to `top + rows` of a small map enlarged to `size`, bilinearly."""
    height, width = size
    y = ((torch.arange(top, top + rows) + 0.5) / height * 2 - 1)[:, None].expand(rows, width)
    across = ((torch.arange(width) + 0.5) / width * 2 - 1)[None].expand(rows, width)
    grid = torch.stack([across, y], dim=-1)[None]
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _reduce_chroma(light: Tensor, chroma: Tensor) -> Tensor:
    """Reduce chroma, and keep hue and lightness, where the colour would lie outside of sRGB.

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
