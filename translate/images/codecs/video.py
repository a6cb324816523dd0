"""Write images as an MP4 video."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2

from translate.errors import DataError
from translate.images.files import printable_path
from translate.images.frame import Pixels
from translate.storage import atomic_path


def write_mp4(frames: Iterable[Pixels], path: Path, *, per_second: float) -> None:
    """Write the frames of a video as MP4: to a temporary file first, which is then renamed.

    Args:
        frames: (H, W, 3) uint8 images, all of one size with even sides.
        per_second: the frame rate.

    Raises:
        DataError: the file cannot be written, or OpenCV has no encoder for MP4.
    """
    try:
        with atomic_path(path) as part:
            _write_frames(frames, part, per_second)
    except DataError as error:
        raise DataError(f"{printable_path(path)}: {error}") from None
    except OSError as error:
        raise DataError(f"{printable_path(path)}: cannot be written: {error.strerror}") from None


def _write_frames(frames: Iterable[Pixels], path: Path, per_second: float) -> None:
    """Encode the frames to a file, which is complete when this returns."""
    writer = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), per_second, size)
            if not writer.isOpened():
                raise DataError("OpenCV cannot write MP4 here: use .gif or .webp")
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    if writer is not None:
        writer.release()
