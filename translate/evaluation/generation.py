"""Score models that generate images from noise: the Frechet distance of their samples, and their classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch

from translate.config import GenerationModelConfig, ModelConfig
from translate.data.discovery.labels import LabeledImages, find_labeled
from translate.errors import DataError, UsageError
from translate.evaluation.scoring import ImageScorer, Request, Row, SuiteResult, frechet_or_none, ratio
from translate.images import Pixels, resize_and_center_crop
from translate.inference import Sampler, VolumeSampler, load_sampler
from translate.metrics.classifier import Classifier, Labels
from translate.metrics.frechet import Features
from translate.models import Model
from translate.networks.initialization import create_untrained_generator
from translate.training.runs.checkpoint_models import load_checkpoint_models

MAX_SAMPLES = 2000  # for each row, and images of the dataset that they are compared with
MIN_LABELED, MAX_LABELED = 100, 20_000  # images to train the classifier on
SEED = 0  # of the samples and of the untrained weights
UNTRAINED = "untrained"

ReportProgress = Callable[[float], None]  # called with the fraction of a stage that is done


def load_samplers(
    model: Model, folder: Path | None, *, device: str, precision: str
) -> dict[str, Sampler | VolumeSampler]:
    """Load a sampler for each row: the untrained model, the run's checkpoints, and the model itself.

    Args:
        folder: the run that the model was read from, if any, for its checkpoints.
    """
    checkpoints = (
        {f"step {step}": stage for step, stage in load_checkpoint_models(folder).items()} if folder else {}
    )
    checkpoints.pop(f"step {model.config.trained_on.get('steps')}", None)  # This one is the model itself.
    rows = {UNTRAINED: create_untrained(model), **checkpoints, "model": model}
    return {name: load_sampler(row, device=device, precision=precision) for name, row in rows.items()}


def create_untrained(model: Model) -> Model:
    """Create a model of the same networks with initial weights, the same ones each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        generator = model.config.generator
        return Model(model.config, {name: create_untrained_generator(generator) for name in model.generators})


def is_conditional(config: ModelConfig, data: str) -> bool:
    """Return whether samples can be requested by class, or by a category that may stand for a class."""
    return isinstance(config, GenerationModelConfig) and bool(config.classes or config.categories)


def evaluate_samples(samplers: Mapping[str, Sampler], request: Request) -> SuiteResult:
    """Score as many samples of each sampler as there are images; the first sampler is the baseline.

    Raises:
        UsageError: the data is missing, or only the class is requested and no classifier can be trained.
        DataError: fewer than two images can be read.
    """
    config = next(iter(samplers.values())).config
    dataset = find_labeled(request.data, with_classes=False)
    count = min(MAX_SAMPLES, len(dataset.images))

    def progress_of_stage(
        stage: int,
    ) -> ReportProgress:  # Reading, the classifier, then a stage for each row.
        return lambda fraction: request.progress((stage + fraction) * count, (2 + len(samplers)) * count)

    skipped: list[str] = []
    report_progress = progress_of_stage(0)
    real = []
    for index, (_, image) in enumerate(_read_images(dataset, config, MAX_SAMPLES, skipped)):
        real.append(request.scorer.features(image))
        report_progress(index / count)
    if len(real) < 2:
        raise DataError(f"{request.data} has fewer than 2 images that can be read: add more")
    classifier, class_protocol, notes = _classifier(request, config, progress_of_stage(1))
    rows: list[Row] = []
    for stage, (name, sampler) in enumerate(samplers.items(), 2):
        samples, features = _sample(sampler, len(real), request.scorer, progress_of_stage(stage))
        values: dict[str, float | None] = {}
        if "frechet" in request.scores:
            values["frechet"] = frechet_or_none(features, real)
            values["untrained-share"] = ratio(values["frechet"], rows[0].values["frechet"] if rows else None)
        if classifier:
            values["class"] = class_accuracy(classifier(samples), config)
        rows.append(Row("", name, len(real), values))
    images = f"{len(real)} of {len(dataset.images)} images of {request.data}, resized as in training"
    protocol = {"images": f"{images}; as many samples, seed {SEED}", **class_protocol}
    return SuiteResult(rows=rows, protocol=protocol, images=len(real), skipped=skipped, notes=notes)


def _read_images(
    dataset: LabeledImages, config: GenerationModelConfig, max_count: int, skipped: list[str]
) -> Iterator[tuple[int, Pixels]]:
    """Read evenly spaced images of the dataset as in training; yield them with their indices.

    Args:
        skipped: the reason is appended for each image that cannot be read.
    """
    side = config.image_size
    count = min(max_count, len(dataset.images))
    for index in np.linspace(0, len(dataset.images) - 1, count).astype(int):
        try:
            image = resize_and_center_crop(
                dataset.read_image(index, side, config.value_range_of("image")), side
            )
        except DataError as error:
            skipped.append(str(error))
            continue
        if config.out_channels == 1:
            image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        yield int(index), np.asarray(image, np.uint8)


def _sample(
    sampler: Sampler, count: int, scorer: ImageScorer, report_progress: ReportProgress
) -> tuple[list[Pixels], list[Features]]:
    """Generate samples; return them and their features."""
    samples: list[Pixels] = []
    features = []
    for index, inputs in enumerate(sampler.draw(count, SEED)):
        samples += sampler(inputs[None])
        features.append(scorer.features(samples[-1]))
        report_progress(index / count)
    return samples, features


def _classifier(
    request: Request, config: GenerationModelConfig, report_progress: ReportProgress
) -> tuple[Classifier | None, dict[str, str], list[str]]:
    """Train a classifier if the class is requested; return it, its protocol, and a note if there is none.

    Raises:
        UsageError: only the class is requested and no classifier can be trained.
    """
    if "class" not in request.scores:
        return None, {}, []
    try:
        return *_train_classifier(request.data, config, report_progress), []
    except UsageError as error:
        if list(request.scores) == ["class"]:
            raise
        return None, {}, [f"the class is not scored: {error}"]


def _train_classifier(
    data: str, config: GenerationModelConfig, report_progress: ReportProgress
) -> tuple[Classifier, dict[str, str]]:
    """Train a classifier on the classes of the dataset; return it and its protocol.

    Raises:
        UsageError: the dataset has fewer than two classes, other classes than the model, or few images.
    """
    dataset = find_labeled(data, with_classes=True)
    if config.classes not in ([], dataset.classes):
        raise UsageError(f"{data} has other classes than the model: give the dataset that it was trained on")
    if len(dataset.classes) < 2 or len(dataset.images) < MIN_LABELED:
        classes = f"{len(dataset.classes)} {'class' if len(dataset.classes) == 1 else 'classes'}"
        raise UsageError(
            f"{data} has {classes} and {len(dataset.images)} images: give 2 classes or more and"
            f" {MIN_LABELED} images or more"
        )
    indices, images = zip(*_read_images(dataset, config, MAX_LABELED, []), strict=True)
    classifier = Classifier(
        images,
        [dataset.labels[index] for index in indices],
        len(dataset.classes),
        lambda done, total: report_progress(done / total),
    )
    target = "the requested class" if config.classes else "the class that best matches their category"
    protocol = (
        f"fraction of the samples that a small CNN assigns to {target}; trained on nine in ten of"
        f" {len(images)} images of the dataset, it has an accuracy of {classifier.accuracy:.0%} on the others"
    )
    return classifier, {"class": protocol}


def class_accuracy(predictions: Labels, config: GenerationModelConfig) -> float:
    """Return the fraction of samples, in the order of `Sampler.draw`, whose predicted class is right.

    For a conditional model the right class is the requested one. The categories of InfoGAN have no classes:
    each is assigned to one class, no two to the same, so that the accuracy is highest.
    """
    # Imported here because importing SciPy's optimizers takes long.
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    numbers = np.arange(len(predictions))
    if config.classes:
        return float((predictions == numbers % len(config.classes)).mean())
    counts = np.zeros((config.categories, int(predictions.max()) + 1), int)
    np.add.at(counts, (numbers % config.categories, predictions), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(predictions))
