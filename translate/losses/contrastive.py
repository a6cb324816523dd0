"""PatchNCE, the contrastive loss between patches of an image and of its translation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.mixed_precision import at_least_float32, without_autocast

# The similarity of one more negative. The authors put it in the place of a query's own key.
OTHER_NEGATIVE = -10.0


def patch_nce(
    query: Tensor,
    key: Tensor,
    *,
    temperature: float = 0.07,
    all_negatives: bool = False,
    cosine: bool = False,
) -> Tensor:
    """Return PatchNCE: the cross entropy of finding each query's own key among all keys.

    The patch at a position of a translation should be more similar to the patch at the same position of the
    input than to other patches (arXiv:2007.15651, section 3; DCLGAN, arXiv:2104.07689, takes the cosine).

    Args:
        query, key: (N, P, C) embeddings of P patches of each image, at the same positions; no gradient
            reaches `key`.
        temperature: what similarities are divided by.
        all_negatives: compare a query with the keys of all images of the batch, not only of its own.
        cosine: the similarity is the cosine of the angle between embeddings, not their dot product.

    Returns:
        (N, P) losses in float32 or better.
    """
    shape = query.shape[:2]
    query, key = at_least_float32(query), at_least_float32(key.detach())
    if all_negatives:
        query, key = query.flatten(0, 1)[None], key.flatten(0, 1)[None]
    if cosine:
        query, key = F.normalize(query, dim=2), F.normalize(key, dim=2)
    # Divided by the temperature, the error of a product in half precision would grow 14 times.
    with without_autocast(query.device):
        similarity = F.pad(query @ key.mT, (0, 1), value=OTHER_NEGATIVE)
    log_probability = F.log_softmax(similarity / temperature, dim=2)
    return -log_probability.diagonal(dim1=1, dim2=2).reshape(shape)


def multilayer_patch_nce(queries: Sequence[Tensor], keys: Sequence[Tensor], **options: Any) -> Tensor:
    """Return the mean PatchNCE over patches, and then over layers (L_PatchNCE of arXiv:2007.15651), a scalar.

    Args:
        queries, keys: for each layer (N, P, C) embeddings.
        options: as of `patch_nce`.
    """
    losses = [patch_nce(q, k, **options).mean() for q, k in zip(queries, keys, strict=True)]
    return torch.stack(losses).mean()
