"""The registration network of RegGAN (arXiv:2110.06465), and the warp by its displacement field."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.blocks import leaky_relu

LEVELS = 5  # Halvings; the innermost features see displacements of tens of pixels.
MAX_FACTOR = 4  # The widest levels have this many times `width` channels.
MEAN_SIDE, MEAN_DECAY = 4, 0.98  # The side of the grid of the mean displacements, and their decay per step.
UNIT = 10.0  # Pixels; Adam's first steps change the predictions by hundredths of this.


class Registration(nn.Module):
    """A registration network: a small U-Net that predicts how to warp an image onto its target.

    Each level adds its displacements to those of the deeper ones, so that the deepest learn the shift and the
    rotation. The finest level has half the size of the image, because displacements are smooth. There is no
    norm: an instance norm would remove the shift of the whole image, and the network did not learn it.
    The displacements start at zero.

    Args:
        channels: channels of the image, and of the target.
        width: channels of the outermost level.
    """

    def __init__(self, channels: int, *, width: int = 16) -> None:
        super().__init__()
        widths = [width * min(2**level, MAX_FACTOR) for level in range(LEVELS)]
        self.down = nn.ModuleList(
            _convolution(before, after, stride=2) for before, after in pairwise([2 * channels, *widths])
        )
        self.up = nn.ModuleList(_convolution(skip + inner, skip) for skip, inner in pairwise(widths))
        self.displacement = nn.ModuleList(nn.Conv2d(channels, 2, 3, padding=1) for channels in widths)
        for weight in self.displacement.parameters():
            nn.init.zeros_(weight)

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Return the displacement field that warps (N, C, H, W) images onto their targets.

        Args:
            image, target: in [-1, 1], H and W of any size.

        Returns:
            (N, 2, H, W), in pixels, float32 or better: `warp` takes the pixel (x, y) of its output from
            (x + field[:, 0], y + field[:, 1]) of the image.
        """
        x = torch.cat([image, target], dim=1)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = skips.pop()
        field = self._displacement(LEVELS - 1, x)
        for level in reversed(range(LEVELS - 1)):
            skip = skips.pop()
            x = self.up[level](torch.cat([skip, _resize(x, skip)], dim=1))
            field = _resize(field, x) + self._displacement(level, x)
        return UNIT * _resize(field, image)

    def _displacement(self, level: int, x: Tensor) -> Tensor:
        # In 16 bits, a displacement of ten pixels would be rounded to a sixteenth of a pixel.
        with torch.autocast(x.device.type, enabled=False):
            field: Tensor = self.displacement[level](_at_least_float32(x))
        return field


def warp(image: Tensor, field: Tensor) -> Tensor:
    """Warp (N, C, H, W) images by a displacement field, with bilinear interpolation.

    The image is continued by its border pixels.

    Args:
        field: (N, 2, H, W), in pixels, float32 or better; see `Registration.forward`.

    Returns:
        (N, C, H, W), float32 or better.
    """
    height, width = image.shape[2:]
    x = torch.arange(width, device=field.device, dtype=field.dtype) + field[:, 0]
    y = torch.arange(height, device=field.device, dtype=field.dtype)[:, None] + field[:, 1]
    # `grid_sample` has -1 and 1 at the outer edges of the border pixels.
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=3)
    with torch.autocast(image.device.type, enabled=False):
        return F.grid_sample(image.to(grid.dtype), grid, padding_mode="border", align_corners=False)


class Centering(nn.Module):
    """A loss that keeps the mean displacement field of the training pairs at zero.

    Without it nothing says where the generator has to draw: a generator that shifts all of its images, and a
    registration network that shifts them back, have the same loss. It holds a moving average of the fields,
    for the mean of one batch is no estimate, and its gradient pushes each field against that average.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2, MEAN_SIDE, MEAN_SIDE))

    def forward(self, field: Tensor) -> Tensor:
        """Add the mean of (N, 2, H, W) displacement fields to the average; return the loss, a scalar."""
        coarse = F.adaptive_avg_pool2d(field, MEAN_SIDE)
        with torch.no_grad():
            self.mean.lerp_(coarse.mean(dim=0).to(self.mean.dtype), 1 - MEAN_DECAY)
        # The average changes in place at the next microbatch, and autograd needs this one until then.
        return (self.mean.clone() * coarse).sum(dim=1).mean()


def smoothness(field: Tensor) -> Tensor:
    """Return the smoothness loss of a displacement field: its mean squared gradient (L_Smooth).

    Args:
        field: (N, 2, H, W), in pixels.
    """
    vertical, horizontal = field.diff(dim=2), field.diff(dim=3)
    return vertical.square().mean() + horizontal.square().mean()


def _convolution(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1), leaky_relu())


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
