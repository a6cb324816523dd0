"""Small generators with the layers and state-dict keys of the CycleGAN and pix2pix authors' code."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The norm layer by name, and whether the convolutions before it have a bias.
NORMS: dict[str, tuple[Callable[[int], nn.Module], bool]] = {
    "batch": (nn.BatchNorm2d, False),
    "instance": (nn.InstanceNorm2d, True),
    "instance-affine": (lambda c: nn.InstanceNorm2d(c, affine=True), True),
    "none": (lambda c: nn.Identity(), False),
    "old instance": (lambda c: nn.InstanceNorm2d(c, track_running_stats=True), True),
    "old instance-affine": (lambda c: nn.InstanceNorm2d(c, affine=True, track_running_stats=True), True),
}


class ReferenceGenerator(nn.Module):
    """A generator; its layers are under `model`, as in the reference."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class ResidualBlock(nn.Module):
    """A residual block of the ResNet."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Blur(nn.Module):
    """CUT's antialiased sampling, with the filter as a buffer."""

    def __init__(self, channels: int, *, up: bool) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0] if up else [1.0, 2.0, 1.0])
        self.up = up
        self.register_buffer("filt", (line[:, None] * line / 16).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        if not self.up:
            padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
            return F.conv2d(padded, self.filt, stride=2, groups=x.shape[1])
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(padded, self.filt, stride=2, padding=2, groups=x.shape[1])[..., 1:-1, 1:-1]


class UNetLevel(nn.Module):
    """A level of the U-Net, which contains the next level; its output includes the skip connection."""

    def __init__(self, *layers: nn.Module, skip: bool = True) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        out = self.model(x)  # The first layer is an in-place LeakyReLU: the skip connection sees its output.
        return torch.cat([x, out], 1) if self.skip else out


def resnet(
    norm: str = "instance",
    *,
    width: int = 4,
    depth: int = 2,
    channels: tuple[int, int] = (3, 3),
    dropout: bool = False,
    antialias: bool = False,
    downsamplings: int = 2,
) -> ReferenceGenerator:
    """Create the reference's ResNet with random weights, in eval mode.

    Args:
        antialias: as CUT's.
        downsamplings: 2, or 4 as in pix2pixHD.
    """
    norm_layer, bias = NORMS[norm]
    w = width

    inner = 2**downsamplings * w

    def conv() -> list[nn.Module]:
        return [nn.ReflectionPad2d(1), nn.Conv2d(inner, inner, 3, bias=bias), norm_layer(inner)]

    def block() -> ResidualBlock:
        return ResidualBlock(*conv(), nn.ReLU(True), *([nn.Dropout(0.5)] if dropout else []), *conv())

    def down(c: int) -> list[nn.Module]:
        conv = nn.Conv2d(c, 2 * c, 3, 1 if antialias else 2, 1, bias=bias)
        return [conv, norm_layer(2 * c), nn.ReLU(True), *([Blur(2 * c, up=False)] if antialias else [])]

    def up(c: int) -> list[nn.Module]:
        if antialias:
            convs = [Blur(c, up=True), nn.Conv2d(c, c // 2, 3, 1, 1, bias=bias)]
        else:
            convs = [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, output_padding=1, bias=bias)]
        return [*convs, norm_layer(c // 2), nn.ReLU(True)]

    first = nn.Conv2d(channels[0], w, 7, bias=bias)
    return randomize_norms(
        ReferenceGenerator(
            nn.Sequential(
                *(nn.ReflectionPad2d(3), first, norm_layer(w), nn.ReLU(True)),
                *(layer for n in range(downsamplings) for layer in down(2**n * w)),
                *(block() for _ in range(depth)),
                *(layer for n in reversed(range(downsamplings)) for layer in up(2 ** (n + 1) * w)),
                *(nn.ReflectionPad2d(3), nn.Conv2d(w, channels[1], 7), nn.Tanh()),
            )
        )
    )


def unet(
    norm: str = "batch",
    *,
    width: int = 4,
    depth: int = 5,
    channels: tuple[int, int] = (3, 3),
    dropout: bool = False,
) -> ReferenceGenerator:
    """Create the reference's U-Net with random weights, in eval mode."""
    norm_layer, bias = NORMS[norm]
    widths = [width * min(2**level, 8) for level in range(depth)]

    def down(level: int) -> list[nn.Module]:
        return [nn.LeakyReLU(0.2, True), nn.Conv2d(widths[level - 1], widths[level], 4, 2, 1, bias=bias)]

    def up(level: int, in_channels: int) -> list[nn.Module]:
        outer = widths[level - 1]
        deconv = nn.ConvTranspose2d(in_channels, outer, 4, 2, 1, bias=bias)
        return [nn.ReLU(True), deconv, norm_layer(outer)]

    inner = UNetLevel(*down(depth - 1), *up(depth - 1, widths[-1]))
    for level in reversed(range(1, depth - 1)):
        drop = [nn.Dropout(0.5)] if dropout and level > 3 else []
        inner = UNetLevel(
            *down(level), norm_layer(widths[level]), inner, *up(level, 2 * widths[level]), *drop
        )
    first = nn.Conv2d(channels[0], width, 4, 2, 1, bias=bias)
    last = nn.ConvTranspose2d(2 * width, channels[1], 4, 2, 1)
    return randomize_norms(
        ReferenceGenerator(UNetLevel(first, inner, nn.ReLU(True), last, nn.Tanh(), skip=False))
    )


def randomize_norms(generator: ReferenceGenerator) -> ReferenceGenerator:
    """Give the norms random parameters and statistics, and set eval mode.

    Instance norms stay in training mode, so that they ignore the running statistics that old files have.
    """
    for module in generator.modules():
        tensors = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
        if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, Blur)):
            for tensor in tensors.values():
                if tensor.is_floating_point():
                    nn.init.uniform_(tensor, 0.5, 1.5)
    generator.eval().requires_grad_(False)
    for module in generator.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.train()
    return generator
