"""Apply a predictor to a folder tree of images: a pipeline of decoding, the network, and encoding.

Threads decode ahead and encode behind, so that the network, which runs in the caller's thread, does not wait.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from translate.config import FolderOptions, accepts, from_mapping
from translate.errors import DataError
from translate.images import (
    ImageFile,
    PixelLimit,
    ReadOptions,
    count_pixels,
    describe_clipping,
    describe_unused_bits,
    open_frames,
    printable_path,
    write,
    write_frames,
)
from translate.inference.batch.frame_by_frame import is_too_large_for_memory, predict_frames
from translate.inference.batch.joined import describe_joined
from translate.inference.batch.journal import DONE, FOREIGN, Journal, input_stamp
from translate.inference.batch.masks import Masks, assign_masks
from translate.inference.batch.outcome import Outcome, PipelineItem
from translate.inference.batch.output_format import to_format
from translate.inference.batch.plan import Job, plan
from translate.inference.batch.workers import Submit, pop_results, worker_threads
from translate.inference.predictors.base import Predictor, Progress, ignore_progress
from translate.inference.runtime.memory import is_out_of_memory
from translate.progress import message
from translate.storage import remove_stale_parts

# The number of images per worker that wait for the network, and as many that wait to be encoded.
PREFETCH = 4
# Images of more pixels go through the pipeline alone, to bound memory.
LARGE_IMAGE = 16_000_000
DONE_BEFORE = "done before"
SKIP_REASONS = {
    DONE: DONE_BEFORE,
    FOREIGN: "exists, and was not made from these images: give another -o, or --overwrite to replace it",
}


@accepts(FolderOptions)
def translate_folder(
    predictor: Predictor,
    inputs: Sequence[Path],
    out: Path,
    *,
    progress: Progress = ignore_progress,
    **options: Any,
) -> Iterator[Outcome]:
    """Return an iterator that processes one image at each step and yields its outcome.

    A file that fails does not stop the others. The folder tree of the inputs is kept below `out`.

    Args:
        progress: is called with the finished fraction of a large image.
        {options}

    Raises:
        UsageError: an input is missing, a folder holds no image, or `out` is an input folder.
    """
    settings = from_mapping(FolderOptions, options, "options")
    jobs = plan(inputs, out, format=settings.format)
    jobs = assign_masks(jobs, out, settings, needed=predictor.needs_mask)
    return translate_files(predictor, jobs, out, settings, progress=progress)


def translate_files(
    predictor: Predictor,
    jobs: Sequence[Job],
    out: Path,
    options: FolderOptions,
    *,
    progress: Progress = ignore_progress,
    rank_and_size: tuple[int, int] = (0, 1),
) -> Iterator[Outcome]:
    """Return an iterator that processes one job at each step, in order, and yields its outcome.

    Args:
        jobs: for an inpainting model, with their masks (`assign_masks`).
        rank_and_size: rank and world size of the processes that divide the jobs among them.
    """
    return Pipeline(predictor, out, options, progress, rank_and_size).run(jobs)


class Pipeline:
    """A pipeline that decodes and encodes images in threads, and runs the network in the caller's thread."""

    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        options: FolderOptions,
        progress: Progress,
        rank_and_size: tuple[int, int],
    ) -> None:
        self.predictor, self.out, self.options, self.progress = predictor, out, options, progress
        self.rank, self.world_size = rank_and_size
        self.masks = Masks.from_options(options)
        self.read_options = ReadOptions(
            limit=PixelLimit(options.max_pixels, "--max-megapixels"),
            keep_metadata=options.keep_metadata,
            keep_profile_colors=predictor.keep_profile_colors,
            raw_floats=True,
        )
        settings = {
            "model": predictor.fingerprint,
            **predictor.journal_settings(),
            "format": options.format,
            "keep_metadata": options.keep_metadata,
            "invert": options.invert,
            "dilate": options.dilate,
        }
        # An option that is not given is left out, so that what an earlier version wrote counts as done.
        if options.half:
            settings["half"] = options.half
        self.journal = Journal(out, settings)
        self.writes: deque[Future[Outcome]] = deque()

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run the jobs of this process; yield their outcomes in the order of the jobs."""
        for folder in {job.target.parent for job in jobs}:
            with suppress(OSError):
                remove_stale_parts(folder)
        self.journal.start(jobs, overwrite=self.options.overwrite)
        if self.predictor.size_note and not self.rank:
            message(self.predictor.size_note)
        if not self.options.half and not self.rank and (note := describe_joined(self.predictor, jobs)):
            message(note)
        jobs = jobs[self.rank :: self.world_size]
        workers = self.options.workers
        # Also after an interrupt: finish the writes.
        with worker_threads(workers) as read, worker_threads(workers, finish=True) as write:
            for item in self._predict(self._read_ahead(jobs, read)):
                self.writes.append(write(self._write, item))
                while self.writes and (len(self.writes) > workers * PREFETCH or self.writes[0].done()):
                    yield self.writes.popleft().result()
            yield from pop_results(self.writes)

    def _read_ahead(self, jobs: Sequence[Job], read: Submit) -> Iterator[PipelineItem]:
        """Yield the items in order, decoding ahead; a large image waits until the pipeline is empty."""
        reads: deque[Future[PipelineItem]] = deque()
        for job in jobs:
            is_large = count_pixels(job.source) > LARGE_IMAGE
            if is_large:
                yield from pop_results(reads)
                wait(self.writes)
            reads.append(read(self._read, job))
            while reads and (is_large or len(reads) > self.options.workers * PREFETCH):
                yield reads.popleft().result()
        yield from pop_results(reads)

    def _read(self, job: Job) -> PipelineItem:
        started, stamp = time.perf_counter(), input_stamp(job)
        try:
            if reason := self._reason_to_skip(job):
                return PipelineItem(job, outcome=Outcome(job.source, job.target, skipped=reason))
            with open_frames(job.source, self.read_options) as stream:
                # The hole of a mask is checked for all frames together.
                if is_too_large_for_memory(stream) and not self.predictor.needs_mask:
                    return PipelineItem(job, stamp=stamp, seconds=time.perf_counter() - started)
                file = (stream.halve(self.options.half) if self.options.half else stream).read()
            if not file.damage:
                file = replace(file, damage=self._describe_values(file))
            file = to_format(file, len(file.frames), self.options.format, job.source)
            if self.predictor.needs_mask:
                file = self.masks.add_holes(file, job)
            return PipelineItem(job, file, stamp=stamp, seconds=time.perf_counter() - started)
        except DataError as error:
            return PipelineItem(job).fail(str(error))
        except MemoryError:
            return PipelineItem(job).fail(self._too_large(job))
        # `journal.state` looks up the target, whose name may be too long for the output's file system.
        except OSError as error:
            return PipelineItem(job).fail(f"{printable_path(job.source)}: {error.strerror}")

    def _describe_values(self, file: ImageFile) -> str:
        """Return a note on values that do not fit the range by which they are read; else empty."""
        source, _ = self.predictor.value_ranges
        return describe_clipping(file.frames, source) if source else describe_unused_bits(file.frames)

    def _reason_to_skip(self, job: Job) -> str:
        if self.options.overwrite:
            return ""
        return SKIP_REASONS.get(self.journal.state(job), "")

    def _predict(self, items: Iterable[PipelineItem]) -> Iterator[PipelineItem]:
        """Run the network on each file; consecutive images of one size form a batch if the model allows."""
        batch: list[PipelineItem] = []
        for item in items:
            if batch and (item.file is None or not _have_same_size(batch[0], item)):
                yield from self._predict_batch(batch)
                batch = []
            if item.file is None:
                yield item if item.outcome else self._translate_by_frame(item)
                continue
            batch.append(item)
            if len(batch) == self.predictor.max_batch_size(item.file.frames[0].size):
                yield from self._predict_batch(batch)
                batch = []
        if batch:
            yield from self._predict_batch(batch)

    def _predict_batch(self, batch: list[PipelineItem]) -> list[PipelineItem]:
        """Run the network on a batch, or on one image after the other if memory does not suffice."""
        started = time.perf_counter()
        try:
            files = self.predictor.predict_files([item.file for item in batch if item.file], self.progress)
        except (DataError, RuntimeError, MemoryError) as error:
            is_data_error = isinstance(error, DataError)
            if not is_data_error and not is_out_of_memory(error):
                raise
            if len(batch) > 1:
                return [output for item in batch for output in self._predict_batch([item])]
            job = batch[0].job
            reason = _name_file(error, job) if is_data_error else self._too_large(job)
            return [batch[0].fail(reason)]
        seconds = (time.perf_counter() - started) / len(batch)
        return [
            replace(item, file=file, seconds=item.seconds + seconds)
            for item, file in zip(batch, files, strict=True)
        ]

    def _translate_by_frame(self, item: PipelineItem) -> PipelineItem:
        """Decode, translate and write a file frame by frame; return the item with its outcome."""
        job, started = item.job, time.perf_counter()
        try:
            with open_frames(job.source, self.read_options) as stream:
                stream.file = to_format(stream.file, len(stream.sizes), self.options.format, job.source)
                if self.options.half:
                    stream = stream.halve(self.options.half)
                outputs = predict_frames(self.predictor, stream, self.progress)
                write_frames(
                    outputs, job.target, before_rename=lambda part: self.journal.add(job, item.stamp, part)
                )
        except DataError as error:
            return item.fail(_name_file(error, job))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return item.fail(self._too_large(job))
        seconds = item.seconds + time.perf_counter() - started
        outcome = Outcome(job.source, job.target, size=outputs.sizes[0], seconds=seconds, note=outputs.damage)
        return replace(item, outcome=outcome)

    def _too_large(self, job: Job) -> str:
        remedy = "use --tile 512 or smaller" if self.predictor.can_tile else "reduce the image"
        return f"{printable_path(job.source)}: does not fit into memory: {remedy}"

    def _write(self, item: PipelineItem) -> Outcome:
        if item.file is None:
            assert item.outcome
            return item.outcome
        job, file, started = item.job, item.file, time.perf_counter()
        try:
            write(file, job.target, before_rename=lambda part: self.journal.add(job, item.stamp, part))
        except DataError as error:
            return Outcome(job.source, job.target, seconds=item.seconds, failure=str(error))
        except MemoryError:
            return Outcome(job.source, job.target, seconds=item.seconds, failure=self._too_large(job))
        seconds = item.seconds + time.perf_counter() - started
        return Outcome(job.source, job.target, size=file.frames[0].size, seconds=seconds, note=file.damage)


def _name_file(error: Exception, job: Job) -> str:
    """Return the message of an error, with the name of the input file before it unless it names a file."""
    reason, source = str(error), printable_path(job.source)
    return reason if reason.startswith((source, printable_path(job.target))) else f"{source}: {reason}"


def _have_same_size(a: PipelineItem, b: PipelineItem) -> bool:
    """Return whether two files have one frame each, of the same size."""
    files = [item.file for item in (a, b) if item.file and len(item.file.frames) == 1]
    return len(files) == 2 and files[0].frames[0].size == files[1].frames[0].size
