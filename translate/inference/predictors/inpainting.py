"""Fill holes of any number, size and shape, in a photo of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from translate.images import Array, Frame, Hole, levels, to_tensor
from translate.images.frame import WHITE
from translate.inference.predictors.base import Predictor, Progress, ignore_progress
from translate.inference.predictors.canvas import luminance
from translate.inference.predictors.texture import add_texture
from translate.inference.predictors.tiles import Span, blend, cut, mirror_indices
from translate.networks.generators.inpainter import fill_smoothly

CORE, REACH = 384, 64  # of the windows that the network sees, in its pixels
LARGEST = CORE + 2 * REACH  # side of a window, and of an image that needs only one
THICKEST = 192  # pixels across which the network sees both sides of a hole
SEAM = 8.0  # pixels over which a difference at the hole's border fades towards its middle


class InpaintingPredictor(Predictor):
    """Fills the hole of each photo, `Frame.hole`."""

    needs_mask = True
    native_colors = True  # what is known is to stay as it is in the file, to the bit
    auto_engine = "torch"  # it runs one small network a photo: no other engine is worth its start
    channels = ((4, 3),)
    channels_rule = "a model with a mask takes RGB and the mask and gives RGB"

    @torch.inference_mode()
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        assert frame.hole is not None
        network, multiple = partial(self.runner, exact=frame.deep), self.config.size_multiple
        return fill(frame, frame.hole, network, multiple=multiple, progress=progress)


def fill(
    frame: Frame,
    hole: Hole,
    network: Callable[[Tensor], Tensor],
    *,
    multiple: int,
    progress: Progress = ignore_progress,
) -> Frame:
    """Fill the holes of an image; every pixel outside of them stays what it is, to the bit.

    Thick holes are filled on a reduced image, where the network sees across them, thin ones at the
    image's own size; each from what surrounds it and nothing else. What the network drew then gets
    the texture of what is around, from coarse to fine.

    Args:
        hole: (H, W), true where the image is to be filled.
        network: (1, C + 1, h, w), the mask last and 1 in the hole -> (1, C, h, w), all in [-1, 1].
    """
    pixels = frame.rgb().copy()
    open_ = hole.copy()
    for factor, group in _group_by_scale(hole):
        small, small_hole = _reduce(pixels, open_, factor)
        answer = _predict_windows(small, small_hole, network, multiple)
        _copy_enlarged(pixels, group, answer, factor)
        for scale in _halvings(factor):
            _copy_enlarged(pixels, group, _add_texture(pixels, group, hole, scale), scale)
        open_ &= ~group
        progress(1 - open_.sum() / max(hole.sum(), 1))
    filled = Frame(pixels=pixels, alpha=frame.alpha)
    if frame.pixels.shape[2] == 1:
        filled = replace(filled, pixels=np.where(hole[..., None], luminance(filled), frame.pixels))
    if filled.alpha is not None:
        opaque = filled.alpha.dtype.type(filled.white)
        filled = replace(filled, alpha=np.where(hole, opaque, filled.alpha))
    return filled


def _group_by_scale(hole: Hole) -> Iterator[tuple[int, Hole]]:
    """Yield the holes by the factor by which the image is to be reduced for them, the greatest first."""
    if max(hole.shape) <= LARGEST:  # the network sees such an image as a whole
        yield 1, hole
        return
    distance = cv2.distanceTransform(np.pad(hole.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    count, labels = cv2.connectedComponents(hole.astype(np.uint8), connectivity=8)
    radius: npt.NDArray[np.float32] = np.zeros(count, np.float32)
    np.maximum.at(radius, labels[hole].astype(np.int64), distance[hole])
    factors = 2 ** np.ceil(np.log2(np.maximum(2 * radius / THICKEST, 1))).astype(np.int64)
    for factor in sorted(set(factors[1:]), reverse=True):
        chosen = factors == factor
        chosen[0] = False
        yield int(factor), chosen[labels]


def _reduce(pixels: Array, hole: Hole, factor: int) -> tuple[Array, Hole]:
    """Reduce both by a whole factor; a small pixel is hole where any of its pixels is."""
    if factor == 1:
        return pixels, hole
    return _shrink(np.where(hole[..., None], 0, pixels), factor), _shrink_hole(hole, factor)


def _shrink_hole(hole: Hole, factor: int) -> Hole:
    """Reduce a hole by a whole factor: all pixels of which any part is hole."""
    known = _shrink((~hole).astype(np.float32), factor)
    small: Hole = known < 1 - 0.5 / factor**2
    return small


def _shrink(x: Array, factor: int) -> Array:
    """Reduce an array by a whole factor, its last rows and columns repeated to make up a pixel."""
    rows, columns = (-side % factor for side in x.shape[:2])
    x = np.pad(x, ((0, rows), (0, columns), (0, 0))[: x.ndim], mode="edge")
    small: Array = cv2.resize(x, (x.shape[1] // factor, x.shape[0] // factor), interpolation=cv2.INTER_AREA)
    return small


def _halvings(factor: int) -> Iterator[int]:
    """Yield a power of two, its half, and so on to 1."""
    while factor:
        yield factor
        factor //= 2


def _add_texture(pixels: Array, group: Hole, hole: Hole, scale: int) -> Array:
    """Reduce an image by a factor, and add the texture of that size in a group of its holes."""
    if scale == 1:
        return add_texture(pixels, group, ~hole)
    return add_texture(_shrink(pixels, scale), _shrink_hole(group, scale), ~_shrink_hole(hole, scale))


def _predict_windows(pixels: Array, hole: Hole, network: Callable[[Tensor], Tensor], multiple: int) -> Array:
    """Return the network's answer for an image, (H, W, 3) of its own kind; only the hole's part is of use."""
    height, width = hole.shape
    core, reach = (-(-side // multiple) * multiple for side in (CORE, REACH))
    if max(height, width) <= LARGEST:
        core = LARGEST
    rows, columns = (cut(-(-side // multiple) * multiple, core, reach, multiple) for side in (height, width))
    answer = np.zeros_like(pixels)

    def predict(row: Span, column: Span) -> Array:
        shape = row.stop - row.start, column.stop - column.start
        here = np.s_[row.start : row.stop, column.start : column.stop]
        if not hole[here].any():
            return np.zeros((*shape, 3), np.float32)
        window = _window(pixels[here], hole[here], shape)
        return _fit_to_border(window, network(window).float().cpu())[0].permute(1, 2, 0).numpy()

    def finish(top: int, values: Array) -> None:
        inside = torch.from_numpy(values[: max(height - top, 0), :width])
        answer[top : top + len(inside)] = levels(inside, pixels.dtype.type)

    size = rows[-1].stop, columns[-1].stop
    blend(size, rows, columns, reach, predict, finish)
    return answer


def _window(pixels: Array, hole: Hole, shape: tuple[int, int]) -> Tensor:
    """Return a part of an image and its mask, (1, 4, h, w); mirrored where it reaches beyond the image."""
    mirror = np.ix_(*(mirror_indices(side, padded) for side, padded in zip(hole.shape, shape, strict=True)))
    unknown = torch.from_numpy(hole[mirror])[None, None]
    image = to_tensor(pixels[mirror]).masked_fill(unknown, 0.0)
    return torch.cat([image, 2 * unknown.float() - 1], dim=1)


def _fit_to_border(window: Tensor, answer: Tensor) -> Tensor:
    """Shift the answer to the image's own values at the border of the hole."""
    image, hole = window[:, :-1], (window[:, -1:] > 0).float()
    error = fill_smoothly((image - answer) * (1 - hole), hole)
    inside = (hole[0, 0].numpy() > 0).astype(np.uint8)
    distance = torch.from_numpy(cv2.distanceTransform(inside, cv2.DIST_L2, 5))
    return answer + error * torch.exp(-distance / SEAM)


def _copy_enlarged(pixels: Array, group: Hole, answer: Array, factor: int) -> None:
    """Copy the answer, enlarged by the factor, into the pixels of a group."""
    rows = max(1, 2**20 // group.shape[1] // factor) * factor
    for top in range(0, len(group), rows):
        part = group[top : top + rows]
        if not part.any():
            continue
        pixels[top : top + rows][part] = _enlarge(answer, factor, top, *part.shape)[part]


def _enlarge(answer: Array, factor: int, top: int, height: int, width: int) -> Array:
    """Return rows `top` to `top + height` of the answer at `factor` times its size."""
    if factor == 1:
        return answer[top : top + height]
    first, last = max(0, top // factor - 2), -(-(top + height) // factor) + 2
    part = answer[first:last]
    large = cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    start = top - first * factor
    return np.clip(large[start : start + height, :width], 0, WHITE[str(large.dtype)])
