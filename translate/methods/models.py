"""Build the config of a finished model from the settings that trained it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from translate.config import (
    AdversarialConfig,
    AugmentationConfig,
    ImageTrainConfig,
    ModelConfig,
    Route,
    TrainConfig,
    TrainingScale,
    TranslationConfig,
)
from translate.config.training.augmentation import RESIZING_PREPROCESSES
from translate.config.value_range import AUTO, parse_ranges
from translate.models.feature_networks import add_backbones
from translate.networks import Generator


def translation_model(paired: bool) -> Any:
    """Return a function that builds the config of a model that translates between A and B."""

    def build(
        c: TranslationConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]
    ) -> ModelConfig:
        routes = {
            name: Route(source=name.partition("to")[0], target=name.partition("to")[2], generator=name)
            for name in generators
        }
        config = ModelConfig(
            kind="translation",
            routes=routes,
            in_channels=c.channels[0],
            out_channels=c.channels[1],
            paired=paired,
            **common_model_fields(c, generators, ["A", "B"]),
        )
        if facts.get("joined"):  # Applying the model then notices files of this shape.
            config.trained_on["joined"] = True
        return config

    return build


def data_range(c: TrainConfig, domains: Sequence[str]) -> dict[str, list[float]]:
    """Return the stored values of black and white by domain, where the files' type does not fix them."""
    ranges = (None, None) if c.range == AUTO else parse_ranges(c.range)
    return {
        domain: [value_range.low, value_range.high]
        for domain, value_range in zip(domains, ranges, strict=False)
        if value_range
    }


def common_model_fields(
    c: AugmentationConfig, generators: Mapping[str, Generator], domains: Sequence[str]
) -> dict[str, Any]:
    """Return the fields of a model's config that describe its domains, its generator and its training."""
    generator = next(iter(generators.values()))
    resize_to = c.resize_to if c.preprocess in RESIZING_PREPROCESSES else None
    backbone = c.discriminator_backbone if isinstance(c, AdversarialConfig) else None
    return {
        "domains": list(domains),
        "generator": generator.spec,
        "size_multiple": generator.size_multiple,
        "statistics": c.applied_statistics if isinstance(c, ImageTrainConfig) else "picture",
        "data_range": data_range(c, domains),
        "scale": TrainingScale(preprocess=c.preprocess, resize_to=resize_to, crop=c.image_size),
        "trained_on": add_backbones(
            {"data": c.data_source, "image_size": c.image_size}, [backbone] if backbone else []
        ),
    }
