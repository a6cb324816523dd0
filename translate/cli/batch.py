"""The run of a command that applies a model to files: jobs, progress, report and exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from translate import distributed
from translate.config import FolderOptions, PredictorOptions, setting_fields
from translate.config.schema import Config
from translate.errors import SomeFilesFailedError, TranslateError, UsageError
from translate.progress import Advanced, Finished, Started, emit
from translate.signals import exit_code

if TYPE_CHECKING:
    from translate.images import LeftOut
    from translate.inference import Outcome, Predictor

JOB = "images"
COMMANDS = {"colorization": "colorize", "inpainting": "inpaint"}  # The command for each kind of model.


def translate_images(
    model: str, inputs: tuple[Path, ...], out: Path, flags: Mapping[str, Any], *, kind: str = ""
) -> None:
    """Apply a model to files and folders, with progress, a report, and the exit code of the batch.

    Args:
        flags: the flags of the command by name; None if one was not given.
        kind: the kind of model that the command takes; empty for any kind.
    """
    from translate.inference.batch.folder import plan_folders, translate_files
    from translate.inference.batch.plan import scan_inputs

    options = FolderOptions(**_given(FolderOptions, flags))
    scan = scan_inputs(inputs, out)
    predictor = _load(model, kind, _given(PredictorOptions, flags))
    folders = plan_folders(predictor, None, inputs, scan, out, options)
    rank, world_size = distributed.rank(), distributed.world_size()
    jobs = [job for folder in folders for job in folder.jobs[rank::world_size]]
    progress = _Progress(len(jobs))
    outcomes = translate_files(folders, options, progress=progress.advance, rank_and_size=(rank, world_size))
    targets = [job.target for folder in folders for job in folder.jobs]
    _run(outcomes, progress, targets, out, None if rank else flags["report"], scan.left_out)


def _given(config_class: type[Config], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags of a config class that were given."""
    names = {field.name for field in setting_fields(config_class)}
    return {name: value for name, value in flags.items() if name in names and value is not None}


def _load(model: str, kind: str, options: dict[str, Any]) -> Predictor:
    from translate.config.targets import require_target
    from translate.inference import load_predictor
    from translate.models import Model

    loaded = Model.from_pretrained(model)
    if kind and loaded.config.kind != kind:
        raise UsageError(
            f"{model} is not a model of {COMMANDS[kind]}: leave --model out, or use translate apply {model}"
        )
    if options.get("direction") is None:
        require_target(loaded.config, options.get("to"))
    return load_predictor(loaded, **options)


def _run(
    results: Iterator[Outcome],
    progress: _Progress,
    targets: Sequence[Path],
    out: Path,
    report: Path | None,
    left_out: list[LeftOut],
) -> None:
    """Collect the outcomes; write the report however the batch ends.

    Args:
        targets: the files of all processes, in the order of the report.
    """
    outcomes: list[Outcome] = []
    if report:
        _write_report(outcomes, report)  # Find out now, not at the end, if it cannot be written.
    try:
        with progress, _all_outcomes(outcomes, targets), closing(results):  # type: ignore[type-var]
            for outcome in results:
                outcomes.append(outcome)
                progress.add(outcome)
        if not distributed.rank():
            _print_summary(outcomes, out, left_out)
    except KeyboardInterrupt as error:
        count = f"{len(outcomes)} of {progress.total} images"
        click.echo(f"stopped after {count}: give the same command again to continue", err=True)
        sys.exit(exit_code(error))
    finally:
        if report:
            _write_report(outcomes, report)


@contextmanager
def _all_outcomes(outcomes: list[Outcome], targets: Sequence[Path]) -> Iterator[None]:
    """Gather the outcomes of all processes of torchrun at the end, in the order of the targets.

    All processes have planned their jobs before any of them writes an image.
    """
    if distributed.world_size() == 1:
        yield
        return
    import torch

    from translate.training.step.distributed import ProcessGroup

    group = ProcessGroup()
    with group.connect(torch.device("cpu")):
        yield
        shares = group.all_gather(list(outcomes))
    by_target = {outcome.target: outcome for share in shares for outcome in share}
    outcomes[:] = [by_target[target] for target in targets]


class _Progress:
    """The progress of a batch, as events of the first process."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.skipped = total, 0, 0
        self.silent = distributed.rank() > 0

    def __enter__(self) -> None:
        if not self.silent:
            emit(Started(JOB, self.total))

    def __exit__(self, *_: object) -> None:
        if not self.silent:
            emit(Finished(JOB))

    def add(self, outcome: Outcome) -> None:
        """Count an image; skipped and failed ones do not count for the rate."""
        self.done += 1
        self.skipped += bool(outcome.skipped or outcome.failure)
        self.advance(0.0)

    def advance(self, fraction: float) -> None:
        """Report which fraction of a large image is done."""
        if not self.silent:
            emit(Advanced(JOB, self.done + fraction, self.skipped))


def _write_report(outcomes: list[Outcome], path: Path) -> None:
    """Write a JSON record for each file: its paths, size and time, or why it failed or was skipped."""
    from translate.storage import atomic_write

    try:
        atomic_write(path, (json.dumps([_record(o) for o in outcomes], indent=1) + "\n").encode())
    except OSError as error:
        raise TranslateError(f"cannot write the report {path}: {error.strerror}: give another path") from None


def _record(outcome: Outcome) -> dict[str, Any]:
    record: dict[str, Any] = {"in": str(outcome.source), "out": str(outcome.target)}
    if outcome.failure:
        return {**record, "out": None, "failed": outcome.failure}
    if outcome.skipped:
        return {**record, "skipped": outcome.skipped}
    record |= {"size": outcome.size, "seconds": round(outcome.seconds, 4)}
    return {**record, "note": outcome.note} if outcome.note else record


def _print_summary(outcomes: list[Outcome], out: Path, left_out: list[LeftOut]) -> None:
    from translate.images import printable_path, summarize_left_out, undecodable_images, unreadable_folders
    from translate.inference.batch.stages import DONE_BEFORE

    failures = [outcome for outcome in outcomes if outcome.failure]
    done_before = sum(outcome.skipped == DONE_BEFORE for outcome in outcomes)
    left_alone = sum(bool(outcome.skipped) for outcome in outcomes) - done_before
    count = len(outcomes) - done_before - left_alone - len(failures)
    summary = f"{count} image{'s' * (count != 1)} written to {printable_path(out)}"
    if done_before:
        summary += f", {done_before} {DONE_BEFORE} (--overwrite translates them again)"
    if left_alone:
        summary += f", {left_alone} left alone"
    click.echo(summary)
    for outcome in outcomes:
        if outcome.skipped and outcome.skipped != DONE_BEFORE:
            click.echo(f"skipped: {printable_path(outcome.target)}: {outcome.skipped}", err=True)
        if outcome.note:
            click.echo(f"note: {printable_path(outcome.source)}: {outcome.note}", err=True)
    if left_out:
        click.echo(summarize_left_out(left_out), err=True)
    undecodable = set(undecodable_images(left_out))  # The summary counts these.
    for outcome in failures:
        if outcome.source not in undecodable:
            click.echo(f"failed: {outcome.failure}", err=True)
    if failures:
        raise SomeFilesFailedError(f"{len(failures)} of {len(outcomes)} images could not be translated")
    if count := len(unreadable_folders(left_out)):
        folders = f"{count} folder{'s' * (count != 1)}"
        raise SomeFilesFailedError(f"{folders} could not be searched: allow reading what is listed above")
