"""The projection head of contrastive translation: patches of feature maps become unit vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from translate.mixed_precision import at_least_float32

LENGTH_EPS = 1e-7  # Added to a vector's length, as the authors do; not the floor of `F.normalize`.


class PatchProjection(nn.Module):
    """The two-layer MLPs H_l that embed patches, one for each layer (arXiv:2007.15651, section 3).

    A patch is a position of a feature map.

    Args:
        channels: channels of each layer's features.
        width: length of an embedding.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(inplace=True), nn.Linear(width, width))
            for count in channels
        )

    def forward(self, features: Sequence[Tensor], positions: Sequence[Tensor]) -> list[Tensor]:
        """Embed the patches at some positions of each layer.

        Args:
            features: for each layer (N, C, H, W).
            positions: for each layer (P,), row * W + column of a patch; all images share them.

        Returns:
            For each layer (N, P, width) vectors of length 1, in float32 or better.
        """
        # The sampled features have the layout of their map, and so has its gradient.
        patches = [layer.flatten(2)[:, :, at].mT for layer, at in zip(features, positions, strict=True)]
        return [unit_vectors(mlp(layer)) for mlp, layer in zip(self.mlps, patches, strict=True)]


def unit_vectors(x: Tensor) -> Tensor:
    """Scale (..., C) vectors to length 1; a vector of zeros stays as it is, and its gradient is finite."""
    # Half precision rounds the squares of short vectors to zero.
    x = at_least_float32(x)
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / (length + LENGTH_EPS)


def draw_positions(features: Sequence[Tensor], count: int) -> list[Tensor]:
    """Draw random positions of each layer's (N, C, H, W) features, all distinct.

    Returns:
        For each layer `count` positions, row * W + column, (P,); all positions if a layer has fewer.
    """
    sizes = [layer.shape[2] * layer.shape[3] for layer in features]
    # The indices of the largest random numbers are a random choice that a CUDA graph can capture.
    return [
        torch.rand(size, device=layer.device).topk(min(count, size)).indices
        for layer, size in zip(features, sizes, strict=True)
    ]
