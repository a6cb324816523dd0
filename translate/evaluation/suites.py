"""Choose the suite that fits a model and its data, and run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translate.config import ModelConfig
from translate.errors import TranslateError, UsageError, nearest
from translate.evaluation.colorization import evaluate_colorization
from translate.evaluation.generation import evaluate_samples, is_conditional, load_samplers
from translate.evaluation.inpainting import evaluate_inpainting
from translate.evaluation.photos import load_predictors
from translate.evaluation.protocols import COLUMNS, refuse_unknown_scores
from translate.evaluation.scoring import Evaluation, ImageScorer, Progress, Request, SuiteResult
from translate.evaluation.translation import evaluate_pairs, evaluate_unpaired, fits_pairs
from translate.metrics import ImageFeatures
from translate.models import Model, pick_device, pick_precision
from translate.version import __version__

TO_TRUTH = ("psnr", "ssim", "delta-e", "frechet")  # scores by a truth


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Scores models of one kind.

    Attributes:
        scores: the names of the scores that there are.
        load: loads what applies the model, by name: predictors or samplers.
        run: scores the model by what `load` gave.
        group: what the rows are grouped by; empty where they have no groups.
        where: the pixels that PSNR and CIEDE2000 look at, in words.
        masks: whether masks and baselines have a meaning.
        fits: whether a model and its data can be scored so; the first suite of a kind that fits is run.
    """

    name: str
    scores: tuple[str, ...]
    run: Callable[[Any, Request], SuiteResult]
    load: Callable[..., Any] = load_predictors
    group: str = ""
    where: str = "the image"
    masks: bool = False
    fits: Callable[[ModelConfig, str], bool] = lambda config, data: True


SUITES: dict[str, tuple[Suite, ...]] = {  # by the kind of the model
    "colorization": (
        Suite(
            name="colorization",
            scores=("psnr", "ssim", "delta-e", "colorfulness", "frechet"),
            run=evaluate_colorization,
        ),
    ),
    "inpainting": (
        Suite(
            name="inpainting",
            scores=TO_TRUTH,
            run=evaluate_inpainting,
            group="hole",
            where="the hole",
            masks=True,
        ),
    ),
    "translation": (
        Suite(name="paired", scores=TO_TRUTH, run=evaluate_pairs, group="direction", fits=fits_pairs),
        Suite(name="unpaired", scores=("frechet",), run=evaluate_unpaired, group="direction"),
    ),
    "generation": (
        Suite(
            name="conditional",
            scores=("frechet", "class"),
            run=evaluate_samples,
            load=load_samplers,
            fits=is_conditional,
        ),
        Suite(name="unconditional", scores=("frechet",), run=evaluate_samples, load=load_samplers),
    ),
}


def suite_of(config: ModelConfig, data: str) -> Suite:
    """Return the suite that a model is scored by on a data set.

    Raises:
        UsageError: there is none for models of this kind.
    """
    if config.kind not in SUITES:
        raise UsageError(f"no scores for models of kind {config.kind!r}{nearest(config.kind, SUITES)}")
    return next(suite for suite in SUITES[config.kind] if suite.fits(config, data))


def evaluate(
    model: Path | str | Model,
    data: Path | str,
    *,
    metrics: Sequence[str] | None = None,
    masks: Path | str | None = None,
    baselines: bool = False,
    device: str = "auto",
    precision: str = "auto",
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """Score a model on a data set; what is scored, and by what, follows from the kind of the model.

    Args:
        model: a run (from noise: with its checkpoints), a folder, an installed model's name, or a model.
        data: a data set, or its name: its validation images are scored; of a flat folder of photos, all.
        metrics: of `psnr`, `ssim`, `delta-e`, `colorfulness`, `frechet`, `class`; None is all of the model's.
        masks: for inpainting: a folder of masks, white in the hole; None draws holes.
        baselines: for inpainting: score what needs no model, too.
        device, precision: as for `translate.load`.
        progress: is called with how many images are done, and how many there are.

    Returns:
        A row for the model, beside rows for what it is compared with, and the protocol of each score.

    Raises:
        TranslateError: the model, the data or a score cannot be had, or no image can be scored.
    """
    refuse_unknown_scores(metrics)
    folder = None if isinstance(model, Model) else Path(model)
    subject = model if isinstance(model, Model) else Model.from_pretrained(model)
    suite = suite_of(subject.config, str(data))
    _refuse_misfit(suite, subject.config, metrics or (), masks=bool(masks), baselines=baselines)
    scorer, scores, notes = _create_scorer(suite, metrics)
    request = Request(
        data=str(data),
        scorer=scorer,
        scores=scores,
        masks=Path(masks) if masks else None,
        baselines=baselines,
        progress=progress,
    )
    return _run(suite, subject, folder, request, _arithmetic(device, precision), notes)


def _run(
    suite: Suite,
    model: Model,
    folder: Path | None,
    request: Request,
    arithmetic: dict[str, str],
    notes: list[str],
) -> Evaluation:
    """Run a suite, and add to its result which model was scored, and how."""
    result = suite.run(suite.load(model, folder, **arithmetic), request)
    return Evaluation(
        rows=result.rows,
        protocol=_protocol(suite, result),
        images=result.images,
        left_out=result.left_out,
        notes=notes + result.notes,
        kind=model.config.kind,
        suite=suite.name,
        group=suite.group,
        fingerprint=model.fingerprint(),
        version=__version__,
        **arithmetic,
    )


def _arithmetic(device: str, precision: str) -> dict[str, str]:
    """Return the names of the device and precision that `auto` stands for, so that both can be reported.

    Raises:
        UsageError: the machine has no such device, or the device no such precision.
    """
    chosen = pick_precision(precision, pick_device(device))
    return {"device": str(chosen.device), "precision": str(chosen)}


def _refuse_misfit(
    suite: Suite, config: ModelConfig, metrics: Sequence[str], *, masks: bool, baselines: bool
) -> None:
    """Refuse what has no meaning for a model of this kind.

    Raises:
        UsageError: a score, masks or baselines.
    """
    title = config.kind if suite.name == config.kind else f"{suite.name} {config.kind}"
    if (masks or baselines) and not suite.masks:
        raise UsageError(f"--masks and --baselines are for inpainting: leave them out for a model of {title}")
    for name in metrics:
        if name not in suite.scores:
            known = ", ".join(suite.scores)
            raise UsageError(f"a model of {title} has no score {name!r}; there is {known}")


def _create_scorer(suite: Suite, metrics: Sequence[str] | None) -> tuple[ImageScorer, list[str], list[str]]:
    """Create the scorer; return it with the names of its scores, and notes on what is left out.

    Raises:
        TranslateError: the Frechet distance was asked for, or is all there is, and its weights cannot be had.
    """
    scores = [score for score in suite.scores if metrics is None or score in metrics]
    if "frechet" not in scores:
        return ImageScorer(scores), scores, []
    try:
        return ImageScorer(scores, ImageFeatures()), scores, []
    except TranslateError as error:
        if metrics or scores == ["frechet"]:
            raise
        scores.remove("frechet")
        return ImageScorer(scores), scores, [f"the Frechet distance is left out: {error}"]


def _protocol(suite: Suite, result: SuiteResult) -> dict[str, str]:
    """Return how the images were chosen, and how each score was taken."""
    general = {
        name: COLUMNS[name].protocol.format(where=suite.where)
        for name in suite.scores
        if name in result.rows[0].values
    }
    return {
        **result.protocol,
        **{name: text for name, text in general.items() if name not in result.protocol},
    }
