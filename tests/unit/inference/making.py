"""Helpers for the inference tests: random images, small models, and networks with a known output."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from translate.config import GeneratorSpec, ModelConfig, MultiDomainModelConfig, Route
from translate.inference import Predictor, load_predictor
from translate.inference.runtime.graphs import Forward
from translate.models import Model
from translate.networks import Generator, create_generator
from translate.networks.generators.identity import Identity


class Negative(Identity):
    """A network that inverts an image: white becomes black."""

    def forward(self, x: Tensor) -> Tensor:
        return -x


class BatchDependent(Identity):
    """A network whose output for an image depends on the other images of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean()


class RecordingIdentity(Identity):
    """A network that returns its input, and records the batch sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.batch_sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batch_sizes.append(len(x))
        return x


class StandInGraph:
    """Stands in for a CUDA graph: runs the recorded function on one input and into one output in memory."""

    def __init__(self, forward: Forward, x: Tensor) -> None:
        self.forward, self.input, self.is_running = forward, x.clone(), False
        self.output = forward(self.input).clone()

    def __call__(self, x: Tensor) -> Tensor:
        assert not self.is_running  # Two threads would overwrite each other's input.
        self.is_running = True
        self.output.copy_(self.forward(self.input.copy_(x)))
        self.is_running = False
        return self.output.clone()


def noise(height: int = 20, width: int = 30, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Return random pixels, (H, W, C) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return an image whose statistics vary over it, (H, W, 3) uint8: a bright sky, a dark ground, grain."""
    rows, columns = np.mgrid[:height, :width]
    light = 210 - 150 * rows / height + 30 * np.sin(columns / 23)
    grain = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
    return np.clip(light[..., None] * [0.8, 0.9, 1.0] + grain, 0, 255).astype(np.uint8)


def predictor_of(
    network: Generator, *, channels: int = 3, size_multiple: int = 4, **options: Any
) -> Predictor:
    """Return a predictor for any network, in float32 on the CPU."""
    config = ModelConfig(
        generator=GeneratorSpec(name="identity"),
        in_channels=channels,
        out_channels=channels,
        size_multiple=size_multiple,
    )
    return load(Model(config, {"AtoB": network}), **options)


def random_model(
    name: str = "resnet",
    *,
    statistics: str = "picture",
    in_channels: int = 3,
    out_channels: int = 3,
    **args: Any,
) -> Model:
    """Return a small model with He-initialized weights: large enough that its output depends on its norms."""
    channels = {"in_channels": in_channels, "out_channels": out_channels}
    spec = GeneratorSpec(name=name, args={"width": 4, "depth": 3, **channels, **args})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_generator(spec)
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2)
    multiple = network.size_multiple
    config = ModelConfig(generator=spec, size_multiple=multiple, statistics=statistics, **channels)
    return Model(config, {"AtoB": network})


def multi_domain_model(*domains: str, exclusive: bool = True, **settings: Any) -> Model:
    """Return a small StarGAN generator whose translations to different targets differ clearly."""
    names = domains or ("black", "brown", "striped")
    spec = GeneratorSpec(name="stargan", args={"width": 4, "depth": 1, "domains": len(names)})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_generator(spec)
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight)
    config = MultiDomainModelConfig(
        kind="multidomain",
        method="stargan",
        domains=list(names),
        routes={name: Route(target=name, generator="G") for name in names},
        generator=spec,
        exclusive=exclusive,
        **settings,
    )
    return Model(config, {"G": network})


def load(model: Model, **options: Any) -> Predictor:
    """Return a predictor in float32 on the CPU, run by torch."""
    return load_predictor(model, **{"device": "cpu", "precision": "fp32", "engine": "torch", **options})
