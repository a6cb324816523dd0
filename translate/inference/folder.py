"""A tree of pictures in, the same tree out: decoding, network and encoding side by side."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from translate.errors import DataError, UsageError
from translate.images import MAX_PIXELS, PictureFile, picture_name, pixels_of, read, write
from translate.images.writing import remove_stale_parts
from translate.inference.journal import DONE, FOREIGN, Identity, Journal, input_of
from translate.inference.masks import Masks
from translate.inference.plan import Job, plan
from translate.inference.translator import Translator

WORKERS = 2
AHEAD = 4  # pictures decoded ahead of the network for each worker, and as many being encoded
LARGE = 16_000_000  # pixels; a picture of so many goes through the pipeline alone
DONE_BEFORE = "done before"
SKIPPED = {DONE: DONE_BEFORE, FOREIGN: "there already, and not known to come from this picture"}
NO_MASKS = Masks()
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


@dataclass(frozen=True)
class Outcome:
    """What became of one picture.

    Attributes:
        size: width and height of what was written, in pixels.
        seconds: of reading, translating and writing it.
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
        max_pixels: the most that a picture may have.
        workers: threads that read, and as many that write; 0 does one thing after the other.
        masks: of what is to be filled, for a model that repairs.
        share: (i, n): of n processes this is the i-th, and does every n-th picture.
    """

    format: str = "keep"
    keep_metadata: bool = False
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS
    workers: int = WORKERS
    masks: Masks = NO_MASKS
    share: tuple[int, int] = (0, 1)


@dataclass
class Work:
    """A picture on its way: a file to be translated, or what became of it already.

    Attributes:
        seen: the identity of the source before it was read.
    """

    job: Job
    file: PictureFile | None = None
    outcome: Outcome | None = None
    seen: Identity | None = None
    seconds: float = 0.0

    def failed(self, reason: str) -> Work:
        outcome = Outcome(self.job.source, self.job.target, seconds=self.seconds, failure=reason)
        return replace(self, file=None, outcome=outcome)


def translate_folder(
    translator: Translator,
    inputs: Sequence[Path],
    out: Path,
    *,
    format: str = "keep",
    keep_metadata: bool = False,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    workers: int = WORKERS,
    masks: Masks | None = None,
) -> Iterator[Outcome]:
    """Translate files and folders into `out`, one outcome a picture; a bad file does not stop the others.

    Raises:
        UsageError: an input is missing, a folder holds no picture, or `out` is an input folder.
    """
    if format not in ("keep", *FORMATS):
        raise UsageError(f"format {format!r}: there is keep, {', '.join(FORMATS)}")
    settings = Settings(format, keep_metadata, overwrite, max_pixels, workers, masks or NO_MASKS)
    return translate_files(translator, plan(inputs, out, format=format), out, settings)


def translate_files(
    translator: Translator, jobs: Sequence[Job], out: Path, settings: Settings | None = None
) -> Iterator[Outcome]:
    """Translate each source into its target, in the order of the jobs."""
    return Pipeline(translator, out, settings or Settings()).run(jobs)


class Pipeline:
    """Reads ahead and writes behind in threads, so that the network, in the caller's, does not wait."""

    def __init__(self, translator: Translator, out: Path, settings: Settings) -> None:
        self.translator, self.out, self.settings = translator, out, settings
        work = {
            "model": translator.fingerprint,
            "direction": translator.direction,
            "format": settings.format,
            "keep_metadata": settings.keep_metadata,
            "saturation": translator.saturation,
            "invert": settings.masks.invert,
            "dilate": settings.masks.dilate,
        }
        settings.masks.check(needed=translator.config.mask)
        self.journal = Journal(out, work)
        self.writing: deque[Future[Outcome]] = deque()

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Translate each job; outcomes come in the order of the jobs."""
        jobs = [replace(job, mask=self.settings.masks.of(job, self.out)) for job in jobs]
        for folder in {job.target.parent for job in jobs}:
            with suppress(OSError):
                remove_stale_parts(folder)
        self.journal.start(jobs)
        part, parts = self.settings.share
        jobs = jobs[part::parts]
        workers = self.settings.workers
        with warnings.catch_warnings(), _threads(workers) as read, _threads(workers, finish=True) as write:
            warnings.simplefilter("ignore")  # Pillow warns of small damage that it can read around
            for work in self._translated(self._read_ahead(jobs, read)):
                self.writing.append(write(self._write, work))
                while self.writing and (len(self.writing) > workers * AHEAD or self.writing[0].done()):
                    yield self.writing.popleft().result()
            while self.writing:
                yield self.writing.popleft().result()

    def _read_ahead(self, jobs: Sequence[Job], read: Submit) -> Iterator[Work]:
        reading: deque[Future[Work]] = deque()
        for job in jobs:
            large = pixels_of(job.source) > LARGE
            if large:
                yield from _results(reading)
                wait(self.writing)
            reading.append(read(self._read, job))
            while reading and (large or len(reading) > self.settings.workers * AHEAD):
                yield reading.popleft().result()
        yield from _results(reading)

    def _read(self, job: Job) -> Work:
        started, seen = time.perf_counter(), input_of(job)
        try:
            if reason := self._reason_to_skip(job):
                return Work(job, outcome=Outcome(job.source, job.target, skipped=reason))
            settings = self.settings
            file = read(
                job.source,
                max_pixels=settings.max_pixels,
                keep_metadata=settings.keep_metadata,
                native=self.translator.config.mask,
            )
            file = _in_format(file, settings.format, job.source)
            if self.translator.config.mask:
                file = settings.masks.applied(file, job)
            return Work(job, file, seen=seen, seconds=time.perf_counter() - started)
        except DataError as error:
            return Work(job).failed(str(error))
        except MemoryError:
            return Work(job).failed(_too_large(job))
        except OSError as error:  # of a name that the output's file system does not take
            return Work(job).failed(f"{picture_name(job.source)}: {error.strerror}")

    def _reason_to_skip(self, job: Job) -> str:
        if self.settings.overwrite:
            return ""
        return SKIPPED.get(self.journal.state(job), "")

    def _translated(self, works: Iterable[Work]) -> Iterator[Work]:
        """Put each file through the network; pictures of one size together, where the model allows it."""
        group: list[Work] = []
        for work in works:
            if group and (work.file is None or not _alike(group[0], work)):
                yield from self._group(group)
                group = []
            if work.file is None:
                yield work
                continue
            group.append(work)
            if len(group) == self.translator.room(work.file.frames[0].size):
                yield from self._group(group)
                group = []
        yield from self._group(group)

    def _group(self, group: list[Work]) -> list[Work]:
        started = time.perf_counter()
        try:
            files = self.translator.files([work.file for work in group if work.file])
        except (RuntimeError, MemoryError) as error:
            if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
                raise
            if len(group) > 1:
                return [done for work in group for done in self._group([work])]
            return [group[0].failed(_too_large(group[0].job))]
        share = (time.perf_counter() - started) / max(len(group), 1)
        return [
            replace(work, file=file, seconds=work.seconds + share)
            for work, file in zip(group, files, strict=True)
        ]

    def _write(self, work: Work) -> Outcome:
        if work.file is None:
            assert work.outcome
            return work.outcome
        job, file, started = work.job, work.file, time.perf_counter()
        try:
            write(file, job.target, finished=lambda part: self.journal.note(job, work.seen, part))
        except DataError as error:
            return Outcome(job.source, job.target, seconds=work.seconds, failure=str(error))
        except MemoryError:
            return Outcome(job.source, job.target, seconds=work.seconds, failure=_too_large(job))
        seconds = work.seconds + time.perf_counter() - started
        return Outcome(job.source, job.target, size=file.frames[0].size, seconds=seconds, note=file.damage)


Submit = Callable[..., Future[Any]]


@contextmanager
def _threads(count: int, *, finish: bool = False) -> Iterator[Submit]:
    """A way to run functions in threads; with none of them, at once.

    Args:
        finish: when stopped, let what waits be done; else it is dropped.
    """
    if count == 0:
        yield _now
        return
    pool = ThreadPoolExecutor(count)
    try:
        yield pool.submit
    finally:
        pool.shutdown(cancel_futures=not finish)


def _now(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(function(*arguments))
    return future


def _results(futures: deque[Future[Work]]) -> Iterator[Work]:
    while futures:
        yield futures.popleft().result()


def _alike(one: Work, other: Work) -> bool:
    """Whether two files are single pictures of one size."""
    files = [work.file for work in (one, other) if work.file and len(work.file.frames) == 1]
    return len(files) == 2 and files[0].frames[0].size == files[1].frames[0].size


def _too_large(job: Job) -> str:
    return f"{picture_name(job.source)}: too large for this machine's memory: use --tile 512, or less"


def _in_format(file: PictureFile, name: str, source: Path) -> PictureFile:
    """A file in the format that is asked for.

    Raises:
        DataError: it has more frames than that format can hold.
    """
    if name == "keep" or FORMATS[name] == file.format:
        return file
    if len(file.frames) > 1 and (file.format == "TIFF" or name == "jpg"):
        what = f"{len(file.frames)} {'pages' if file.format == 'TIFF' else 'frames'}"
        reason = f"{what}, which {FORMATS[name]} cannot hold: use --format keep"
        raise DataError(f"{picture_name(source)}: {reason}")
    settings: dict[str, Any] = {
        key: file.settings[key] for key in ("duration", "loop") if key in file.settings
    }
    return replace(file, format=FORMATS[name], settings=settings)
