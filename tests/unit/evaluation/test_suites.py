"""Which suite a model is scored by, and what is refused."""

from __future__ import annotations

import pytest

from translate.config import ColorizationModelConfig, GenerationModelConfig, ModelConfig
from translate.errors import UsageError
from translate.evaluation.suites import suite_of


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
    ],
)
def test_the_suite_follows_from_what_a_model_is(config: ModelConfig, suite: str) -> None:
    assert suite_of(config, "nowhere").name == suite


def test_the_method_that_trained_a_model_plays_no_part() -> None:
    assert suite_of(ModelConfig(method="stargan", paired=False), "nowhere").name == "unpaired"


def test_a_model_of_no_known_kind() -> None:
    with pytest.raises(UsageError, match="no scores for models of kind 'volume'"):
        suite_of(ModelConfig(kind="volume"), "nowhere")
