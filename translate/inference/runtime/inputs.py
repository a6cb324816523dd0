"""What a network is given, by the kind of its model: names for exported files, and examples."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.export import Dim

from translate.config import GenerationModelConfig, ModelConfig

SMALLEST_SIDE = 8  # pixels, the least that a network's mirrored borders work with
MIN_TEST_SIDE = 64  # pixels, of all random images but the smallest
# Of an exported file, by the name of its input, which is that of the argument of `forward` below.
OUTPUT_NAMES = {"picture": "translated", "noise": "picture"}


class NetworkInput(Protocol):
    """What the networks of one kind of model are given."""

    def module(self, generator: nn.Module) -> nn.Module:
        """Wrap a generator so that its input has the name that exported files give it."""

    def example(self) -> Tensor:
        """Return an input of two items, to trace a generator with."""

    def dynamic_shapes(self) -> dict[int, Any]:
        """Return the dimensions of the input that may have any size, as `torch.export` takes them."""

    def random_batches(self) -> list[Tensor]:
        """Return inputs to compare an exported file with torch, the same each time."""

    def metadata(self, direction: str) -> dict[str, Any]:
        """Return what a program that runs an exported file must know of its input."""


def network_input(config: ModelConfig) -> NetworkInput:
    """Return what the networks of a model are given: noise to generate images, else images."""
    return NoiseInput(config) if isinstance(config, GenerationModelConfig) else ImageInput(config)


class ImageInput:
    """Images, (N, C, H, W) in [-1, 1], H and W multiples of the model's size multiple, at least 8."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.multiple = config, config.size_multiple

    def module(self, generator: nn.Module) -> nn.Module:
        return _FromImages(generator)

    def example(self) -> Tensor:
        least = self._least_multiple()
        return torch.zeros(
            2, self.config.in_channels, (least + 2) * self.multiple, (least + 3) * self.multiple
        )

    def dynamic_shapes(self) -> dict[int, Any]:
        rows, columns = (Dim(name, min=self._least_multiple()) for name in ("rows", "columns"))
        return {0: Dim("batch"), 2: self.multiple * rows, 3: self.multiple * columns}

    def _least_multiple(self) -> int:
        return smallest_side(self.multiple) // self.multiple

    def random_batches(self) -> list[Tensor]:
        """Return the smallest image, a tall one, and two wide ones as one batch."""
        least = smallest_side(self.multiple)
        side = -(-MIN_TEST_SIDE // least) * least
        shapes = (1, least, least), (1, 2 * side, side), (2, side, 2 * side)
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
            "smallest_side": smallest_side(self.multiple),
        }


class NoiseInput:
    """Noise and what is asked for besides, (N, inputs)."""

    def __init__(self, config: GenerationModelConfig) -> None:
        self.config = config

    def module(self, generator: nn.Module) -> nn.Module:
        return _FromNoise(generator)

    def example(self) -> Tensor:
        return torch.zeros(2, self.config.in_channels)

    def dynamic_shapes(self) -> dict[int, Any]:
        return {0: Dim("batch")}

    def random_batches(self) -> list[Tensor]:
        """Return noise for one image, and for four as one batch."""
        random = torch.Generator().manual_seed(0)
        return [torch.randn(count, self.config.in_channels, generator=random) for count in (1, 4)]

    def metadata(self, direction: str) -> dict[str, Any]:
        c = self.config
        parts = f"{c.latent} noise, {len(c.classes)} class, {c.categories} category, {c.codes} codes"
        return {"inputs": parts, "classes": ", ".join(c.classes)}


class _FromImages(nn.Module):
    """A generator under the names of exported files; its answer is never the input itself."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, picture: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        out: Tensor = self.generator(picture)
        return out.clone()  # exported, an input that is the output as well would lose its name


class _FromNoise(_FromImages):
    """The same for a generator from noise."""

    def forward(self, noise: Tensor) -> Tensor:
        """(N, inputs) -> (N, C, H, W)."""
        return super().forward(noise)


def smallest_side(multiple: int) -> int:
    """Return the least side, in pixels, of the images that a model with this size multiple is applied to."""
    return -(-SMALLEST_SIDE // multiple) * multiple
