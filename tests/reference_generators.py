"""Small generators with the layers and state-dict keys of the CycleGAN and pix2pix authors' code."""

from __future__ import annotations

from collections.abc import Callable

import torch
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
) -> ReferenceGenerator:
    """Create the reference's ResNet with random weights, in eval mode."""
    norm_layer, bias = NORMS[norm]
    w = width

    def conv() -> list[nn.Module]:
        return [nn.ReflectionPad2d(1), nn.Conv2d(4 * w, 4 * w, 3, bias=bias), norm_layer(4 * w)]

    def block() -> ResidualBlock:
        return ResidualBlock(*conv(), nn.ReLU(True), *([nn.Dropout(0.5)] if dropout else []), *conv())

    def deconv(in_channels: int, out_channels: int) -> nn.Module:
        return nn.ConvTranspose2d(
            in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=bias
        )

    first = nn.Conv2d(channels[0], w, 7, bias=bias)
    return randomize_norms(
        ReferenceGenerator(
            nn.Sequential(
                *(nn.ReflectionPad2d(3), first, norm_layer(w), nn.ReLU(True)),
                *(nn.Conv2d(w, 2 * w, 3, 2, 1, bias=bias), norm_layer(2 * w), nn.ReLU(True)),
                *(nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=bias), norm_layer(4 * w), nn.ReLU(True)),
                *(block() for _ in range(depth)),
                *(deconv(4 * w, 2 * w), norm_layer(2 * w), nn.ReLU(True)),
                *(deconv(2 * w, w), norm_layer(w), nn.ReLU(True)),
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
        if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            for tensor in tensors.values():
                if tensor.is_floating_point():
                    nn.init.uniform_(tensor, 0.5, 1.5)
    generator.eval().requires_grad_(False)
    for module in generator.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.train()
    return generator
