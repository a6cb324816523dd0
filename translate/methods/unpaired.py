"""Validation without truth: the kernel distance of translated images to the training images of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from translate.data.datasets.transforms import convert_channels
from translate.errors import DataError, TranslateError
from translate.images import Pixels, to_pixels, to_tensor
from translate.methods.references import compute_references, read_images, reference, spread
from translate.methods.task import BestScore, TaskData, ValidationResult
from translate.methods.validation import SCORED_IMAGES, Validation
from translate.metrics import psnr, shift_share
from translate.models import Model, Precision
from translate.models.feature_networks import load_feature_network
from translate.progress import message

KERNEL = "val_kernel"  # The mean over all translations; the score of one has its name behind it.
BEST_KERNEL = BestScore(KERNEL, compares_domains=True)
FULL_SHARE = 0.75  # Outputs beyond this share of the way from the inputs to the target count as translated.
MIN_SHARE = 0.05  # Smaller shares count as this one, so that a score stays finite.
NO_COPY, COPY = 15.0, 25.0  # dB; outputs of a lower PSNR to their inputs are no copies, of a higher one are.


@dataclass(frozen=True)
class Translations:
    """The translations of validation images into one domain.

    Attributes:
        name: the direction or the domain, for the log.
        target: the domain, one of `TaskData.domains`.
        inputs, outputs: images, (H, W, 3) each; an output belongs to the input at its place.
    """

    name: str
    target: str
    inputs: Sequence[Pixels]
    outputs: Sequence[Pixels]


class UnpairedValidation:
    """A validation of a method without pairs: the sample sheet and its scores, and the kernel distance.

    Args:
        sheet: renders and scores the first images of the validation set.
    """

    def __init__(self, sheet: Validation) -> None:
        self.sheet = sheet

    def __call__(
        self, model: Model, data: TaskData, precision: Precision, **networks: nn.Module
    ) -> ValidationResult:
        """Render the sample sheet, and score the translations of each direction of the model."""
        result = self.sheet(model, data, precision, **networks)
        scores, notes = score_translations(
            translate_validation(model, data, precision), model, data, precision
        )
        return ValidationResult(result.sheet, {**result.scores, **scores}, [*result.notes, *notes])


@torch.no_grad()
def translate_validation(model: Model, data: TaskData, precision: Precision) -> list[Translations]:
    """Translate the validation images, at most `SCORED_IMAGES`, by each route of a model from a domain."""
    translations = []
    for name, route in model.config.routes.items():
        assert route.source is not None
        images = data.domains[route.source].validation
        inputs = list(read_images(images, spread(images, SCORED_IMAGES)))
        generator = model.generator(name)
        outputs = []
        for image in inputs:
            x = to_tensor(convert_channels(image, model.config.in_channels)).to(precision.device)
            with precision.autocast():
                y = generator(x)
            outputs.append(to_pixels(y[0].expand(3, -1, -1)))
        translations.append(Translations(name, route.target, inputs, outputs))
    return translations


def score_translations(
    translations: Sequence[Translations], model: Model, data: TaskData, precision: Precision
) -> tuple[dict[str, float], list[str]]:
    """Score translations by the kernel distance to the training images of their targets; lower is better.

    A generator that returns its input must not win because its images are real ones. So the distance of
    copies, which look like their inputs and do not reach the target by their features (`shift_share` s below
    3/4), is divided by (4s/3)^2, and the log says so.

    Returns:
        `val_kernel`, the mean over all translations, and with several of them the score of each; empty if no
        feature network may score the model, or a set has fewer than 2 images. And lines for the log: what the
        score is, in the same words each time, and which translations are copies.
    """
    try:
        _refuse_single_images(translations)
        network = load_feature_network(model, precision.device)
        targets = dict.fromkeys(each.target for each in translations)
        for line in compute_references(list(targets), data, network):  # Mostly they are prepared already.
            if line:
                message(line)
        references = {target: reference(target, data, network) for target in targets}
        scores, notes, untranslated = {}, [], []
        for each in translations:
            targets_of, inputs = references[each.target], network(each.inputs)
            outputs = network(each.outputs)
            distance = targets_of(outputs)
            share = shift_share(inputs, outputs, targets_of.features)
            similarity = _similarity(each)
            score = scores[f"{KERNEL}_{each.name}"] = _penalize(distance, share, similarity)
            untranslated.append(f"{targets_of(inputs):.4f} ({each.name})")
            if score > 2 * distance > 0:
                notes.append(_copy_warning(each, share, similarity))
    except TranslateError as error:
        return {}, [f"{KERNEL} is not scored: {error}"]
    counts = ", ".join(f"{len(each.features)} of {name}" for name, each in references.items())
    notes.insert(0, _describe_score(network.name, counts, untranslated))
    mean = float(np.mean(list(scores.values())))
    return {KERNEL: mean, **(scores if len(scores) > 1 else {})}, notes


def _refuse_single_images(translations: Sequence[Translations]) -> None:
    """Check that each set has 2 images, because one has no variance.

    Raises:
        DataError: a set has fewer.
    """
    for each in translations:
        if len(each.inputs) < 2:
            raise DataError(
                f"{each.name} has {len(each.inputs)} validation image, and a set has 2 or more: add images"
                " for validation"
            )


def _similarity(translations: Translations) -> float:
    """Return the mean PSNR of the outputs to their inputs, in dB; that of equal images counts as 100."""
    pairs = zip(translations.inputs, translations.outputs, strict=True)
    return float(np.mean([min(100.0, psnr(a, b, data_range=255)) for a, b in pairs]))


def _penalize(distance: float, share: float, similarity: float) -> float:
    """Return a larger distance for copies; the penalty fades in from `NO_COPY` to `COPY`."""
    likeness = float(np.clip((similarity - NO_COPY) / (COPY - NO_COPY), 0, 1))
    reached = min(1.0, max(MIN_SHARE, share) / FULL_SHARE)
    return distance / reached ** (2 * likeness) if distance > 0 else distance


def _copy_warning(translations: Translations, share: float, similarity: float) -> str:
    name, target = translations.name, translations.target
    return (
        f"{name} copies its input (PSNR {similarity:.0f} dB): by its features it is {max(0, share):.0%} of"
        f" the way to {target}, and its score is raised for that; this is usual early in a run, and if it"
        " stays so, lower the weights of the losses that preserve the input"
    )


def _describe_score(network: str, counts: str, untranslated: Sequence[str]) -> str:
    return (
        f"{KERNEL} is the kernel distance by {network}'s features to the training images of the target"
        f" ({counts}): lower is better, and images that are not translated have {', '.join(untranslated)}"
    )
