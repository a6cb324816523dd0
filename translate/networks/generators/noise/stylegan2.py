"""The generator of StyleGAN2: a mapping network and a synthesis network (arXiv:1912.04958, figure 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.mixed_precision import at_least_float32, without_autocast
from translate.networks.blocks import PixelNorm
from translate.networks.equalized import EqualizedLinear, scaled_leaky_relu
from translate.networks.generators.base import Generator
from translate.networks.growing import count_channels
from translate.networks.resampling import Resampler

MAPPING_LR = 0.01  # By how much slower the mapping network learns (arXiv:1812.04948, appendix C).
MEAN_DECAY = 0.995  # Of the moving average of w, per forward pass.
KERNEL = 3


class MappingNetwork(nn.Module):
    """The mapping network f: z -> w, of fully connected layers (arXiv:1812.04948, section 2).

    Attributes:
        w_mean: the moving average of w over the forward passes of training, (w,): the centre of truncation.
    """

    w_mean: Tensor

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.normalize = PixelNorm()
        sizes = [inputs] + [outputs] * depth
        self.layers = nn.ModuleList(
            EqualizedLinear(before, after, lr_mul=MAPPING_LR) for before, after in pairwise(sizes)
        )
        self.register_buffer("w_mean", torch.zeros(outputs))

    def forward(self, z: Tensor) -> Tensor:
        """Map (N, inputs) noise to (N, w), in float32 also in mixed precision."""
        with without_autocast(z.device):
            w: Tensor = self.normalize(at_least_float32(z))
            for layer in self.layers:
                w = scaled_leaky_relu(layer(w))
        return w

    @torch.no_grad()
    def track_mean(self, w: Tensor) -> None:
        """Take (N, w) into account in the moving average of w."""
        self.w_mean.copy_(w.mean(dim=0).lerp(self.w_mean, MEAN_DECAY))


def modulated_conv2d(
    x: Tensor, weight: Tensor, styles: Tensor, *, demodulate: bool, blur: Resampler | None = None
) -> Tensor:
    """Convolve features whose channels are scaled by a style, for each image (arXiv:1912.04958, section 2.2).

    Scaling the features before the convolution, and its outputs by the factor of the demodulation, gives the
    same as scaling the weights of each image (eq. 1 and 3), with one convolution for the batch.

    Args:
        x: (N, C, H, W).
        weight: (O, C, K, K).
        styles: (N, C).
        demodulate: whether to divide by the norm of the scaled weights.
        blur: the filter after a convolution to twice the size; None for the same size.

    Returns:
        (N, O, H, W), or (N, O, 2 H, 2 W).
    """
    with without_autocast(x.device):
        squares = weight.square().sum(dim=(2, 3))
        norm = (F.linear(styles.square(), squares) + 1e-8).rsqrt() if demodulate else None
    x = x * styles[:, :, None, None].to(x.dtype)
    if blur is None:
        x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    else:
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        x = blur(x, padding=(1, 1), gain=4)
    return x if norm is None else x * norm[:, :, None, None].to(x.dtype)


class ModulatedConv2d(nn.Module):
    """A convolution in the style of w, of which a layer of its own makes the styles.

    Args:
        w: dimensions of w.
        gain: multiplies the styles.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, w: int, *, demodulate: bool, gain: float = 1
    ) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w, in_channels)
        nn.init.ones_(self.affine.bias)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.demodulate, self.gain = demodulate, gain

    def forward(self, x: Tensor, w: Tensor, blur: Resampler | None = None) -> Tensor:
        """Convolve (N, C, H, W) features in the style of w, (N, w); with `blur`, to twice the size."""
        with without_autocast(x.device):
            styles = self.affine(w) * self.gain
        return modulated_conv2d(x, self.weight, styles, demodulate=self.demodulate, blur=blur)


class SynthesisLayer(nn.Module):
    """A modulated convolution, noise, a bias and a leaky ReLU, at one resolution.

    Args:
        side: pixels a side of its output.
        up: whether its input has half the side.

    Attributes:
        noise: the noise of `eval()`, (side, side); in training, it is drawn anew for each image.
    """

    noise: Tensor

    def __init__(self, in_channels: int, out_channels: int, w: int, side: int, *, up: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, KERNEL, w, demodulate=True)
        self.blur = Resampler() if up else None
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise", torch.randn(side, side))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """Transform (N, C, H, W) features in the style of w, (N, w).

        Args:
            noise: (N or 1, 1, side, side).
        """
        x = self.conv(x, w, self.blur)
        return scaled_leaky_relu(x + (noise * self.noise_strength + self.bias[:, None, None]).to(x.dtype))

    def draw_noise(self, count: int) -> Tensor:
        """Return the noise of so many images, (count or 1, 1, side, side)."""
        if not self.training:
            return self.noise[None, None]
        return torch.randn(count, 1, *self.noise.shape, device=self.noise.device, dtype=self.noise.dtype)


class SynthesisBlock(nn.Module):
    """The layers of one resolution, and what they add to the image (figure 7 b).

    Args:
        in_channels: 0 for the first block, which starts from a learned constant.
    """

    def __init__(self, in_channels: int, channels: int, image_channels: int, w: int, side: int) -> None:
        super().__init__()
        if in_channels:
            self.conv0 = SynthesisLayer(in_channels, channels, w, side, up=True)
            self.upsample = Resampler()
        else:
            self.constant = nn.Parameter(torch.randn(channels, side, side))
        self.conv1 = SynthesisLayer(channels, channels, w, side, up=False)
        gain = 1 / math.sqrt(channels)
        self.to_rgb = ModulatedConv2d(channels, image_channels, 1, w, demodulate=False, gain=gain)
        self.rgb_bias = nn.Parameter(torch.zeros(image_channels))

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Sequence[Tensor], noise: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return features and an image of twice the side.

        Args:
            x: (N, in_channels, H / 2, W / 2); None in the first block.
            image: the image so far, (N, image_channels, H / 2, W / 2) in float32; None in the first block.
            ws: w of each layer, and of the image, (N, w) each.
            noise: of each layer, (N or 1, 1, H, W) each.
        """
        count = ws[0].shape[0]
        x = self.constant.expand(count, -1, -1, -1) if x is None else self.conv0(x, ws[0], noise[0])
        x = self.conv1(x, ws[-2], noise[-1])
        added = at_least_float32(self.to_rgb(x, ws[-1])) + self.rgb_bias[:, None, None]
        if image is not None:
            added = added + self.upsample(image, up=2, padding=(2, 1), gain=4)
        return x, added


class StyleGAN2Generator(Generator):
    """The generator of StyleGAN2: noise z is mapped to w, whose styles steer each layer of the synthesis.

    The images are a sum over the resolutions ("skips"), and may leave [-1, 1].

    Args:
        in_channels: dimensions of z, and of w.
        fmap_base, fmap_max: the channels of the blocks, see `count_channels`.
        depth: doublings; the image is 4 * 2^depth pixels a side.
        mapping_depth: layers of the mapping network.
    """

    compiled_by_segment = True

    def __init__(
        self,
        in_channels: int = 512,
        out_channels: int = 3,
        *,
        depth: int = 4,
        fmap_base: int = 8192,
        fmap_max: int = 512,
        mapping_depth: int = 8,
    ) -> None:
        super().__init__()
        self.mapping = MappingNetwork(in_channels, in_channels, mapping_depth)
        channels = [0, *count_channels(depth, fmap_base, fmap_max)]
        self.width = channels[-1]
        self.blocks = nn.ModuleList(
            SynthesisBlock(before, after, out_channels, in_channels, BASE_SIDE * 2**level)
            for level, (before, after) in enumerate(pairwise(channels))
        )
        self.layers = 2 * (depth + 1)  # Each has its own w, and so has the image of the last block.

    def forward(
        self, z: Tensor | None = None, *, w: Tensor | None = None, noise: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Generate images from noise z, or from a w for each layer.

        Args:
            z: (N, in_channels).
            w: (N, layers, in_channels).
            noise: of each `SynthesisLayer`, (N or 1, 1, h, h) each; by default what `draw_noise` returns.

        Returns:
            (N, out_channels, H, H), about in [-1, 1].
        """
        if w is None:
            assert z is not None
            w = self.mapping(z)[:, None].expand(-1, self.layers, -1)
        if noise is None:
            layers = [module for module in self.modules() if isinstance(module, SynthesisLayer)]
            noise = [layer.draw_noise(w.shape[0]) for layer in layers]
        x: Tensor | None = None
        image: Tensor | None = None
        for level, block in enumerate(self.blocks):
            first = max(0, 2 * level - 1)  # An image shares its w with the first layer of the next block.
            styles = w[:, first : 2 * level + 2].unbind(1)
            x, image = self.segment(block, x, image, styles, noise[first : 2 * level + 1])
        assert image is not None
        return image
