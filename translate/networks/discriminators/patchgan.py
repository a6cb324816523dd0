"""PatchGAN discriminators, which score patches or pixels of an image (arXiv:1611.07004, section 3.2.2)."""

from __future__ import annotations

from torch import Tensor, nn

from translate.networks.blocks import downsampling, leaky_relu, make_norm


class PatchGAN(nn.Module):
    """The PatchGAN discriminator: one score for each overlapping patch, of 70 x 70 pixels with 3 layers.

    Args:
        width: channels of the first layer (ndf).
        layers: layers that halve the size, which set the size of the patches (the receptive field).
        norm: the norm of all layers but the first and the last.
        downsample: `strided`, or `blur`, antialiased as in CUT.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        width: int = 64,
        layers: int = 3,
        norm: str = "instance",
        downsample: str = "strided",
    ) -> None:
        super().__init__()
        bias = norm != "batch"
        stride, after = downsampling(downsample)
        first = nn.Conv2d(in_channels, width, 4, stride=stride, padding=1)
        body: list[nn.Module] = [first, leaky_relu(), *after]
        channels = width
        for layer in range(1, layers + 1):
            before, channels = channels, width * min(2**layer, 8)
            stride, after = downsampling(downsample) if layer < layers else (1, [])
            body += [
                nn.Conv2d(before, channels, 4, stride=stride, padding=1, bias=bias),
                make_norm(norm, channels),
                leaky_relu(),
                *after,
            ]
        self.body = nn.Sequential(*body, nn.Conv2d(channels, 1, 4, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, in_channels, H, W) images in [-1, 1]; return (N, 1, h, w) logits, 30x30 for 256x256."""
        scores: Tensor = self.body(x)
        return scores


class PixelDiscriminator(nn.Module):
    """The PixelGAN discriminator: 1 x 1 convolutions, which score each pixel on its own.

    Args:
        width: channels of the first layer (ndf).
        norm: the norm of the hidden layer.
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
        """Score (N, in_channels, H, W) images in [-1, 1]; return (N, 1, H, W) logits."""
        scores: Tensor = self.body(x)
        return scores
