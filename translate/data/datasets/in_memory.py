"""A data set of whole square images at the size of training: from the decoded cache, or held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from translate.data.datasets.cache import DecodedCache, open_cache
from translate.data.datasets.samples import Sample, SampleDataset, SampleKey, sample_rng
from translate.data.discovery.check import find_unreadable
from translate.data.discovery.labels import LabeledImages
from translate.data.discovery.location import ImageSource
from translate.data.discovery.shards import shard_sizes
from translate.data.progress import log_progress
from translate.errors import DataError
from translate.images import Pixels, read_rgb, resize_and_center_crop

MAX_BYTES = 2**31  # of images held in memory
GRAY_CHECKS = 256  # images that decide whether a data set is gray, where not all are read
THREADS = 4


class InMemoryDataset(SampleDataset):
    """Images as `picture`, (C, S, S) uint8, and, with classes, `label`, () int64.

    An image is resized until its shorter side is S = `image_size`, and its center is cropped. Files come from
    a decoded cache, and where it has no room for all, from memory; what fits in neither is read each time.

    Args:
        channels: 1 for gray images, 3 for colour; None for what the data has.
        flip: mirror at random.
        cache_size: gigabytes that all decoded caches may take; 0 for none.

    Attributes:
        found: the images without those that cannot be read.
        channels: 1 or 3.
        images: (N, S, S, C) uint8, where they are held in memory.

    Raises:
        DataError: no image can be read.
    """

    def __init__(
        self,
        found: LabeledImages,
        *,
        image_size: int,
        channels: int | None,
        flip: bool,
        seed: int,
        cache_size: float,
    ) -> None:
        self.found, self.image_size, self.flip, self.seed = found, image_size, flip, seed
        self.cache = _open_cache(found, image_size, cache_size)
        in_cache = self.cache is not None and self.cache.complete
        in_memory = not in_cache and 3 * image_size**2 * len(found.images) <= MAX_BYTES
        images, errors = self._read(in_cache=in_cache, in_memory=in_memory)
        if not images:
            first = next(iter(errors.values()))
            raise DataError(f"no image is left to train on; the first bad one: {first}")
        self.found = found.exclude(errors, [f"left out, {reason}" for reason in errors.values()])
        self.channels = channels or (1 if all(_is_gray(image) for image in images) else 3)
        self.shard_sizes = [] if in_memory else shard_sizes(self.found.files())
        self.images = np.stack([self._with_channels(image) for image in images]) if in_memory else None
        self.ready = in_cache or in_memory

    def _read(self, *, in_cache: bool, in_memory: bool) -> tuple[list[Pixels], dict[ImageSource, str]]:
        """Read the images, or only the first few where they are neither in the cache nor held in memory.

        Returns:
            the images, (S, S, 3) or (S, S, 1) uint8 each, and the files that cannot be read, with the reason.
        """
        files = self.found.files()
        known = self.cache.errors() if self.cache else {}
        if in_cache:
            read = [known[file] or self._read_square(index) for index, file in enumerate(files)]
        else:
            read = list(self._read_first(len(self.found.images) if in_memory else GRAY_CHECKS))
            if not (in_memory or known):
                known = find_unreadable(file for file in files if isinstance(file, Path))
        errors = {file: reason for file, reason in known.items() if reason}
        # IDX files are fewer than the images in them, which can all be read.
        errors |= {file: one for file, one in zip(files, read, strict=False) if isinstance(one, str)}
        return [one for one in read if not isinstance(one, str)], errors

    def _read_first(self, count: int) -> Iterator[Pixels | str]:
        """Yield the first images, (S, S, 3) each; where one cannot be read, the reason."""
        indices = range(min(count, len(self.found.images)))
        with ThreadPoolExecutor(THREADS) as pool:
            read = pool.map(partial(_square_or_reason, self.found, self.image_size), indices)
            yield from log_progress(read, len(indices), "read %d of %d images")

    def _with_channels(self, image: Pixels) -> Pixels:
        if image.shape[2] == self.channels:
            return image
        if self.channels == 3:
            return np.repeat(image, 3, axis=2)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]

    def __len__(self) -> int:
        return len(self.found.images)

    def sample(self, key: SampleKey) -> Sample:
        image = self._image(key.index)
        if self.flip and sample_rng(self.seed, key).random() < 0.5:
            image = image[:, ::-1]
        writable = np.require(image, requirements=["C", "W"])
        sample = {"image": torch.from_numpy(writable).permute(2, 0, 1)}
        if self.found.labels:
            sample["label"] = torch.tensor(self.found.labels[key.index])
        return sample

    def _image(self, index: int) -> Pixels:
        if self.images is not None:
            return np.asarray(self.images[index])
        return self._with_channels(self._read_square(index))

    def _read_square(self, index: int) -> Pixels:
        """Return an image, (S, S, 3), or (S, S, 1) where the cache holds a gray one."""
        if self.cache and (pixels := self.cache.find(self.found.files()[index])) is not None:
            return pixels
        return resize_and_center_crop(self.found.pixels(index, self.image_size), self.image_size)


def _open_cache(found: LabeledImages, side: int, gigabytes: float) -> DecodedCache[ImageSource] | None:
    """Open the cache of a folder's images; None for IDX and tar files, and without gigabytes for it."""
    files = found.files()
    if not gigabytes or found.idx_files or shard_sizes(files):
        return None
    decode = partial(_decode_square, side)
    return open_cache(files, lambda file: (file,), decode, {"squared": side}, gigabytes)


def _decode_square(side: int, file: ImageSource) -> Pixels:
    """Read what a cache holds of a file: (S, S, 3), or (S, S, 1) of a gray image."""
    pixels = resize_and_center_crop(read_rgb(file, min_size=(side, side)), side)
    return pixels[..., :1] if _is_gray(pixels) else pixels


def _square_or_reason(found: LabeledImages, side: int, index: int) -> Pixels | str:
    try:
        return resize_and_center_crop(found.pixels(index, side), side)
    except DataError as error:
        return str(error)


def _is_gray(image: Pixels) -> bool:
    return bool((image == image[..., :1]).all())
