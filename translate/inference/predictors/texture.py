"""Add texture to what a network drew smoothly: fine detail of the known parts of the same image.

A network trained to be near the truth draws the mean of what may have been there: no grain, no leaves, no
waves. Here each patch of the hole borrows the detail, and only the detail, of a known patch that is like it
when both are seen coarsely. Patches of the image itself are what image quilting puts together (Efros and
Freeman 2001, section 2) and what contextual attention copies (arXiv:1801.07892, section 4.1).
"""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.images import Array, Hole
from translate.images.frame import WHITE

SIDE, STEP = 32, 16  # of the patches, which overlap by half
CELL = 8  # side of the squares by whose means patches are compared
FINE = 4.0  # pixels: what a Gaussian of this width takes away is detail
MARGIN = 12  # pixels around a patch that its Gaussian looks at
BLOCK = 16 * STEP  # side of the squares that are textured at once
NEAR = 64  # pixels around a block in which patches are searched, beside the width of the hole there
SPACING = 4  # pixels between the patches to choose from
MOST = 1024  # of them, for a block
SHARES = 16  # each place chooses from one share of them, by lot: one patch used all over makes a pattern
STRENGTH = 0.45  # of the borrowed detail: at 1, the error in what cannot be known would double

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]  # (N, 2): y and x of the first pixel of each patch
WINDOW = np.outer(*[torch.hann_window(SIDE).numpy()] * 2)[..., None]  # (SIDE, SIDE, 1), 0 at the edges


def add_texture(pixels: Array, hole: Hole, known: Hole) -> Array:
    """Add detail in the hole; all else stays what it is, to the bit.

    Args:
        pixels: (H, W, 3), filled already; uint8, uint16, or float32 in [0, 1].
        hole: (H, W), true where detail is missing.
        known: (H, W), true where detail may be borrowed; a part of the hole that is near to no such
            place stays as it is.
    """
    sources = _find_known_patches(known)
    squares = cv2.blur(pixels, (CELL, CELL), anchor=(0, 0), borderType=cv2.BORDER_REFLECT_101)
    depth = cv2.distanceTransform(np.pad(hole.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    out = pixels.copy()
    for corner in product(range(0, hole.shape[0], BLOCK), range(0, hole.shape[1], BLOCK)):
        here = np.s_[corner[0] : corner[0] + BLOCK, corner[1] : corner[1] + BLOCK]
        missing = hole[here]
        if not missing.any():
            continue
        near = _choose_near(sources, corner, 2 * depth[here].max() + NEAR)
        if len(near):
            places, needed = _lay_out_patches(hole, corner)
            best = _find_similar(_coarse(squares, places[needed]), _coarse(squares, near), seed=sum(corner))
            chosen, which = torch.unique(best, return_inverse=True)
            detail = _join_patches(_fine(pixels, near[chosen.numpy()])[which], needed)
            height, width = missing.shape
            out[here][missing] = _add_detail(pixels[here][missing], detail[:height, :width][missing])
    return out


def _find_known_patches(known: Hole) -> Places:
    """Return where patches begin of which every pixel is known."""
    unknown = (~known).astype(np.uint8)
    taken = cv2.boxFilter(unknown, cv2.CV_32S, (SIDE, SIDE), anchor=(0, 0), normalize=False)
    height, width = (max(0, side - SIDE + 1) for side in known.shape)
    return np.argwhere(taken[:height:SPACING, :width:SPACING] == 0) * SPACING


def _choose_near(places: Places, corner: tuple[int, int], reach: float) -> Places:
    """Return the places that lie within reach of a block, or some of them, evenly spread."""
    away = places - corner
    near = places[((away >= -reach) & (away < BLOCK + reach)).all(axis=1)]
    return near[np.linspace(0, len(near) - 1, min(MOST, len(near))).astype(np.int64)]


def _lay_out_patches(hole: Hole, corner: tuple[int, int]) -> tuple[Places, npt.NDArray[np.bool_]]:
    """Return where the patches of a block go, (N, 2), and which of them reach into the hole, (N,)."""
    side = BLOCK + 2 * STEP
    grid = np.mgrid[0 : side - STEP : STEP, 0 : side - STEP : STEP].reshape(2, -1).T
    rows, columns = (_mirror(np.arange(side) + corner[axis] - STEP, hole.shape[axis]) for axis in (0, 1))
    inside = hole[np.ix_(rows, columns)].astype(np.float32)
    taken = cv2.boxFilter(inside, -1, (SIDE, SIDE), anchor=(0, 0), normalize=False)
    return grid.astype(np.int64) + corner - STEP, taken[*grid.T] > 0.5


def _coarse(squares: Array, places: Places) -> Tensor:
    """Return the means of the squares of patches, (N, 3 * 16) in [0, 1]."""
    cells = np.arange(0, SIDE, CELL)
    y, x = (_mirror(places[:, axis, None] + cells, squares.shape[axis]) for axis in (0, 1))
    means = squares[y[:, :, None], x[:, None]].reshape(len(places), -1)
    return torch.from_numpy(means / np.float32(WHITE[str(squares.dtype)]))


def _fine(pixels: Array, places: Places) -> Tensor:
    """Return the detail of patches, (N, 3 * SIDE * SIDE), weighted to fade out towards their edges.

    None is louder than is usual in these patches: an edge is no texture.
    """
    reach = np.arange(-MARGIN, SIDE + MARGIN)
    inner = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    details = np.empty((len(places), SIDE, SIDE, 3), np.float32)
    for detail, (top, left) in zip(details, places, strict=True):
        y, x = _mirror(top + reach, pixels.shape[0]), _mirror(left + reach, pixels.shape[1])
        patch = pixels[np.ix_(y, x)].astype(np.float32)
        detail[:] = (patch - cv2.GaussianBlur(patch, (0, 0), FINE))[inner] * WINDOW
    power = np.sqrt(np.square(details).mean((1, 2, 3), keepdims=True))
    details *= np.minimum(1, np.median(power) / np.maximum(power, 1e-9))
    return torch.from_numpy(details.transpose(0, 3, 1, 2).reshape(len(places), -1))


def _find_similar(wanted: Tensor, coarse: Tensor, seed: int) -> Tensor:
    """Return the number of the patch that is most like each wanted, in its share of them, (N,)."""
    shares = min(SHARES, len(coarse))
    lot = torch.randint(shares, (len(wanted),), generator=torch.Generator().manual_seed(seed))
    best = torch.empty_like(lot)
    for share in range(shares):
        chosen = lot == share
        best[chosen] = torch.cdist(wanted[chosen], coarse[share::shares]).argmin(dim=1) * shares + share
    return best


def _join_patches(patches: Tensor, needed: npt.NDArray[np.bool_]) -> Floats:
    """Return the detail of a block, (BLOCK, BLOCK, 3), from the patches at its places that need one."""
    side, at = BLOCK + 2 * STEP, torch.from_numpy(needed)
    all_, weights = torch.zeros(len(at), patches.shape[1]), torch.zeros(len(at), SIDE * SIDE)
    all_[at] = patches
    weights[at] = torch.from_numpy(WINDOW**2).flatten()
    total, power = (F.fold(x.T[None], (side, side), SIDE, stride=STEP)[0] for x in (all_, weights))
    detail = total / power.clamp_min(1e-3).sqrt()  # patches that have nothing in common: their powers add up
    return detail[:, STEP:-STEP, STEP:-STEP].permute(1, 2, 0).numpy()


def _add_detail(values: Array, detail: Floats) -> Array:
    """Add detail to pixels, with its strength, within their range."""
    white = WHITE[str(values.dtype)]
    total: Array = np.clip(values + STRENGTH * detail, 0, white)
    return total if values.dtype == np.float32 else np.rint(total).astype(values.dtype)


def _mirror(places: Places, side: int) -> Places:
    """Reflect places beyond either end of `side` pixels back into them."""
    folded = np.abs(places)
    inside: Places = np.clip(np.minimum(folded, 2 * side - 2 - folded), 0, side - 1)
    return inside
