"""`translate evaluate MODEL --data DIR`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EISDIR
from os import strerror
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from translate.cli.apply import HELP, PATH
from translate.errors import SomeFilesFailedError, TranslateError, UsageError, nearest
from translate.version import __version__

if TYPE_CHECKING:
    from translate.inference import Sampler
    from translate.inference.runner import Runner
    from translate.tasks.scoring import Critic, Evaluation, Row

PROTOCOLS = {  # of each score
    "psnr": "in dB, over R, G and B of {where}; mean of the pictures, each 100 at most; more is nearer",
    "ssim": "over the whole picture, Gaussian window of 11 x 11, sigma 1.5; mean of the pictures; 1 is equal",
    "delta-e": "CIEDE2000 over {where}; mean of the pictures; less is nearer",
    "colorfulness": "M3 of Hasler and Suesstrunk; mean of the pictures, and its share of the truth's mean",
    "frechet": "of MobileNetV2's features of all pictures and all true ones; not the FID; less is nearer",
    "class": "share of the samples that a small network takes for what was asked for",
}
TO_TRUTH = ("psnr", "ssim", "delta-e", "frechet")
SCORES = {
    "colorize": ("psnr", "ssim", "delta-e", "colorfulness", "frechet"),
    "inpaint": TO_TRUTH,
    "pix2pix": TO_TRUTH,
    "cyclegan": ("frechet",),
    "noise": ("frechet", "class"),
}
GROUPS = {"inpaint": "hole", "cyclegan": "direction"}  # what the rows are grouped by
WHERE = {"inpaint": "the hole"}
COLUMNS = {  # of the table: the value's name, its head, how it is written
    "psnr": ("PSNR dB", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "delta-e": ("CIEDE2000", ".2f"),
    "colorfulness": ("colorfulness", ".1f"),
    "colorfulness-share": ("of truth's", ".0%"),
    "frechet": ("Frechet", ".2f"),
    "frechet-share": ("of gray's", ".0%"),
    "untrained-share": ("of untrained's", ".0%"),
    "class": ("class", ".0%"),
}


@click.command(context_settings=HELP)
@click.argument("model")
@click.option(
    "--data", required=True, metavar="DIR", help="pictures, as for training: what is held out counts"
)
@click.option("--masks", metavar="DIR", type=PATH, help="holes for a model of inpaint [default: drawn]")
@click.option("--baselines", is_flag=True, help="for a model of inpaint: score what needs no model, too")
@click.option("--metrics", metavar="NAMES", help=f"of {','.join(PROTOCOLS)} [default: all that there are]")
@click.option("--json", "report", metavar="FILE", type=PATH, help="write the table and its protocol, too")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), default="auto")
def evaluate(
    model: str, metrics: str | None, report: Path | None, device: str, precision: str, **given: Any
) -> None:
    """Score a model on pictures, each score with its protocol.

    A model of colorize or inpaint is scored on photos, one of pix2pix on pairs, one of cyclegan on two
    kinds of pictures, in the layouts that training takes. Scored is what training holds out; of a flat
    folder of photos it is all. Samples of a model from noise are compared with the pictures that it was
    trained on, at all checkpoints that its run keeps. What cannot be scored is listed at the end, and the
    exit code is then 3.
    """
    asked = _asked(metrics)
    if report:
        _refuse_place(report)
    subject = _subject(model, device=device, precision=precision)
    done = _evaluated(subject, asked, **given)
    _tell(done, subject.kind)
    if report:
        _write(report, {"model": model, **subject.account, **_content(done, subject.kind)})
    if done.left_out:
        count = len(done.left_out)
        raise SomeFilesFailedError(f"{count} of {count + done.pictures} pictures could not be scored")


@dataclass(frozen=True)
class Subject:
    """What is scored.

    Attributes:
        kind: a key of `SCORES`.
        scores: those that there are.
        account: which model it is, and by which arithmetic it is applied.
        score: how it is scored.
    """

    kind: str
    scores: tuple[str, ...]
    account: dict[str, str]
    score: Callable[..., Evaluation]


def _subject(model: str, **options: Any) -> Subject:
    """A model, and how it is scored."""
    from translate.models import Model

    return (_sampled if Model.from_pretrained(model).config.noise else _translated)(model, **options)


def _translated(model: str, **options: Any) -> Subject:
    """A model that translates, in each of its directions."""
    from translate.api import load
    from translate.tasks.evaluation import KINDS, Request, kind_of

    first = load(model, engine="torch", **options)
    others = first.config.directions[1:]
    rest = {direction: load(model, direction=direction, engine="torch", **options) for direction in others}
    kind = kind_of(first.config)

    def score(critic: Critic, scores: Sequence[str], **given: Any) -> Evaluation:
        return KINDS[kind](Request(translators={first.direction: first, **rest}, critic=critic, **given))

    return Subject(kind, SCORES[kind], _account(first.fingerprint, first.runner), score)


def _sampled(model: str, **options: Any) -> Subject:
    """A model from noise: untrained, at the checkpoints that its run keeps, and as it is."""
    from translate.engine.stages import stages
    from translate.inference import Sampler
    from translate.models import Model
    from translate.tasks.samples import UNTRAINED, SampleRequest, from_noise, untrained

    trained = Model.from_pretrained(model)
    before = {f"step {step}": stage for step, stage in stages(Path(model)).items()}
    before.pop(f"step {trained.config.trained_on['steps']}", None)
    rows = {UNTRAINED: untrained(trained.config), **before, "model": trained}
    samplers = {name: Sampler(row, **options) for name, row in rows.items()}

    def score(masks: None, baselines: bool, **given: Any) -> Evaluation:
        return from_noise(SampleRequest(samplers=samplers, **given))

    known = trained.config.classes or trained.config.categories
    scores = SCORES["noise"] if known else ("frechet",)
    return Subject("noise", scores, _account(trained.fingerprint(), samplers["model"]), score)


def _account(fingerprint: str, runs: Runner | Sampler) -> dict[str, str]:
    """Which model was scored, and by which arithmetic."""
    arithmetic = {"device": str(runs.device), "precision": str(runs.precision)}
    return {"fingerprint": fingerprint, "version": __version__, **arithmetic}


def _evaluated(subject: Subject, asked: tuple[str, ...] | None, **given: Any) -> Evaluation:
    """The scores, with the protocol of each."""
    if subject.kind != "inpaint" and (given["masks"] or given["baselines"]):
        raise UsageError(
            f"--masks and --baselines are for inpaint: leave them out for a model of {subject.kind}"
        )
    critic, scores, notes = _critic(subject, asked)
    progress = Progress()
    try:
        done = subject.score(critic=critic, scores=scores, progress=progress, **given)
    finally:
        progress.end()
    where = WHERE.get(subject.kind, "the picture")
    for score in scores:
        if score in done.rows[0].values:
            done.protocol.setdefault(score, PROTOCOLS[score].format(where=where))
    done.notes[:0] = notes
    return done


def _asked(metrics: str | None) -> tuple[str, ...] | None:
    """The scores that were asked for by name.

    Raises:
        UsageError: one of them is not known.
    """
    if metrics is None:
        return None
    names = tuple(name.strip() for name in metrics.split(","))
    for name in names:
        if name not in PROTOCOLS:
            raise UsageError(f"no score {name!r}{nearest(name, PROTOCOLS)}")
    return names


def _refuse_place(path: Path) -> None:
    """Refuse a place that cannot be written, which else would be found out last."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(EISDIR, strerror(EISDIR))
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}: give another path") from None


def _critic(subject: Subject, asked: tuple[str, ...] | None) -> tuple[Critic, Sequence[str], list[str]]:
    """Who scores, by what, and what is to be told of it.

    Raises:
        UsageError: such a model has no score that was asked for.
        TranslateError: the Frechet distance was asked for, or is all there is, and its weights cannot be had.
    """
    from translate.metrics import PictureFeatures
    from translate.tasks.scoring import Critic

    for name in asked or ():
        if name not in subject.scores:
            known = ", ".join(subject.scores)
            raise UsageError(f"a model of {subject.kind} has no score {name!r}; there is {known}")
    scores = [score for score in subject.scores if asked is None or score in asked]
    if "frechet" not in scores:
        return Critic(scores), scores, []
    try:
        return Critic(scores, PictureFeatures()), scores, []
    except TranslateError as error:
        if asked or scores == ["frechet"]:
            raise
        scores.remove("frechet")
        return Critic(scores), scores, [f"the Frechet distance is left out: {error}"]


class Progress:
    """Pictures scored, rate and time left: on one line of a terminal, now and then in a log."""

    TERMINAL, LOG = 0.2, 30.0  # seconds between two lines

    def __init__(self) -> None:
        self.started = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def __call__(self, done: float, total: int) -> None:
        """So many pictures are done, of so many."""
        now = time.monotonic()
        if now - self.shown < (self.TERMINAL if self.terminal else self.LOG) or not done:
            return
        self.shown = now
        rate = done / (now - self.started)
        left = (total - done) / rate
        text = f"{int(done)}/{total}  {rate:.2g} pictures/s  {int(left // 60)}:{int(left % 60):02d} left"
        sys.stderr.write(f"\r\x1b[K{text}" if self.terminal else f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        if self.terminal:
            sys.stderr.write("\r\x1b[K")


def _tell(done: Evaluation, kind: str) -> None:
    """The table and its protocol; what is to be told besides goes to stderr."""
    from translate.images import picture_name

    for line in _table(done.rows, GROUPS.get(kind, "")):
        click.echo(line)
    click.echo()
    for name, protocol in done.protocol.items():
        click.echo(picture_name(f"{name}: {protocol}"))
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
    for reason in done.left_out:
        click.echo(f"left out: {reason}", err=True)


def _table(rows: Sequence[Row], group: str) -> list[str]:
    """Lines of equal columns: words to the left, numbers to the right, a dash where there is none."""
    names = [name for name in COLUMNS if name in rows[0].values]
    lines = [[group, "", "pictures", *(COLUMNS[name][0] for name in names)]]
    for row in rows:
        values = [_text(name, row.values[name]) for name in names]
        lines.append([row.group, row.name, str(row.pictures), *values])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    forms = [f"{side}{width}" for side, width in zip("<<" + ">" * (len(names) + 1), widths, strict=True)]
    first = 0 if group else 1
    return ["  ".join(map(format, line[first:], forms[first:])) for line in lines]


def _text(name: str, value: float | None) -> str:
    return "-" if value is None else format(value, COLUMNS[name][1])


def _content(done: Evaluation, kind: str) -> dict[str, Any]:
    """What came of it: as the table says, but in full digits."""
    rows: list[dict[str, Any]] = []
    for row in done.rows:
        group = {GROUPS[kind]: row.group} if kind in GROUPS else {}
        rows.append({**group, "name": row.name, "pictures": row.pictures, **row.values})
    told = {"pictures": done.pictures, "left_out": done.left_out, "notes": done.notes}
    return {"kind": kind, **told, "protocol": done.protocol, "rows": rows}


def _write(path: Path, content: dict[str, Any]) -> None:
    from translate.storage import write_whole

    try:
        write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}: give another path") from None
