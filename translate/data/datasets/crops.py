"""Samples that are crops of stored images, mirrored at random: what is drawn for one, or for many at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from translate.data.datasets.batched_rng import BatchedGenerator, IntArray
from translate.images import Pixels

Generator: TypeAlias = np.random.Generator | BatchedGenerator
Numbers: TypeAlias = int | np.integer[Any] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class SampleKey:
    """The key of a sample, which together with the seed determines all that is random in it."""

    epoch: int
    index: int


def sample_rng(seed: int, key: SampleKey) -> np.random.Generator:
    """Return the random generator of a sample."""
    return np.random.default_rng([seed, key.epoch, key.index])


@dataclass(frozen=True, slots=True)
class SampleKeys:
    """The keys of many samples, (N,) each."""

    epoch: IntArray
    index: IntArray


class Draw(NamedTuple):
    """A draw for one entry of a sample has numbers; one for many samples has arrays, (N,).

    Attributes:
        image: the number of the image.
        augmentation: what decides the augmentation: the seed of a pipeline, or whether to mirror the image.
    """

    image: Numbers
    augmentation: Numbers


class Crops(NamedTuple):
    """Where the crops of many images begin, in pixels, (N,), and which of them are mirrored, (N,) bool."""

    top: IntArray
    left: IntArray
    mirrored: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class StoredImages:
    """The images of one entry of the samples: how many there are, and how to read one, (H, W, C) uint8."""

    count: int
    read: Callable[[int], Pixels]


class CroppedImages:
    """A dataset whose samples may be nothing but crops of its images, mirrored at random.

    If they are, `DeviceDataset` can make them on a GPU: it compares its samples with those of the dataset.
    """

    seed: int

    def stored_images(self) -> dict[str, StoredImages]:
        """Return the images of each entry of the samples, as they are before they are cropped."""
        raise NotImplementedError

    def draw(self, rng: Generator, key: SampleKey | SampleKeys) -> dict[str, Draw]:
        """Draw the image and the augmentation of each entry of a sample, or of many samples."""
        raise NotImplementedError

    def crop(self, augmentation: NDArray[Any], height: int, width: int) -> Crops:
        """Return how images of one size are cropped, by what was drawn for them, (N,)."""
        raise NotImplementedError

    def labels(self) -> dict[str, IntArray]:
        """Return the entries of the samples that are no images, for each index."""
        return {}
