"""Read the image file of a job as the pipeline needs it, in any thread or process. Needs no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from translate.config.value_range import ValueRange
from translate.errors import DataError
from translate.images import (
    ImageFile,
    ReadOptions,
    count_pixels,
    describe_clipping,
    describe_unused_bits,
    open_frames,
    printable_path,
)
from translate.inference.batch.frame_by_frame import is_too_large_for_memory
from translate.inference.batch.masks import Masks
from translate.inference.batch.outcome import PipelineItem

PILLOW_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


@dataclass(frozen=True, kw_only=True)
class FileReader:
    """Reads image files, with the masks of their holes.

    Attributes:
        format: the output format.
        half: the half of each image to keep; None for all of it.
        masks: the masks, for a model that needs them; else None.
        value_range: the stored values of black and white, if the model or the user gives them.
    """

    options: ReadOptions
    format: str
    half: str | None
    masks: Masks | None
    value_range: ValueRange | None

    def read(self, item: PipelineItem) -> PipelineItem:
        """Return the item with its file, or without if the file is to be translated frame by frame.

        Raises:
            DataError: the file or its mask cannot be used.
            MemoryError: it does not fit into memory.
        """
        started, job = time.perf_counter(), item.job
        with open_frames(job.source, self.options) as stream:
            # The hole of a mask is checked for all frames together.
            if is_too_large_for_memory(stream) and not self.masks:
                return replace(item, seconds=time.perf_counter() - started)
            file = (stream.halve(self.half) if self.half else stream).read()
        if not file.damage:
            file = replace(file, damage=self._describe_values(file))
        file = to_format(file, len(file.frames), self.format, job.source)
        if self.masks:
            file = self.masks.add_holes(file, job)
        return replace(item, file=file, seconds=time.perf_counter() - started)

    def _describe_values(self, file: ImageFile) -> str:
        """Return a note on values that do not fit the range by which they are read; else empty."""
        if self.value_range:
            return describe_clipping(file.frames, self.value_range)
        return describe_unused_bits(file.frames)


def count_all_pixels(paths: Sequence[Path]) -> list[int]:
    """Return the number of pixels of each file, from its header."""
    return [count_pixels(path) for path in paths]


def to_format(file: ImageFile, count: int, name: str, source: Path) -> ImageFile:
    """Return a file in the format of `--format`; `keep` leaves the file's own format.

    Args:
        count: the number of its frames.

    Raises:
        DataError: it has more frames than the format can hold.
    """
    if name == "keep" or PILLOW_FORMATS[name] == file.format:
        return file
    if count > 1 and (file.format == "TIFF" or name == "jpg"):
        frames = f"{count} {'pages' if file.format == 'TIFF' else 'frames'}"
        reason = f"{frames}, which {PILLOW_FORMATS[name]} cannot hold: use --format keep"
        raise DataError(f"{printable_path(source)}: {reason}")
    animation: dict[str, Any] = {
        key: file.encoder_settings[key] for key in ("duration", "loop") if key in file.encoder_settings
    }
    return replace(file, format=PILLOW_FORMATS[name], encoder_settings=animation)
