"""The EfficientNet-lite0 backbone (arXiv:1905.11946): B0 with ReLU6 and no squeeze-and-excitation."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

# Expansion, channels, repeats, stride and kernel of each stage (table 1).
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM_CHANNELS = 32
FEATURE_STAGES = (0, 1, 2, 4, 6)  # The last stages at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image's size.
CHANNELS = tuple(STAGES[stage][1] for stage in FEATURE_STAGES)

Segment = Callable[[nn.Module, Tensor], Tensor]


def _conv_and_norm(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    padding = kernel // 2
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.01)]


class InvertedResidual(nn.Module):
    """An inverted residual block (MBConv): expansion, depthwise convolution, projection.

    The input is added where it has the shape of the output.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, expansion: int, stride: int, kernel: int
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        expand = [*_conv_and_norm(in_channels, hidden, 1), nn.ReLU6()] if expansion > 1 else []
        self.body = nn.Sequential(
            *expand,
            *_conv_and_norm(hidden, hidden, kernel, stride, groups=hidden),
            nn.ReLU6(),
            *_conv_and_norm(hidden, out_channels, 1),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Transform (N, C, H, W) features."""
        out: Tensor = self.body(x)
        return x + out if self.residual else out


def call(part: nn.Module, x: Tensor) -> Tensor:
    """Call a part of the network without gradient checkpointing, as `Generator.segment` does by default."""
    output: Tensor = part(x)
    return output


class EfficientNetLite(nn.Module):
    """A backbone: EfficientNet-lite0 without its classifier, which gives features at five scales.

    Args:
        in_channels: channels of the image; ImageNet weights are for 3.
    """

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_conv_and_norm(in_channels, STEM_CHANNELS, 3, stride=2), nn.ReLU6())
        self.stages = nn.ModuleList()
        before = STEM_CHANNELS
        for expansion, channels, repeats, first_stride, kernel in STAGES:
            blocks = []
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                blocks.append(
                    InvertedResidual(before, channels, expansion=expansion, stride=stride, kernel=kernel)
                )
                before = channels
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor, segment: Segment = call) -> list[Tensor]:
        """Return the features of (N, in_channels, H, W) images in [-1, 1].

        Args:
            segment: calls each part of the network, for gradient checkpointing.

        Returns:
            Five maps of 1/2, 1/4, 1/8, 1/16 and 1/32 of the size, with `CHANNELS` channels.
        """
        features = []
        x = segment(self.stem, x)
        for number, stage in enumerate(self.stages):
            for block in stage.children():
                x = segment(block, x)
            if number in FEATURE_STAGES:
                features.append(x)
        return features
