"""The registration network, which predicts how to warp an image onto its target, the warp, and its losses."""

from __future__ import annotations

import math
from itertools import pairwise, product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.mixed_precision import at_least_float32, without_autocast
from translate.networks.blocks import leaky_relu

COARSEST = 8  # The side of the coarsest features of an image, in cells.
MAX_FACTOR = 2  # The coarser levels have this many times `width` channels.
RADIUS = 2  # Cells; each level looks for its target within this distance.
DECODER_WIDTH = 32
MAX_SHIFT, MAX_BEND = 0.08, 0.025  # The largest random displacements, as shares of the shorter side.
BEND_SIDE = 4  # The side of the grid of random bends.
COARSE, FINE = 1 / 8, 1 / 16  # Standard deviations of `average`, as shares of the shorter side.
MIN_WEIGHT = 1e-3  # Of a pixel in `average`, where 1 is the largest.
INVERSION_STEPS = 5  # Of the fixed-point iteration that inverts a field.
EPSILON = 1e-6  # Keeps a root and a divisor above 0.


class Registration(nn.Module):
    """A registration network: a pyramid of features, compared level by level (PWC-Net, arXiv:1709.02371).

    One encoder makes the features of the image and of the target. From the coarsest level to the finest, the
    image's features are warped by the displacements so far, each of the target's is compared with those near
    its place, and a decoder adds displacements to them. The finest level has half the size of the image,
    because displacements are smooth. There is no norm: an instance norm would remove the shift of the whole
    image. The displacements start at zero.

    Args:
        channels: channels of the images; one that has a single channel is repeated.
        image_size: the side of the images of training, in pixels; the larger, the more levels.
        width: channels of the finest level.
    """

    def __init__(self, channels: int, *, image_size: int, width: int = 16) -> None:
        super().__init__()
        self.channels = channels
        levels = max(1, round(math.log2(image_size / COARSEST)))
        widths = [width] + [width * MAX_FACTOR] * (levels - 1)
        self.encoders = nn.ModuleList(
            nn.Sequential(_convolution(before, after, stride=2), leaky_relu(), _convolution(after, after))
            for before, after in pairwise([channels, *widths])
        )
        self.decoders = nn.ModuleList(map(_decoder, widths))
        self.displacements = nn.ModuleList(_convolution(DECODER_WIDTH, 2) for _ in widths)
        for weight in self.displacements.parameters():
            nn.init.zeros_(weight)

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Return the displacement field that warps (N, C, H, W) images onto their targets.

        Args:
            image, target: in [-1, 1], H and W of any size.

        Returns:
            (N, 2, H, W), in pixels, float32 or better: `warp` takes the pixel (x, y) of its output from
            (x + field[:, 0], y + field[:, 1]) of the image.
        """
        levels = list(zip(self._features(image), self._features(target), strict=True))
        field = at_least_float32(levels[-1][0]).new_zeros(len(image), 2, 1, 1)
        for level, (source, goal) in reversed(list(enumerate(levels))):
            field = _upsample(field, goal)
            similarity = _correlation(warp(source, field), at_least_float32(goal))
            x = self.decoders[level](torch.cat([similarity, goal, field], dim=1))
            # In 16 bits, a displacement of ten pixels would be rounded to a sixteenth of a pixel.
            with without_autocast(x.device):
                field = field + self.displacements[level](at_least_float32(x))
        return _upsample(field, image)

    def _features(self, x: Tensor) -> list[Tensor]:
        """Return the features of (N, C, H, W) images, the finest first."""
        x, pyramid = x.expand(-1, self.channels, -1, -1), []
        for encoder in self.encoders:
            pyramid.append(encoder(x))
            x = F.leaky_relu(pyramid[-1], 0.2)
        return pyramid


def warp(image: Tensor, field: Tensor, *, mode: str = "bilinear") -> Tensor:
    """Warp (N, C, H, W) images by a displacement field.

    The image is continued by its border pixels.

    Args:
        field: (N, 2, H, W), in pixels, float32 or better; see `Registration.forward`.
        mode: the interpolation, `bilinear` or `bicubic`, which blurs less, and may overshoot.

    Returns:
        (N, C, H, W), float32 or better.
    """
    height, width = image.shape[2:]
    x, y = _places(field)
    # `grid_sample` has -1 and 1 at the outer edges of the border pixels.
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=3)
    with torch.autocast(image.device.type, enabled=False):
        return F.grid_sample(image.to(grid.dtype), grid, mode, padding_mode="border", align_corners=False)


def unwarp(image: Tensor, field: Tensor) -> tuple[Tensor, Tensor]:
    """Undo the warp of (N, C, H, W) images, by the inverse of a displacement field.

    Args:
        image: in [-1, 1].
        field: (N, 2, H, W), in pixels, float32 or better; see `Registration.forward`. From one pixel to the
            next it changes by less than one pixel; otherwise it has no inverse.

    Returns:
        The images in [-1, 1], float32 or better, and a mask of the known pixels, (N, 1, H, W): 1 inside the
        warped image, and 0 for what lies beyond its border.
    """
    inverse = -field
    for _ in range(INVERSION_STEPS):  # inverse(p) = -field(p + inverse(p))
        inverse = -warp(field, inverse)
    height, width = image.shape[2:]
    x, y = _places(inverse)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return warp(image, inverse, mode="bicubic").clamp(-1, 1), inside[:, None].to(field.dtype)


def draw_field(image: Tensor) -> Tensor:
    """Draw a displacement field for each of (N, C, H, W) images: a shift, and a smooth bend.

    Returns:
        (N, 2, H, W), in pixels.
    """
    count, size = len(image), image.shape[2:]
    shift = torch.rand(count, 2, 1, 1, device=image.device) * 2 - 1
    bend = torch.rand(count, 2, BEND_SIDE, BEND_SIDE, device=image.device) * 2 - 1
    bend = F.interpolate(bend, size, mode="bicubic", align_corners=True)
    return min(size) * (MAX_SHIFT * shift + MAX_BEND * bend)


def average(field: Tensor, image: Tensor, target: Tensor, *, deviation: float = COARSE) -> Tensor:
    """Average a displacement field around each pixel, most where the warped image is like its target.

    There the displacements are certain. Where the two differ, as on a coat with stripes, they are taken from
    around it.

    Args:
        field: from `image` to `target`, (N, 2, H, W), in pixels, float32 or better.
        image, target: (N, C, H, W), in any range; one may have a single channel.
        deviation: the standard deviation of the Gaussian window, as a share of the shorter side.

    Returns:
        (N, 2, H, W), in pixels.
    """
    difference = (warp(image, field) - target).abs().mean(dim=1, keepdim=True)
    scale = difference.mean(dim=(2, 3), keepdim=True) + EPSILON
    weight = torch.exp(-(difference / scale).square()) + MIN_WEIGHT
    rows, columns = (_gaussian_window(field, side, deviation) for side in field.shape[2:])
    with without_autocast(field.device):
        return (rows @ (weight * field) @ columns) / (rows @ weight @ columns)


def endpoint_error(field: Tensor, truth: Tensor) -> Tensor:
    """Return the mean distance of two displacement fields, (N, 2, H, W), a scalar in pixels."""
    # The gradient of a length is not defined at 0, where both fields start.
    return (field - truth).square().sum(dim=1).add(EPSILON).sqrt().mean()


def smoothness(field: Tensor) -> Tensor:
    """Return the smoothness loss of a displacement field: its mean squared gradient (L_Smooth).

    Args:
        field: (N, 2, H, W), in pixels.
    """
    vertical, horizontal = field.diff(dim=2), field.diff(dim=3)
    return vertical.square().mean() + horizontal.square().mean()


def _places(field: Tensor) -> tuple[Tensor, Tensor]:
    """Return from where a field takes each pixel: the columns and the rows, (N, H, W), in pixels."""
    height, width = field.shape[2:]
    x = torch.arange(width, device=field.device, dtype=field.dtype)
    y = torch.arange(height, device=field.device, dtype=field.dtype)[:, None]
    return x + field[:, 0], y + field[:, 1]


def _gaussian_window(field: Tensor, side: int, deviation: float) -> Tensor:
    """Return the weights of all places along a side for each of them, (side, side); they are symmetric."""
    places = torch.arange(side, device=field.device, dtype=field.dtype)
    distance = (places[:, None] - places) / (deviation * min(field.shape[2:]))
    return torch.exp(-distance.square() / 2)


def _correlation(image: Tensor, target: Tensor) -> Tensor:
    """Return the cosines between (N, C, H, W) target features and those of the image within `RADIUS`.

    Returns:
        (N, (2 * RADIUS + 1)**2, H, W), in [-1, 1]; 0 beyond the border.
    """
    height, width = target.shape[2:]
    image, target = F.pad(F.normalize(image), [RADIUS] * 4), F.normalize(target)
    offsets = product(range(2 * RADIUS + 1), repeat=2)
    cosines = [(image[:, :, y : y + height, x : x + width] * target).sum(dim=1) for y, x in offsets]
    return torch.stack(cosines, dim=1)


def _decoder(width: int) -> nn.Sequential:
    in_channels = (2 * RADIUS + 1) ** 2 + width + 2
    return nn.Sequential(
        _convolution(in_channels, DECODER_WIDTH),
        leaky_relu(),
        _convolution(DECODER_WIDTH, DECODER_WIDTH),
        leaky_relu(),
    )


def _convolution(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)


def _upsample(field: Tensor, like: Tensor) -> Tensor:
    """Return a displacement field for an image of twice the size."""
    return 2 * F.interpolate(field, like.shape[2:], mode="bilinear", align_corners=False)
