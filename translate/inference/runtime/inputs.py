"""The inputs of the networks: names in exported files, example inputs and dynamic shapes for tracing."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.export import Dim

from translate.config import (
    GenerationModelConfig,
    ModelConfig,
    MultiDomainModelConfig,
    VolumeModelConfig,
)

MIN_SIDE = 8  # In pixels: reflection padding needs at least this much.
TEST_SIDE = 64  # In pixels, rounded up: the shorter side of the larger test images.
# The name of an exported file's output by that of its first input. The names of the inputs are those of the
# arguments of `forward` below.
OUTPUT_NAMES = {"picture": "translated", "noise": "picture", "latent": "volume"}


Inputs = tuple[Tensor, ...]  # The inputs of a network, of N items each.


class NetworkInput(Protocol):
    """A description of the network inputs of one kind of model."""

    def wrap(self, generator: nn.Module) -> nn.Module:
        """Wrap a generator so that the arguments of its `forward` have the names that exported files use."""

    def example(self) -> Inputs:
        """Return inputs of two items, with which to trace a generator."""

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...]:
        """Return the dimensions of each input that may vary, in the form that `torch.export` takes."""

    def random_batches(self) -> list[Inputs]:
        """Return inputs on which to compare an exported file with torch; they are the same on each call."""

    def metadata(self, direction: str) -> dict[str, Any]:
        """Return the metadata that a program needs to prepare the input of an exported file."""


def network_input(config: ModelConfig) -> NetworkInput:
    """Return the input description of a model: noise of images or volumes, images and labels, or images."""
    if isinstance(config, GenerationModelConfig):
        return NoiseInput(config)
    if isinstance(config, VolumeModelConfig):
        return LatentInput(config)
    return LabeledImageInput(config) if isinstance(config, MultiDomainModelConfig) else ImageInput(config)


class ImageInput:
    """Image inputs: (N, C, H, W) in [-1, 1], H and W multiples of the model's size multiple, at least 8."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.multiple = config, config.size_multiple

    def wrap(self, generator: nn.Module) -> nn.Module:
        return _ImageGenerator(generator)

    def example(self) -> Inputs:
        smallest = self._min_multiples()
        height, width = (smallest + 2) * self.multiple, (smallest + 3) * self.multiple
        return (torch.zeros(2, self.config.in_channels, height, width),)

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...]:
        rows, columns = (Dim(name, min=self._min_multiples()) for name in ("rows", "columns"))
        return ({0: Dim("batch"), 2: self.multiple * rows, 3: self.multiple * columns},)

    def _min_multiples(self) -> int:
        return min_side(self.multiple) // self.multiple

    def random_batches(self) -> list[Inputs]:
        """Return the smallest image, a tall one, and a batch of two wide ones."""
        smallest = min_side(self.multiple)
        side = -(-TEST_SIDE // smallest) * smallest
        shapes = (1, smallest, smallest), (1, 2 * side, side), (2, side, 2 * side)
        random = torch.Generator().manual_seed(0)
        channels = self.config.in_channels
        batches = [2 * torch.rand(n, channels, *size, generator=random) - 1 for n, *size in shapes]
        if self.config.kind == "inpainting":
            for batch in batches:
                _draw_hole(batch)
        return [(batch,) for batch in batches]

    def metadata(self, direction: str) -> dict[str, Any]:
        return {
            "direction": direction,
            "color": self.config.color,
            "size_multiple": self.multiple,
            "smallest_side": min_side(self.multiple),
        }


class LabeledImageInput(ImageInput):
    """Image inputs, and the label of each image's target, (N, domains) of 0 and 1."""

    config: MultiDomainModelConfig

    def wrap(self, generator: nn.Module) -> nn.Module:
        return _LabeledImageGenerator(generator)

    def example(self) -> Inputs:
        return *super().example(), torch.zeros(2, len(self.config.domains))

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...]:
        (image,) = super().dynamic_shapes()
        return image, {0: image[0]}

    def random_batches(self) -> list[Inputs]:
        """Return images of several sizes as for other models, and more of the smallest, for all domains."""
        batches = [images for (images,) in super().random_batches()]
        if missing := max(0, len(self.config.domains) - sum(map(len, batches))):
            batches.append(batches[0].expand(missing, -1, -1, -1))
        labels = iter(random_labels(self.config, sum(map(len, batches))))
        return [(images, torch.cat([next(labels) for _ in images])) for images in batches]

    def metadata(self, direction: str) -> dict[str, Any]:
        metadata = super().metadata(direction)
        del metadata["direction"]  # The label decides.
        c = self.config
        return {**metadata, "domains": ",".join(c.domains), "exclusive": str(c.exclusive).lower()}


def random_labels(config: MultiDomainModelConfig, count: int) -> list[Tensor]:
    """Return labels, (1, domains) each: the domains in turn, or random attributes; the same on each call."""
    domains = len(config.domains)
    if config.exclusive:
        return list(torch.eye(domains)[torch.arange(count) % domains].unsqueeze(1))
    random = torch.Generator().manual_seed(0)
    return list(torch.randint(2, (count, domains), generator=random).float().unsqueeze(1))


def _draw_hole(images: Tensor) -> None:
    """Set the last channel of (N, C, H, W) images, the mask, to a hole in a corner: 1 inside, -1 elsewhere.

    In a random mask there are holes everywhere, and nothing to fill them with.
    """
    height, width = images.shape[2:]
    images[:, -1] = -1
    images[:, -1, : height // 4, : width // 4] = 1


class NoiseInput:
    """Noise inputs: the latent vector, then class, category and codes if the model has them, (N, inputs)."""

    def __init__(self, config: GenerationModelConfig) -> None:
        self.config = config

    def wrap(self, generator: nn.Module) -> nn.Module:
        return _NoiseGenerator(generator)

    def example(self) -> Inputs:
        return (torch.zeros(2, self.config.in_channels),)

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...]:
        return ({0: Dim("batch")},)

    def random_batches(self) -> list[Inputs]:
        """Return noise for one image, and a batch of noise for four."""
        random = torch.Generator().manual_seed(0)
        return [(torch.randn(count, self.config.in_channels, generator=random),) for count in (1, 4)]

    def metadata(self, direction: str) -> dict[str, Any]:
        c = self.config
        columns = f"{c.latent} noise, {len(c.classes)} class, {c.categories} category, {c.codes} codes"
        return {"inputs": columns, "classes": ", ".join(c.classes)}


class LatentInput:
    """The noise of a model that generates volumes, (N, latent), uniform on [-1, 1]."""

    def __init__(self, config: VolumeModelConfig) -> None:
        self.size = config.latent

    def wrap(self, generator: nn.Module) -> nn.Module:
        return _VolumeGenerator(generator)

    def example(self) -> Inputs:
        return (torch.zeros(2, self.size),)

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...]:
        return ({0: Dim("batch")},)

    def random_batches(self) -> list[Inputs]:
        """Return noise for one volume, and a batch of noise for four."""
        random = torch.Generator().manual_seed(0)
        return [(2 * torch.rand(count, self.size, generator=random) - 1,) for count in (1, 4)]

    def metadata(self, direction: str) -> dict[str, Any]:
        return {"inputs": f"{self.size} noise, uniform on [-1, 1]"}


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


class _LabeledImageGenerator(nn.Module):
    """A generator of images and labels whose arguments have the names that exported files use."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, picture: Tensor, label: Tensor) -> Tensor:
        """Translate images, (N, C, H, W) -> (N, C', H, W), to the targets of (N, domains) labels."""
        out: Tensor = self.generator(picture, label)
        return out


class _NoiseGenerator(_ImageGenerator):
    """A generator from noise whose argument has the name that exported files use."""

    def forward(self, noise: Tensor) -> Tensor:
        """Generate images from noise, (N, inputs) -> (N, C, H, W)."""
        return super().forward(noise)


class _VolumeGenerator(_ImageGenerator):
    """A generator of volumes whose argument has the name that exported files use."""

    def forward(self, latent: Tensor) -> Tensor:
        """Generate volumes from noise, (N, latent) -> (N, 1, S, S, S) in [0, 1]."""
        return super().forward(latent)


def min_side(multiple: int) -> int:
    """Return the smallest image side in pixels for a model with this size multiple."""
    return -(-MIN_SIDE // multiple) * multiple
