"""Apply a predictor to a tree of images: decoding, network and encoding side by side."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from translate.errors import DataError, UsageError
from translate.images import MAX_PIXELS, ImageFile, count_pixels, printable_path, read, write
from translate.images.codecs.writing import remove_stale_parts
from translate.inference.batch.journal import DONE, FOREIGN, Identity, Journal, input_identity
from translate.inference.batch.masks import Masks
from translate.inference.batch.plan import Job, plan
from translate.inference.batch.workers import Submit, pop_results, worker_threads
from translate.inference.predictors.base import Predictor, Progress, ignore_progress

WORKERS = 2
AHEAD = 4  # images decoded ahead of the network for each worker, and as many being encoded
LARGE = 16_000_000  # pixels; an image of so many goes through the pipeline by itself
DONE_BEFORE = "done before"
SKIP_REASONS = {DONE: DONE_BEFORE, FOREIGN: "there already, and not known to come from this image"}
NO_MASKS = Masks()
PILLOW_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


@dataclass(frozen=True)
class Outcome:
    """What became of one image.

    Attributes:
        size: width and height of what was written, in pixels.
        seconds: of reading, predicting and writing it.
        failure: why it could not be done.
        skipped: why it was left alone.
        note: what of it could not be read.
    """

    source: Path
    target: Path
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    failure: str = ""
    skipped: str = ""
    note: str = ""


@dataclass(frozen=True)
class Settings:
    """How the files of a folder are read and written.

    Attributes:
        format: `keep`, `png`, `jpg` or `webp`.
        keep_metadata: bring the place (GPS) and XMP along.
        overwrite: replace what is there.
        max_pixels: the most that an image may have.
        workers: threads that read, and as many that write; 0 does one thing after the other.
        masks: of what is to be filled, for a model that repairs.
        share: (i, n): of n processes this is the i-th, and does every n-th image.
    """

    format: str = "keep"
    keep_metadata: bool = False
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS
    workers: int = WORKERS
    masks: Masks = NO_MASKS
    share: tuple[int, int] = (0, 1)


def translate_folder(
    predictor: Predictor,
    inputs: Sequence[Path],
    out: Path,
    *,
    format: str = "keep",
    keep_metadata: bool = False,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    workers: int = WORKERS,
    masks: Masks | None = None,
    progress: Progress = ignore_progress,
) -> Iterator[Outcome]:
    """Apply a model to files and folders, one outcome an image; a bad file does not stop the others.

    Their tree is kept below `out`.

    Args:
        format, keep_metadata, overwrite, max_pixels, workers, masks: as in `Settings`.
        progress: is called with the share of a large image that is done.

    Raises:
        UsageError: an input is missing, a folder holds no image, or `out` is an input folder.
    """
    if format not in ("keep", *PILLOW_FORMATS):
        raise UsageError(f"format {format!r}: there is keep, {', '.join(PILLOW_FORMATS)}")
    settings = Settings(format, keep_metadata, overwrite, max_pixels, workers, masks or NO_MASKS)
    return translate_files(predictor, plan(inputs, out, format=format), out, settings, progress=progress)


def translate_files(
    predictor: Predictor,
    jobs: Sequence[Job],
    out: Path,
    settings: Settings | None = None,
    *,
    progress: Progress = ignore_progress,
) -> Iterator[Outcome]:
    """Apply a model to each source, and write its target, in the order of the jobs."""
    return Pipeline(predictor, out, settings or Settings(), progress).run(jobs)


@dataclass
class Work:
    """An image on its way: a file to be predicted, or what became of it already.

    Attributes:
        identity: of the source before it was read.
    """

    job: Job
    file: ImageFile | None = None
    outcome: Outcome | None = None
    identity: Identity | None = None
    seconds: float = 0.0

    def with_failure(self, reason: str) -> Work:
        """Return the work at its end, with the reason why it could not be done."""
        outcome = Outcome(self.job.source, self.job.target, seconds=self.seconds, failure=reason)
        return replace(self, file=None, outcome=outcome)


class Pipeline:
    """Reads ahead and writes behind in threads, so that the network, in the caller's, does not wait."""

    def __init__(
        self, predictor: Predictor, out: Path, settings: Settings, progress: Progress = ignore_progress
    ) -> None:
        self.predictor, self.out, self.settings, self.progress = predictor, out, settings, progress
        settings.masks.check(needed=predictor.needs_mask)
        work = {
            "model": predictor.fingerprint,
            **predictor.journal_settings(),
            "format": settings.format,
            "keep_metadata": settings.keep_metadata,
            "invert": settings.masks.invert,
            "dilate": settings.masks.dilate,
        }
        self.journal = Journal(out, work)
        self.writes: deque[Future[Outcome]] = deque()

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Do each job; outcomes come in the order of the jobs."""
        jobs = [replace(job, mask=self.settings.masks.path_for(job, self.out)) for job in jobs]
        for folder in {job.target.parent for job in jobs}:
            with suppress(OSError):
                remove_stale_parts(folder)
        self.journal.start(jobs)
        rank, world_size = self.settings.share
        jobs = jobs[rank::world_size]
        workers = self.settings.workers
        with worker_threads(workers) as read, worker_threads(workers, finish=True) as write:
            for work in self._predict(self._read_ahead(jobs, read)):
                self.writes.append(write(self._write, work))
                while self.writes and (len(self.writes) > workers * AHEAD or self.writes[0].done()):
                    yield self.writes.popleft().result()
            yield from pop_results(self.writes)

    def _read_ahead(self, jobs: Sequence[Job], read: Submit) -> Iterator[Work]:
        reads: deque[Future[Work]] = deque()
        for job in jobs:
            large = count_pixels(job.source) > LARGE
            if large:
                yield from pop_results(reads)
                wait(self.writes)
            reads.append(read(self._read, job))
            while reads and (large or len(reads) > self.settings.workers * AHEAD):
                yield reads.popleft().result()
        yield from pop_results(reads)

    def _read(self, job: Job) -> Work:
        started, identity = time.perf_counter(), input_identity(job)
        try:
            if reason := self._reason_to_skip(job):
                return Work(job, outcome=Outcome(job.source, job.target, skipped=reason))
            settings = self.settings
            file = read(
                job.source,
                max_pixels=settings.max_pixels,
                keep_metadata=settings.keep_metadata,
                native=self.predictor.native_colors,
            )
            file = _in_format(file, settings.format, job.source)
            if self.predictor.needs_mask:
                file = settings.masks.add_holes(file, job)
            return Work(job, file, identity=identity, seconds=time.perf_counter() - started)
        except DataError as error:
            return Work(job).with_failure(str(error))
        except MemoryError:
            return Work(job).with_failure(_too_large(job))
        except OSError as error:  # of a name that the output's file system does not take
            return Work(job).with_failure(f"{printable_path(job.source)}: {error.strerror}")

    def _reason_to_skip(self, job: Job) -> str:
        if self.settings.overwrite:
            return ""
        return SKIP_REASONS.get(self.journal.state(job), "")

    def _predict(self, works: Iterable[Work]) -> Iterator[Work]:
        """Put each file through the network; images of one size in one forward, where the model allows it."""
        group: list[Work] = []
        for work in works:
            if group and (work.file is None or not _same_size(group[0], work)):
                yield from self._predict_group(group)
                group = []
            if work.file is None:
                yield work
                continue
            group.append(work)
            if len(group) == self.predictor.max_batch_size(work.file.frames[0].size):
                yield from self._predict_group(group)
                group = []
        yield from self._predict_group(group)

    def _predict_group(self, group: list[Work]) -> list[Work]:
        started = time.perf_counter()
        try:
            files = self.predictor.predict_files([work.file for work in group if work.file], self.progress)
        except (RuntimeError, MemoryError) as error:
            if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
                raise
            if len(group) > 1:
                return [done for work in group for done in self._predict_group([work])]
            return [group[0].with_failure(_too_large(group[0].job))]
        seconds = (time.perf_counter() - started) / max(len(group), 1)
        return [
            replace(work, file=file, seconds=work.seconds + seconds)
            for work, file in zip(group, files, strict=True)
        ]

    def _write(self, work: Work) -> Outcome:
        if work.file is None:
            assert work.outcome
            return work.outcome
        job, file, started = work.job, work.file, time.perf_counter()
        try:
            write(file, job.target, finished=lambda part: self.journal.add(job, work.identity, part))
        except DataError as error:
            return Outcome(job.source, job.target, seconds=work.seconds, failure=str(error))
        except MemoryError:
            return Outcome(job.source, job.target, seconds=work.seconds, failure=_too_large(job))
        seconds = work.seconds + time.perf_counter() - started
        return Outcome(job.source, job.target, size=file.frames[0].size, seconds=seconds, note=file.damage)


def _same_size(one: Work, other: Work) -> bool:
    """Return whether two files are single images of one size."""
    files = [work.file for work in (one, other) if work.file and len(work.file.frames) == 1]
    return len(files) == 2 and files[0].frames[0].size == files[1].frames[0].size


def _too_large(job: Job) -> str:
    return f"{printable_path(job.source)}: too large for this machine's memory: use --tile 512, or less"


def _in_format(file: ImageFile, name: str, source: Path) -> ImageFile:
    """Return a file in the format that is asked for.

    Raises:
        DataError: it has more frames than that format can hold.
    """
    if name == "keep" or PILLOW_FORMATS[name] == file.format:
        return file
    if len(file.frames) > 1 and (file.format == "TIFF" or name == "jpg"):
        count = f"{len(file.frames)} {'pages' if file.format == 'TIFF' else 'frames'}"
        reason = f"{count}, which {PILLOW_FORMATS[name]} cannot hold: use --format keep"
        raise DataError(f"{printable_path(source)}: {reason}")
    settings: dict[str, Any] = {
        key: file.settings[key] for key in ("duration", "loop") if key in file.settings
    }
    return replace(file, format=PILLOW_FORMATS[name], settings=settings)
