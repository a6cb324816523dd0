"""Run a command that turns images into images: jobs, progress, report and exit code."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from translate import distributed
from translate.errors import SomeFilesFailedError, TranslateError, UsageError
from translate.signals import exit_code

if TYPE_CHECKING:
    from translate.inference import Outcome, Predictor

COMMANDS = {"colorize": "colorization", "inpaint": "inpainting"}  # with the kind of model that each takes
LOADING = ("direction", "device", "precision", "engine", "tile", "compile", "saturation")


def translate_images(
    model: str,
    inputs: tuple[Path, ...],
    out: Path,
    *,
    command: str | None = None,
    report: Path | None,
    max_megapixels: int,
    mask: Path | None = None,
    invert: bool = False,
    dilate: int = 0,
    **options: Any,
) -> None:
    """Translate images and folders into OUT, with progress, a report and the exit code of the batch."""
    from translate.inference.batch.folder import Settings, translate_files
    from translate.inference.batch.masks import Masks
    from translate.inference.batch.plan import plan

    jobs = plan(inputs, out, format=options["format"])
    predictor = _predictor(model, command, {name: options.pop(name) for name in LOADING if name in options})
    share = distributed.rank(), distributed.world_size()
    masks = Masks(mask, invert, dilate)
    settings = Settings(**options, max_pixels=max_megapixels * 1_000_000, masks=masks, share=share)
    progress = Progress(len(jobs[share[0] :: share[1]]))
    outcomes = translate_files(predictor, jobs, out, settings, progress=progress.part)
    _run(outcomes, progress, out, None if distributed.rank() else report)


def _predictor(model: str, command: str | None, options: dict[str, Any]) -> Predictor:
    """Load the model, which must be of the kind that the command takes."""
    from translate.inference import load_predictor
    from translate.models import Model

    predictor = load_predictor(Model.from_pretrained(model), **options)
    if command and predictor.config.kind != COMMANDS[command]:
        raise UsageError(
            f"{model} is no model of {command}: leave --model out, or use translate apply {model}"
        )
    return predictor


def _run(coming: Iterator[Outcome], progress: Progress, out: Path, report: Path | None) -> None:
    """Go through the outcomes as they come; the report is written however it ends."""
    outcomes: list[Outcome] = []
    if report:
        _write_report(outcomes, report)  # or a place that cannot be written would be found out last
    try:
        with _gathered(outcomes), closing(coming):  # type: ignore[type-var]
            for outcome in coming:
                outcomes.append(outcome)
                progress.show(outcome)
            progress.end()
        if not distributed.rank():
            _print_summary(outcomes, out)
    except KeyboardInterrupt as error:
        progress.end()
        click.echo(
            f"stopped: {len(outcomes)} of {progress.total} are done; the same command goes on", err=True
        )
        sys.exit(exit_code(error))
    finally:
        if report:
            _write_report(outcomes, report)


@contextmanager
def _gathered(outcomes: list[Outcome]) -> Iterator[None]:
    """Let all processes plan before any writes, and put the outcomes of all among this one's at the end,
    in the order of the images.
    """
    if distributed.world_size() == 1:
        yield
        return
    import torch

    from translate.training.step.distributed import ProcessGroup

    group = ProcessGroup()
    with group.joined(torch.device("cpu")):
        yield
        parts = group.gather(list(outcomes))
    outcomes[:] = [part[row] for row in range(len(parts[0])) for part in parts if row < len(part)]


class Progress:
    """Images done, rate and time left: on one line of a terminal, now and then in a log."""

    TERMINAL, LOG = 0.2, 30.0  # seconds between two lines

    def __init__(self, total: int) -> None:
        self.total, self.done, self.translated = total, 0, 0
        self.started = self.shown = time.monotonic()
        self.interval = self.TERMINAL if sys.stderr.isatty() else self.LOG
        self.quiet = distributed.rank() > 0

    def show(self, outcome: Outcome) -> None:
        """Count one more image as done."""
        self.done += 1
        self.translated += not (outcome.skipped or outcome.failure)
        self._show(0.0)

    def part(self, share: float) -> None:
        """Note the share of a large image that is done."""
        self._show(share)

    def _show(self, share: float) -> None:
        now = time.monotonic()
        if self.quiet or now - self.shown < self.interval:
            return
        self.shown = now
        rate = (self.translated + share) / (now - self.started)
        left = (self.total - self.done - share) / max(rate, 1e-9)
        more = f" and {share:.0%} of a large one" if 0 < share < 1 else ""
        clock = f"{int(left // 60)}:{int(left % 60):02d} left" if rate else "looking for what is left"
        text = f"{self.done}/{self.total}{more}  {rate:.2g} images/s  {clock}"
        sys.stderr.write(f"\r{text} " if sys.stderr.isatty() else f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _write_report(outcomes: list[Outcome], path: Path) -> None:
    """Write one record a file: `in`, `out`, and `size` and `seconds`, or `failed`, or `skipped`, and why."""
    from translate.storage import atomic_write

    try:
        atomic_write(path, (json.dumps([_record(o) for o in outcomes], indent=1) + "\n").encode())
    except OSError as error:
        raise TranslateError(f"cannot write the report {path}: {error.strerror}") from None


def _record(outcome: Outcome) -> dict[str, Any]:
    record: dict[str, Any] = {"in": str(outcome.source), "out": str(outcome.target)}
    if outcome.failure:
        return {**record, "out": None, "failed": outcome.failure}
    if outcome.skipped:
        return {**record, "skipped": outcome.skipped}
    record |= {"size": outcome.size, "seconds": round(outcome.seconds, 4)}
    return {**record, "note": outcome.note} if outcome.note else record


def _print_summary(outcomes: list[Outcome], out: Path) -> None:
    from translate.images import printable_path
    from translate.inference.batch.folder import DONE_BEFORE

    failed = [outcome for outcome in outcomes if outcome.failure]
    skipped = Counter(outcome.skipped for outcome in outcomes if outcome.skipped)
    written = len(outcomes) - skipped.total() - len(failed)
    left = "".join(f", {count} {reason}" for reason, count in skipped.items())
    hint = " (--overwrite translates them again)" if skipped else ""
    images = "1 image" if written == 1 else f"{written} images"
    click.echo(f"{images} in {printable_path(out)}{left}{hint}")
    for outcome in outcomes:
        if outcome.skipped and outcome.skipped != DONE_BEFORE:
            click.echo(f"left alone: {printable_path(outcome.target)}: {outcome.skipped}", err=True)
        if outcome.note:
            click.echo(f"note: {printable_path(outcome.source)}: {outcome.note}", err=True)
    for outcome in failed:
        click.echo(f"failed: {outcome.failure}", err=True)
    if failed:
        raise SomeFilesFailedError(f"{len(failed)} of {len(outcomes)} images could not be translated")
