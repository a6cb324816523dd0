"""Score models that generate images from noise: Frechet distance, class and diversity of their samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from translate.config import GenerationModelConfig, ModelConfig
from translate.data.discovery.labels import find_labeled
from translate.errors import DataError
from translate.evaluation.sample_scores import MAX_SAMPLES, ReportProgress, load_sample_scores, read_images
from translate.evaluation.scoring import ImageScorer, Request, Row, SuiteResult, frechet_or_none, ratio
from translate.images import Pixels
from translate.inference import Sampler, VolumeSampler, load_sampler
from translate.metrics.frechet import Features
from translate.models import Model
from translate.networks.initialization import create_untrained_generator
from translate.training.runs.checkpoint_models import load_checkpoint_models

SEED = 0  # of the samples and of the untrained weights
UNTRAINED = "untrained"


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
    for index, (_, image) in enumerate(read_images(dataset, config, MAX_SAMPLES, skipped)):
        real.append(request.scorer.features(image))
        report_progress(index / count)
    if len(real) < 2:
        raise DataError(f"{request.data} has fewer than 2 images that can be read: add more")
    sample_scores, notes = load_sample_scores(request, config, progress_of_stage(1))
    rows: list[Row] = []
    for stage, (name, sampler) in enumerate(samplers.items(), 2):
        samples, features = _sample(sampler, len(real), request.scorer, progress_of_stage(stage))
        values: dict[str, float | None] = {}
        if "frechet" in request.scores:
            values["frechet"] = frechet_or_none(features, real)
            values["untrained-share"] = ratio(values["frechet"], rows[0].values["frechet"] if rows else None)
        values |= {name: each.score(samples) for name, each in sample_scores.items()}
        rows.append(Row("", name, len(real), values))
    images = f"{len(real)} of {len(dataset.images)} images of {request.data}, resized as in training"
    protocol = {"images": f"{images}; as many samples, seed {SEED}"}
    protocol |= {name: each.protocol for name, each in sample_scores.items()}
    return SuiteResult(rows=rows, protocol=protocol, images=len(real), skipped=skipped, notes=notes)


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
