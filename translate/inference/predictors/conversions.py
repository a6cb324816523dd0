"""Convert images between ours and what people have in Python: arrays, tensors, PIL images and paths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from translate.errors import DataError, UsageError
from translate.images import (
    Array,
    Frame,
    ImageFile,
    hole_from_mask,
    image_file_from_pil,
    levels,
    printable_path,
    read,
    read_hole,
)


def as_file(image: Any, *, native: bool) -> ImageFile:
    """Convert a path or a PIL image to a file of one frame.

    Args:
        native: leave its colours as they are, whatever its profile.

    Raises:
        UsageError: it is a folder, or nothing that holds an image.
        DataError: the file is no image.
    """
    if isinstance(image, Image.Image):
        return image_file_from_pil(image, native=native)
    if not isinstance(image, (str, Path)):
        kind = type(image).__name__
        raise UsageError(f"an image is a path, a PIL image, an array or a tensor, not a {kind}")
    if Path(image).is_dir():
        name = printable_path(image)
        raise UsageError(f"{name} is a folder: translate it by .folder({name!r}, out)")
    return read(image, first_only=True, native=native)


def from_array(array: Array) -> Frame:
    """Convert (H, W) or (H, W, 1 to 4) uint8 or uint16; a second or a fourth channel is alpha.

    Raises:
        DataError: it is of another shape or kind.
    """
    planes = array[..., None] if array.ndim == 2 else array
    fits = planes.ndim == 3 and planes.shape[2] in (1, 2, 3, 4) and planes.size
    if not fits or planes.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"an array of {array.shape} {array.dtype}: give (H, W) or (H, W, 1 to 4) uint8 or uint16"
        )
    has_alpha = planes.shape[2] in (2, 4)
    return Frame(
        pixels=planes[..., : planes.shape[2] - has_alpha], alpha=planes[..., -1] if has_alpha else None
    )


def to_array(frame: Frame) -> Array:
    """Convert back, to (H, W, C)."""
    if frame.alpha is None:
        return frame.pixels
    return np.dstack([frame.pixels, frame.alpha])


def from_tensor(x: Tensor) -> list[Frame]:
    """Convert (C, H, W) or (N, C, H, W) in [-1, 1], of 1 or 3 channels, to images of floats.

    Raises:
        DataError: it is of another shape, of whole numbers, or leaves the range.
    """
    if x.ndim not in (3, 4) or x.shape[-3] not in (1, 3) or not x.is_floating_point() or not x.numel():
        raise DataError(
            f"a tensor of {tuple(x.shape)} {x.dtype}: give floats, (C, H, W) or (N, C, H, W) in [-1, 1]"
        )
    if not (x.min() >= -1 and x.max() <= 1):
        raise DataError(f"a tensor from {x.min():g} to {x.max():g}: its values must lie in [-1, 1]")
    images = x.reshape(-1, *x.shape[-3:]).detach().float().cpu().permute(0, 2, 3, 1)
    return [Frame(pixels=levels(image, np.float32)) for image in images]


def with_hole(frame: Frame, mask: Any) -> Frame:
    """Return an image with the hole that a mask shows; without a mask, with what is transparent in it.

    Args:
        mask: a path, a PIL image, an array, a tensor, or None.

    Raises:
        UsageError: neither says where the hole is.
        DataError: the mask is damaged, of another size, or covers all.
    """
    if isinstance(mask, (str, Path)):
        hole = read_hole(Path(mask), frame.size)
    elif mask is not None:
        hole = hole_from_mask(_to_mask(mask), frame.size)
    elif frame.alpha is not None and not frame.alpha.all():
        hole = frame.alpha == 0
    else:
        raise UsageError("this model fills holes: give a mask, white where the image is to be filled")
    if hole.all():
        raise DataError("all of the image is hole: white is hole, and something must be known")
    return replace(frame, hole=hole)


def _to_mask(mask: Any) -> Frame:
    """Convert a mask: a PIL image, or an array or a tensor of any kind of number, in one or more channels.

    Raises:
        DataError: it has another shape.
    """
    if isinstance(mask, Image.Image):
        return image_file_from_pil(mask).frames[0]
    array = np.asarray(mask.detach().cpu() if isinstance(mask, Tensor) else mask)
    if array.ndim > 2 and array.shape[0] == 1:  # (1, H, W), as tensors have it
        array = array[0]
    if array.dtype not in (np.uint8, np.uint16) or array.max(initial=0) == 1:  # true, or more than half of 1
        array = (array > 0.5).astype(np.uint8) * 255
    return from_array(array)
