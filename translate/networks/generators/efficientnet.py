"""The backbone EfficientNet-lite0 (arXiv:1905.11946; the lite form has ReLU6 and no squeeze-excitation)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

# expansion, channels, repeats, stride, kernel of each stage (table 1)
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM = 32
CHANNELS = (16, 24, 40, 112, 320)  # of the features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size


def _conv(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(after, eps=1e-3, momentum=0.01)]


class InvertedResidual(nn.Module):
    """Expand, filter each channel by itself, project; added to the input where the shapes are equal."""

    def __init__(self, before: int, after: int, *, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        inside = before * expansion
        expand = [*_conv(before, inside, 1), nn.ReLU6()] if expansion > 1 else []
        self.body = nn.Sequential(
            *expand,
            *_conv(inside, inside, kernel, stride, groups=inside),
            nn.ReLU6(),
            *_conv(inside, after, 1),
        )
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return x + out if self.residual else out


Segment = Callable[[nn.Module, Tensor], Tensor]


def call(part: nn.Module, x: Tensor) -> Tensor:
    """Call a part of a network, as `Generator.segment` does."""
    output: Tensor = part(x)
    return output


class EfficientNetLite(nn.Module):
    """Features of an image at five sizes.

    Args:
        in_channels: of the image; ImageNet's weights are for 3.
    """

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_conv(in_channels, STEM, 3, stride=2), nn.ReLU6())
        self.stages = nn.ModuleList()
        before = STEM
        for expansion, channels, repeats, stride, kernel in STAGES:
            blocks = []
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(
                    InvertedResidual(before, channels, expansion=expansion, stride=step, kernel=kernel)
                )
                before = channels
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor, segment: Segment = call) -> list[Tensor]:
        """(N, C, H, W) in [-1, 1] -> features of 1/2, 1/4, 1/8, 1/16, 1/32 of the size; see CHANNELS."""
        features = []
        x = segment(self.stem, x)
        for number, stage in enumerate(self.stages):
            for block in stage.children():
                x = segment(block, x)
            if number in (0, 1, 2, 4, 6):
                features.append(x)
        return features
