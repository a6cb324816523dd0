"""The task of colorize: a dataset of photos, and validation by the distance to their true colours."""

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
from translate.methods.validation import Columns, Generators, Validation
from translate.metrics import l1, psnr
from translate.networks import Generator


def _data(c: ColorizeConfig) -> TaskData:
    return photo_data(c, PhotoDataset)


def _model(
    c: ColorizeConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]
) -> ColorizationModelConfig:
    return ColorizationModelConfig(
        kind="colorization",
        routes={"colorize": Route(source="gray", target="color", generator="colorize")},
        in_channels=1,
        out_channels=2,
        color="Lab",
        working_size=max(256, c.image_size),
        **common_model_fields(c, generators, ["gray", "color"]),
    )


def _make_columns(generators: Generators, batch: Sample) -> Columns:
    (generator,) = generators.values()
    light, _ = split_lab(batch["photo"])
    chroma = generator(light).to(light)
    colorized = join_lab(light, chroma).clamp(-1, 1)
    return {"gray": join_lab(light, 0 * chroma), "colorized": colorized, "truth": batch["photo"]}


def _score(columns: Columns) -> dict[str, float]:
    return {
        "val_l1": l1(columns["colorized"], columns["truth"]),
        "val_psnr": psnr(columns["colorized"], columns["truth"], data_range=2),
    }


# There is no best checkpoint, because the colours with the lowest mean error are grayish.
TASK = Task(trainer=Colorization, data=_data, validate=Validation(_make_columns, _score), model=_model)
