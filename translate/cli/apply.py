"""`translate apply MODEL INPUT... -o OUT`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from translate.config.model import DIRECTIONS
from translate.errors import SomeFilesFailedError

if TYPE_CHECKING:
    from translate.inference import Outcome


FOLDER = click.Path(path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=FOLDER)
@click.option("-o", "--out", required=True, metavar="OUT", type=FOLDER, help="folder to write to")
@click.option(
    "--direction", type=click.Choice(DIRECTIONS), help="for a model that goes both ways [default: its first]"
)
@click.option("--overwrite", is_flag=True, help="translate again what OUT holds already")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps [default: auto]")
@click.option(
    "--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), default="auto", help="[default: auto]"
)
def apply(
    model: str,
    inputs: tuple[Path, ...],
    out: Path,
    direction: str | None,
    overwrite: bool,
    device: str,
    precision: str,
) -> None:
    """Translate pictures and folders with a trained model.

    MODEL is a run or a model folder. Each picture keeps its size, its name and its place in
    the tree; what cannot be read is listed at the end, and the exit code is then 3.
    """
    from translate.api import load
    from translate.inference.folder import plan, translate_files

    targets = plan(inputs, out)
    translator = load(model, direction=direction, device=device, precision=precision)
    outcomes: list[Outcome] = []
    progress = Progress(len(targets))
    for outcome in translate_files(translator, targets, overwrite=overwrite):
        outcomes.append(outcome)
        progress.show()
    progress.end()
    _report(outcomes, out)


class Progress:
    """Pictures done, rate and time left, on one line of the terminal."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.started = self.shown = time.monotonic()

    def show(self) -> None:
        self.done += 1
        now = time.monotonic()
        if not sys.stderr.isatty() or (now - self.shown < 0.2 and self.done < self.total):
            return
        self.shown = now
        rate = self.done / max(now - self.started, 1e-9)
        left = (self.total - self.done) / rate
        sys.stderr.write(f"\r{self.done}/{self.total}  {rate:.1f} pictures/s  {left:.0f} s left ")
        sys.stderr.flush()

    def end(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\n")


def _report(outcomes: list[Outcome], out: Path) -> None:
    failed = [outcome for outcome in outcomes if outcome.failure]
    skipped = sum(outcome.skipped for outcome in outcomes)
    written = len(outcomes) - skipped - len(failed)
    left = f", {skipped} there already (--overwrite translates them again)" if skipped else ""
    click.echo(f"{written} pictures in {out}{left}")
    for outcome in failed:
        click.echo(f"failed: {outcome.failure}", err=True)
    if failed:
        raise SomeFilesFailedError(f"{len(failed)} of {len(outcomes)} pictures could not be translated")
