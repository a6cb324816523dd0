"""What the unit tests share: small models, and the profile of hypothesis."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, settings

from translate.config import GeneratorSpec, ModelConfig
from translate.models import Model
from translate.networks import create_generator, initialize

# Repeatable and without a clock, so that a busy machine fails no test.
settings.register_profile(
    "unit", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")

SPECS = {
    "resnet": GeneratorSpec(name="resnet", width=4, depth=1, norm="instance"),
    "unet": GeneratorSpec(name="unet", width=4, depth=3, norm="batch", dropout=True),
}
MULTIPLES = {"resnet": 4, "unet": 8}


@pytest.fixture
def tiny_model() -> Callable[..., Model]:
    """A factory of small models, by architecture and directions; the same weights each time."""

    def make(name: str = "resnet", directions: tuple[str, ...] = ("AtoB",)) -> Model:
        torch.manual_seed(0)
        config = ModelConfig(
            recipe="pix2pix",
            generator=SPECS[name],
            directions=list(directions),
            size_multiple=MULTIPLES[name],
        )
        return Model(config, {d: initialize(create_generator(SPECS[name]), gain=0.2) for d in directions})

    return make
