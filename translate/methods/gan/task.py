"""Images from noise: the data, samples of the same noise each time, and how diverse they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch

from translate.config import GenerationModelConfig, Route
from translate.data.datasets.in_memory import InMemoryDataset
from translate.data.datasets.samples import SampleDataset, SampleKey
from translate.data.discovery.labels import LabeledImages, find_labeled
from translate.data.discovery.split import fingerprint
from translate.errors import DataError, UsageError
from translate.images import Pixels, image_grid, to_tensor
from translate.inference.predictors.gallery import columns_for
from translate.inference.predictors.generation import Sampler
from translate.methods.gan.cgan import CGAN
from translate.methods.gan.config import CGANConfig, NoiseTrainConfig
from translate.methods.gan.infogan import InfoGAN
from translate.methods.gan.trainer import GAN
from translate.methods.gan.wgan import WGAN, WGANGP
from translate.methods.task import History, Task, TaskData, ValidationResult
from translate.methods.trainer import Trainer
from translate.metrics.diversity import Diversity
from translate.models import Model, Precision
from translate.networks import Colorizer, Generator

SHOWN = 64
SEED = 0  # of the images that are shown
ALIKE = 0.5  # of the data's diversity, under which a person is warned
FALLEN = 0.75  # of the most that it was, the same
EARLY = 500  # steps before which samples are alike because nothing is learnt yet
REMEDY = (
    "the generator repeats itself (mode collapse): wgan-gp seldom does; for a small set try --diffaugment,"
    " for dcgan a lower --lr"
)


def _data(c: NoiseTrainConfig) -> TaskData:
    return _dataset(find_labeled(c.data, with_classes=False, cache_size=c.cache_size), c)


def _data_with_classes(c: CGANConfig) -> TaskData:
    found = find_labeled(c.data, c.labels, with_classes=True, cache_size=c.cache_size)
    if c.classes not in (None, len(found.classes)):
        raise UsageError(f"classes {c.classes}, but the data has {len(found.classes)}: leave --classes out")
    return _dataset(found, c)


def _dataset(found: LabeledImages, c: NoiseTrainConfig) -> TaskData:
    images = InMemoryDataset(
        found,
        image_size=c.image_size,
        channels=c.channels,
        flip=c.flip,
        seed=c.seed,
        cache_size=c.cache_size,
    )
    if len(images) < 2:
        raise DataError(f"{c.data} holds one image, of which no others can be learnt: give 2 or more")
    classes = {"classes": len(found.classes)} if found.classes else {}
    return TaskData(
        train=images,
        validation=images,
        summary=images.found.summary,
        notes=images.found.notes,
        fingerprint=fingerprint(images.found),
        settings={"channels": images.channels, **classes},
        facts={"classes": found.classes} if found.classes else {},
    )


def _model(
    c: NoiseTrainConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]
) -> GenerationModelConfig:
    spec = next(iter(generators.values())).spec
    return GenerationModelConfig(
        kind="generation",
        generator=spec,
        domains=["image"],
        routes={"sample": Route(target="image", generator="sample")},
        in_channels=spec.args["in_channels"],
        out_channels=spec.args["out_channels"],
        statistics="running",
        image_size=c.image_size,
        latent=c.latent,
        classes=facts.get("classes", []),
        trained_on={"data": c.data_source, "image_size": c.image_size},
        **{name: getattr(c, name) for name in ("categories", "codes") if hasattr(c, name)},
    )


def validate(model: Model, data: SampleDataset, precision: Precision) -> ValidationResult:
    """Show a grid of samples, the same noise each time, and score how diverse they are beside the data."""
    sampler = Sampler(model, device=str(precision.device), precision="fp32")
    columns = columns_for(sampler.config, SHOWN)
    images = sampler(sampler.draw(SHOWN - SHOWN % columns, SEED))
    share = _diversity(images) / max(_diversity_of(data), 1e-6)
    return ValidationResult(image_grid(images, columns), {"diversity": share})


def remarks(history: History) -> list[str]:
    """Warn where samples are alike, or more alike than they were."""
    shares = [min(1.0, scores["diversity"]) for scores in history if scores["step"] >= EARLY]
    if shares and shares[-1] < ALIKE:
        return [f"the samples are alike: {shares[-1]:.0%} of the diversity of the data; {REMEDY}"]
    if shares and shares[-1] < FALLEN * max(shares):
        how = f"{shares[-1]:.0%} of the diversity of the data, after {max(shares):.0%}"
        return [f"the samples grow alike: {how}; {REMEDY}"]
    return []


def _diversity(images: list[Pixels]) -> float:
    return _measure()(torch.cat([to_tensor(image) for image in images]))


def _diversity_of(data: SampleDataset) -> float:
    """Return the diversity of as many of the data's images, evenly taken from all."""
    indices = np.linspace(0, len(data) - 1, min(SHOWN, len(data))).astype(int)
    images = [data[SampleKey(0, int(index))]["image"] for index in indices]
    return _measure()(to_tensor(torch.stack(images)))


@cache
def _measure() -> Diversity:
    colorizer = Model.from_pretrained("colorize").generator()
    assert isinstance(colorizer, Colorizer)
    return Diversity(colorizer.backbone)


def _task(trainer: Callable[[Any], Trainer], data: Callable[[Any], TaskData] = _data) -> Task:
    return Task(trainer=trainer, data=data, validate=validate, model=_model, remarks=remarks)


GAN_TASK = _task(GAN)
CGAN_TASK = _task(CGAN, _data_with_classes)
WGAN_TASK = _task(WGAN)
WGANGP_TASK = _task(WGANGP)
INFOGAN_TASK = _task(InfoGAN)
