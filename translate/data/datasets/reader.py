"""Read images and pairs from their files or from the decoded cache, resized for random augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from translate.config import AugmentationConfig
from translate.config.training.augmentation import RESIZING_PREPROCESSES
from translate.config.value_range import ValueRange
from translate.data.datasets.cache import DecodedCache, cache_key, open_cache
from translate.data.datasets.transforms import is_gray, resized_shape
from translate.data.discovery.location import ImageSource
from translate.data.discovery.pair import Pair
from translate.data.discovery.shards import shard_sizes
from translate.data.discovery.tar import Member
from translate.errors import DataError
from translate.images import Pixels, read_rgb, resize

Item = TypeVar("Item", Pair, ImageSource)
NO_RANGES: Mapping[ImageSource, ValueRange] = {}
Size = tuple[int, int]  # width and height

GRAY_CHECKS = 256  # The number of images that decide whether a dataset is gray, if not all are decoded.


class ImageReader(Generic[Item]):
    """A reader of images or pairs at the size that they have before the random crop.

    Args:
        c: the settings, which determine that size.
        training: whether the images are for training or for validation, which may differ in size.
        ranges: the stored values of black and white of the files whose type does not fix them.
        cache: decoded images, for training only.

    Attributes:
        faster_without_workers: whether all images are in the decoded cache and augmentation is cheap, so that
            a sample takes less time than its transfer from a worker process.
    """

    def __init__(
        self,
        c: AugmentationConfig,
        *,
        training: bool,
        ranges: Mapping[ImageSource, ValueRange] = NO_RANGES,
        cache: DecodedCache[Item] | None = None,
    ) -> None:
        self.ranges = ranges
        self.shape = partial(resized_shape, c, training=training)
        resizes = training and c.preprocess in RESIZING_PREPROCESSES
        self.min_size: Size | None = (c.resize_to, c.resize_to) if resizes else None
        self.cache: DecodedCache[Item] | None = cache
        slow = c.affine or c.color_jitter or c.preprocess == "random_resized_crop"
        self.faster_without_workers = cache is not None and cache.is_complete and not slow

    def __call__(self, item: Item) -> Pixels:
        """Return an image as (H, W, 3) uint8, or a pair as (2, H, W, 3) uint8.

        Raises:
            DataError: a file cannot be read.
        """
        pixels = self.cache.find(item) if self.cache else None
        return self.read(item) if pixels is None else pixels

    def read(self, item: Item) -> Pixels:
        """Read an image or a pair from its files, even if it is cached.

        Raises:
            DataError: a file cannot be read.
        """
        if isinstance(item, Pair):
            pixels = np.stack(self._read_pair(item))
        else:
            pixels = self._read_rgb(item, self.min_size)
        return resize(pixels, *self.shape(*pixels.shape[-3:-1]))

    def _read_pair(self, pair: Pair) -> tuple[Pixels, Pixels]:
        """Read the two images of a pair at one size; a joined file is split at half its width.

        A large JPEG may be decoded at reduced size, but each image keeps at least `min_size`.
        """
        if pair.b is None:
            size = self.min_size and (2 * self.min_size[0], self.min_size[1])
            joined = self._read_rgb(pair.a, size)
            half = joined.shape[1] // 2
            return joined[:, :half], joined[:, half : 2 * half]
        a, b = (self._read_rgb(file, self.min_size) for file in (pair.a, pair.b))
        return a, resize(b, *a.shape[:2])  # A random crop fits both only if they have the same size.

    def _read_rgb(self, file: ImageSource, min_size: Size | None) -> Pixels:
        return read_rgb(file, min_size=min_size, value_range=self.ranges.get(file))


def open_training_cache(
    items: Sequence[Item], c: AugmentationConfig, ranges: Mapping[ImageSource, ValueRange] = NO_RANGES
) -> DecodedCache[Item] | None:
    """Open the decoded cache of a training set; return None for tar files, or if --cache-size is 0."""
    if not c.cache_size or shard_sizes([file for item in items for file in _files(item)]):
        return None
    reader: ImageReader[Item] = ImageReader(c, training=True, ranges=ranges)
    settings = {name: getattr(c, name) for name in ("preprocess", "resize_to", "image_size")}
    if ranges:
        settings["range"] = c.range
    return open_cache(items, _files, reader.read, settings, c.cache_size)


def evaluation_key(
    files: Sequence[ImageSource],
    c: AugmentationConfig,
    ranges: Mapping[ImageSource, ValueRange],
    channels: int,
) -> str:
    """Return a digest of everything that determines images without augmentation, for files of the cache."""
    names = ("preprocess", "resize_to", "image_size", "size_multiple", "min_image_size")
    settings = {name: getattr(c, name) for name in names}
    settings |= {"channels": channels, "ranges": [str(ranges.get(file, "")) for file in files]}
    # A tar file has a key that changes with its content, and may be far away.
    settings["members"] = [
        (file.shard.key, file.offset, file.size) for file in files if isinstance(file, Member)
    ]
    return cache_key([file for file in files if isinstance(file, Path)], _files, settings)


def file_errors(cache: DecodedCache[Item] | None) -> dict[ImageSource, str]:
    """Return for each file in a cache the reason why it cannot be read; an empty string if it can be."""
    if cache is None:
        return {}
    return {file: error for item, error in cache.errors().items() for file in _files(item)}


def find_gray(items: Sequence[Item], reader: ImageReader[Item]) -> tuple[bool, ...]:
    """Return whether all images are gray: one answer for images, two for pairs.

    The pixels decide, because scanners and JPEG files often hold gray as RGB. The search ends at the first
    image (of each side) in colour. If not all images are in the cache, some of them decide for all.
    """
    answers: tuple[bool, ...] = ()
    are_cached = reader.cache is not None and reader.cache.is_complete
    for pixels in read_some(items, reader, len(items) if are_cached else GRAY_CHECKS):
        images = pixels if pixels.ndim == 4 else pixels[None]
        answers = tuple(
            before and is_gray(image) for before, image in zip(answers or repeat(True), images, strict=False)
        )
        if not any(answers):
            break
    return answers


def read_some(items: Sequence[Item], reader: ImageReader[Item], count: int) -> Iterator[Pixels]:
    """Yield up to `count` images or pairs, spread evenly over a set; of tar files the first, to open few."""
    in_shards = bool(shard_sizes([file for item in items[:1] for file in _files(item)]))
    for item in items[:count] if in_shards else items[:: -(-len(items) // count) or 1]:
        # Only images in tar files were not checked before.
        with suppress(DataError):
            yield reader(item)


def _files(item: Pair | ImageSource) -> tuple[ImageSource, ...]:
    return item.files if isinstance(item, Pair) else (item,)
