"""The suite is chosen by the kind of the model."""

from __future__ import annotations

import pytest

from translate.config import (
    ColorizationModelConfig,
    GenerationModelConfig,
    ModelConfig,
    VolumeModelConfig,
)
from translate.errors import UsageError
from translate.evaluation.suites import find_suite


@pytest.mark.parametrize(
    ("config", "suite"),
    [
        (ColorizationModelConfig(kind="colorization"), "colorization"),
        (ModelConfig(kind="inpainting"), "inpainting"),
        (ModelConfig(paired=True), "paired"),
        (ModelConfig(paired=False), "unpaired"),
        (GenerationModelConfig(kind="generation"), "unconditional"),
        (GenerationModelConfig(kind="generation", classes=["cat", "dog"]), "conditional"),
        (GenerationModelConfig(kind="generation", categories=2), "conditional"),
        (VolumeModelConfig(kind="volume"), "volume"),
    ],
)
def test_the_suite_follows_from_the_kind_of_the_model(config: ModelConfig, suite: str) -> None:
    assert find_suite(config, "nowhere").name == suite


def test_the_suite_does_not_depend_on_the_method() -> None:
    assert find_suite(ModelConfig(method="stargan", paired=False), "nowhere").name == "unpaired"


def test_an_unknown_kind_of_model_is_refused() -> None:
    with pytest.raises(UsageError, match="'magic'"):
        find_suite(ModelConfig(kind="magic"), "nowhere")
