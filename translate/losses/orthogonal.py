"""BigGAN's orthogonal regularization of weights (arXiv:1809.11096, eq. 3)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from translate.mixed_precision import without_autocast


def orthogonal_penalty(weights: Iterable[Tensor]) -> Tensor:
    """Return half the sum of squares of the scalar products of different rows, over all weights.

    A weight counts as a matrix W of shape (outputs, rest). The gradient is 2 ((W W^T) * (1 - I)) W, which
    BigGAN's code adds to that of the loss; it is half the gradient of eq. 3, whose W is transposed.
    """
    return torch.stack([_penalty(weight.flatten(1)) for weight in weights]).sum()


def _penalty(matrix: Tensor) -> Tensor:
    # W W^T and W^T W have the same norm, and the smaller one is much smaller for a linear layer from noise.
    rows, columns = matrix.shape
    with without_autocast(matrix.device):
        products = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    diagonal = matrix.square().sum(dim=1)  # That of W W^T.
    return (products.square().sum() - diagonal.square().sum()) / 2
