"""Score models that make images from noise: how alike their samples and the data are, and of which class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch

from translate.config import GenerationModelConfig, ModelConfig
from translate.data.discovery.labels import LabeledImages, find_labeled
from translate.errors import DataError, UsageError
from translate.evaluation.scoring import ImageScorer, Request, Row, SuiteResult, distance, share_of
from translate.images import Pixels, resize_and_center_crop
from translate.inference import Sampler
from translate.metrics.classifier import Classifier, Labels
from translate.metrics.frechet import Features
from translate.models import Model
from translate.networks.initialization import initial_generator
from translate.training.runs.checkpoint_models import load_checkpoint_models

MAX_SAMPLES = 2000  # of a row, and images of the data that they are compared with
MIN_LABELED, MAX_LABELED = 100, 20_000  # images that teach the classifier
SEED = 0
UNTRAINED = "untrained"

Advance = Callable[[float], None]  # is called with the share of a set of images that is done


def load_samplers(model: Model, folder: Path | None, *, device: str, precision: str) -> dict[str, Sampler]:
    """Load the samplers of a model by the names of their rows: untrained, at its run's checkpoints, as it is.

    Args:
        folder: where the model was read from, if it was: a run has checkpoints.
    """
    checkpoints = (
        {f"step {step}": stage for step, stage in load_checkpoint_models(folder).items()} if folder else {}
    )
    checkpoints.pop(f"step {model.config.trained_on.get('steps')}", None)  # it is the model itself
    rows = {UNTRAINED: untrained(model), **checkpoints, "model": model}
    return {name: Sampler(row, device=device, precision=precision) for name, row in rows.items()}


def untrained(model: Model) -> Model:
    """Return a model of the same networks with the weights from which training starts, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        generator = model.config.generator
        return Model(model.config, {name: initial_generator(generator) for name in model.generators})


def is_conditional(config: ModelConfig, data: str) -> bool:
    """Return whether samples can be asked for by class, or by a category that may stand for one."""
    return isinstance(config, GenerationModelConfig) and bool(config.classes or config.categories)


def evaluate_samples(samplers: Mapping[str, Sampler], r: Request) -> SuiteResult:
    """Score as many samples of each sampler as there are images; the first is what others are compared with.

    Raises:
        UsageError: there is no such data, or only the class is asked for, and cannot be told.
        DataError: fewer than two images of the data can be read.
    """
    config = next(iter(samplers.values())).config
    dataset = find_labeled(r.data, with_classes=False)
    count = min(MAX_SAMPLES, len(dataset.images))

    def advance_from(sets: int) -> Advance:  # the sets are the data, the classifier's, one for each row
        return lambda share: r.progress((sets + share) * count, (2 + len(samplers)) * count)

    left_out: list[str] = []
    advance = advance_from(0)
    true = []
    for index, (_, image) in enumerate(_read_images(dataset, config, MAX_SAMPLES, left_out)):
        true.append(r.scorer.features(image))
        advance(index / count)
    if len(true) < 2:
        raise DataError(f"{r.data} has fewer than 2 images that can be read: give more")
    classifier, class_protocol, notes = _classifier(r, config, advance_from(1))
    rows: list[Row] = []
    for number, (name, sampler) in enumerate(samplers.items(), 2):
        samples, features = _sample(sampler, len(true), r.scorer, advance_from(number))
        values: dict[str, float | None] = {}
        if "frechet" in r.scores:
            values["frechet"] = distance(features, true)
            first = rows[0].values["frechet"] if rows else None
            values["untrained-share"] = share_of(values["frechet"], first)
        if classifier:
            values["class"] = share_of_class(classifier(samples), config)
        rows.append(Row("", name, len(true), values))
    which = f"{len(true)} of {len(dataset.images)} images of {r.data}, as in training"
    protocol = {"images": f"{which}; as many samples of seed {SEED}", **class_protocol}
    return SuiteResult(rows=rows, protocol=protocol, images=len(true), left_out=left_out, notes=notes)


def _read_images(
    dataset: LabeledImages, config: GenerationModelConfig, most: int, left_out: list[str]
) -> Iterator[tuple[int, Pixels]]:
    """Read images of the data with their numbers, taken evenly from all, as the model was shown them.

    Args:
        left_out: takes the reason for each that cannot be read.
    """
    side = config.image_size
    for index in np.linspace(0, len(dataset.images) - 1, min(most, len(dataset.images))).astype(int):
        try:
            image = resize_and_center_crop(dataset.pixels(index, side), side)
        except DataError as error:
            left_out.append(str(error))
            continue
        if config.out_channels == 1:
            image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        yield int(index), np.asarray(image, np.uint8)


def _sample(
    sampler: Sampler, count: int, scorer: ImageScorer, advance: Advance
) -> tuple[list[Pixels], list[Features]]:
    """Make samples, and take their features."""
    samples: list[Pixels] = []
    features = []
    for index, inputs in enumerate(sampler.draw(count, SEED)):
        samples += sampler(inputs[None])
        features.append(scorer.features(samples[-1]))
        advance(index / count)
    return samples, features


def _classifier(
    r: Request, config: GenerationModelConfig, advance: Advance
) -> tuple[Classifier | None, dict[str, str], list[str]]:
    """Train a classifier if the class is asked for; return it with its protocol, and why there is none.

    Raises:
        UsageError: only the class is asked for, and cannot be told.
    """
    if "class" not in r.scores:
        return None, {}, []
    try:
        return *_train_classifier(r.data, config, advance), []
    except UsageError as error:
        if list(r.scores) == ["class"]:
            raise
        return None, {}, [f"the class is left out: {error}"]


def _train_classifier(
    data: str, config: GenerationModelConfig, advance: Advance
) -> tuple[Classifier, dict[str, str]]:
    """Train a classifier on the data's classes; return it with its protocol.

    Raises:
        UsageError: the data has no classes, or one, or others than the model, or few images.
    """
    dataset = find_labeled(data, with_classes=True)
    if config.classes not in ([], dataset.classes):
        raise UsageError(f"{data} has other classes than the model")
    if len(dataset.classes) < 2 or len(dataset.images) < MIN_LABELED:
        raise UsageError(f"{data} has {dataset.summary}: 2 classes and {MIN_LABELED} images at least")
    indices, images = zip(*_read_images(dataset, config, MAX_LABELED, []), strict=True)
    classifier = Classifier(
        images,
        [dataset.labels[index] for index in indices],
        len(dataset.classes),
        lambda done, total: advance(done / total),
    )
    wanted = "the class asked for" if config.classes else "the class that goes best with their category"
    protocol = (
        f"share of samples that are of {wanted}, to a small network taught by {len(images)} images of the"
        f" data but one in ten, of which it is right on {classifier.accuracy:.0%}"
    )
    return classifier, {"class": protocol}


def share_of_class(labels: Labels, config: GenerationModelConfig) -> float:
    """Return the share of samples, in the order of `Sampler.draw`, that were found to be of their class.

    That is the class asked for; of a model that found its categories itself, the class that stands for
    the category, each class for one category at most, in the best of all ways.
    """
    # Not above, because importing it takes long.
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    numbers = np.arange(len(labels))
    if config.classes:
        return float((labels == numbers % len(config.classes)).mean())
    counts = np.zeros((config.categories, int(labels.max()) + 1), int)
    np.add.at(counts, (numbers % config.categories, labels), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))
