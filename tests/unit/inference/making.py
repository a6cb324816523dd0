"""What the tests of applying share: pictures, and networks whose answers are known or lively."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from translate.config import GeneratorSpec, ModelConfig
from translate.inference import Translator
from translate.models import Model
from translate.networks import create_generator


class Negative(nn.Module):
    """White for black."""

    def forward(self, x: Tensor) -> Tensor:
        return -x


class Company(nn.Module):
    """A network whose answer for a picture depends on those beside it."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean()


def noise(height: int = 20, width: int = 30, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 that is not alike everywhere: a bright sky, a dark ground, grain."""
    rows, columns = np.mgrid[:height, :width]
    light = 210 - 150 * rows / height + 30 * np.sin(columns / 23)
    grain = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
    return np.clip(light[..., None] * [0.8, 0.9, 1.0] + grain, 0, 255).astype(np.uint8)


def of(network: nn.Module, *, channels: int = 3, size_multiple: int = 4, **options: Any) -> Translator:
    """A translator with any network, in float32 on the CPU."""
    spec = GeneratorSpec(name="identity", in_channels=channels, out_channels=channels)
    config = ModelConfig(generator=spec, size_multiple=size_multiple)
    return applied(Model(config, {"AtoB": network}), **options)


def lively(name: str = "resnet", *, statistics: str = "picture", **spec: Any) -> Model:
    """A small generator whose weights are not tiny, so that its answer shows what its norms do."""
    made = GeneratorSpec(name=name, **{"width": 4, "depth": 3, **spec})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_generator(made)
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2)
    config = ModelConfig(generator=made, size_multiple=network.size_multiple, statistics=statistics)
    return Model(config, {"AtoB": network})


def applied(model: Model, **options: Any) -> Translator:
    """A translator in float32 on the CPU."""
    return Translator(model, **{"device": "cpu", "precision": "fp32", "engine": "torch", **options})
