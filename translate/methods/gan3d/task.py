"""The task of 3D-GAN: its dataset, and its validation by coverage and by samples in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from translate.config import Route, VolumeModelConfig
from translate.data.discovery.split import fingerprint
from translate.data.volumes import VolumeDataset, read_volumes
from translate.errors import DataError
from translate.images import image_grid
from translate.inference.predictors.volumes.sampler import OCCUPIED, VolumeSampler
from translate.methods.gan3d.config import GAN3DConfig
from translate.methods.gan3d.trainer import GAN3D
from translate.methods.task import Task, TaskData, ValidationResult
from translate.metrics.volumes import coverage, is_connected, jaccard_distances
from translate.models import Model, Precision
from translate.networks import Generator
from translate.volumes import render

SAMPLES, COLUMNS = 32, 8  # Samples in the sheet, which are also scored.
SEED = 0  # Of the samples, so that validations of a run show the same noise.


def _data(c: GAN3DConfig) -> TaskData:
    volumes = read_volumes(c.data, c.image_size)
    if len(volumes.train) < 2:
        raise DataError(
            f"{c.data} has one training volume: a GAN needs at least 2 to learn from: add volumes"
        )
    side = c.image_size
    return TaskData(
        train=volumes.train,
        validation=volumes.validation if len(volumes.validation) else volumes.train,
        summary=f"{volumes.summary} of {side} x {side} x {side} voxels",
        notes=volumes.notes,
        hints=volumes.hints,
        fingerprint=fingerprint(volumes.files),
    )


def _model(
    c: GAN3DConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]
) -> VolumeModelConfig:
    return VolumeModelConfig(
        kind="volume",
        generator=generators["sample"].spec,
        domains=["volume"],
        routes={"sample": Route(target="volume", generator="sample")},
        in_channels=c.latent,
        out_channels=1,
        size_multiple=1,
        statistics="running",
        volume_size=c.image_size,
        latent=c.latent,
        trained_on={"data": c.data_source, "image_size": c.image_size},
    )


def validate(model: Model, data: TaskData, precision: Precision) -> ValidationResult:
    """Render a sheet of samples, and score their coverage of the validation set and their connectedness.

    The noise is the same in each validation, so that the sheets of a run can be compared.
    """
    sampler = VolumeSampler(model, device=str(precision.device), precision="fp32")
    samples = np.stack(sampler(sampler.draw(SAMPLES, SEED))) >= OCCUPIED
    assert isinstance(data.validation, VolumeDataset)
    # As many as there are samples, so that all could be covered.
    distances = jaccard_distances(samples, data.validation.spread(SAMPLES))
    scores = {"coverage": coverage(distances), "connected": float(np.mean([*map(is_connected, samples)]))}
    return ValidationResult(image_grid([render(sample) for sample in samples], COLUMNS), scores)


TASK = Task(trainer=GAN3D, data=_data, validate=validate, model=_model)
