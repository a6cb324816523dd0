"""What a hole may have held: a first smooth guess, and a U-Net that corrects it."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.generators.base import Generator

GROWTH = (1, 2, 4, 5, 6)  # channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size, times width
BLOCKS = (1, 1, 2, 2, 2)  # residual blocks there, on the way down and on the way up
GLOBAL = 2  # the level that sees the whole window at once, at 1/8 of the size
HALVINGS = 10  # to a pixel, of images up to 1024 px


class Inpainter(Generator):
    """Fills the hole smoothly from its border and adds what a U-Net without norms sees fit.

    It has no norms, so that a hole is filled from what surrounds it and from what is like it, whatever
    else the image holds.

    Args:
        in_channels: the image's and the mask.
        width: channels at half the size.
    """

    size_multiple = 32

    def __init__(self, in_channels: int = 4, out_channels: int = 3, *, width: int = 32) -> None:
        super().__init__()
        self.width = width
        channels = [width * growth for growth in GROWTH]
        self.waves = FourierLayer(channels[GLOBAL])
        self.first = nn.Conv2d(4 * in_channels, width, 3, padding=1)
        self.encoder = nn.ModuleList(_blocks(c, n) for c, n in zip(channels, BLOCKS, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels))
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(channels))
        self.decoder = nn.ModuleList(_blocks(c, n) for c, n in zip(channels[:-1], BLOCKS, strict=False))
        self.last = nn.Conv2d(width, 4 * out_channels, 3, padding=1)
        _silence(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3 + 1, H, W) in [-1, 1], the mask last and 1 in the hole -> (N, 3, H, W); H, W multiples of 32.

        What the image holds in the hole is not looked at. The answer may leave [-1, 1] a little.
        """
        image, hole = x[:, :-1].float(), (x[:, -1:] > 0).float()
        guess = fill_smoothly(image, hole)
        skips: list[Tensor] = []
        deep = self.first(F.pixel_unshuffle(torch.cat([guess, 2 * hole - 1], dim=1), 2))
        for level, blocks in enumerate(self.encoder):
            deep = self.segment(blocks, deep)
            if level == GLOBAL:
                deep = self.segment(self.waves, deep)
            if level < len(self.down):
                skips.append(deep)
                deep = self.down[level](F.relu(deep))
        for level in reversed(range(len(self.up))):
            deep = skips[level] + F.pixel_shuffle(self.up[level](F.relu(deep)), 2)
            deep = self.segment(self.decoder[level], deep)
        return guess + F.pixel_shuffle(self.last(F.relu(deep)), 2)


class FourierLayer(nn.Module):
    """x + what a mixture of the waves of the whole image adds (arXiv:2109.07161, section 2.1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 1)
        self.first, self.second = (nn.Conv2d(2 * channels, 2 * channels, 1) for _ in range(2))
        self.leave = nn.Conv2d(channels, channels, 1)
        _silence(self.leave)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        local = F.relu(self.enter(F.relu(x))).float()
        waves = torch.view_as_real(torch.fft.rfft2(local, norm="ortho"))
        parts = torch.cat([waves[..., 0], waves[..., 1]], dim=1)
        real, imaginary = self.second(F.relu(self.first(parts))).float().chunk(2, dim=1)
        mixed = torch.view_as_complex(torch.stack([real, imaginary], dim=-1))
        everywhere = torch.fft.irfft2(mixed, s=local.shape[2:], norm="ortho")
        out: Tensor = x + self.leave(local + everywhere)
        return out


class ResidualBlock(nn.Module):
    """x + f(x), where f is two 3x3 convolutions and starts at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, last = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.body = nn.Sequential(nn.ReLU(), first, nn.ReLU(), last)
        _silence(last)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def _silence(conv: nn.Conv2d) -> None:
    """Let a convolution answer 0 until it has learnt something."""
    for weight in conv.parameters():
        nn.init.zeros_(weight)


def _blocks(channels: int, count: int) -> nn.Module:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


def fill_smoothly(image: Tensor, hole: Tensor) -> Tensor:
    """Each hole filled from its border, by averages over ever larger squares: pull-push (Gortler 1996).

    Args:
        image: (N, C, H, W); what it holds in the hole has no influence.
        hole: (N, 1, H, W), 1 in the hole and 0 elsewhere.

    Returns:
        (N, C, H, W), equal to the image outside of the hole; 0 where all is hole.
    """
    known = 1 - hole
    levels = [(image * known, known)]
    for _ in range(HALVINGS):  # a fixed number, so that the network can be exported for any size
        levels.append(tuple(_halved(t) for t in levels[-1]))  # type: ignore[arg-type]
    total, weight = levels.pop()
    guess = total / weight.clamp_min(1e-6)
    for total, weight in reversed(levels):
        height, width = total.shape[2:]
        coarse = F.interpolate(guess, scale_factor=2, mode="bilinear", align_corners=False)
        coarse = coarse[..., :height, :width]
        guess = total + (1 - weight) * coarse
    return guess


def _halved(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
