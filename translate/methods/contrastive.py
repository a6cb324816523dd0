"""The keys of PatchNCE, the embeddings that a translation's patches are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from translate.methods.trainer import freeze_weights


def embed_keys(f: nn.Module, features: Sequence[Tensor], positions: Sequence[Tensor]) -> list[Tensor]:
    """Embed the patches of an image as the keys of PatchNCE, which need no gradient.

    Args:
        f: the projection head (`PatchProjection`).
        features: for each layer (N, C, H, W).
        positions: for each layer (P,), row * W + column of a patch.
    """
    # Autocast caches the 16-bit copies of weights that are trained, for later queries by the same head as
    # well. Copies that are made without gradients would leave these queries without any, so freeze the head.
    with freeze_weights(f), torch.no_grad():
        keys: list[Tensor] = f(features, positions)
    return keys
