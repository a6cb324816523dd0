"""Texture synthesis for inpainting: add fine detail from the rest of the image to a smooth fill.

A network that is trained with a pixel loss predicts the mean of the plausible images: no grain, no leaves, no
waves. Here each patch of the hole copies the high frequencies of a patch outside of the hole that has similar
low frequencies. Image quilting joins patches of an image in this way (Efros and Freeman 2001, section 2);
contextual attention copies them (arXiv:1801.07892, section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.images import Array, Hole
from translate.images.frame import WHITE

DETAIL_SIGMA = 4.0  # In pixels; the detail is what a Gaussian blur of this sigma removes.
BLUR_MARGIN = 12  # The pixels around a patch that the blur looks at.
BLOCK_SIZE = 256  # The side, in pixels, of the squares that are filled at once.
# Patches are searched within this many pixels around a block, plus the width of the hole there.
SEARCH_RADIUS = 64
MAX_CANDIDATES = 1024  # The maximum number of candidate patches for a block.
SUBSETS = 16  # Each patch chooses from a random subset of the candidates: one patch all over makes a pattern.
DETAIL_STRENGTH = 0.45  # A strength of 1 would double the error if the content cannot be predicted.

Floats = npt.NDArray[np.float32]
Corners = npt.NDArray[np.int64]  # (N, 2): y and x of the first pixel of each patch


@dataclass(frozen=True)
class PatchLayout:
    """The size of patches and the distances between them, in pixels.

    Attributes:
        size: the side of a patch.
        candidate_stride: the distance between the candidate patches.
    """

    size: int
    candidate_stride: int

    @property
    def stride(self) -> int:
        """Return the distance between the patches of a hole, which overlap by half."""
        return self.size // 2

    @property
    def cell_size(self) -> int:
        """Return the side of the squares by whose means patches are compared."""
        return self.size // 4

    @property
    def window(self) -> Floats:
        """Return the weights of a patch's pixels, (size, size, 1), 0 at the border."""
        window: Floats = np.outer(*[torch.hann_window(self.size).numpy()] * 2)[..., None]
        return window


LARGE_PATCHES = PatchLayout(size=32, candidate_stride=4)
# For images that are narrower than a large patch.
SMALL_PATCHES = PatchLayout(size=8, candidate_stride=1)


def add_texture(pixels: Array, hole: Hole, known: Hole) -> Array:
    """Add detail in the hole; return the image, whose other pixels stay as they are, to the bit.

    Args:
        pixels: (H, W, 3) with a filled hole; uint8, uint16, or float32 in [0, 1].
        hole: (H, W), true where detail is missing.
        known: (H, W), true where detail may be copied from; a part of the hole with no such place nearby
            stays as it is.
    """
    layout = LARGE_PATCHES if min(hole.shape) >= LARGE_PATCHES.size else SMALL_PATCHES
    candidates = _find_known_patches(known, layout)
    cell = (layout.cell_size, layout.cell_size)
    cell_means = cv2.blur(pixels, cell, anchor=(0, 0), borderType=cv2.BORDER_REFLECT_101)
    depth = cv2.distanceTransform(np.pad(hole.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    out = pixels.copy()
    for top_left in product(range(0, hole.shape[0], BLOCK_SIZE), range(0, hole.shape[1], BLOCK_SIZE)):
        block = np.s_[top_left[0] : top_left[0] + BLOCK_SIZE, top_left[1] : top_left[1] + BLOCK_SIZE]
        missing = hole[block]
        if not missing.any():
            continue
        sources = _choose_nearby(candidates, top_left, 2 * depth[block].max() + SEARCH_RADIUS)
        if len(sources):
            targets, needed = _lay_out_patches(hole, top_left, layout)
            best = _find_similar(
                _low_frequencies(cell_means, targets[needed], layout),
                _low_frequencies(cell_means, sources, layout),
                seed=sum(top_left),
            )
            used, inverse = torch.unique(best, return_inverse=True)
            patches = _high_frequencies(pixels, sources[used.numpy()], layout)[inverse]
            detail = _overlap_add(patches, needed, layout)
            height, width = missing.shape
            out[block][missing] = _add_detail(pixels[block][missing], detail[:height, :width][missing])
    return out


def _find_known_patches(known: Hole, layout: PatchLayout) -> Corners:
    """Return the corners of the patches in which every pixel is known."""
    unknown = (~known).astype(np.uint8)
    size, stride = (layout.size, layout.size), layout.candidate_stride
    counts = cv2.boxFilter(unknown, cv2.CV_32S, size, anchor=(0, 0), normalize=False)
    height, width = (max(0, side - layout.size + 1) for side in known.shape)
    return np.argwhere(counts[:height:stride, :width:stride] == 0) * stride


def _choose_nearby(corners: Corners, block: tuple[int, int], radius: float) -> Corners:
    """Return the patches near a block; if they are too many, a part of them, evenly spread."""
    offset = corners - block
    near = corners[((offset >= -radius) & (offset < BLOCK_SIZE + radius)).all(axis=1)]
    return near[np.linspace(0, len(near) - 1, min(MAX_CANDIDATES, len(near))).astype(np.int64)]


def _lay_out_patches(
    hole: Hole, block: tuple[int, int], layout: PatchLayout
) -> tuple[Corners, npt.NDArray[np.bool_]]:
    """Return the patches of a block, (N, 2), and which of them overlap the hole, (N,)."""
    stride = layout.stride
    side = BLOCK_SIZE + 2 * stride
    grid = np.mgrid[0 : side - stride : stride, 0 : side - stride : stride]
    grid = grid.reshape(2, -1).T
    y, x = (_mirror(np.arange(side) + block[axis] - stride, hole.shape[axis]) for axis in (0, 1))
    inside = hole[np.ix_(y, x)].astype(np.float32)
    counts = cv2.boxFilter(inside, -1, (layout.size, layout.size), anchor=(0, 0), normalize=False)
    return grid.astype(np.int64) + block - stride, counts[*grid.T] > 0.5


def _low_frequencies(cell_means: Array, corners: Corners, layout: PatchLayout) -> Tensor:
    """Return the means of the cells of patches, (N, 3 * 16) in [0, 1]."""
    cells = np.arange(0, layout.size, layout.cell_size)
    y, x = (_mirror(corners[:, axis, None] + cells, cell_means.shape[axis]) for axis in (0, 1))
    means = cell_means[y[:, :, None], x[:, None]].reshape(len(corners), -1)
    return torch.from_numpy(means / np.float32(WHITE[str(cell_means.dtype)]))


def _high_frequencies(pixels: Array, corners: Corners, layout: PatchLayout) -> Tensor:
    """Return the detail of patches, (N, 3 * size * size), windowed to fade out at their borders.

    A patch with more power than the median of all is scaled down to it: an edge is not texture.
    """
    offsets = np.arange(-BLUR_MARGIN, layout.size + BLUR_MARGIN)
    inner = np.s_[BLUR_MARGIN:-BLUR_MARGIN, BLUR_MARGIN:-BLUR_MARGIN]
    window = layout.window
    details = np.empty((len(corners), layout.size, layout.size, 3), np.float32)
    for detail, (top, left) in zip(details, corners, strict=True):
        y, x = _mirror(top + offsets, pixels.shape[0]), _mirror(left + offsets, pixels.shape[1])
        patch = pixels[np.ix_(y, x)].astype(np.float32)
        detail[:] = (patch - cv2.GaussianBlur(patch, (0, 0), DETAIL_SIGMA))[inner] * window
    power = np.sqrt(np.square(details).mean((1, 2, 3), keepdims=True))
    details *= np.minimum(1, np.median(power) / np.maximum(power, 1e-9))
    return torch.from_numpy(details.transpose(0, 3, 1, 2).reshape(len(corners), -1))


def _find_similar(targets: Tensor, sources: Tensor, seed: int) -> Tensor:
    """Return for each target patch the index of the most similar source in a random subset of them, (N,)."""
    subsets = min(SUBSETS, len(sources))
    assigned = torch.randint(subsets, (len(targets),), generator=torch.Generator().manual_seed(seed))
    best = torch.empty_like(assigned)
    for subset in range(subsets):
        mine = assigned == subset
        best[mine] = torch.cdist(targets[mine], sources[subset::subsets]).argmin(dim=1) * subsets + subset
    return best


def _overlap_add(patches: Tensor, needed: npt.NDArray[np.bool_], layout: PatchLayout) -> Floats:
    """Add up overlapping patches at the places that need one; return (BLOCK_SIZE, BLOCK_SIZE, 3)."""
    size, stride = layout.size, layout.stride
    side, places = BLOCK_SIZE + 2 * stride, torch.from_numpy(needed)
    values = torch.zeros(len(places), patches.shape[1])
    weights = torch.zeros(len(places), size * size)
    values[places] = patches
    weights[places] = torch.from_numpy(layout.window**2).flatten()
    total, power = (F.fold(x.T[None], (side, side), size, stride=stride)[0] for x in (values, weights))
    # The patches are uncorrelated, so their powers add up, not their amplitudes.
    detail = total / power.clamp_min(1e-3).sqrt()
    return detail[:, stride:-stride, stride:-stride].permute(1, 2, 0).numpy()


def _add_detail(values: Array, detail: Floats) -> Array:
    """Add detail, scaled by its strength, to pixels; clip them to their range."""
    white = WHITE[str(values.dtype)]
    total: Array = np.clip(values + DETAIL_STRENGTH * detail, 0, white)
    return total if values.dtype == np.float32 else np.rint(total).astype(values.dtype)


def _mirror(positions: Corners, side: int) -> Corners:
    """Reflect positions outside of [0, side) into it."""
    folded = np.abs(positions)
    inside: Corners = np.clip(np.minimum(folded, 2 * side - 2 - folded), 0, side - 1)
    return inside
