"""Fixtures for the unit tests: small models, and the settings of hypothesis."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, settings

from translate.config import GeneratorSpec, ModelConfig, Route
from translate.models import Model
from translate.networks import create_generator, initialize

# Derandomize and disable the deadline, so that tests are reproducible and do not fail on a busy machine.
settings.register_profile(
    "unit", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_memory_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the estimate of a run's memory, which takes as long as many steps of small networks.

    The tests of `estimate_memory` call it themselves, and those of the command line come to it by training.
    """
    monkeypatch.setattr("translate.training.session.estimate_memory", lambda *arguments: 0)


SPECS = {
    "resnet": GeneratorSpec(name="resnet", args={"width": 4, "depth": 1, "norm": "instance"}),
    "unet": GeneratorSpec(name="unet", args={"width": 4, "depth": 3, "norm": "batch", "dropout": True}),
}
MULTIPLES = {"resnet": 4, "unet": 8}


@pytest.fixture
def tiny_model() -> Callable[..., Model]:
    """Return a function that creates small models, with the same weights each time."""

    def make(name: str = "resnet", directions: tuple[str, ...] = ("AtoB",)) -> Model:
        torch.manual_seed(0)
        config = ModelConfig(
            method="pix2pix",
            generator=SPECS[name],
            routes={d: Route(source=d[0], target=d[-1], generator=d) for d in directions},
            size_multiple=MULTIPLES[name],
        )
        generators = {d: create_generator(SPECS[name]) for d in directions}
        for generator in generators.values():
            initialize(generator, gain=0.2)
        return Model(config, generators)

    return make
