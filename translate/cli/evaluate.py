"""`translate evaluate MODEL --data DIR`."""

from __future__ import annotations

import json
import sys
import time
from errno import EISDIR
from os import strerror
from pathlib import Path
from typing import Any

import click

from translate.cli.options import HELP, PATH
from translate.errors import SomeFilesFailedError, TranslateError
from translate.evaluation.protocols import SCORES, refuse_unknown_scores


@click.command(context_settings=HELP)
@click.argument("model")
@click.option("--data", required=True, metavar="DIR", help="images, as for training: what is held out counts")
@click.option("--masks", metavar="DIR", type=PATH, help="holes for a model of inpaint [default: drawn]")
@click.option("--baselines", is_flag=True, help="for a model of inpaint: score what needs no model, too")
@click.option("--metrics", metavar="NAMES", help=f"of {','.join(SCORES)} [default: all that there are]")
@click.option("--json", "report", metavar="FILE", type=PATH, help="write the table and its protocol, too")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), default="auto")
def evaluate(model: str, data: str, metrics: str | None, report: Path | None, **options: Any) -> None:
    """Score a model on images, each score with its protocol.

    A model of colorize or inpaint is scored on photos, one of pix2pix on pairs, one of cyclegan on two
    kinds of images, in the layouts that training takes; one that was imported on pairs where the data
    has them. Scored is what training holds out; of a flat folder of photos it is all. Samples of a model
    from noise are compared with the images that it was trained on, at all checkpoints that its run
    keeps. What cannot be scored is listed at the end, and the exit code is then 3.
    """
    names = None if metrics is None else [name.strip() for name in metrics.split(",")]
    refuse_unknown_scores(names)
    if report:
        _refuse_place(report)
    from translate.evaluation import evaluate as score
    from translate.evaluation.report import report_lines, to_json

    progress = Progress()
    try:
        evaluation = score(model, data, metrics=names, progress=progress, **options)
    finally:
        progress.end()
    for line in report_lines(evaluation):
        click.echo(line)
    for note in evaluation.notes:
        click.echo(f"note: {note}", err=True)
    for reason in evaluation.left_out:
        click.echo(f"left out: {reason}", err=True)
    if report:
        _write(report, to_json(evaluation, model))
    if evaluation.left_out:
        count = len(evaluation.left_out)
        total = count + evaluation.images
        raise SomeFilesFailedError(f"{count} of {total} images could not be scored")


def _refuse_place(path: Path) -> None:
    """Refuse a place that cannot be written before anything is scored, not after.

    Raises:
        TranslateError: it is a folder, or its folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(EISDIR, strerror(EISDIR))
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}: give another path") from None


def _write(path: Path, content: dict[str, Any]) -> None:
    from translate.storage import atomic_write

    try:
        atomic_write(path, (json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}: give another path") from None


class Progress:
    """Images scored, rate and time left: on one line of a terminal, now and then in a log."""

    TERMINAL, LOG = 0.2, 30.0  # seconds between two lines

    def __init__(self) -> None:
        self.start = self.last_line = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def __call__(self, done: float, total: int) -> None:
        """Show that so many images of so many are done."""
        now = time.monotonic()
        if now - self.last_line < (self.TERMINAL if self.terminal else self.LOG) or not done:
            return
        self.last_line = now
        rate = done / (now - self.start)
        left = (total - done) / rate
        text = f"{int(done)}/{total}  {rate:.2g} images/s  {int(left // 60)}:{int(left % 60):02d} left"
        sys.stderr.write(f"\r\x1b[K{text}" if self.terminal else f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Clear the line."""
        if self.terminal:
            sys.stderr.write("\r\x1b[K")
