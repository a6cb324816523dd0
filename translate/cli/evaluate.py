"""The command `translate evaluate MODEL --data DIR`."""

from __future__ import annotations

import json
from errno import EISDIR
from os import strerror
from pathlib import Path
from typing import Any

import click

from translate.cli.options import CONTEXT_SETTINGS, DEVICE, MODEL, PATH, complete_folder
from translate.config.apply import PRECISIONS
from translate.errors import SomeFilesFailedError, TranslateError, UsageError
from translate.evaluation.protocols import SCORES, refuse_unknown_scores


@click.command(context_settings=CONTEXT_SETTINGS)
@MODEL
@click.option(
    "--data",
    required=True,
    metavar="DIR",
    shell_complete=complete_folder,
    help="dataset, whose validation set is scored (a flat folder of photos: all)",
)
@click.option("--masks", metavar="DIR", type=PATH, help="masks for a model of inpaint [default: drawn]")
@click.option(
    "--labels",
    metavar="FILE",
    type=PATH,
    help="table of domains or attributes, for a model of several [default: sub-folders are domains]",
)
@click.option("--baselines", is_flag=True, help="also score inpainting methods that need no model")
@click.option(
    "--metrics",
    metavar="NAMES",
    help=f"scores to compute, separated by commas: {', '.join(SCORES)} [default: all that fit the model]",
)
@click.option("--json", "report", metavar="FILE", type=PATH, help="also write the table to FILE")
@click.option("--overwrite", is_flag=True, help="replace a FILE that is no earlier report")
@DEVICE
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    help="mixed precision; auto is bf16 where the hardware is fast at it",
)
def evaluate(
    model: str, data: str, metrics: str | None, report: Path | None, overwrite: bool, **options: Any
) -> None:
    """Score a model on a dataset, each score with its protocol.

    A model of colorize or inpaint is scored on photos, one of pix2pix on pairs, and one of cyclegan, cut,
    fastcut or dclgan on two domains, in the layouts that training takes; an imported model is scored on pairs
    if the data has them. A model of stargan is scored by target; where files of several domains share a name,
    also against the true image.
    The validation set is scored, or all photos of a flat folder. Samples of a model from noise are compared
    with the images that it was trained on, at each checkpoint that its run keeps. Samples of a model
    of 3dgan are compared with the volumes that it was trained on, and with held-out ones. Files that cannot
    be scored are listed at the end, and the exit code is then 3.
    """
    names = None if metrics is None else [name.strip() for name in metrics.split(",")]
    refuse_unknown_scores(names)
    if report:
        _refuse_unwritable(report, overwrite=overwrite)
    from translate.evaluation import evaluate as score
    from translate.evaluation.report import report_lines, to_json

    evaluation = score(model, data, metrics=names, **options)
    for line in report_lines(evaluation):
        click.echo(line)
    for note in evaluation.notes:
        click.echo(f"note: {note}", err=True)
    for reason in evaluation.skipped:
        click.echo(f"skipped: {reason}", err=True)
    if report:
        _write(report, to_json(evaluation, model))
    if evaluation.skipped:
        count = len(evaluation.skipped)
        total = count + evaluation.images
        raise SomeFilesFailedError(f"{count} of {total} images could not be scored")


def _refuse_unwritable(path: Path, *, overwrite: bool) -> None:
    """Refuse a path that cannot or must not be written before anything is scored.

    Raises:
        UsageError: it is a file that is no report of this command, without `overwrite`.
        TranslateError: it is a folder, or its folder cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(EISDIR, strerror(EISDIR))
        is_free = overwrite or not path.exists() or _is_report(path)
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}: give another path") from None
    if not is_free:
        raise UsageError(
            f"{path} exists and is no report of an evaluation: give another --json, or --overwrite"
        )


def _is_report(path: Path) -> bool:
    """Return whether a file is empty or a report that this command wrote."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text or "{}")
    except (OSError, ValueError, RecursionError):
        return False
    return not text or (isinstance(content, dict) and {"fingerprint", "protocol", "rows"} <= content.keys())


def _write(path: Path, content: dict[str, Any]) -> None:
    from translate.storage import atomic_write

    try:
        atomic_write(path, (json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}: give another path") from None
