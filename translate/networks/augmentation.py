"""Differentiable augmentation of the images that a discriminator sees: DiffAugment and ADA.

Both keep a discriminator from overfitting to a small dataset. Real and generated images must both be
augmented, in the discriminator's update and in the generator's (arXiv:2006.10738, section 3.2).

A discriminator may see each image after the channels of a condition. Both then move alike, because they
belong together pixel by pixel. Only the image changes its colours: those of the condition have a meaning, as
labels, as a mask or as lightness, and a photo cannot be told from a map of labels. The image's colours
change only if it is gray or RGB; the two channels of a and b (CIELAB) have neither brightness nor contrast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.mixed_precision import at_least_float32

MAX_TRANSLATION = 1 / 8  # The largest translation, as a share of the side.
CUTOUT_SIZE = 1 / 2  # The side of the cutout's square, as a share of the image's side.


class DiffAugment(nn.Module):
    """DiffAugment: colour jitter, translation and cutout, drawn for each image (arXiv:2006.10738).

    Args:
        condition_channels: the first channels, which keep their colours.
    """

    def __init__(self, condition_channels: int = 0) -> None:
        super().__init__()
        self.condition_channels = condition_channels

    def forward(self, x: Tensor) -> Tensor:
        """Augment (N, C, H, W) images in [-1, 1]; colours may leave the range a little."""
        return cutout(translation(_recolor(x, self.condition_channels, color_jitter)))


def _recolor(x: Tensor, condition_channels: int, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change the colours of the images that follow the condition's channels, if they are gray or RGB."""
    if x.shape[1] - condition_channels not in (1, 3):
        return x
    if condition_channels == 0:
        return change(x)
    return torch.cat([x[:, :condition_channels], change(x[:, condition_channels:])], dim=1)


def color_jitter(x: Tensor) -> Tensor:
    """Jitter the colours of (N, C, H, W) images.

    Brightness shifts by at most 0.5; saturation is scaled by 0 to 2, then contrast by 0.5 to 1.5.
    """
    brightness, saturation, contrast = torch.rand(3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype)
    x = x + brightness - 0.5
    x = torch.lerp(x.mean(dim=1, keepdim=True), x, 2 * saturation)
    return torch.lerp(x.mean(dim=(1, 2, 3), keepdim=True), x, 0.5 + contrast)


def translation(x: Tensor) -> Tensor:
    """Translate (N, C, H, W) images by at most an eighth of each side, with zero padding."""
    count, _, height, width = x.shape
    max_y, max_x = round(height * MAX_TRANSLATION), round(width * MAX_TRANSLATION)
    padded = F.pad(x, (max_x, max_x, max_y, max_y))
    rows = torch.randint(2 * max_y + 1, (count, 1, 1), device=x.device) + _indices(height, x)[:, None]
    columns = torch.randint(2 * max_x + 1, (count, 1, 1), device=x.device) + _indices(width, x)
    images = torch.arange(count, device=x.device)[:, None, None]
    return padded[images, :, rows, columns].permute(0, 3, 1, 2)


def cutout(x: Tensor) -> Tensor:
    """Set a square of half the side to 0 in (N, C, H, W) images; its centre is anywhere in the image."""
    count, _, height, width = x.shape
    center = torch.rand(2, count, 1, 1, device=x.device)
    in_rows = (_indices(height, x)[:, None] - center[0] * height).abs() < height * CUTOUT_SIZE / 2
    in_columns = (_indices(width, x) - center[1] * width).abs() < width * CUTOUT_SIZE / 2
    return x.masked_fill((in_rows & in_columns)[:, None], 0.0)


def _indices(side: int, x: Tensor) -> Tensor:
    return torch.arange(side, device=x.device)


# Adaptive discriminator augmentation

INTERVAL = 64  # Images from one adaptation to the next; the paper has 256, of runs of millions.
RISE_FRACTION = 0.1  # The share of a run in which the probability can rise from 0 to 1,
RISE_IMAGES = 500_000  # or so many images if that is sooner, as in the paper.
MAX_PROBABILITY = 0.8  # Above it, a generator may learn the augmentations themselves (section 2.2).


class AdaptiveAugment(nn.Module):
    """Adaptive discriminator augmentation (ADA, arXiv:2006.06676): `p` follows how much `d` overfits.

    The augmentations are those of the paper's set "bgc": mirroring, quarter turns and shifts by whole pixels;
    scaling, rotation, stretching and shifts; brightness, contrast, inverted lightness, hue and saturation.
    Each is applied to an image with probability `p` (appendix B). All movements of an image are one affine
    map, sampled once, bilinearly and with reflection at the borders; the paper filters against aliasing as
    well, which takes longer and makes no difference between real and generated images.

    Overfitting is measured by r_t = E[sign(D(real) - threshold)] (eq. 1): 0 if `d` takes half of the training
    images for real, 1 if all of them. `p` rises while r_t is above the target, and falls while it is below.

    Args:
        condition_channels: the first channels, which keep their colours.
        target: the r_t that is aimed at.
        threshold: the score between real and generated images.

    Attributes:
        p: the probability of each augmentation, () float32. Like the other buffers it is in the checkpoints.
        signs: the sum of the signs of real images since the last adaptation.
        images: the number of these images.
        fraction: the finished fraction of the run at the last adaptation.
    """

    p: Tensor
    signs: Tensor
    images: Tensor
    fraction: Tensor

    def __init__(self, condition_channels: int = 0, *, target: float = 0.6, threshold: float = 0.0) -> None:
        super().__init__()
        self.condition_channels = condition_channels
        self.target, self.threshold = target, threshold
        for name in ("p", "signs", "images", "fraction"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Augment (N, C, H, W) images in [-1, 1]; colours may leave the range."""
        image = move(at_least_float32(x), self.p)
        return _recolor(image, self.condition_channels, lambda part: recolor(part, self.p)).to(x.dtype)

    @torch.no_grad()
    def observe(self, scores: Tensor) -> None:
        """Take the scores of real images, (N, ...), into account at the next adaptation."""
        count = len(scores)
        self.signs.add_((scores.detach().float() - self.threshold).sign().mean() * count)
        self.images.add_(count)

    @torch.no_grad()
    def adapt(self, fraction: Tensor) -> None:
        """Adapt `p`, if enough images have been observed.

        Args:
            fraction: the finished fraction of the run, () float32.
        """
        is_due = self.images >= INTERVAL
        overfitting = self.signs / self.images.clamp_min(1)
        change = torch.maximum(
            (fraction - self.fraction) / RISE_FRACTION,  # Negative if a resumed run became longer.
            self.images / RISE_IMAGES,
        )
        p = (self.p + (overfitting - self.target).sign() * change).clamp(0, MAX_PROBABILITY)
        self.p.copy_(torch.where(is_due, p, self.p))
        self.fraction.copy_(torch.where(is_due, fraction, self.fraction))
        for total in (self.signs, self.images):
            total.mul_(~is_due)


def move(x: Tensor, p: Tensor) -> Tensor:
    """Move (N, C, H, W) images by a random affine map each; an image that draws none stays the same.

    Args:
        p: the probability of each kind of movement, a scalar.
    """
    count, _, height, width = x.shape
    linear, offset = _draw_maps(count, height, width, p)
    columns = _indices(width, x) - (width - 1) / 2  # Pixels from the centre.
    rows = (_indices(height, x) - (height - 1) / 2)[:, None]
    a, b, c, d = linear.flatten(1)[..., None, None].unbind(1)
    x_offset, y_offset = offset[..., None, None].unbind(1)
    grid = torch.stack(
        [
            (a * columns + b * rows + x_offset) * (2 / width),
            (c * columns + d * rows + y_offset) * (2 / height),
        ],
        dim=-1,
    )
    sampled: Tensor = _Sample.apply(x, grid.to(x.dtype))
    is_moved = (linear != torch.eye(2, device=x.device)).flatten(1).any(1) | (offset != 0).any(1)
    return torch.where(is_moved[:, None, None, None], sampled, x)


class _Sample(torch.autograd.Function):
    """Bilinear sampling of (N, C, H, W) images at a grid, with reflection at the borders.

    A penalty on gradients differentiates it twice, which `F.grid_sample` does not support in torch 2.10.
    It is linear in the images, so the gradient of its gradient is the sampling itself.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = x.shape
        return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _SampleGradient.apply(gradient, *ctx.saved_tensors, ctx.shape), None


class _SampleGradient(torch.autograd.Function):
    """The gradient of `_Sample` with respect to the images, of this shape."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        image = gradient.new_empty(shape)  # Only its shape counts.
        bilinear, reflection = 0, 2
        result: tuple[Tensor, Tensor] = torch.ops.aten.grid_sampler_2d_backward(
            gradient, image, grid, bilinear, reflection, False, [True, False]
        )
        return result[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _Sample.apply(gradient, *ctx.saved_tensors), None, None


def _draw_maps(count: int, height: int, width: int, p: Tensor) -> tuple[Tensor, Tensor]:
    """Draw affine maps from the pixels of an augmented image to those of its source.

    Returns:
        The linear parts, (N, 2, 2), and the offsets, (N, 2), in pixels and in the order x, y.
    """
    sides = (torch.full((count,), float(side), device=p.device) for side in (width, height))
    size = torch.stack([*sides], dim=1)

    # Pixel blitting.
    mirror = _draw(1 - 2 * torch.randint(2, (count,), device=p.device), p, neutral=1.0)
    turn = _draw(torch.randint(4, (count,), device=p.device) * (math.pi / 2), p)
    shift = (2 * torch.rand(count, 2, device=p.device) - 1) * MAX_TRANSLATION
    offset = _draw((shift * size).round(), p)

    # Geometric transformations. Rotations before and after stretching are as likely as one (appendix B).
    scale = _draw(2 ** (0.2 * torch.randn(count, device=p.device)), p, neutral=1.0)
    stretch = _draw(2 ** (0.2 * torch.randn(count, device=p.device)), p, neutral=1.0)
    p_rotation = 1 - (1 - p).sqrt()
    before, after = (
        _draw((2 * torch.rand(count, device=p.device) - 1) * math.pi, p_rotation) for _ in range(2)
    )
    offset = offset + _draw(torch.randn(count, 2, device=p.device) * (0.125 * size), p)

    linear = _scaling(mirror * scale, scale)
    for factor in (_rotation(turn), _rotation(before), _scaling(stretch, 1 / stretch), _rotation(after)):
        # Not a matrix product, which mixed precision would compute in 16 bits.
        linear = (linear[..., None] * factor[:, None]).sum(dim=2)
    return linear, offset


def _draw(values: Tensor, p: Tensor, neutral: float = 0.0) -> Tensor:
    """Keep the random values of an image, (N, ...), with probability p; others become neutral."""
    is_applied = torch.rand(len(values), *(1,) * (values.ndim - 1), device=values.device) < p
    return torch.where(is_applied, values, neutral).float()


def _rotation(angle: Tensor) -> Tensor:
    """Return the matrices of rotations by (N,) angles, (N, 2, 2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    """Return the matrices that scale x and y by (N,) factors, (N, 2, 2)."""
    return torch.diag_embed(torch.stack([x, y], dim=1))


def recolor(x: Tensor, p: Tensor) -> Tensor:
    """Change the colours of (N, 1 or 3, H, W) images at random; an image that draws no change stays the same.

    The gray part of a pixel is the mean of its channels; the rest is its chroma, which hue turns around the
    gray axis and saturation scales.

    Args:
        p: the probability of each kind of change, a scalar.
    """
    normal = torch.randn(3, len(x), 1, 1, 1, device=x.device)
    brightness = _draw(0.2 * normal[0], p)
    contrast = _draw(2 ** (0.5 * normal[1]), p, neutral=1.0)
    saturation = _draw(2 ** normal[2], p, neutral=1.0)
    inversion = _draw(1 - 2 * torch.randint(2, brightness.shape, device=x.device), p, neutral=1.0)
    hue = _draw((2 * torch.rand_like(brightness) - 1) * math.pi, p)

    gray = x.mean(dim=1, keepdim=True)
    chroma = x - gray
    # The cross product with the gray axis, (1, 1, 1) / sqrt 3.
    perpendicular = (chroma.roll(1, dims=1) - chroma.roll(-1, dims=1)) / math.sqrt(3)
    chroma = saturation * (hue.cos() * chroma + hue.sin() * perpendicular)
    result = contrast * (inversion * (gray + brightness) + chroma)
    is_changed = (brightness != 0) | (hue != 0)
    for factor in (contrast, saturation, inversion):
        is_changed = is_changed | (factor != 1)
    return torch.where(is_changed, result.to(x.dtype), x)
