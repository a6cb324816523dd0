"""What models know of themselves, from the settings that trained them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from translate.config import ImageTrainConfig, ModelConfig, Route, TrainingScale, TranslationConfig
from translate.networks import Generator

RESIZED = ("resize_and_crop", "scale_width", "scale_width_and_crop")


def translation_model(paired: bool) -> Any:
    """Return a builder of the configs of models that translate between A and B."""

    def build(
        c: TranslationConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]
    ) -> ModelConfig:
        routes = {
            name: Route(source=name.partition("to")[0], target=name.partition("to")[2], generator=name)
            for name in generators
        }
        return ModelConfig(
            kind="translation",
            domains=["A", "B"],
            routes=routes,
            paired=paired,
            **common_model_fields(c, generators),
        )

    return build


def common_model_fields(c: ImageTrainConfig, generators: Mapping[str, Generator]) -> dict[str, Any]:
    """Return what models of all kinds know of their generator and of their training."""
    generator = next(iter(generators.values()))
    resize_to = c.resize_to if c.preprocess in RESIZED else None
    return {
        "generator": generator.spec,
        "size_multiple": generator.size_multiple,
        "statistics": c.applied_statistics,
        "scale": TrainingScale(preprocess=c.preprocess, resize_to=resize_to, crop=c.image_size),
        "trained_on": {"data": c.data_source, "image_size": c.image_size},
    }
