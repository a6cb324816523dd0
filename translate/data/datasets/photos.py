"""Datasets of photos and what belongs to each: a mask of its holes, or its label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch

from translate.config import AugmentationConfig, ImageTrainConfig
from translate.config.value_range import ValueRange
from translate.data.datasets.batched_rng import IntArray
from translate.data.datasets.cache import DecodedCache
from translate.data.datasets.crops import SampleKey
from translate.data.datasets.masks import draw_half_box, draw_mask
from translate.data.datasets.reader import NO_RANGES
from translate.data.datasets.samples import PhotoDataset, Sample
from translate.data.discovery.labels.domains import Label
from translate.data.discovery.location import ImageSource

MASK_STREAM = 1  # Separates the random numbers of masks from those of augmentation.


class InpaintingDataset(PhotoDataset):
    """A dataset of photos, `photo`, (3, H, W) uint8, and masks, `mask`, (1, H, W) uint8, 255 in the hole.

    Args:
        holes: the shape of the holes: `strokes`, `boxes`, `blobs`, `outlines`, `all` for a mixture of these,
            or `half-box` (`draw_half_box`).
    """

    def __init__(
        self,
        files: Sequence[ImageSource],
        c: ImageTrainConfig,
        *,
        training: bool,
        holes: str = "all",
        ranges: Mapping[ImageSource, ValueRange] = NO_RANGES,
        cache: DecodedCache[ImageSource] | None = None,
    ) -> None:
        super().__init__(files, c, training=training, ranges=ranges, cache=cache)
        self.faster_without_workers = False  # Drawing a mask takes 2 ms.
        kinds = () if holes == "all" else (holes,)
        self.draw_mask = draw_half_box if holes == "half-box" else partial(draw_mask, kinds=kinds)

    def sample(self, key: SampleKey) -> Sample:
        sample = super().sample(key)
        height, width = sample["photo"].shape[1:]
        rng = np.random.default_rng([self.seed, key.epoch if self.training else 0, key.index, MASK_STREAM])
        mask = self.draw_mask(rng, height, width)
        return {**sample, "mask": torch.from_numpy(mask)[None]}


class MultiDomainDataset(PhotoDataset):
    """A dataset of photos, `photo`, (C, H, W) uint8, and labels, `label`, (domains,) int64, 0 or 1.

    Args:
        labels: the label of each file.
        channels: 1 for gray images, 3 for colour.
        training, ranges, cache: as for `AugmentedDataset`.
    """

    def __init__(
        self,
        files: Sequence[ImageSource],
        labels: Mapping[ImageSource, Label],
        c: AugmentationConfig,
        *,
        channels: int = 3,
        training: bool,
        ranges: Mapping[ImageSource, ValueRange] = NO_RANGES,
        cache: DecodedCache[ImageSource] | None = None,
    ) -> None:
        super().__init__(files, c, channels=channels, training=training, ranges=ranges, cache=cache)
        self.label_array: IntArray = np.array([labels[file] for file in files], np.int64)

    def sample(self, key: SampleKey) -> Sample:
        return {**super().sample(key), "label": torch.from_numpy(self.label_array[key.index].copy())}

    def labels(self) -> dict[str, IntArray]:
        return {"label": self.label_array}
