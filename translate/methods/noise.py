"""The task of every method from noise: the dataset, a grid of samples, and a warning of mode collapse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.config import ClassConditionalConfig, GenerationModelConfig, NoiseTrainConfig, Route
from translate.config.value_range import AUTO, parse_ranges
from translate.data.datasets.crops import SampleKey
from translate.data.datasets.in_memory import InMemoryDataset
from translate.data.datasets.samples import SampleDataset
from translate.data.discovery.labels import LabeledImages, find_labeled
from translate.data.discovery.location import left_out_notes
from translate.data.discovery.split import fingerprint
from translate.data.discovery.values import BLANK_CHECKS, find_value_ranges, refuse_blank
from translate.errors import DataError, UsageError
from translate.images import image_grid, to_tensor
from translate.inference.predictors.gallery import grid_columns
from translate.inference.predictors.generation import Sampler
from translate.methods.models import data_range
from translate.methods.task import History, Task, TaskData, ValidationResult
from translate.methods.trainer import Trainer
from translate.models import Model, Precision
from translate.models.feature_networks import load_diversity
from translate.networks import Generator, StyleGAN2Generator

SAMPLES = 64  # Samples in the grid, and images whose diversity is measured.
SEED = 0  # The seed of the samples, so that validations of a run show the same noise.
MIN_DIVERSITY = 0.5  # Warn of mode collapse below this share of the dataset's diversity.
MIN_SHARE_OF_MAX = 0.75  # Warn below this share of the highest diversity so far.
SIZE_CHECKS = 100  # Images whose size is compared with `image_size`.
ENLARGED = 0.75  # Say so of images whose shorter side is below this share of `image_size`.
WARMUP_STEPS = 500  # Do not warn before: samples are alike while the generator has learned nothing.
REMEDY = "try wgan-gp, --diffaugment (small datasets) or a lower --lr (dcgan)"


def noise_task(trainer: Callable[[Any], Trainer]) -> Task:
    """Return the task of a method that generates images from noise, and from a class if it is given one."""
    return Task(
        trainer=trainer, data=noise_data, validate=validate, model=_model, warnings=mode_collapse_warnings
    )


def noise_data(c: NoiseTrainConfig) -> TaskData:
    """Find a dataset of images; its samples are `image`, and `label` for a method with classes."""
    if not isinstance(c, ClassConditionalConfig):
        return _dataset(find_labeled(c.data, with_classes=False, cache_size=c.cache_size), c)
    images = find_labeled(c.data, c.labels, with_classes=True, cache_size=c.cache_size)
    if c.classes not in (None, len(images.classes)):
        raise UsageError(
            f"{c.data_source} has {len(images.classes)} classes, and the setting classes is {c.classes}: give"
            f" data of {c.classes}, or train a new run without this setting"
        )
    if len(images.classes) == 1:
        raise UsageError(
            f"{c.data_source} has one class, {images.classes[0]!r}, and training by class needs at least 2:"
            " put the images of each class into a sub-folder, or use a recipe without classes, such as dcgan"
        )
    return _dataset(images, c)


def _dataset(images: LabeledImages, c: NoiseTrainConfig) -> TaskData:
    values = find_value_ranges(c.range, images.files())
    value_range, _ = parse_ranges(values.text)
    dataset = InMemoryDataset(
        images,
        image_size=c.image_size,
        channels=c.channels,
        flip=c.flip,
        seed=c.seed,
        cache_size=c.cache_size,
        value_range=value_range,
    )
    if c.range == AUTO:
        numbers = np.linspace(0, len(dataset) - 1, min(BLANK_CHECKS, len(dataset))).astype(int)
        refuse_blank(dataset.image(int(number)) for number in numbers)
    if len(dataset) < 2:
        raise DataError(f"{c.data} has one image: a GAN needs at least 2 to learn from: add images")
    classes = {"classes": len(images.classes)} if images.classes else {}
    return TaskData(
        train=dataset,
        validation=dataset,
        summary=dataset.labeled_images.summary,
        notes=[
            *dataset.labeled_images.messages,
            *left_out_notes(c.data),
            *values.notes,
            *_small_image_notes(dataset.labeled_images, c.image_size),
        ],
        fingerprint=fingerprint(dataset.labeled_images),
        settings={"channels": dataset.channels, "range": values.text, **classes},
        facts={"classes": images.classes} if images.classes else {},
    )


def _small_image_notes(images: LabeledImages, size: int) -> list[str]:
    """Return a note if images, of some that are looked at, are much smaller than the image size."""
    count = min(SIZE_CHECKS, len(images.images))
    some = np.linspace(0, len(images.images) - 1, count).astype(int)
    shapes = [images.read_image(int(number), min_size=size).shape[:2] for number in some]
    if not (small := sum(min(shape) < ENLARGED * size for shape in shapes)):
        return []
    height, width = min(shapes, key=min)
    return [
        f"{small} of {count} images that were looked at are much smaller than image_size {size}, such as"
        f" {width} x {height}, and are enlarged, which adds no detail: use a smaller --image-size, or larger"
        " images"
    ]


def _model(
    c: NoiseTrainConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]
) -> GenerationModelConfig:
    generator = next(iter(generators.values()))
    spec = generator.spec
    return GenerationModelConfig(
        kind="generation",
        generator=spec,
        domains=["image"],
        data_range=data_range(c, ["image"]),
        routes={"sample": Route(target="image", generator="sample")},
        in_channels=spec.args["in_channels"],
        out_channels=spec.args["out_channels"],
        statistics="running",
        image_size=c.image_size,
        latent=c.latent,
        classes=facts.get("classes", []),
        trained_on={"data": c.data_source, "image_size": c.image_size},
        styles=generator.layers if isinstance(generator, StyleGAN2Generator) else 0,
        **{name: getattr(c, name) for name in ("categories", "codes") if hasattr(c, name)},
    )


def validate(model: Model, data: TaskData, precision: Precision) -> ValidationResult:
    """Render a grid of samples, and score their diversity as a share of the dataset's.

    The noise is the same in each validation, so that the grids of a run can be compared.
    """
    sampler = Sampler(model, device=str(precision.device), precision="fp32")
    columns = grid_columns(sampler.config, SAMPLES)
    images = sampler(sampler.draw(SAMPLES - SAMPLES % columns, SEED))
    samples, dataset = torch.cat([to_tensor(image) for image in images]), _dataset_images(data.validation)
    # A model that still grows has enlarged its samples from the size of the dataset at this point of the run.
    samples = F.adaptive_avg_pool2d(samples, dataset.shape[-1])
    diversity = load_diversity()(samples) / max(load_diversity()(dataset), 1e-6)
    sheet = image_grid(images, columns)[..., : sampler.config.out_channels]
    return ValidationResult(sheet, {"diversity": diversity})


def mode_collapse_warnings(history: History) -> list[str]:
    """Return a warning of mode collapse if the samples have little diversity, or less than before."""
    shares = [min(1.0, scores["diversity"]) for scores in history if scores["step"] >= WARMUP_STEPS]
    if shares and shares[-1] < MIN_DIVERSITY:
        return [f"mode collapse: the samples have {shares[-1]:.0%} of the dataset's diversity: {REMEDY}"]
    if shares and shares[-1] < MIN_SHARE_OF_MAX * max(shares):
        diversity = f"{shares[-1]:.0%} of the dataset's, after {max(shares):.0%}"
        return [f"mode collapse may begin: the diversity of the samples fell to {diversity}: {REMEDY}"]
    return []


def _dataset_images(data: SampleDataset) -> Tensor:
    """Return images that are spread evenly over the dataset, (N, C, S, S) in [-1, 1]."""
    indices = np.linspace(0, len(data) - 1, min(SAMPLES, len(data))).astype(int)
    images = [data[SampleKey(0, int(index))]["image"] for index in indices]
    return to_tensor(torch.stack(images))
