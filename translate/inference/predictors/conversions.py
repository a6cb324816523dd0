"""Convert what a predictor is called with (paths, PIL images, arrays, tensors, masks) to frames, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from translate.errors import DataError, UsageError
from translate.images import (
    Array,
    Frame,
    ImageFile,
    denormalize,
    hole_from_mask,
    image_file_from_pil,
    printable_path,
    read,
    read_hole,
)
from translate.images.frame import from_array


def to_image_file(image: Any, *, keep_profile_colors: bool) -> ImageFile:
    """Convert a path or a PIL image to an image file of one frame.

    Args:
        keep_profile_colors: leave the colours as they are instead of converting them to sRGB.

    Raises:
        UsageError: it is a folder, or an object of another type.
        DataError: the file is no image.
    """
    if isinstance(image, Image.Image):
        return image_file_from_pil(image, keep_profile_colors=keep_profile_colors)
    if not isinstance(image, (str, Path)):
        kind = type(image).__name__
        raise UsageError(f"an image is a path, a PIL image, an array or a tensor, not a {kind}")
    if Path(image).is_dir():
        name = printable_path(image)
        raise UsageError(f"{name} is a folder: translate it by .folder({name!r}, out)")
    return read(image, first_only=True, keep_profile_colors=keep_profile_colors, raw_floats=True)


def frame_from_array(array: Array) -> Frame:
    """Convert (H, W) or (H, W, 1 to 4) uint8 or uint16 to a frame; a second or fourth channel is alpha.

    Raises:
        DataError: it has another shape or dtype.
    """
    planes = array[..., None] if array.ndim == 2 else array
    is_image = planes.ndim == 3 and planes.shape[2] in (1, 2, 3, 4) and planes.size
    if not is_image or planes.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"an array of {array.shape} {array.dtype}: give (H, W) or (H, W, 1 to 4) uint8 or uint16"
        )
    has_alpha = planes.shape[2] in (2, 4)
    return Frame(
        pixels=planes[..., : planes.shape[2] - has_alpha], alpha=planes[..., -1] if has_alpha else None
    )


def frame_to_array(frame: Frame) -> Array:
    """Convert a frame to (H, W, C), with the alpha as the last channel if there is one."""
    if frame.alpha is None:
        return frame.pixels
    return np.dstack([frame.pixels, frame.alpha])


def frames_from_tensor(x: Tensor) -> list[Frame]:
    """Convert (C, H, W) or (N, C, H, W) in [-1, 1], of 1 or 3 channels, to float32 frames.

    Raises:
        DataError: it has another shape, holds integers, or leaves the range.
    """
    if x.ndim not in (3, 4) or x.shape[-3] not in (1, 3) or not x.is_floating_point() or not x.numel():
        raise DataError(
            f"a tensor of {tuple(x.shape)} {x.dtype}:"
            " give floats in [-1, 1], (C, H, W) or (N, C, H, W) with C 1 or 3"
        )
    if not (x.min() >= -1 and x.max() <= 1):
        raise DataError(f"the tensor's values reach from {x.min():g} to {x.max():g}: scale them to [-1, 1]")
    images = x.reshape(-1, *x.shape[-3:]).detach().float().cpu().permute(0, 2, 3, 1)
    return [Frame(pixels=denormalize(image, np.float32)) for image in images]


def add_hole(frame: Frame, mask: Any) -> Frame:
    """Return a frame with the hole of a mask; without a mask, the transparent pixels are the hole.

    Args:
        mask: a path, a PIL image, an array, a tensor, or None.

    Raises:
        UsageError: there is no mask, and no pixel is transparent.
        DataError: the mask is damaged or has another size; it marks nothing or everything, or it is not clear
            what it marks.
    """
    if isinstance(mask, (str, Path)):
        hole = read_hole(Path(mask), frame.size)
    elif mask is not None:
        hole = hole_from_mask(_mask_to_frame(mask), frame.size)
    elif frame.alpha is not None and not frame.alpha.all():
        hole = frame.alpha == 0
        if hole.all():
            raise DataError("the whole image is transparent: keep the part that is not to be filled")
    else:
        raise UsageError("an inpainting model needs a mask: give one, white where the image is to be filled")
    return replace(frame, hole=hole)


def _mask_to_frame(mask: Any) -> Frame:
    """Convert a mask (a PIL image, or an array or tensor of any dtype and number of channels) to a frame.

    Raises:
        DataError: it has another shape.
    """
    if isinstance(mask, Image.Image):
        if mask.mode not in ("I", "F"):
            return image_file_from_pil(mask, keep_profile_colors=True).frames[0]
        mask = ImageOps.exif_transpose(mask)
    array = np.asarray(mask.detach().cpu().float() if isinstance(mask, Tensor) else mask)
    if array.ndim > 2 and array.shape[0] == 1:  # Tensors have the layout (1, H, W).
        array = array[0]
    planes = array[..., None] if array.ndim == 2 else array
    if planes.ndim != 3 or planes.shape[2] not in (1, 2, 3, 4) or not planes.size:
        raise DataError(f"a mask of {array.shape}: give (H, W) or (H, W, 1 to 4)")
    return from_array(planes.astype(_smallest_type(planes)))


def _smallest_type(array: Array) -> type[np.uint8] | type[np.uint16] | type[np.float32]:
    """Return the data type of a frame's pixels that holds the whole numbers of an array, else float32."""
    if array.dtype.kind == "f" and (array != np.rint(array)).any():
        return np.float32
    if array.dtype == np.uint16 or array.min() < 0 or array.max() > 255:
        return np.uint16 if array.min() >= 0 and array.max() <= 65535 else np.float32
    return np.uint8


def copy_outside_of_holes(x: Tensor, out: Tensor, frames: Sequence[Frame]) -> None:
    """Copy from an input what is outside of its hole, which converting it to pixels and back has rounded.

    Args:
        x: (C, H, W) or (N, C, H, W), the input.
        out: (N, C, H, W), the output, which is changed.
        frames: N frames of the input with their holes.
    """
    for index, frame in enumerate(frames):
        if frame.hole is not None:
            outside = torch.from_numpy(~frame.hole).to(x.device)
            out[index] = torch.where(outside, x.reshape(out.shape)[index], out[index])
