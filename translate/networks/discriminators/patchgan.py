"""Discriminators that judge patches (arXiv:1611.07004, section 3.2.2)."""

from __future__ import annotations

from torch import Tensor, nn

from translate.networks.blocks import leaky_relu, make_norm


class PatchGAN(nn.Module):
    """Judges overlapping patches, of 70x70 pixels with 3 layers.

    Args:
        width: channels of the first layer (ndf).
        layers: strided convolutions.
    """

    def __init__(
        self, in_channels: int = 3, *, width: int = 64, layers: int = 3, norm: str = "instance"
    ) -> None:
        super().__init__()
        bias = norm != "batch"
        body: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, stride=2, padding=1), leaky_relu()]
        channels = width
        for layer in range(1, layers + 1):
            before, channels = channels, width * min(2**layer, 8)
            stride = 2 if layer < layers else 1
            body += [
                nn.Conv2d(before, channels, 4, stride=stride, padding=1, bias=bias),
                make_norm(norm, channels),
                leaky_relu(),
            ]
        self.body = nn.Sequential(*body, nn.Conv2d(channels, 1, 4, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> (N, 1, h, w) scores, unbounded; 30x30 for 256x256."""
        scores: Tensor = self.body(x)
        return scores


class PixelDiscriminator(nn.Module):
    """Judges each pixel by itself: three 1x1 convolutions.

    Args:
        width: channels of the first layer (ndf).
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, norm: str = "instance") -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 1),
            leaky_relu(),
            nn.Conv2d(width, 2 * width, 1, bias=norm != "batch"),
            make_norm(norm, 2 * width),
            leaky_relu(),
            nn.Conv2d(2 * width, 1, 1, bias=norm != "batch"),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> (N, 1, H, W) scores, unbounded."""
        scores: Tensor = self.body(x)
        return scores
