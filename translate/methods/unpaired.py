"""Validation without truth: the kernel distance of translated images to the training images of the target."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch

from translate.data.datasets.crops import SampleKey
from translate.data.datasets.samples import SampleDataset
from translate.data.datasets.transforms import convert_channels
from translate.errors import DataError, TranslateError
from translate.images import Pixels, to_pixels, to_tensor
from translate.methods.task import BestScore, TaskData, ValidationResult
from translate.methods.validation import SCORED_IMAGES, Validation
from translate.metrics import FeatureNetwork, KernelDistance, psnr, shift_share
from translate.models import Model, Precision
from translate.models.feature_networks import load_feature_network

KERNEL = "val_kernel"  # The mean over all translations; the score of one has its name behind it.
BEST_KERNEL = BestScore(KERNEL)
MAX_REFERENCES = 20_000  # Training images of a domain to compare with; of larger ones, some spread evenly.
FULL_SHARE = 0.5  # Outputs beyond the middle between the inputs and the target count as translated.
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

    def __call__(self, model: Model, data: TaskData, precision: Precision) -> ValidationResult:
        """Render the sample sheet, and score the translations of each direction of the model."""
        result = self.sheet(model, data, precision)
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
        inputs = list(read_photos(images, SCORED_IMAGES))
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
    copies, which look like their inputs and stay nearer to them than to the target by their features
    (`shift_share` s below 1/2), is divided by (2s)^2, and the log says so.

    Returns:
        `val_kernel`, the mean over all translations, and with several of them the score of each; empty if no
        feature network may score the model. And lines for the log.
    """
    try:
        network = load_feature_network(model, precision.device)
        references, seconds = _find_references(translations, data, network)
        scores, notes, untranslated = {}, [], []
        for each in translations:
            reference, inputs = references[each.target], network(each.inputs)
            outputs = network(each.outputs)
            distance = reference(outputs)  # It refuses a single image, which has no variance.
            share = shift_share(inputs, outputs, reference.features)
            similarity = _similarity(each)
            score = scores[f"{KERNEL}_{each.name}"] = _penalize(distance, share, similarity)
            untranslated.append(f"{reference(inputs):.4f} ({each.name})")
            if score > 2 * distance > 0:
                notes.append(_copy_warning(each, share, similarity))
    except TranslateError as error:
        return {}, [f"{KERNEL} is not scored: {error}"]
    if seconds:
        counts = ", ".join(f"{len(reference.features)} of {name}" for name, reference in references.items())
        notes.insert(0, _describe_score(network.name, counts, untranslated, seconds))
    mean = float(np.mean(list(scores.values())))
    return {KERNEL: mean, **(scores if len(scores) > 1 else {})}, notes


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
        f" the way to {target}, and its score is raised for that; train longer, or lower the weights of the"
        " losses that preserve the input"
    )


def _describe_score(network: str, counts: str, untranslated: Sequence[str], seconds: float) -> str:
    return (
        f"{KERNEL} is the kernel distance by {network}'s features to the training images of the target"
        f" ({counts}; computed once, in {seconds:.0f} seconds): lower is better, and images that are not"
        f" translated have {', '.join(untranslated)}"
    )


_REFERENCES: WeakKeyDictionary[SampleDataset, dict[str, KernelDistance]] = WeakKeyDictionary()


def _find_references(
    translations: Sequence[Translations], data: TaskData, network: FeatureNetwork
) -> tuple[dict[str, KernelDistance], float]:
    """Return the training images of each target as references, and the seconds spent on those that are new.

    They are kept as long as their dataset, because the images of a domain take much longer than a validation.
    """
    start, is_new, references = time.monotonic(), False, {}
    for target in dict.fromkeys(each.target for each in translations):
        images = data.domains[target].train
        known = _REFERENCES.setdefault(images, {})
        if network.name not in known:
            known[network.name] = KernelDistance(network(read_photos(images, MAX_REFERENCES)))
            is_new = True
        references[target] = known[network.name]
    return references, time.monotonic() - start if is_new else 0.0


def read_photos(images: SampleDataset, count: int) -> Iterator[Pixels]:
    """Yield up to `count` images of a dataset of photos, spread evenly over it; leave out unreadable ones."""
    for index in np.linspace(0, len(images) - 1, min(count, len(images))).astype(int):
        with suppress(DataError):
            photo = images[SampleKey(0, int(index))]["photo"]
            yield np.ascontiguousarray(photo.permute(1, 2, 0).numpy())
