"""The stages of the pipeline that workers run: read the file of a job, and write its output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from translate.config import FolderOptions
from translate.errors import DataError
from translate.images import (
    FrameStream,
    PixelLimit,
    ReadOptions,
    encode_to_file,
    printable_path,
    write_errors,
    write_frames,
)
from translate.inference.batch.journal import DONE, FOREIGN, Journal, input_stamp
from translate.inference.batch.masks import Masks
from translate.inference.batch.outcome import Outcome, PipelineItem
from translate.inference.batch.plan import Job
from translate.inference.batch.processes import WorkerLostError, WorkerProcesses, Workers
from translate.inference.batch.reader import FileReader, count_all_pixels
from translate.inference.batch.workers import run_here
from translate.inference.predictors.base import Predictor
from translate.storage import StagingFolders

T = TypeVar("T")
# Images of more pixels go through the pipeline alone, to bound memory.
LARGE_IMAGE = 16_000_000
DONE_BEFORE = "done before"
SKIP_REASONS = {
    DONE: DONE_BEFORE,
    FOREIGN: "exists, and was not made from these images: give another -o, or --overwrite to replace it",
}


class FileStages:
    """The stages before and behind the network. Any number of threads may run them at the same time.

    Attributes:
        reader: decodes files.
        journal: records which files are done.
    """

    def __init__(self, predictor: Predictor, out: Path, options: FolderOptions) -> None:
        self.options, self.can_tile = options, predictor.can_tile
        self.reader = FileReader(
            options=ReadOptions(
                limit=PixelLimit(options.max_pixels, "--max-megapixels"),
                keep_metadata=options.keep_metadata,
                keep_profile_colors=predictor.keep_profile_colors,
                raw_floats=True,
            ),
            format=options.format,
            half=options.half,
            masks=Masks.from_options(options) if predictor.needs_mask else None,
            value_range=predictor.value_ranges[0],
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
        self._processes: WorkerProcesses | None = None
        self._staging = StagingFolders()

    @contextmanager
    def start(self, workers: Workers) -> Iterator[None]:
        """Start the processes of the workers if they are to have any; at the end, stop them."""
        with StagingFolders() as self._staging:
            if not workers.are_processes:
                yield
                return
            # Each thread that decodes or encodes has a process for it.
            with WorkerProcesses(2 * workers.count) as self._processes:
                yield

    def count_pixels(self, jobs: Sequence[Job]) -> list[tuple[Job, int]]:
        """Return each job with the number of pixels of its image, from the header."""
        paths = [job.source for job in jobs]
        try:
            pixels = self._run_in_process(count_all_pixels, paths)
        except WorkerLostError:
            pixels = count_all_pixels(paths)
        return list(zip(jobs, pixels, strict=True))

    def _run_in_process(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in a worker process if there are any."""
        return self._processes.run(function, *arguments) if self._processes else function(*arguments)

    def read(self, job: Job, is_large: bool) -> PipelineItem:
        """Return an item with the job's file, or with its outcome if it is skipped or fails."""
        item = PipelineItem(job, stamp=input_stamp(job))
        # To send a large image to another process takes memory for a copy.
        run = run_here if is_large else self._run_in_process
        try:
            if reason := self._reason_to_skip(job):
                return replace(item, outcome=Outcome(job.source, job.target, skipped=reason))
            return run(self.reader.read, item)
        except DataError as error:
            return item.fail(name_file(error, job))
        except MemoryError:
            return item.fail(self.too_large(job))
        # `journal.state` looks up the target, whose name may be too long for the output's file system.
        except OSError as error:
            return item.fail(f"{printable_path(job.source)}: {error.strerror}")

    def _reason_to_skip(self, job: Job) -> str:
        if self.options.overwrite:
            return ""
        return SKIP_REASONS.get(self.journal.state(job), "")

    def too_large(self, job: Job) -> str:
        """Return the message for an image that does not fit into memory."""
        remedy = "use --tile 512 or smaller" if self.can_tile else "reduce the image"
        return f"{printable_path(job.source)}: does not fit into memory: {remedy}"

    def write(self, item: PipelineItem) -> Outcome:
        """Write the output of an item, unless it was skipped or failed before."""
        if item.file is None:
            assert item.outcome
            return item.outcome
        job, file, started = item.job, item.file, time.perf_counter()
        run = run_here if item.pixels > LARGE_IMAGE else self._run_in_process
        try:
            with write_errors(job.target), self._staging.atomic_path(job.target) as part:
                run(encode_to_file, file, part)
                self.journal.add(job, item.stamp, part)
        except DataError as error:
            return Outcome(job.source, job.target, seconds=item.seconds, failure=str(error))
        except MemoryError:
            return Outcome(job.source, job.target, seconds=item.seconds, failure=self.too_large(job))
        seconds = item.seconds + time.perf_counter() - started
        return Outcome(job.source, job.target, size=file.frames[0].size, seconds=seconds, note=file.damage)

    def write_frames(self, outputs: FrameStream, item: PipelineItem) -> None:
        """Write the outputs for a file frame by frame, as they are computed.

        Raises:
            DataError: the file cannot be written; errors of the stream are raised as they are.
        """
        job = item.job
        write_frames(outputs, job.target, before_rename=lambda part: self.journal.add(job, item.stamp, part))


def name_file(error: Exception, job: Job) -> str:
    """Return the message of an error, with the name of the input file before it unless it names a file."""
    reason, source = str(error), printable_path(job.source)
    return reason if reason.startswith((source, printable_path(job.target))) else f"{source}: {reason}"
