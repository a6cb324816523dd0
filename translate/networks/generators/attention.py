"""The two-stage inpainting generator with contextual attention (arXiv:1801.07892, sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.contextual_attention import contextual_attention
from translate.networks.generators.base import Generator

DILATIONS = (2, 4, 8, 16)
FEATURE_STRIDE = 4  # Pixels from one feature to the next at the inner layers.
RATE = 2  # Features from one patch of the attention to the next.


class ContextualAttentionInpainter(Generator):
    """Two networks for inpainting: the first fills the hole coarsely, and the second refines it.

    The second has two encoders: one with dilated convolutions, and one that fills its features in the hole
    with patches from outside, by contextual attention. As the authors' code, but for two things: strided
    convolutions pad both sides alike, and a patch is known only if none of its pixels is in the hole, also
    where a hole is narrower than a feature.

    Args:
        in_channels: the image's channels and one for the mask.
        width: channels of the first layer; the inner ones have 4 times as many.
    """

    size_multiple = FEATURE_STRIDE * RATE
    # Counted at 512 px, where a copy of the scores of the attention takes as much as 2 maps; at 256 px, it
    # takes as much as half a map, and the peak is 6 maps.
    peak_maps, stored_maps = 13.0, 2.0

    def __init__(self, in_channels: int = 4, out_channels: int = 3, *, width: int = 32) -> None:
        super().__init__()
        self.width = width
        w, channels = width, in_channels + 1
        self.coarse_encoder = _encoder([channels, w, 2 * w, 2 * w, 4 * w, 4 * w, 4 * w])
        self.coarse_dilated = _dilated(4 * w)
        self.coarse_decoder = _decoder(4 * w, w, out_channels)
        self.encoder = _encoder([channels, w, w, 2 * w, 2 * w, 4 * w, 4 * w])
        self.dilated = _dilated(4 * w)
        self.attention_encoder = _encoder([channels, w, w, 2 * w, 4 * w, 4 * w, 4 * w])
        self.attention_encoder[-1] = nn.ReLU(inplace=True)
        self.attention_decoder = nn.Sequential(*_layer(4 * w, 4 * w), *_layer(4 * w, 4 * w))
        self.decoder = _decoder(8 * w, w, out_channels)

    def forward(self, x: Tensor, *, coarse: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Inpaint (N, 3 + 1, H, W) images in [-1, 1] and their masks.

        The last channel is the mask, 1 in the hole and -1 elsewhere; image values in the hole are ignored. H
        and W are multiples of 8. The attention takes memory and time by the square of H * W.

        Returns:
            (N, 3, H, W) in [-1, 1]; with `coarse` also the output of the first network, of the same shape.
        """
        image, hole = x[:, :-1], (x[:, -1:] > 0).to(x.dtype)
        image = image * (1 - hole)
        first = self._fill_coarsely(torch.cat([image, torch.ones_like(hole), hole], dim=1))
        filled = image + first * hole
        second = self._refine(torch.cat([filled, torch.ones_like(hole), hole], dim=1), hole)
        return (second, first) if coarse else second

    def _fill_coarsely(self, x: Tensor) -> Tensor:
        features = self.segment(self.coarse_dilated, self.segment(self.coarse_encoder, x))
        return self.segment(self.coarse_decoder, features).clamp(-1, 1)

    def _refine(self, x: Tensor, hole: Tensor) -> Tensor:
        dilated = self.segment(self.dilated, self.segment(self.encoder, x))
        attended = self.segment(_attend, self.segment(self.attention_encoder, x), hole)
        features = torch.cat([dilated, self.segment(self.attention_decoder, attended)], dim=1)
        return self.segment(self.decoder, features).clamp(-1, 1)


def _attend(features: Tensor, hole: Tensor) -> Tensor:
    """Build features anew from those outside of the hole, (N, 1, H, W), of the image."""
    mask = F.interpolate(F.max_pool2d(hole, FEATURE_STRIDE * RATE), scale_factor=RATE)
    return contextual_attention(features, features, mask, rate=RATE)[0].to(features.dtype)


def _layer(
    in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=padding, dilation=dilation)
    return [conv, nn.ELU(inplace=True)]


def _encoder(channels: Sequence[int]) -> nn.Sequential:
    """Create the layers down to a quarter of the size, from the channels of their inputs and of the last."""
    layers = (
        _layer(before, after, kernel=3 if number else 5, stride=2 if number in (1, 3) else 1)
        for number, (before, after) in enumerate(pairwise(channels))
    )
    return nn.Sequential(*chain.from_iterable(layers))


def _dilated(channels: int) -> nn.Sequential:
    layers = (_layer(channels, channels, dilation=dilation) for dilation in DILATIONS)
    return nn.Sequential(*chain.from_iterable(layers))


def _decoder(in_channels: int, width: int, out_channels: int) -> nn.Sequential:
    """Create the layers back to the full size, by nearest-neighbour upsampling."""
    half = max(1, width // 2)
    return nn.Sequential(
        *_layer(in_channels, 4 * width),
        *_layer(4 * width, 4 * width),
        nn.Upsample(scale_factor=2),
        *_layer(4 * width, 2 * width),
        *_layer(2 * width, 2 * width),
        nn.Upsample(scale_factor=2),
        *_layer(2 * width, width),
        *_layer(width, half),
        nn.Conv2d(half, out_channels, 3, padding=1),
    )
