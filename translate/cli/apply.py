"""`translate apply MODEL INPUT... -o OUT`."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from translate import processes
from translate.config.model import DIRECTIONS
from translate.errors import SomeFilesFailedError, TranslateError, UsageError

if TYPE_CHECKING:
    from translate.inference import Outcome


PATH = click.Path(path_type=Path)
HELP = {"help_option_names": ["-h", "--help"], "show_default": True}

Command = Callable[..., None]


def options(*given: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Decorators as one, in the order in which help lists them."""

    def decorated(command: Command) -> Command:
        for option in reversed(given):
            command = option(command)
        return command

    return decorated


INPUT_AND_OUT = options(
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=PATH),
    click.option("-o", "--out", required=True, metavar="OUT", type=PATH, help="folder to write to"),
)
SATURATION = click.option(
    "--saturation",
    type=click.FloatRange(0),
    default=1.0,
    help="factor of the chroma, for a model of colorize",
)
MASK = options(
    click.option(
        "--mask", metavar="MASK", type=PATH, help="white is filled: one for all, or a folder by stem"
    ),
    click.option("--invert", is_flag=True, help="what is white in the mask is kept, all else is filled"),
    click.option(
        "--dilate", type=click.IntRange(0, 1000), default=0, help="enlarge each hole by so many pixels"
    ),
)
FILES = options(
    click.option(
        "--format",
        type=click.Choice(["keep", "png", "jpg", "webp"]),
        default="keep",
        help="what to write; keep is each picture's own",
    ),
    click.option("--keep-metadata", is_flag=True, help="keep the place (GPS) and XMP, too"),
    click.option(
        "--max-megapixels",
        type=click.IntRange(1),
        default=250,
        help="refuse pictures with more, all frames told",
    ),
    click.option("--report", metavar="FILE.json", type=PATH, help="write what became of each file"),
    click.option("--overwrite", is_flag=True, help="translate again what OUT holds already"),
    click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps"),
    click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), default="auto"),
    click.option(
        "--workers", type=click.IntRange(0, 64), default=2, help="threads that read, and as many that write"
    ),
)


@click.command(context_settings=HELP)
@click.argument("model")
@INPUT_AND_OUT
@click.option(
    "--direction", type=click.Choice(DIRECTIONS), help="for a model that goes both ways [default: its first]"
)
@click.option(
    "--tile", default="auto", metavar="auto|off|N", help="cut large pictures into tiles of N pixels"
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "torch", "openvino", "onnxruntime"]),
    default="auto",
    help="auto is the quickest that is installed",
)
@click.option("--compile", is_flag=True, help="compile the network: for hundreds of pictures of one size")
@SATURATION
@MASK
@FILES
def apply(model: str, inputs: tuple[Path, ...], out: Path, **settings: Any) -> None:
    """Translate pictures and folders with a trained model.

    MODEL is a run, a model folder, or the name of an installed model. Each picture keeps its size,
    name, place in the tree, format, depth, transparency and colour profile. A second run goes on where
    the first one stopped. What cannot be read is listed at the end, and the exit code is then 3.
    """
    translate_pictures(model, inputs, out, **settings)


def translate_pictures(
    model: str,
    inputs: tuple[Path, ...],
    out: Path,
    *,
    task: str | None = None,
    report: Path | None,
    max_megapixels: int,
    mask: Path | None = None,
    invert: bool = False,
    dilate: int = 0,
    **options: Any,
) -> None:
    """What all commands do that turn pictures into pictures."""
    from translate.api import load
    from translate.inference.plan import plan

    jobs = plan(inputs, out, format=options["format"])
    names = ("direction", "device", "precision", "engine", "tile", "compile", "saturation")
    translator = load(model, **{name: options.pop(name) for name in names if name in options})
    fits = {"colorize": translator.config.color == "Lab", "inpaint": translator.config.mask}
    if task and not fits[task]:
        raise UsageError(f"{model} is no model of {task}: leave --model out, or use translate apply {model}")
    from translate.inference.folder import Settings, translate_files
    from translate.inference.masks import Masks

    share = processes.rank(), processes.count()
    masks = Masks(mask, invert, dilate)
    settings = Settings(**options, max_pixels=max_megapixels * 1_000_000, masks=masks, share=share)
    report = None if processes.rank() else report
    outcomes: list[Outcome] = []
    if report:
        _write_report(outcomes, report)  # or a place that cannot be written would be found out last
    coming = translate_files(translator, jobs, out, settings)
    progress = Progress(len(jobs[share[0] :: share[1]]))
    translator.progress = progress.part
    try:
        with _together(outcomes):
            for outcome in coming:
                outcomes.append(outcome)
                progress.show(outcome)
            progress.end()
        if not processes.rank():
            _tell(outcomes, out)
    except KeyboardInterrupt:
        progress.end()
        click.echo(
            f"stopped: {len(outcomes)} of {progress.total} are done; the same command goes on", err=True
        )
        sys.exit(130)
    finally:
        if report:
            _write_report(outcomes, report)


@contextmanager
def _together(outcomes: list[Outcome]) -> Iterator[None]:
    """Around the work of one process of several: all have planned before any writes, and at the end
    the outcomes of all are put among its own, in the order of the pictures.
    """
    if processes.count() == 1:
        yield
        return
    import torch

    from translate.engine.group import Group

    group = Group()
    with group.joined(torch.device("cpu")):
        yield
        parts = group.gather(list(outcomes))
    outcomes[:] = [part[row] for row in range(len(parts[0])) for part in parts if row < len(part)]


class Progress:
    """Pictures done, rate and time left: on one line of a terminal, now and then in a log."""

    TERMINAL, LOG = 0.2, 30.0  # seconds between two lines

    def __init__(self, total: int) -> None:
        self.total, self.done, self.translated = total, 0, 0
        self.started = self.shown = time.monotonic()
        self.interval = self.TERMINAL if sys.stderr.isatty() else self.LOG
        self.quiet = processes.rank() > 0

    def show(self, outcome: Outcome) -> None:
        """One more picture is done."""
        self.done += 1
        self.translated += not (outcome.skipped or outcome.failure)
        self._show(0.0)

    def part(self, share: float) -> None:
        """So much of a large picture is done."""
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
        text = f"{self.done}/{self.total}{more}  {rate:.2g} pictures/s  {clock}"
        sys.stderr.write(f"\r{text} " if sys.stderr.isatty() else f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _write_report(outcomes: list[Outcome], path: Path) -> None:
    """One record a file: `in`, `out`, and `size` and `seconds`, or `failed`, or `skipped`, and why."""
    from translate.storage import write_whole

    try:
        write_whole(path, (json.dumps([_record(o) for o in outcomes], indent=1) + "\n").encode())
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


def _tell(outcomes: list[Outcome], out: Path) -> None:
    from translate.images import picture_name
    from translate.inference.folder import DONE_BEFORE

    failed = [outcome for outcome in outcomes if outcome.failure]
    skipped = Counter(outcome.skipped for outcome in outcomes if outcome.skipped)
    written = len(outcomes) - skipped.total() - len(failed)
    left = "".join(f", {count} {reason}" for reason, count in skipped.items())
    hint = " (--overwrite translates them again)" if skipped else ""
    pictures = "1 picture" if written == 1 else f"{written} pictures"
    click.echo(f"{pictures} in {picture_name(out)}{left}{hint}")
    for outcome in outcomes:
        if outcome.skipped and outcome.skipped != DONE_BEFORE:
            click.echo(f"left alone: {picture_name(outcome.target)}: {outcome.skipped}", err=True)
        if outcome.note:
            click.echo(f"note: {picture_name(outcome.source)}: {outcome.note}", err=True)
    for outcome in failed:
        click.echo(f"failed: {outcome.failure}", err=True)
    if failed:
        raise SomeFilesFailedError(f"{len(failed)} of {len(outcomes)} pictures could not be translated")
