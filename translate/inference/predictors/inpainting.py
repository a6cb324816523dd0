"""Inpaint holes of any number, size and shape in a photo of any size.

The network sees windows of 512 pixels. A hole that is too wide for it is filled on a downscaled image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from translate.images import Array, Frame, Hole, denormalize, to_tensor
from translate.images.frame import WHITE
from translate.inference.predictors.base import Predictor
from translate.inference.predictors.texture import add_texture
from translate.inference.predictors.tile_blending import Window, blend_tiles, choose_windows, mirror_indices
from translate.networks.generators.inpainter import fill_smoothly
from translate.progress import Progress, ignore_progress

CORE, OVERLAP = 384, 64  # The side of a tile's core, and the pixels by which the tile extends beyond it.
MAX_TILE = CORE + 2 * OVERLAP  # The side of a tile, and of an image that needs only one, in pixels.
MAX_HOLE_WIDTH = 192  # The width of a hole, in pixels, up to which the network sees both sides.
SEAM_DECAY = 8.0  # The correction at the border of a hole decays by 1/e over this many pixels.
MAX_STRIP_PIXELS = 2**20  # The pixels that are upsampled at once, to bound memory.

Network = Callable[[Tensor], Tensor]


class InpaintingPredictor(Predictor):
    """A predictor that fills the hole of each photo, `Frame.hole`."""

    needs_mask = True
    has_working_size = False
    keep_profile_colors = True  # Pixels outside of the hole stay as they are in the file, to the bit.
    auto_engine = "torch"  # For one forward pass per photo, starting another engine takes longer.
    channels = ((4, 3),)
    channels_rule = "only 4 (RGB and a mask) to 3 (RGB) can be applied"

    def apply_scaled(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        """Fill the holes of images, in their colours as stored: pixels outside of a hole do not change."""
        outputs = self.predict_batch(frames, progress)
        return [out.flatten_on_white() for out in outputs] if self.alpha == "drop" else outputs

    @torch.inference_mode()
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        assert frame.hole is not None
        network, multiple = partial(self.runner, exact=frame.high_bit_depth), self.config.size_multiple
        return inpaint(frame, frame.hole, network, multiple=multiple, progress=progress)


def inpaint(
    frame: Frame,
    hole: Hole,
    network: Network,
    *,
    multiple: int,
    progress: Progress = ignore_progress,
) -> Frame:
    """Fill the holes of an image; every pixel outside of them stays as it is, to the bit.

    Wide holes are filled first, on a downscaled image where the network sees both sides; narrow holes are
    filled at the image's own size. Each hole depends on its surroundings only. The network's output is
    smooth, so texture from the surroundings is added to it, from coarse to fine.

    Args:
        hole: (H, W), true where the image is to be filled.
        network: takes (1, C + 1, h, w), with the mask last, 1 in the hole and -1 elsewhere; returns
            (1, C, h, w), all in [-1, 1].
        multiple: each side of the network's input must be a multiple of this, in pixels.
    """
    pixels = frame.rgb().copy()
    unfilled = hole.copy()
    for factor, region in _group_by_downscaling(hole):
        small, small_hole = _downscale(pixels, unfilled, factor)
        output = _predict_tiled(small, small_hole, network, multiple)
        _paste_upscaled(pixels, region, output, factor)
        for texture_scale in _powers_of_two(factor):
            textured = _add_texture(pixels, region, hole, texture_scale)
            _paste_upscaled(pixels, region, textured, texture_scale)
        unfilled &= ~region
        progress(1 - unfilled.sum() / max(hole.sum(), 1))
    result = Frame(pixels=pixels, alpha=frame.alpha)
    if frame.pixels.shape[2] == 1:
        result = replace(result, pixels=np.where(hole[..., None], result.gray(), frame.pixels))
    if result.alpha is not None:
        opaque = result.alpha.dtype.type(result.white)
        result = replace(result, alpha=np.where(hole, opaque, result.alpha))
    return result


def _group_by_downscaling(hole: Hole) -> Iterator[tuple[int, Hole]]:
    """Yield the factors to downscale the image by, largest first, each with the holes that need it."""
    if max(hole.shape) <= MAX_TILE:  # The network sees such an image as a whole.
        yield 1, hole
        return
    distance = cv2.distanceTransform(np.pad(hole.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    count, labels = cv2.connectedComponents(hole.astype(np.uint8), connectivity=8)
    radius: npt.NDArray[np.float32] = np.zeros(count, np.float32)
    np.maximum.at(radius, labels[hole].astype(np.int64), distance[hole])
    factors = 2 ** np.ceil(np.log2(np.maximum(2 * radius / MAX_HOLE_WIDTH, 1))).astype(np.int64)
    for factor in sorted(set(factors[1:]), reverse=True):
        is_in_group = factors == factor
        is_in_group[0] = False  # label 0 is the background
        yield int(factor), is_in_group[labels]


def _downscale(pixels: Array, hole: Hole, factor: int) -> tuple[Array, Hole]:
    """Downscale an image and its hole by an integer factor; what the hole contains does not count."""
    if factor == 1:
        return pixels, hole
    return _area_mean(np.where(hole[..., None], 0, pixels), factor), _downscale_hole(hole, factor)


def _downscale_hole(hole: Hole, factor: int) -> Hole:
    """Downscale a hole by an integer factor: a small pixel is hole if any of its pixels is."""
    share_outside = _area_mean((~hole).astype(np.float32), factor)
    small: Hole = share_outside < 1 - 0.5 / factor**2
    return small


def _area_mean(x: Array, factor: int) -> Array:
    """Downscale an array by an integer factor; its last rows and columns are repeated to a multiple of it."""
    rows, columns = (-side % factor for side in x.shape[:2])
    x = np.pad(x, ((0, rows), (0, columns), (0, 0))[: x.ndim], mode="edge")
    small: Array = cv2.resize(x, (x.shape[1] // factor, x.shape[0] // factor), interpolation=cv2.INTER_AREA)
    return small


def _powers_of_two(factor: int) -> Iterator[int]:
    """Yield a power of two, its half, and so on down to 1."""
    while factor:
        yield factor
        factor //= 2


def _add_texture(pixels: Array, region: Hole, hole: Hole, scale: int) -> Array:
    """Downscale an image by a factor, and add texture of that scale to the region, a part of its hole."""
    if scale == 1:
        return add_texture(pixels, region, ~hole)
    return add_texture(
        _area_mean(pixels, scale), _downscale_hole(region, scale), ~_downscale_hole(hole, scale)
    )


def _predict_tiled(pixels: Array, hole: Hole, network: Network, multiple: int) -> Array:
    """Return the network's output for an image, (H, W, 3) of its dtype; it is meaningful in the hole only."""
    height, width = hole.shape
    core, overlap = (-(-side // multiple) * multiple for side in (CORE, OVERLAP))
    if max(height, width) <= MAX_TILE:
        core = MAX_TILE
    rows, columns = (
        choose_windows(-(-side // multiple) * multiple, core, overlap, multiple) for side in (height, width)
    )
    output = np.zeros_like(pixels)

    def predict(row: Window, column: Window) -> Array:
        shape = row.stop - row.start, column.stop - column.start
        tile = np.s_[row.start : row.stop, column.start : column.stop]
        if not hole[tile].any():
            return np.zeros((*shape, 3), np.float32)
        x = _network_input(pixels[tile], hole[tile], shape)
        return _match_border(x, network(x).float().cpu())[0].permute(1, 2, 0).numpy()

    def write_rows(top: int, values: Array) -> None:
        inside = torch.from_numpy(values[: max(height - top, 0), :width])
        output[top : top + len(inside)] = denormalize(inside, pixels.dtype.type)

    size = rows[-1].stop, columns[-1].stop
    tiles = (predict(row, column) for row, column in product(rows, columns))
    blend_tiles(size, rows, columns, overlap, tiles, write_rows)
    return output


def _network_input(pixels: Array, hole: Hole, shape: tuple[int, int]) -> Tensor:
    """Return an image and its mask, (1, 4, h, w), mirrored at the border up to `shape`; 0 in the hole."""
    mirror = np.ix_(*(mirror_indices(side, padded) for side, padded in zip(hole.shape, shape, strict=True)))
    mask = torch.from_numpy(hole[mirror])[None, None]
    image = to_tensor(pixels[mirror]).masked_fill(mask, 0.0)
    return torch.cat([image, 2 * mask.float() - 1], dim=1)


def _match_border(x: Tensor, y: Tensor) -> Tensor:
    """Correct the network's output so that it meets the image at the border of the hole.

    The error outside of the hole is continued smoothly into it, and subtracted with a weight that decays.

    Args:
        x, y: the network's input, (1, 4, h, w), and its output, (1, 3, h, w).
    """
    image, hole = x[:, :-1], (x[:, -1:] > 0).float()
    error = fill_smoothly((image - y) * (1 - hole), hole)
    inside = (hole[0, 0].numpy() > 0).astype(np.uint8)
    distance = torch.from_numpy(cv2.distanceTransform(inside, cv2.DIST_L2, 5))
    return y + error * torch.exp(-distance / SEAM_DECAY)


def _paste_upscaled(pixels: Array, region: Hole, small: Array, factor: int) -> None:
    """Upscale an image by a factor, strip by strip, and copy its pixels in the region into `pixels`."""
    rows = max(1, MAX_STRIP_PIXELS // region.shape[1] // factor) * factor
    for top in range(0, len(region), rows):
        strip = region[top : top + rows]
        if not strip.any():
            continue
        pixels[top : top + rows][strip] = _upscale_rows(small, factor, top, *strip.shape)[strip]


def _upscale_rows(small: Array, factor: int, top: int, height: int, width: int) -> Array:
    """Return rows `top` to `top + height` of an image that is upscaled by a factor, bicubically."""
    if factor == 1:
        return small[top : top + height]
    first, last = max(0, top // factor - 2), -(-(top + height) // factor) + 2
    rows = small[first:last]
    large = cv2.resize(rows, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    start = top - first * factor
    return np.clip(large[start : start + height, :width], 0, WHITE[str(large.dtype)])
