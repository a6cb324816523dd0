"""The inpainting generator: a U-Net that corrects a smooth fill of the hole."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.generators.base import Generator

MULTIPLIERS = (1, 2, 4, 5, 6)  # Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size, times the width.
BLOCKS = (1, 1, 2, 2, 2)  # Residual blocks of each level of the encoder; the decoder lacks the last.
FOURIER_LEVEL = 2  # The level of the Fourier convolution, at 1/8 of the size.
PYRAMID_LEVELS = 10  # Halvings, which reduce images of up to 1024 px to one pixel.


class Inpainter(Generator):
    """A U-Net with a Fourier convolution, which predicts the residual to a smooth fill of the hole.

    It has no norms, so that the fill depends on the surroundings of the hole and on what resembles them, but
    not on the statistics of the whole image.

    Args:
        in_channels: the image's channels and one for the mask.
        width: channels at half the size.
    """

    size_multiple = 32

    def __init__(self, in_channels: int = 4, out_channels: int = 3, *, width: int = 32) -> None:
        super().__init__()
        self.width = width
        channels = [width * multiplier for multiplier in MULTIPLIERS]
        self.waves = FourierConvolution(channels[FOURIER_LEVEL])
        self.first = nn.Conv2d(4 * in_channels, width, 3, padding=1)
        self.encoder = nn.ModuleList(_create_blocks(c, n) for c, n in zip(channels, BLOCKS, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels))
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(channels))
        self.decoder = nn.ModuleList(
            _create_blocks(c, n) for c, n in zip(channels[:-1], BLOCKS, strict=False)
        )
        self.last = nn.Conv2d(width, 4 * out_channels, 3, padding=1)
        zero_initialize(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """Inpaint (N, 3 + 1, H, W) images in [-1, 1] and their masks; return (N, 3, H, W) images.

        The last channel is the mask, 1 in the hole and -1 elsewhere; image values in the hole are ignored. H
        and W are multiples of 32. The output may leave [-1, 1] a little.
        """
        image, hole = x[:, :-1].float(), (x[:, -1:] > 0).float()
        guess = fill_smoothly(image, hole)
        skips: list[Tensor] = []
        deep = self.first(F.pixel_unshuffle(torch.cat([guess, 2 * hole - 1], dim=1), 2))
        for level, blocks in enumerate(self.encoder):
            deep = self.segment(blocks, deep)
            if level == FOURIER_LEVEL:
                deep = self.segment(self.waves, deep)
            if level < len(self.down):
                skips.append(deep)
                deep = self.down[level](F.relu(deep))
        for level in reversed(range(len(self.up))):
            deep = skips[level] + F.pixel_shuffle(self.up[level](F.relu(deep)), 2)
            deep = self.segment(self.decoder[level], deep)
        return guess + F.pixel_shuffle(self.last(F.relu(deep)), 2)


class FourierConvolution(nn.Module):
    """A residual fast Fourier convolution, as in LaMa (arXiv:2109.07161, section 2.1).

    Pointwise convolutions on the spectrum make its receptive field the whole image. Its residual starts at 0.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 1)
        self.first, self.second = (nn.Conv2d(2 * channels, 2 * channels, 1) for _ in range(2))
        self.leave = nn.Conv2d(channels, channels, 1)
        zero_initialize(self.leave)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (N, C, H, W) features."""
        local = F.relu(self.enter(F.relu(x))).float()
        spectrum = torch.view_as_real(torch.fft.rfft2(local, norm="ortho"))
        parts = torch.cat([spectrum[..., 0], spectrum[..., 1]], dim=1)
        real, imaginary = self.second(F.relu(self.first(parts))).float().chunk(2, dim=1)
        mixed = torch.view_as_complex(torch.stack([real, imaginary], dim=-1))
        everywhere = torch.fft.irfft2(mixed, s=local.shape[2:], norm="ortho")
        out: Tensor = x + self.leave(local + everywhere)
        return out


class ResidualBlock(nn.Module):
    """A residual block of two 3 x 3 convolutions whose residual starts at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, last = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.body = nn.Sequential(nn.ReLU(), first, nn.ReLU(), last)
        zero_initialize(last)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (N, C, H, W) features."""
        out: Tensor = x + self.body(x)
        return out


def zero_initialize(conv: nn.Conv2d) -> None:
    """Set the weights and the bias of a convolution to 0, so that it adds nothing at first."""
    for weight in conv.parameters():
        nn.init.zeros_(weight)


def _create_blocks(channels: int, count: int) -> nn.Module:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


def fill_smoothly(image: Tensor, hole: Tensor) -> Tensor:
    """Fill each hole smoothly from its border, by pull-push interpolation (Gortler 1996).

    Averages of the known pixels over ever larger squares ("pull") are interpolated back into the hole
    ("push").

    Args:
        image: (N, C, H, W); its values in the hole are ignored.
        hole: (N, 1, H, W), 1 in the hole and 0 elsewhere.

    Returns:
        (N, C, H, W), equal to the image outside the hole; 0 where the hole covers the whole image.
    """
    known = 1 - hole
    levels = [(image * known, known)]
    for _ in range(PYRAMID_LEVELS):  # A constant number, so that the network can be exported for any size.
        levels.append(tuple(_halve(t) for t in levels[-1]))  # type: ignore[arg-type]
    total, weight = levels.pop()
    guess = total / weight.clamp_min(1e-6)
    for total, weight in reversed(levels):
        height, width = total.shape[2:]
        coarse = F.interpolate(guess, scale_factor=2, mode="bilinear", align_corners=False)
        coarse = coarse[..., :height, :width]
        guess = total + (1 - weight) * coarse
    return guess


def _halve(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
