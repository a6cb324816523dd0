"""Generators of small size whose state dicts have the reference's keys, in all its variants."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

NORMS: dict[str, tuple[Callable[[int], nn.Module], bool]] = {  # with whether convolutions have a bias
    "batch": (nn.BatchNorm2d, False),
    "instance": (nn.InstanceNorm2d, True),
    "instance-affine": (lambda c: nn.InstanceNorm2d(c, affine=True), True),
    "none": (lambda c: nn.Identity(), False),
    "old instance": (lambda c: nn.InstanceNorm2d(c, track_running_stats=True), True),
    "old instance-affine": (lambda c: nn.InstanceNorm2d(c, affine=True, track_running_stats=True), True),
}


class Generator(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Residual(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Level(nn.Module):
    """A level of a U-Net, which holds the next one and carries its input beside its output."""

    def __init__(self, *layers: nn.Module, skip: bool = True) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        out = self.model(x)  # the first layer, in place, changes x
        return torch.cat([x, out], 1) if self.skip else out


def resnet(
    norm: str = "instance",
    *,
    width: int = 4,
    depth: int = 2,
    channels: tuple[int, int] = (3, 3),
    dropout: bool = False,
) -> Generator:
    layer, bias = NORMS[norm]
    w = width

    def half() -> list[nn.Module]:
        return [nn.ReflectionPad2d(1), nn.Conv2d(4 * w, 4 * w, 3, bias=bias), layer(4 * w)]

    def block() -> Residual:
        return Residual(*half(), nn.ReLU(True), *([nn.Dropout(0.5)] if dropout else []), *half())

    def deconv(before: int, after: int) -> nn.Module:
        return nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1, bias=bias)

    return drawn(
        Generator(
            nn.Sequential(
                *(nn.ReflectionPad2d(3), nn.Conv2d(channels[0], w, 7, bias=bias), layer(w), nn.ReLU(True)),
                *(nn.Conv2d(w, 2 * w, 3, 2, 1, bias=bias), layer(2 * w), nn.ReLU(True)),
                *(nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=bias), layer(4 * w), nn.ReLU(True)),
                *(block() for _ in range(depth)),
                *(deconv(4 * w, 2 * w), layer(2 * w), nn.ReLU(True)),
                *(deconv(2 * w, w), layer(w), nn.ReLU(True)),
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
) -> Generator:
    layer, bias = NORMS[norm]
    sizes = [width * min(2**level, 8) for level in range(depth)]

    def down(level: int) -> list[nn.Module]:
        return [nn.LeakyReLU(0.2, True), nn.Conv2d(sizes[level - 1], sizes[level], 4, 2, 1, bias=bias)]

    def up(level: int, before: int) -> list[nn.Module]:
        outer = sizes[level - 1]
        return [nn.ReLU(True), nn.ConvTranspose2d(before, outer, 4, 2, 1, bias=bias), layer(outer)]

    inner = Level(*down(depth - 1), *up(depth - 1, sizes[-1]))
    for level in reversed(range(1, depth - 1)):
        drop = [nn.Dropout(0.5)] if dropout and level > 3 else []
        inner = Level(*down(level), layer(sizes[level]), inner, *up(level, 2 * sizes[level]), *drop)
    first = nn.Conv2d(channels[0], width, 4, 2, 1, bias=bias)
    last = nn.ConvTranspose2d(2 * width, channels[1], 4, 2, 1)
    return drawn(Generator(Level(first, inner, nn.ReLU(True), last, nn.Tanh(), skip=False)))


def drawn(generator: Generator) -> Generator:
    """With norms that do something, and ready to be applied; a norm's old statistics are not used."""
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
