"""A dataset of square images at the training size, from the decoded cache or held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from translate.config.value_range import ValueRange
from translate.data.datasets.batched_rng import IntArray
from translate.data.datasets.cache import DecodedCache, open_cache
from translate.data.datasets.crops import (
    CroppedImages,
    Crops,
    Draw,
    Generator,
    SampleKey,
    SampleKeys,
    StoredImages,
    sample_rng,
)
from translate.data.datasets.reader import GRAY_CHECKS
from translate.data.datasets.samples import Sample, SampleDataset, to_image_tensor
from translate.data.datasets.transforms import convert_channels, is_gray
from translate.data.discovery.check import find_unreadable, no_images_error
from translate.data.discovery.labels import LabeledImages
from translate.data.discovery.location import ImageSource
from translate.data.discovery.shards import shard_sizes
from translate.errors import DataError
from translate.images import Pixels, read_rgb, resize_and_center_crop
from translate.progress import track

MAX_BYTES = 2**31  # The maximum size of images held in memory.
THREADS = 4


class InMemoryDataset(SampleDataset, CroppedImages):
    """A dataset of `image`, (C, S, S) uint8, and with classes `label`, () int64.

    An image is resized until its shorter side is S = `image_size`, and its center is cropped. The images come
    from the decoded cache; if it cannot hold all of them, from memory; if that is too small as well, from
    their files.

    Args:
        channels: 1 for gray images, 3 for color; None to choose by the images.
        flip: whether to mirror images at random.
        value_range: the stored values of black and white, if the files' type does not fix them.
        cache_size: maximum gigabytes of all decoded caches; 0 for no cache.
        max_bytes: maximum size of the images held in memory.

    Attributes:
        labeled_images: the images that can be read, and their labels.
        channels: 1 or 3.
        pixels: (N, S, S, C) uint8, if the images are held in memory; None otherwise.

    Raises:
        DataError: no image can be read.
    """

    def __init__(
        self,
        labeled_images: LabeledImages,
        *,
        image_size: int,
        channels: int | None,
        flip: bool,
        seed: int,
        cache_size: float,
        value_range: ValueRange | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.labeled_images, self.image_size, self.flip, self.seed = labeled_images, image_size, flip, seed
        self.value_range = value_range
        self.cache = _open_cache(labeled_images, image_size, cache_size, value_range)
        in_cache = self.cache is not None and self.cache.is_complete
        in_memory = not in_cache and 3 * image_size**2 * len(labeled_images.images) <= max_bytes
        images, errors = self._read(in_cache=in_cache, in_memory=in_memory)
        if not images:
            raise no_images_error(errors.values())
        notes = [f"left out: {error}" for error in errors.values()]
        self.labeled_images = labeled_images.exclude(errors, notes)
        self.channels = channels or (1 if all(is_gray(image) for image in images) else 3)
        self.shard_sizes = [] if in_memory else shard_sizes(self.labeled_images.files())
        self.pixels = (
            np.stack([convert_channels(image, self.channels) for image in images]) if in_memory else None
        )
        self.faster_without_workers = in_cache or in_memory

    def _read(self, *, in_cache: bool, in_memory: bool) -> tuple[list[Pixels], dict[ImageSource, str]]:
        """Read all images if they are cached or will be held in memory, otherwise only the first few.

        Returns:
            The images, (S, S, 3) or (S, S, 1) uint8 each, and the errors of the files that cannot be read.
        """
        files = self.labeled_images.files()
        file_errors = self.cache.errors() if self.cache else {}
        results: list[Pixels | str]
        if in_cache:
            results = [file_errors[file] or self._read_square(index) for index, file in enumerate(files)]
        else:
            results = list(self._read_first(len(self.labeled_images.images) if in_memory else GRAY_CHECKS))
            if not (in_memory or file_errors):
                ranges = dict.fromkeys(files, self.value_range) if self.value_range else {}
                file_errors = find_unreadable((file for file in files if isinstance(file, Path)), ranges)
        errors = {file: error for file, error in file_errors.items() if error}
        # There are fewer IDX files than images in them, but these can always be read.
        errors |= {file: error for file, error in zip(files, results, strict=False) if isinstance(error, str)}
        return [image for image in results if not isinstance(image, str)], errors

    def _read_first(self, count: int) -> Iterator[Pixels | str]:
        """Yield the first images, (S, S, 3) each, or an error message for one that cannot be read."""
        indices = range(min(count, len(self.labeled_images.images)))
        with ThreadPoolExecutor(THREADS) as pool:
            results = pool.map(self._square_or_error, indices)
            yield from track(results, len(indices), "reading images")

    def __len__(self) -> int:
        return len(self.labeled_images.images)

    def sample(self, key: SampleKey) -> Sample:
        image = self.image(key.index)
        # Without flips nothing is drawn, which spares making a generator.
        if self.flip and self.draw(sample_rng(self.seed, key), key)["image"].augmentation:
            image = image[:, ::-1]
        sample = {"image": to_image_tensor(image)}
        if self.labeled_images.labels:
            sample["label"] = torch.tensor(self.labeled_images.labels[key.index])
        return sample

    def draw(self, rng: Generator, key: SampleKey | SampleKeys) -> dict[str, Draw]:
        return {"image": Draw(key.index, rng.random() < 0.5)}

    def stored_images(self) -> dict[str, StoredImages]:
        return {"image": StoredImages(len(self), self.image)}

    def crop(self, augmentation: NDArray[Any], height: int, width: int) -> Crops:
        zeros = np.zeros(len(augmentation), np.int64)
        return Crops(zeros, zeros, augmentation & self.flip)

    def labels(self) -> dict[str, IntArray]:
        labels = self.labeled_images.labels
        return {"label": np.array(labels)} if labels else {}

    def image(self, index: int) -> Pixels:
        """Return an image, (S, S, C) uint8."""
        if self.pixels is not None:
            return np.asarray(self.pixels[index])
        return convert_channels(self._read_square(index), self.channels)

    def _read_square(self, index: int) -> Pixels:
        """Read an image from the cache or its file: (S, S, 3), or (S, S, 1) if it is cached and gray."""
        if self.cache and (pixels := self.cache.find(self.labeled_images.files()[index])) is not None:
            return pixels
        return self._read_square_file(index)

    def _read_square_file(self, index: int) -> Pixels:
        image = self.labeled_images.read_image(index, self.image_size, self.value_range)
        return resize_and_center_crop(image, self.image_size)

    def _square_or_error(self, index: int) -> Pixels | str:
        try:
            return self._read_square_file(index)
        except DataError as error:
            return str(error)


def _open_cache(
    labeled_images: LabeledImages, side: int, max_gigabytes: float, value_range: ValueRange | None
) -> DecodedCache[ImageSource] | None:
    """Open the decoded cache; return None for IDX and tar files, or if the cache may take no space."""
    files = labeled_images.files()
    if not max_gigabytes or labeled_images.idx_files or shard_sizes(files):
        return None
    decode = partial(_decode_square, side, value_range)
    settings = {"squared": side, **({"range": str(value_range)} if value_range else {})}
    return open_cache(files, lambda file: (file,), decode, settings, max_gigabytes)


def _decode_square(side: int, value_range: ValueRange | None, file: ImageSource) -> Pixels:
    """Read an image for the cache: (S, S, 3), or (S, S, 1) if it is gray, to save space."""
    pixels = resize_and_center_crop(read_rgb(file, min_size=(side, side), value_range=value_range), side)
    return pixels[..., :1] if is_gray(pixels) else pixels
