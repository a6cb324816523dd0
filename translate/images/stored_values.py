"""The values that image files store: scale the colours of a frame by a value range, and back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from translate.config.value_range import ValueRange
from translate.errors import DataError
from translate.images.frame import Array, Frame, round_to

DIM = 2**12  # An image of 16 bits whose values stay below this is almost black.
MUCH_CLIPPED = 0.1  # If so many of the values are clipped, the range may be that of other files.


def from_stored_values(frame: Frame, value_range: ValueRange | None) -> Frame:
    """Scale the colours from stored values so that black is 0 and white that of the data type.

    Values outside the range are clipped.

    Args:
        value_range: the stored values of black and white; None if the data type fixes them.

    Raises:
        DataError: there are NaN, or floats outside 0..1 without a range.
    """
    if frame.pixels.dtype == np.float32:
        _check_floats(frame.pixels, value_range)
    if value_range is None or not applies(value_range, frame):
        return frame
    scaled = (frame.pixels.astype(np.float32) - np.float32(value_range.low)) * np.float32(
        frame.white / (value_range.high - value_range.low)
    )
    pixels = round_to(scaled.clip(0, frame.white), frame.pixels.dtype)
    return Frame(pixels=pixels, alpha=frame.alpha, hole=frame.hole)


def to_stored_values(frame: Frame, value_range: ValueRange | None) -> Frame:
    """Scale the colours back to stored values, as the inverse of `from_stored_values`."""
    if value_range is None or not applies(value_range, frame):
        return frame
    stored = frame.pixels.astype(np.float32) * np.float32(
        (value_range.high - value_range.low) / frame.white
    ) + np.float32(value_range.low)
    if frame.pixels.dtype != np.float32:
        stored = stored.clip(0, frame.white)
    return Frame(pixels=round_to(stored, frame.pixels.dtype), alpha=frame.alpha)


def describe_unused_bits(frames: Iterable[Frame]) -> str:
    """Return a note on 16-bit frames whose values look as if they used 12 bits or fewer; else empty."""
    highest = [int(frame.pixels.max()) for frame in frames if frame.pixels.dtype == np.uint16]
    if not highest or not 0 < max(highest) < DIM:
        return ""
    bits = max(highest).bit_length()
    return (
        f"its values reach {max(highest)} of 65535, so it is almost black: if it has {bits} bits, give"
        f" --range 0,{2**bits - 1}"
    )


def describe_clipping(frames: Iterable[Frame], value_range: ValueRange) -> str:
    """Return a note on frames of which many values lie outside the range; else empty."""
    outside = [
        float(((frame.pixels < value_range.low) | (frame.pixels > value_range.high)).mean())
        for frame in frames
        if applies(value_range, frame)
    ]
    if not outside or max(outside) < MUCH_CLIPPED:
        return ""
    return (
        f"{max(outside):.0%} of its values lie outside the range {value_range.low:g}..{value_range.high:g},"
        " and are clipped: if it has another one, give --range LOW,HIGH"
    )


def applies(value_range: ValueRange, frame: Frame) -> bool:
    """Return whether a range applies to a frame of this data type."""
    return frame.high_bit_depth or value_range.fits_8_bits


def _check_floats(pixels: Array, value_range: ValueRange | None) -> None:
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all():
        raise DataError(f"float pixels reach from {low:g} to {high:g}: replace NaN and Inf")
    if value_range is None and not (low >= 0 and high <= 1):
        raise DataError(
            f"float pixels reach from {low:g} to {high:g}, outside 0..1, and no range is known:"
            " give the values of black and white with --range LOW,HIGH, the same for all files"
        )
