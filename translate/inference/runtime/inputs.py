"""The inputs of the networks: names in exported files, example inputs and dynamic shapes for tracing."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.export import Dim

from translate.config import GenerationModelConfig, ModelConfig

MIN_SIDE = 8  # In pixels: reflection padding needs at least this much.
TEST_SIDE = 64  # In pixels, rounded up: the shorter side of the larger test images.
# The name of an exported file's output by that of its input, which is the argument of `forward` below.
OUTPUT_NAMES = {"picture": "translated", "noise": "picture"}


class NetworkInput(Protocol):
    """A description of the network input of one kind of model."""

    def wrap(self, generator: nn.Module) -> nn.Module:
        """Wrap a generator so that the argument of its `forward` has the name that exported files use."""

    def example(self) -> Tensor:
        """Return an input of two items, with which to trace a generator."""

    def dynamic_shapes(self) -> dict[int, Any]:
        """Return the dimensions of the input that may vary, in the form that `torch.export` takes."""

    def random_batches(self) -> list[Tensor]:
        """Return inputs on which to compare an exported file with torch; they are the same on each call."""

    def metadata(self, direction: str) -> dict[str, Any]:
        """Return the metadata that a program needs to prepare the input of an exported file."""


def network_input(config: ModelConfig) -> NetworkInput:
    """Return the input description of a model: noise for a model that generates, otherwise images."""
    return NoiseInput(config) if isinstance(config, GenerationModelConfig) else ImageInput(config)


class ImageInput:
    """Image inputs: (N, C, H, W) in [-1, 1], H and W multiples of the model's size multiple, at least 8."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.multiple = config, config.size_multiple

    def wrap(self, generator: nn.Module) -> nn.Module:
        return _ImageGenerator(generator)

    def example(self) -> Tensor:
        smallest = self._min_multiples()
        height, width = (smallest + 2) * self.multiple, (smallest + 3) * self.multiple
        return torch.zeros(2, self.config.in_channels, height, width)

    def dynamic_shapes(self) -> dict[int, Any]:
        rows, columns = (Dim(name, min=self._min_multiples()) for name in ("rows", "columns"))
        return {0: Dim("batch"), 2: self.multiple * rows, 3: self.multiple * columns}

    def _min_multiples(self) -> int:
        return min_side(self.multiple) // self.multiple

    def random_batches(self) -> list[Tensor]:
        """Return the smallest image, a tall one, and a batch of two wide ones."""
        smallest = min_side(self.multiple)
        side = -(-TEST_SIDE // smallest) * smallest
        shapes = (1, smallest, smallest), (1, 2 * side, side), (2, side, 2 * side)
        random = torch.Generator().manual_seed(0)
        channels = self.config.in_channels
        return [
            2 * torch.rand(n, channels, height, width, generator=random) - 1 for n, height, width in shapes
        ]

    def metadata(self, direction: str) -> dict[str, Any]:
        return {
            "direction": direction,
            "color": self.config.color,
            "size_multiple": self.multiple,
            "smallest_side": min_side(self.multiple),
        }


class NoiseInput:
    """Noise inputs: the latent vector, then class, category and codes if the model has them, (N, inputs)."""

    def __init__(self, config: GenerationModelConfig) -> None:
        self.config = config

    def wrap(self, generator: nn.Module) -> nn.Module:
        return _NoiseGenerator(generator)

    def example(self) -> Tensor:
        return torch.zeros(2, self.config.in_channels)

    def dynamic_shapes(self) -> dict[int, Any]:
        return {0: Dim("batch")}

    def random_batches(self) -> list[Tensor]:
        """Return noise for one image, and a batch of noise for four."""
        random = torch.Generator().manual_seed(0)
        return [torch.randn(count, self.config.in_channels, generator=random) for count in (1, 4)]

    def metadata(self, direction: str) -> dict[str, Any]:
        c = self.config
        columns = f"{c.latent} noise, {len(c.classes)} class, {c.categories} category, {c.codes} codes"
        return {"inputs": columns, "classes": ", ".join(c.classes)}


class _ImageGenerator(nn.Module):
    """A generator whose argument has the name that exported files use, and whose output is a new tensor."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, picture: Tensor) -> Tensor:
        """Translate images, (N, C, H, W) -> (N, C', H, W)."""
        out: Tensor = self.generator(picture)
        # An output that is the input itself, as of an identity, would lose its name in the exported file.
        return out.clone()


class _NoiseGenerator(_ImageGenerator):
    """A generator from noise whose argument has the name that exported files use."""

    def forward(self, noise: Tensor) -> Tensor:
        """Generate images from noise, (N, inputs) -> (N, C, H, W)."""
        return super().forward(noise)


def min_side(multiple: int) -> int:
    """Return the smallest image side in pixels for a model with this size multiple."""
    return -(-MIN_SIDE // multiple) * multiple
