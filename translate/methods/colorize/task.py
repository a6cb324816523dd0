"""Colorize: photos, and how near their new colours come to the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from translate.config import ColorizationModelConfig, Route
from translate.data.datasets.samples import PhotoDataset, Sample
from translate.images.color.lab import join_lab, split_lab
from translate.methods.colorize.config import ColorizeConfig
from translate.methods.colorize.trainer import Colorization
from translate.methods.data import photo_data
from translate.methods.models import common_model_fields
from translate.methods.task import Task, TaskData
from translate.methods.validation import Generators, Shown, Validation
from translate.metrics import l1, psnr
from translate.networks import Generator


def _data(c: ColorizeConfig) -> TaskData:
    return photo_data(c, PhotoDataset)


def _model(
    c: ColorizeConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]
) -> ColorizationModelConfig:
    return ColorizationModelConfig(
        kind="colorization",
        domains=["gray", "color"],
        routes={"colorize": Route(source="gray", target="color", generator="colorize")},
        in_channels=1,
        out_channels=2,
        color="Lab",
        working_size=max(256, c.image_size),
        **common_model_fields(c, generators),
    )


def _show(generators: Generators, batch: Sample) -> Shown:
    (generator,) = generators.values()
    light, _ = split_lab(batch["photo"])
    chroma = generator(light).to(light)
    colorized = join_lab(light, chroma).clamp(-1, 1)
    return {"gray": join_lab(light, 0 * chroma), "colorized": colorized, "truth": batch["photo"]}


def _score(shown: Shown) -> dict[str, float]:
    return {
        "val_l1": l1(shown["colorized"], shown["truth"]),
        "val_psnr": psnr(shown["colorized"], shown["truth"]),
    }


# What is least wrong on the mean is gray, so no score here tells the best checkpoint.
TASK = Task(trainer=Colorization, data=_data, validate=Validation(_show, _score), model=_model)
