"""The contextual attention layer: fill a hole with patches from elsewhere in the image (arXiv:1801.07892)."""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.mixed_precision import at_least_float32, without_autocast

MIN_NORM = 1e-4  # Patches of a smaller norm are divided by this.
OVERLAP = 4  # The output is divided by this: with rate 2, so many patches overlap at each place.


def contextual_attention(
    foreground: Tensor,
    background: Tensor,
    mask: Tensor,
    *,
    rate: int = 2,
    softmax_scale: float = 10.0,
    fuse: bool = True,
) -> tuple[Tensor, Tensor]:
    """Build the foreground anew from patches of the background, by how similar they are (section 4.1).

    As the authors' code, with nearest-neighbour downscaling that takes every `rate`-th feature. So a patch
    that touches the hole gets the score 0 in the softmax, and then the weight 0; the weights of the others
    sum to less than 1. Unlike there, each image has a mask of its own.

    Args:
        foreground: (N, C, H, W) features to build.
        background: (N, C, Hb, Wb) features to take patches from; often the same. All sides are multiples of
            `rate`.
        mask: (N, 1, Hb, Wb), 1 in the hole of the background and 0 elsewhere.
        rate: downscaling of the features that are compared. The patches that are copied have 2 * rate
            features a side.
        softmax_scale: multiplies the scores before the softmax.
        fuse: whether neighbours of similar places raise each other's scores (attention propagation).

    Returns:
        The features, (N, C, H, W), and the weights, (N, hb * wb, h, w): entry [:, l, y, x] is that of
        the l-th patch of the downscaled background, in row-major order, at a place of the downscaled
        foreground. Both are float32 or better.
    """
    # The scores are large, and bfloat16 would round a score of 100 to a multiple of a half.
    with without_autocast(foreground.device):
        f, b = at_least_float32(foreground), at_least_float32(background)
        small_f, small_b, small_mask = (_downscale(x, rate) for x in (f, b, mask))
        height, width = small_f.shape[2:]
        scores = _similarity(small_f, small_b)
        if fuse:
            scores = _fuse(scores, small_b.shape[2:], small_f.shape[2:])
        is_known = (F.max_pool2d(small_mask, 3, stride=1, padding=1) == 0).to(f.dtype).flatten(2).mT
        weights = (scores * (softmax_scale * is_known)).softmax(dim=1) * is_known
        return _paste(b, weights, height, width, rate), torch.unflatten(weights, 2, (height, width))


def _downscale(x: Tensor, rate: int) -> Tensor:
    """Take every `rate`-th row and column of (N, C, H, W)."""
    # The size of a strided slice, a rounded-up quotient, came out as 0 in OpenVINO.
    return torch.unflatten(torch.unflatten(x, 3, (-1, rate)), 2, (-1, rate))[:, :, :, 0, :, 0]


def _similarity(f: Tensor, b: Tensor) -> Tensor:
    """Return the correlation of 3 x 3 patches with the normalized ones of the background.

    Args:
        f, b: (N, C, h, w) and (N, C, hb, wb).

    Returns:
        (N, hb * wb, h * w).
    """
    patches_f, patches_b = _neighbourhoods(f), _neighbourhoods(b)
    norm = torch.linalg.vector_norm(patches_b, dim=1, keepdim=True)
    return torch.bmm((patches_b / norm.clamp_min(MIN_NORM)).mT, patches_f)


def _neighbourhoods(x: Tensor) -> Tensor:
    """Return the 3 x 3 patch around each place of (N, C, h, w) features, (N, 9 C, h * w), 0 beyond them."""
    height, width = x.shape[2:]
    x = F.pad(x, (1, 1, 1, 1))
    patch = [x[..., top : top + height, left : left + width] for top, left in product(range(3), repeat=2)]
    return torch.cat(patch, dim=1).flatten(2)


def _fuse(scores: Tensor, b: tuple[int, ...], f: tuple[int, ...]) -> Tensor:
    """Add the scores of neighbours, shifted alike in both images: left-right, then top-down.

    The end of a row and the beginning of the next one count as neighbours, as in the authors' code.

    Args:
        scores: (N, hb * wb, h * w).
        b, f: height and width of the background, (hb, wb), and of the foreground, (h, w).
    """
    scores = _add_diagonal_neighbours(scores)
    by_columns = _add_diagonal_neighbours(_transpose_places(scores, b, f))
    return _transpose_places(by_columns, b[::-1], f[::-1])


def _add_diagonal_neighbours(scores: Tensor) -> Tensor:
    """Add to each entry of (N, L, P) scores the one before and the one after it on its diagonal."""
    x = F.pad(scores, (1, 1, 1, 1))
    return x[:, :-2, :-2] + scores + x[:, 2:, 2:]


def _transpose_places(scores: Tensor, b: tuple[int, ...], f: tuple[int, ...]) -> Tensor:
    """Change both orders of (N, hb * wb, h * w) scores from row-major to column-major; `b`, `f` as above."""
    places = torch.unflatten(torch.unflatten(scores, 2, f), 1, b).permute(0, 2, 1, 4, 3)
    # A reshape may make a view of it, if a side is 1. Then a program of torch.export refuses such a side.
    return places.clone(memory_format=torch.contiguous_format).flatten(3).flatten(1, 2)


def _paste(b: Tensor, weights: Tensor, height: int, width: int, rate: int) -> Tensor:
    """Add up patches of 2 * rate features a side, weighted, `rate` features apart.

    A patch consists of two by two blocks of `rate` features a side, which are multiplied as channels.

    Args:
        b: (N, C, Hb, Wb), which the patches are from; 0 beyond its border.
        weights: (N, hb * wb, height * width).
        height, width: size of the downscaled output.

    Returns:
        (N, C, rate * height, rate * width).
    """
    before, after = rate // 2, rate - rate // 2
    blocks = F.pixel_unshuffle(F.pad(b, (before, after, before, after)), rate)
    rows, columns = (side // rate for side in b.shape[2:])
    corners = list(product(range(2), repeat=2))
    patches = [blocks[..., top : top + rows, left : left + columns] for top, left in corners]
    output = torch.bmm(torch.cat(patches, dim=1).flatten(2), weights)
    output = torch.unflatten(output, 2, (height, width))
    parts = [
        F.pad(part, (left, 1 - left, top, 1 - top))
        for part, (top, left) in zip(output.chunk(4, dim=1), corners, strict=True)
    ]
    total = F.pixel_shuffle(torch.stack(parts).sum(dim=0), rate)
    return total[..., before : before + rate * height, before : before + rate * width] / OVERLAP
