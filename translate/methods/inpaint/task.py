"""The task of inpaint: a dataset of photos with holes, and validation by the distance to the photos."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from translate.config import ModelConfig, Route
from translate.data.datasets.photos import InpaintingDataset
from translate.data.datasets.samples import Sample
from translate.methods.data import photo_data
from translate.methods.inpaint.config import ATTENTION, InpaintConfig
from translate.methods.inpaint.trainer import Inpainting
from translate.methods.inpaint.two_stage import TwoStageInpainting
from translate.methods.models import common_model_fields
from translate.methods.task import Task, TaskData
from translate.methods.trainer import Trainer
from translate.methods.validation import Columns, Generators, Validation
from translate.metrics import l1, psnr
from translate.networks import Generator


def _trainer(c: InpaintConfig) -> Trainer:
    return TwoStageInpainting(c) if c.generator == ATTENTION else Inpainting(c)


def _data(c: InpaintConfig) -> TaskData:
    return photo_data(c, partial(InpaintingDataset, holes=c.holes))


def _model(c: InpaintConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]) -> ModelConfig:
    return ModelConfig(
        kind="inpainting",
        routes={"inpaint": Route(source="holes", target="photo", generator="inpaint")},
        in_channels=4,
        out_channels=3,
        **common_model_fields(c, generators, ["holes", "photo"]),
    )


def _make_columns(generators: Generators, batch: Sample) -> Columns:
    (generator,) = generators.values()
    photo, mask = batch["photo"], batch["mask"]
    masked = photo.masked_fill(mask > 0, 1.0)
    generated = generator(torch.cat([masked, mask], dim=1)).to(photo).clamp(-1, 1)
    return {"masked": masked, "inpainted": torch.where(mask > 0, generated, photo), "truth": photo}


def _score(columns: Columns) -> dict[str, float]:
    return {
        "val_l1": l1(columns["inpainted"], columns["truth"]),
        "val_psnr": psnr(columns["inpainted"], columns["truth"], data_range=2),
    }


# There is no best checkpoint, because the fillings with the lowest mean error are blurred.
TASK = Task(trainer=_trainer, data=_data, validate=Validation(_make_columns, _score), model=_model)
