"""Reading whole images, or pairs, before anything random is done to them; from files or a decoded cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from translate.config import ImageTrainConfig
from translate.data.datasets.cache import DecodedCache, open_cache
from translate.data.datasets.transforms import whole_size
from translate.data.discovery.location import ImageSource
from translate.data.discovery.pair import Pair
from translate.data.discovery.shards import shard_sizes
from translate.images import Pixels, read_rgb, resize

Unit = TypeVar("Unit", Pair, ImageSource)
Size = tuple[int, int]  # width and height
RESIZE_MODES = ("resize_and_crop", "scale_width", "scale_width_and_crop")  # that resize before they crop


class ImageReader(Generic[Unit]):
    """A reader of whole images, or pairs, at the size that they have before a random crop.

    Args:
        cache: of units that were decoded before.

    Attributes:
        ready: samples come quicker from the cache than they would come from another process.
    """

    def __init__(
        self, c: ImageTrainConfig, *, training: bool, cache: DecodedCache[Unit] | None = None
    ) -> None:
        self.size = partial(whole_size, c, training=training)
        shrinks = training and c.preprocess in RESIZE_MODES
        self.min_size: Size | None = (c.resize_to, c.resize_to) if shrinks else None
        self.cache: DecodedCache[Unit] | None = cache
        slow = c.affine or c.color_jitter or c.preprocess == "random_resized_crop"
        self.ready = cache is not None and cache.complete and not slow

    def __call__(self, unit: Unit) -> Pixels:
        """Return an image, (H, W, 3), or a pair, (2, H, W, 3), uint8."""
        pixels = self.cache.find(unit) if self.cache else None
        return self.read(unit) if pixels is None else pixels

    def read(self, unit: Unit) -> Pixels:
        """Return the same, read from the files whatever the cache holds."""
        if isinstance(unit, Pair):
            pixels = np.stack(_read_pair(unit, self.min_size))
        else:
            pixels = read_rgb(unit, min_size=self.min_size)
        return resize(pixels, *self.size(*pixels.shape[-3:-1]))


def training_cache(units: Sequence[Unit], c: ImageTrainConfig) -> DecodedCache[Unit] | None:
    """Open the decoded cache of a training set; None where the settings want none, or for tar files."""
    if not c.cache_size or shard_sizes([file for unit in units for file in _files(unit)]):
        return None
    reader: ImageReader[Unit] = ImageReader(c, training=True)
    settings = {name: getattr(c, name) for name in ("preprocess", "resize_to", "image_size")}
    return open_cache(units, _files, reader.read, settings, c.cache_size)


def file_errors(cache: DecodedCache[Unit] | None) -> dict[ImageSource, str]:
    """Return for each file that a cache was made from why it cannot be read, or nothing."""
    if cache is None:
        return {}
    return {file: reason for unit, reason in cache.errors().items() for file in _files(unit)}


def _files(unit: Pair | ImageSource) -> tuple[ImageSource, ...]:
    return unit.files if isinstance(unit, Pair) else (unit,)


def _read_pair(pair: Pair, min_size: Size | None) -> tuple[Pixels, Pixels]:
    """Read two images of one size; a joined file is cut at half its width.

    Args:
        least: a width and height that are enough for each.
    """
    if pair.b is None:
        joined = read_rgb(pair.a, min_size=min_size and (2 * min_size[0], min_size[1]))
        half = joined.shape[1] // 2
        return joined[:, :half], joined[:, half : 2 * half]
    a, b = (read_rgb(file, min_size=min_size) for file in (pair.a, pair.b))
    return a, resize(b, *a.shape[:2])  # Both must have one size, so that they can be cropped alike.
