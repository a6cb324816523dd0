"""Apply a predictor to an image file frame by frame, so that only a few of its frames are in memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from translate.images import Frame, FrameStream

if TYPE_CHECKING:
    from translate.inference.predictors.base import Predictor
from translate.progress import Progress

# Files of several frames with more pixels in total than this are not decoded as a whole.
MAX_PIXELS_IN_MEMORY = 4_000_000


def is_too_large_for_memory(stream: FrameStream) -> bool:
    """Return whether a file has several frames and too many pixels to decode it as a whole."""
    return len(stream.sizes) > 1 and stream.pixels > MAX_PIXELS_IN_MEMORY


def predict_frames(predictor: Predictor, stream: FrameStream, progress: Progress) -> FrameStream:
    """Return the outputs for the frames of a file, which are decoded and computed when they are asked for.

    Args:
        progress: is called with the finished fraction of all frames.
    """
    sizes = list(stream.sizes)
    file = replace(stream.file, value_range=predictor.value_ranges[1])
    return replace(stream, file=file, frames=_predict(predictor, stream, sizes, progress), sizes=sizes)


def _predict(
    predictor: Predictor, stream: FrameStream, sizes: list[tuple[int, int]], progress: Progress
) -> Generator[Frame, None, str]:
    """Yield the outputs and write their sizes into `sizes`; return why the last frames cannot be read."""
    done = 0

    def report(fraction: float) -> None:
        progress((done + fraction) / len(sizes))

    for batch in _batches(predictor, stream):
        (outputs,) = predictor.predict_files([replace(stream.file, frames=batch)], report)
        for output in outputs.frames:
            sizes[done] = output.size
            done += 1
            report(0.0)
            yield output
    return stream.damage


def _batches(predictor: Predictor, frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """Group consecutive frames of one size into the batches that the model allows."""
    batch: list[Frame] = []
    for frame in frames:
        if batch and frame.size != batch[0].size:
            yield batch
            batch = []
        batch.append(frame)
        if len(batch) >= predictor.max_batch_size(frame.size):
            yield batch
            batch = []
    if batch:
        yield batch
