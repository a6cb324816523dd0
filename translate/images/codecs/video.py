"""Write a video of images, as MP4."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import cv2

from translate.errors import DataError
from translate.images.files import printable_path
from translate.images.frame import Pixels


def write_mp4(frames: Iterable[Pixels], path: Path, *, per_second: float) -> None:
    """Write images, (H, W, 3) uint8 of one size with even sides, one after the other.

    Raises:
        DataError: the file cannot be written, or OpenCV has no encoder.
    """
    part = path.with_name(f".{path.stem}-{os.getpid()}.mp4")
    writer = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for frame in frames:
            if writer is None:
                size = (frame.shape[1], frame.shape[0])
                writer = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), per_second, size)
                if not writer.isOpened():
                    raise DataError(
                        f"{printable_path(path)}: OpenCV cannot write MP4 here: use .gif or .webp"
                    )
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if writer is not None:
            writer.release()
            part.replace(path)
    except OSError as error:
        raise DataError(f"{printable_path(path)}: cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
