"""Inpaint: photos with holes, and how near their filling comes to what was there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from translate.config import ModelConfig, Route
from translate.data.datasets.samples import InpaintingDataset, Sample
from translate.methods.data import photo_data
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.inpaint.trainer import Inpainting
from translate.methods.models import common_model_fields
from translate.methods.task import Task, TaskData
from translate.methods.validation import Generators, Shown, Validation
from translate.metrics import l1, psnr
from translate.networks import Generator


def _data(c: InpaintConfig) -> TaskData:
    return photo_data(c, partial(InpaintingDataset, holes=c.holes))


def _model(c: InpaintConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]) -> ModelConfig:
    return ModelConfig(
        kind="inpainting",
        domains=["holes", "photo"],
        routes={"inpaint": Route(source="holes", target="photo", generator="inpaint")},
        in_channels=4,
        out_channels=3,
        **common_model_fields(c, generators),
    )


def _show(generators: Generators, batch: Sample) -> Shown:
    (generator,) = generators.values()
    photo, mask = batch["photo"], batch["mask"]
    known = photo.masked_fill(mask > 0, 1.0)
    generated = generator(torch.cat([known, mask], dim=1)).to(photo).clamp(-1, 1)
    return {"holed": known, "inpainted": torch.where(mask > 0, generated, photo), "truth": photo}


def _score(shown: Shown) -> dict[str, float]:
    return {
        "val_l1": l1(shown["inpainted"], shown["truth"]),
        "val_psnr": psnr(shown["inpainted"], shown["truth"]),
    }


# What is least wrong on the mean is blurred, so no score here tells the best checkpoint.
TASK = Task(trainer=Inpainting, data=_data, validate=Validation(_show, _score), model=_model)
