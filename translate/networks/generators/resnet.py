"""The ResNet generator of CycleGAN (arXiv:1703.10593, appendix 7.2, after arXiv:1603.08155)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.errors import UsageError
from translate.networks.blocks import downsampling, make_norm, upsampling
from translate.networks.generators.base import Generator

# With antialiased sampling, features of twice the width have the full size of the image: two forwards of
# 1024 px added 1.6 times the memory that strided convolutions take.
PEAK_MAPS_BLURRED, STORED_MAPS_BLURRED = 9.5, 3.0


class ResidualBlock(nn.Module):
    """A residual block of two 3 x 3 convolutions with reflection padding."""

    def __init__(self, channels: int, *, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = norm != "batch"
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5 if dropout else 0.0),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (N, C, H, W) features."""
        out: Tensor = x + self.body(x)
        return out


class ResNet(Generator):
    """A ResNet generator: downsampling by 4, residual blocks, upsampling.

    Args:
        width: channels of the outermost layer (ngf).
        depth: residual blocks; the papers use 6 for 128 px and 9 for 256 px.
        norm: the norm of all layers but the last.
        dropout: use dropout of 0.5 in each residual block.
        downsample: `strided`, or `blur`, antialiased as in CUT.
        upsample: `deconv`, `resize`, or `blur`, antialiased as in CUT.
    """

    compiled_by_segment = True  # The residual blocks are equal.
    size_multiple = 4
    depth_setting = "blocks"

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        depth: int = 9,
        norm: str = "instance",
        dropout: bool = False,
        downsample: str = "strided",
        upsample: str = "deconv",
    ) -> None:
        super().__init__()
        self.width, self.in_channels = width, in_channels
        if "blur" in (downsample, upsample):
            self.peak_maps, self.stored_maps = PEAK_MAPS_BLURRED, STORED_MAPS_BLURRED
        bias = norm != "batch"
        stride, after = downsampling(downsample)

        def with_norm(conv: nn.Module, channels: int) -> list[nn.Module]:
            return [conv, make_norm(norm, channels), nn.ReLU(inplace=True)]

        def down(channels: int) -> list[nn.Module]:
            conv = nn.Conv2d(channels, 2 * channels, 3, stride=stride, padding=1, bias=bias)
            return [*with_norm(conv, 2 * channels), *after]

        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3),
            *with_norm(nn.Conv2d(in_channels, width, 7, bias=bias), width),
            *down(width),
            *down(2 * width),
        )
        self.blocks = nn.Sequential(
            *(ResidualBlock(4 * width, norm=norm, dropout=dropout) for _ in range(depth))
        )
        self.decoder = nn.Sequential(
            *with_norm(upsampling(upsample, 4 * width, 2 * width, 3, bias=bias), 2 * width),
            *with_norm(upsampling(upsample, 2 * width, width, 3, bias=bias), width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
        )

    def forward(
        self, x: Tensor, features: Sequence[int] = (), decode: bool = True
    ) -> Tensor | list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Translate (N, in_channels, H, W) images in [-1, 1], H and W multiples of 4.

        Args:
            features: numbers of layers whose outputs to return, too, ascending. They count the layers of the
                encoder from 0, the padded image, and then the blocks, as CUT does (arXiv:2007.15651).
            decode: translate; otherwise stop at the last of `features`.

        Returns:
            (N, out_channels, H, W) images in [-1, 1]; with features, the images and the list of features, or
            only the list if nothing is decoded. In CUT, activations work in place. So a feature in front of
            one is its output here, too, unless it is the last feature.
        """
        if features:
            x, outputs = self._encode(x, features, decode)
            return (self._decode(x), outputs) if decode else outputs
        x = self.segment(self.encoder, x)
        for block in self.blocks:
            x = self.segment(block, x)
        return self._decode(x)

    def feature_channels(self, features: Sequence[int]) -> list[int]:
        """Return the number of channels of each feature.

        Raises:
            UsageError: the numbers do not ascend, or there is no such layer.
        """
        counts = [self.in_channels]
        for layer in [*self.encoder][1:]:
            counts.append(layer.out_channels if isinstance(layer, nn.Conv2d) else counts[-1])
        counts += [counts[-1]] * len(self.blocks)
        text = ",".join(map(str, features))
        for number in features:
            if not 0 <= number < len(counts):
                raise UsageError(
                    f"features {text}: the encoder and the blocks have layers 0 to {len(counts) - 1}, but no"
                    f" layer {number}"
                )
        if any(second <= first for first, second in pairwise(features)):
            ascending = ",".join(map(str, sorted(set(features))))
            raise UsageError(f"features {text} do not ascend: use {ascending}")
        return [counts[number] for number in features]

    def _encode(self, x: Tensor, features: Sequence[int], decode: bool) -> tuple[Tensor, list[Tensor]]:
        """Return the output of the last layer to compute, and the features."""
        layers, outputs, start = [*self.encoder], [], 0
        for number in features:
            if number >= len(layers):
                break
            stop = number + 1
            # The authors' activation behind this layer changes its output in place.
            while number != features[-1] and stop < len(layers) and _works_in_place(layers[stop]):
                stop += 1
            x = self.segment(_apply_layers, layers[start:stop], x)
            outputs.append(x)
            start = stop
        if (decode or len(outputs) < len(features)) and start < len(layers):
            x = self.segment(_apply_layers, layers[start:], x)
        for number, block in enumerate(self.blocks, start=len(layers)):
            if not decode and number > features[-1]:
                break
            x = self.segment(block, x)
            if number in features:
                outputs.append(x)
        return x, outputs

    def _decode(self, x: Tensor) -> Tensor:
        return torch.tanh(self.segment(self.decoder, x))


def _works_in_place(layer: nn.Module) -> bool:
    """Return whether a layer of the encoder returns its input's memory: an activation, or no norm."""
    return isinstance(layer, (nn.ReLU, nn.Identity))


def _apply_layers(layers: Sequence[nn.Module], x: Tensor) -> Tensor:
    """Apply a part of the encoder, which does not change `x` in place, because that may be a feature."""
    feature = x
    for layer in layers:
        x = F.relu(x) if x is feature and isinstance(layer, nn.ReLU) else layer(x)
    return x
