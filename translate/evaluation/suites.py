"""Choose the suite of scores for a model and its dataset, and run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from translate.config import ModelConfig
from translate.errors import TranslateError, UsageError, nearest
from translate.evaluation.colorization import evaluate_colorization
from translate.evaluation.generation import evaluate_samples, is_conditional, load_samplers
from translate.evaluation.inpainting import evaluate_inpainting
from translate.evaluation.multidomain import evaluate_multi_domain, load_multi_domain
from translate.evaluation.photos import load_predictors
from translate.evaluation.protocols import COLUMNS, refuse_unknown_scores
from translate.evaluation.scoring import (
    SET_DISTANCES,
    Evaluation,
    ImageScorer,
    Progress,
    Request,
    SuiteResult,
)
from translate.evaluation.translation import evaluate_pairs, evaluate_unpaired, is_paired
from translate.evaluation.volumes import evaluate_volumes
from translate.metrics import MobileNetFeatures
from translate.models import Model, locate_model, pick_device, pick_precision
from translate.models.feature_networks import has_trained_with, load_efficientnet_features
from translate.progress import Advanced, Finished, Started, emit
from translate.version import __version__

JOB = "evaluating"  # The name of the job in progress events.
WITH_TRUTH = ("psnr", "ssim", "delta-e", "frechet")  # the scores where each image has its ground truth
SAMPLED = ("frechet", "diversity")  # the scores of samples from noise


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The scores for one kind of model, and the functions that compute them.

    Attributes:
        scores: the names of the scores.
        load: loads what applies the model, by name: predictors or samplers.
        run: scores what `load` returned.
        group: what the rows are grouped by; empty if they are not.
        region: the pixels that PSNR and CIEDE2000 compare, in words.
        masks: whether masks and baselines apply.
        labels: whether a table of labels applies.
        fits: whether the suite fits a model and a dataset; the first suite of a kind that fits is run.
    """

    name: str
    scores: tuple[str, ...]
    run: Callable[[Any, Request], SuiteResult]
    load: Callable[..., Any] = load_predictors
    group: str = ""
    region: str = "the image"
    masks: bool = False
    labels: bool = False
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
            scores=WITH_TRUTH,
            run=evaluate_inpainting,
            group="hole",
            region="the hole",
            masks=True,
        ),
    ),
    "translation": (
        Suite(name="paired", scores=WITH_TRUTH, run=evaluate_pairs, group="direction", fits=is_paired),
        Suite(name="unpaired", scores=("frechet", "kernel"), run=evaluate_unpaired, group="direction"),
    ),
    "multidomain": (
        Suite(
            name="multidomain",
            scores=(*WITH_TRUTH, "kernel"),
            run=evaluate_multi_domain,
            load=load_multi_domain,
            group="target",
            labels=True,
        ),
    ),
    "generation": (
        Suite(
            name="conditional",
            scores=(*SAMPLED, "class"),
            run=evaluate_samples,
            load=load_samplers,
            fits=is_conditional,
        ),
        Suite(name="unconditional", scores=SAMPLED, run=evaluate_samples, load=load_samplers),
    ),
    "volume": (
        Suite(
            name="volume",
            scores=("coverage", "nearest", "connected"),
            run=evaluate_volumes,
            load=load_samplers,
        ),
    ),
}


def find_suite(config: ModelConfig, data: str) -> Suite:
    """Return the suite for a model and a dataset.

    Raises:
        UsageError: there is no suite for this kind of model.
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
    labels: Path | str | None = None,
    baselines: bool = False,
    device: str = "auto",
    precision: str = "auto",
) -> Evaluation:
    """Score a model on a dataset by the scores that fit the kind of the model.

    Args:
        model: a run (a model from noise is then scored at its checkpoints, too), a model folder, the name of
            an installed model, or a model.
        data: a dataset or its name; its validation set is scored, or all photos of a flat folder.
        metrics: some of `psnr`, `ssim`, `delta-e`, `colorfulness`, `frechet`, `kernel`, `class`, `diversity`,
            `coverage`, `nearest` and `connected`; None computes all that fit the model.
        masks: for inpainting, a folder of masks, white in the hole; None draws random holes.
        labels: for a model of several domains, a table of labels as in training; None for sub-folders.
        baselines: for inpainting, also score methods that need no model.
        device, precision: as for `translate.load`.

    Returns:
        A row for the model and for each baseline, and the protocol of each score.

    Raises:
        TranslateError: the model, the data or a score is not available, or no image can be scored.
    """
    refuse_unknown_scores(metrics)
    folder = None if isinstance(model, Model) else locate_model(model)
    subject = model if isinstance(model, Model) else Model.from_pretrained(locate_model(model))
    suite = find_suite(subject.config, str(data))
    _check_options(suite, subject.config, metrics or (), bool(masks), baselines, bool(labels))
    scorer, scores, notes = _create_scorer(suite, metrics, subject)
    request = Request(
        data=str(data),
        scorer=scorer,
        scores=scores,
        masks=Path(masks) if masks else None,
        labels=Path(labels) if labels else None,
        baselines=baselines,
    )
    return _run(suite, subject, folder, request, _device_and_precision(device, precision), notes)


def _run(
    suite: Suite,
    model: Model,
    folder: Path | None,
    request: Request,
    settings: dict[str, str],
    notes: list[str],
) -> Evaluation:
    """Run a suite, and add to its result which model was scored and how.

    Args:
        settings: the device and the precision.
    """
    subjects = suite.load(model, folder, **settings)
    with _progress_events() as progress:
        result = suite.run(subjects, replace(request, progress=progress))
    return Evaluation(
        rows=result.rows,
        protocol=_protocol(suite, result, request.scorer.network_name),
        images=result.images,
        skipped=result.skipped,
        notes=notes + result.notes,
        kind=model.config.kind,
        suite=suite.name,
        group=suite.group,
        fingerprint=model.fingerprint(),
        version=__version__,
        **settings,
    )


@contextmanager
def _progress_events() -> Iterator[Progress]:
    """Yield a function that emits progress events, and end the job with the block."""
    has_started = False

    def report(done: float, total: int) -> None:
        nonlocal has_started
        if not has_started:
            emit(Started(JOB, total))
            has_started = True
        emit(Advanced(JOB, done))

    try:
        yield report
    finally:
        if has_started:
            emit(Finished(JOB))


def _device_and_precision(device: str, precision: str) -> dict[str, str]:
    """Resolve `auto` to the names of a device and a precision, so that the report can state both.

    Raises:
        UsageError: the machine does not have the device, or the device does not support the precision.
    """
    resolved = pick_precision(precision, pick_device(device))
    return {"device": str(resolved.device), "precision": str(resolved)}


def _check_options(
    suite: Suite, config: ModelConfig, metrics: Sequence[str], masks: bool, baselines: bool, labels: bool
) -> None:
    """Refuse options that do not apply to a model of this kind.

    Raises:
        UsageError: masks, baselines or labels do not apply, or a score is not in the suite.
    """
    if labels and not suite.labels:
        raise UsageError("--labels is for a model of several domains: leave it out for this one")
    title = config.kind if suite.name == config.kind else f"{suite.name} {config.kind}"
    if (masks or baselines) and not suite.masks:
        raise UsageError(f"--masks and --baselines are for inpainting: leave them out for a model of {title}")
    for name in metrics:
        if name not in suite.scores:
            scores = ", ".join(suite.scores)
            raise UsageError(f"a model of {title} has no score {name!r}; choose from {scores}")


def _create_scorer(
    suite: Suite, metrics: Sequence[str] | None, model: Model
) -> tuple[ImageScorer, list[str], list[str]]:
    """Create the scorer; return it, the names of its scores, and a note if its features are not as usual.

    Raises:
        TranslateError: the weights for the distances between sets are not available, and such a distance is
            requested, or the suite has no other score.
    """
    scores = [score for score in suite.scores if metrics is None or score in metrics]
    if not set(scores) & set(SET_DISTANCES):
        return ImageScorer(scores), scores, []
    if has_trained_with(model, MobileNetFeatures.name):
        network = load_efficientnet_features(torch.device("cpu"))
        note = (
            f"the discriminator was trained with {MobileNetFeatures.name}, so the distances between sets are"
            f" by the features of {network.name}: compare them only with such"
        )
        return ImageScorer(scores, network), scores, [note]
    try:
        return ImageScorer(scores, MobileNetFeatures()), scores, []
    except TranslateError as error:
        others = [score for score in scores if score not in SET_DISTANCES]
        if metrics or not others:
            raise
        omitted = " and ".join(score for score in scores if score in SET_DISTANCES)
        return ImageScorer(others), others, [f"scored without {omitted}: {error}"]


def _protocol(suite: Suite, result: SuiteResult, features: str) -> dict[str, str]:
    """Return how the images were chosen and how each score was computed."""
    scores = {
        name: COLUMNS[name].protocol.format(region=suite.region, features=features)
        for name in suite.scores
        if name in result.rows[0].values
    }
    return {
        **result.protocol,
        **{name: text for name, text in scores.items() if name not in result.protocol},
    }
