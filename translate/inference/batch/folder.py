"""Apply a predictor to a folder tree of images: a pipeline of decoding, the network, and encoding.

Workers decode ahead, and others encode behind, so that the network, which runs in the caller's thread, does
not wait, and neither do the two for each other. The workers are threads; where a GPU would be faster than
they, each of them hands its work to a process.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from translate.config import FolderOptions, accepts, from_mapping
from translate.errors import DataError
from translate.images import open_frames
from translate.inference.batch.frame_by_frame import predict_frames
from translate.inference.batch.joined import describe_joined
from translate.inference.batch.masks import assign_masks
from translate.inference.batch.outcome import Outcome, PipelineItem
from translate.inference.batch.plan import InputScan, Job, plan_jobs, refuse_input_folder, scan_inputs
from translate.inference.batch.processes import choose_workers
from translate.inference.batch.reader import to_format
from translate.inference.batch.stages import LARGE_IMAGE, FileStages, name_file
from translate.inference.batch.workers import Backlog, Submit, worker_threads
from translate.inference.predictors.base import Predictor
from translate.inference.runtime.memory import is_out_of_memory
from translate.progress import Progress, ignore_progress, message
from translate.storage import remove_stale_parts

# The number of images per worker that wait for the network, and as many that wait to be encoded.
PREFETCH = 4
# The pixels of these images together, to bound memory.
MAX_PIXELS_AHEAD = 128_000_000
# The number of images whose headers are read at once.
HEADERS = 32


@dataclass(frozen=True)
class OutputFolder:
    """The folder for the outputs of one predictor, and its jobs, which have masks if it needs them."""

    out: Path
    predictor: Predictor
    jobs: Sequence[Job]


@accepts(FolderOptions)
def translate_folder(
    predictor: Predictor,
    inputs: Sequence[Path],
    out: Path,
    *,
    to: str | None = None,
    progress: Progress = ignore_progress,
    **options: Any,
) -> Iterator[Outcome]:
    """Return an iterator that processes one image at each step and yields its outcome.

    A file that fails does not stop the others. The folder tree of the inputs is kept below `out`.

    Args:
        to: the target, for a model of several domains; with `all`, each domain gets a folder below `out`.
        progress: is called with the finished fraction of a large image.
        {options}

    Raises:
        UsageError: an input is missing, a folder holds no image, `out` is an input folder, or the model has
            no such target.
    """
    settings = from_mapping(FolderOptions, options, "options")
    folders = plan_folders(predictor, to, inputs, scan_inputs(inputs, out), out, settings)
    return translate_files(folders, settings, progress=progress)


def translate_file(
    predictor: Predictor,
    source: Path,
    out: Path,
    options: FolderOptions,
    *,
    progress: Progress = ignore_progress,
) -> Outcome:
    """Translate one file as `translate_folder` does, but without its notes for the log.

    Args:
        out: the folder to write to.
        progress: is called with the finished fraction of a large image; what it raises ends the work.

    Raises:
        UsageError: the file is missing, `out` is its folder, or the mask does not fit.
    """
    (folder,) = plan_folders(predictor, None, [source], scan_inputs([source], out), out, options)
    (outcome,) = Pipeline(predictor, out, options, progress, (0, 1)).run(folder.jobs)
    return outcome


def plan_folders(
    predictor: Predictor,
    to: str | None,
    inputs: Sequence[Path],
    scan: InputScan,
    out: Path,
    options: FolderOptions,
) -> list[OutputFolder]:
    """Plan the output folders of the targets that `to` stands for: `out`, or one below it for each domain.

    Args:
        scan: the images of the inputs.

    Raises:
        UsageError: the model has no such target, a folder is an input folder, or the masks do not fit.
    """
    folders = []
    for name, each in predictor.by_folder(to).items():
        for path in inputs:
            refuse_input_folder(path, out / name)
        jobs = plan_jobs(scan.paths, out / name, format=options.format)
        jobs = assign_masks(jobs, out / name, options, needed=each.needs_mask)
        folders.append(OutputFolder(out / name, each, jobs))
    return folders


def translate_files(
    folders: Sequence[OutputFolder],
    options: FolderOptions,
    *,
    progress: Progress = ignore_progress,
    rank_and_size: tuple[int, int] = (0, 1),
) -> Iterator[Outcome]:
    """Yield the outcome of each job, in order, when it is done.

    Args:
        rank_and_size: rank and world size of the processes that divide the jobs of each folder among them.
    """
    if rank_and_size[0] == 0:
        _print_notes(folders[0].predictor, folders[0].jobs, options)
    for folder in folders:
        pipeline = Pipeline(folder.predictor, folder.out, options, progress, rank_and_size)
        yield from pipeline.run(folder.jobs)


def _print_notes(predictor: Predictor, jobs: Sequence[Job], options: FolderOptions) -> None:
    """Print at which size the network works, and which images look like joined files."""
    if predictor.size_note:
        message(predictor.size_note)
    if not options.half and (note := describe_joined(predictor, jobs)):
        message(note)


class Pipeline:
    """A pipeline that decodes and encodes images in workers, and runs the network in the caller's thread."""

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
        self.stages = FileStages(predictor, out, options)

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run the jobs of this process; yield their outcomes in the order of the jobs."""
        for folder in {job.target.parent for job in jobs}:
            with suppress(OSError):
                remove_stale_parts(folder)
        self.stages.journal.start(jobs, overwrite=self.options.overwrite)
        jobs = jobs[self.rank :: self.world_size]
        workers = choose_workers(self.options.workers, self.predictor.runner.device, len(jobs))
        with (
            self.stages.start(workers),
            worker_threads(workers.count, finish=True) as write,  # Also after an interrupt.
            worker_threads(workers.count) as read,
        ):
            yield from self._run(jobs, workers.count * PREFETCH, read, write)

    def _run(self, jobs: Sequence[Job], ahead: int, read: Submit, write: Submit) -> Iterator[Outcome]:
        """Run the jobs, with up to `ahead` images that wait for the network, and as many to be encoded."""
        reads: Backlog[PipelineItem] = Backlog(ahead, MAX_PIXELS_AHEAD)
        writes: Backlog[Outcome] = Backlog(ahead, MAX_PIXELS_AHEAD)
        for item in self._predict(self._read_ahead(jobs, read, reads, writes)):
            writes.append(write(self.stages.write, item), item.pixels)
            while writes.is_full or writes.has_result:
                yield writes.pop()
        yield from writes.pop_all()

    def _read_ahead(
        self, jobs: Sequence[Job], read: Submit, reads: Backlog[PipelineItem], writes: Backlog[Outcome]
    ) -> Iterator[PipelineItem]:
        """Yield the items in order, decoding ahead; a large image waits until the pipeline is empty."""
        for job, pixels in self._with_pixels(jobs, read):
            is_large = pixels > LARGE_IMAGE
            if is_large:
                yield from reads.pop_all()
                writes.wait()
            reads.append(read(self.stages.read, job, is_large), pixels)
            while reads and (is_large or reads.is_full):
                yield reads.pop()
        yield from reads.pop_all()

    def _with_pixels(self, jobs: Sequence[Job], read: Submit) -> Iterator[tuple[Job, int]]:
        """Yield each job with the number of pixels of its image, reading headers ahead."""
        headers: Backlog[list[tuple[Job, int]]] = Backlog(1, 0)
        for start in range(0, len(jobs), HEADERS):
            headers.append(read(self.stages.count_pixels, jobs[start : start + HEADERS]), 0)
            if headers.is_full:
                yield from headers.pop()
        for group in headers.pop_all():
            yield from group

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
            reason = name_file(error, job) if is_data_error else self.stages.too_large(job)
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
            with open_frames(job.source, self.stages.reader.options) as stream:
                stream.file = to_format(stream.file, len(stream.sizes), self.options.format, job.source)
                if self.options.half:
                    stream = stream.halve(self.options.half)
                outputs = predict_frames(self.predictor, stream, self.progress)
                self.stages.write_frames(outputs, item)
        except DataError as error:
            return item.fail(name_file(error, job))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return item.fail(self.stages.too_large(job))
        seconds = item.seconds + time.perf_counter() - started
        outcome = Outcome(job.source, job.target, size=outputs.sizes[0], seconds=seconds, note=outputs.damage)
        return replace(item, outcome=outcome)


def _have_same_size(a: PipelineItem, b: PipelineItem) -> bool:
    """Return whether two files have one frame each, of the same size."""
    files = [item.file for item in (a, b) if item.file and len(item.file.frames) == 1]
    return len(files) == 2 and files[0].frames[0].size == files[1].frames[0].size
