"""Datasets of training and validation samples. The same key (epoch, index) always gives the same sample."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache, partial
from itertools import accumulate
from typing import Any, Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from translate.config import AugmentationConfig, TranslationConfig
from translate.config.value_range import ValueRange
from translate.data.datasets.cache import DecodedCache
from translate.data.datasets.crops import (
    CroppedImages,
    Crops,
    Draw,
    Generator,
    Numbers,
    SampleKey,
    SampleKeys,
    StoredImages,
    sample_rng,
)
from translate.data.datasets.reader import NO_RANGES, ImageReader, Item
from translate.data.datasets.transforms import (
    convert_channels,
    draw_crops,
    evaluation_transform,
    training_transform,
)
from translate.data.discovery.location import ImageSource
from translate.data.discovery.pair import Pair
from translate.data.discovery.shards import repeat_sizes, shard_sizes
from translate.errors import DataError
from translate.images import Pixels

Sample = dict[str, Tensor]
MAX_TRIES = 20  # Loading fails after this number of unreadable images in a row.

log = logging.getLogger("translate")


class SampleDataset(Dataset[Sample]):
    """A dataset whose samples are dictionaries of (C, H, W) uint8 images.

    Attributes:
        shard_sizes: the number of images in each tar file, in order; empty if the images are plain files.
        faster_without_workers: whether this process should make the samples itself: if the images are in
            memory or in the decoded cache and augmentation is cheap, a sample takes less time than its
            transfer from a worker process.
    """

    shard_sizes: Sequence[int] = ()
    faster_without_workers: bool = False

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, key: SampleKey) -> Sample:
        """Return the sample of a key.

        The images in tar files are not checked before training, so an unreadable one is replaced by the next.

        Raises:
            DataError: the image cannot be read; in tar files, only if MAX_TRIES images in a row cannot be.
        """
        if not self.shard_sizes:
            return self.sample(key)
        tries = min(MAX_TRIES, len(self))
        for offset in range(tries):
            try:
                return self.sample(SampleKey(key.epoch, (key.index + offset) % len(self)))
            except DataError as error:
                last_error = error
                _log_once(f"left out: {error}")
        raise DataError(
            f"{tries} images in a row cannot be read (the last: {last_error}):"
            " run translate data check DATA to list all of them"
        )

    def sample(self, key: SampleKey) -> Sample:
        """Return the sample of a key, without a replacement if its image cannot be read.

        Raises:
            DataError: the image cannot be read.
        """
        raise NotImplementedError


class AugmentedDataset(SampleDataset, CroppedImages, Generic[Item]):
    """A dataset of images or pairs that a pipeline augments.

    Args:
        training: whether to apply random data augmentation; if not, a sample is the same in every epoch.
        ranges: the stored values of black and white of the files whose type does not fix them.
        cache: the decoded images or pairs, for training.
    """

    def __init__(
        self,
        c: AugmentationConfig,
        *,
        training: bool,
        ranges: Mapping[ImageSource, ValueRange],
        cache: DecodedCache[Item] | None,
    ) -> None:
        self.c, self.seed, self.training = c, c.seed, training
        self.reader: ImageReader[Item] = ImageReader(c, training=training, ranges=ranges, cache=cache)
        self.faster_without_workers = self.reader.faster_without_workers
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def augment(self, pixels: Pixels, draw: Draw) -> Pixels:
        """Augment an image, (H, W, 3), or both images of a pair alike, (2, H, W, 3)."""
        self.transform.set_random_seed(int(draw.augmentation))
        if pixels.ndim == 3:
            return np.asarray(self.transform(image=pixels)["image"])
        pair = self.transform(image=pixels[0], b=pixels[1])
        return np.stack([pair["image"], pair["b"]])

    def crop(self, augmentation: NDArray[Any], height: int, width: int) -> Crops:
        return draw_crops(self.c, height, width, augmentation)


class PairedDataset(AugmentedDataset[Pair]):
    """A dataset of pairs: `a`, the input, and `b`, the target, (C, H, W) uint8 each.

    Args:
        c: the settings, which say how many channels input and target have.
        swap: exchange `a` and `b`, so that B is the input (the direction BtoA).
        training, ranges, cache: as for `AugmentedDataset`.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        c: TranslationConfig,
        *,
        training: bool,
        swap: bool = False,
        ranges: Mapping[ImageSource, ValueRange] = NO_RANGES,
        cache: DecodedCache[Pair] | None = None,
    ) -> None:
        super().__init__(c, training=training, ranges=ranges, cache=cache)
        self.pairs, self.swap, self.channels = pairs, swap, c.channels
        self.shard_sizes = shard_sizes([pair.a for pair in pairs])

    def __len__(self) -> int:
        return len(self.pairs)

    def sample(self, key: SampleKey) -> Sample:
        draw = self.draw(sample_rng(self.seed, key), key)["a"]
        pair = self.augment(self.reader(self.pairs[key.index]), draw)
        return {name: to_image_tensor(self._entry(pair, name)) for name in "ab"}

    def draw(self, rng: Generator, key: SampleKey | SampleKeys) -> dict[str, Draw]:
        return dict.fromkeys("ab", Draw(key.index, _draw_seed(rng)))

    def stored_images(self) -> dict[str, StoredImages]:
        def read(name: str, number: int) -> Pixels:
            return self._entry(self.reader(self.pairs[number]), name)

        return {name: StoredImages(len(self), partial(read, name)) for name in "ab"}

    def _entry(self, pair: Pixels, name: str) -> Pixels:
        """Return the input or the target of a pair, (2, H, W, 3), with its channels."""
        entry = "ab".index(name)
        return convert_channels(pair[1 - entry if self.swap else entry], self.channels[entry])


class UnpairedDataset(AugmentedDataset[ImageSource]):
    """A dataset of two domains, `a` and `b`, (C, H, W) uint8 each; its length is that of the larger domain.

    The index selects the image of A. The image of B is random in training, else selected by the index.

    Args:
        files: the images of A and of B.
        c: the settings, which say how many channels the images have.
        training, ranges, cache: as for `AugmentedDataset`; the cache is of both domains.
    """

    def __init__(
        self,
        files: tuple[Sequence[ImageSource], Sequence[ImageSource]],
        c: TranslationConfig,
        *,
        training: bool,
        ranges: Mapping[ImageSource, ValueRange] = NO_RANGES,
        cache: DecodedCache[ImageSource] | None = None,
    ) -> None:
        super().__init__(c, training=training, ranges=ranges, cache=cache)
        self.a, self.b = files
        self.channels = c.channels[1]
        self.shard_sizes = repeat_sizes(shard_sizes(self.a), len(self))
        self.shard_ends = list(accumulate(self.shard_sizes))
        self.shard_ends_b = list(accumulate(shard_sizes(self.b)))

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if self.a and self.b else 0

    def sample(self, key: SampleKey) -> Sample:
        images = {
            name: self.augment(self._read(name, draw.image), draw)
            for name, draw in self.draw(sample_rng(self.seed, key), key).items()
        }
        return {name: to_image_tensor(image, self.channels) for name, image in images.items()}

    def draw(self, rng: Generator, key: SampleKey | SampleKeys) -> dict[str, Draw]:
        image_b = self._draw_image_b(rng, key) if self.training else key.index % len(self.b)
        return {
            "a": Draw(key.index % len(self.a), _draw_seed(rng)),
            "b": Draw(image_b, _draw_seed(rng)),
        }

    def stored_images(self) -> dict[str, StoredImages]:
        def read(name: str, number: int) -> Pixels:
            return convert_channels(self._read(name, number), self.channels)

        return {name: StoredImages(len(getattr(self, name)), partial(read, name)) for name in "ab"}

    def _read(self, name: str, number: Numbers) -> Pixels:
        return self.reader(getattr(self, name)[number])

    def _draw_image_b(self, rng: Generator, key: SampleKey | SampleKeys) -> Numbers:
        """Draw the index of an image of B.

        In tar files, all images of one shard of A are matched with one shard of B, so that few shards are
        read at a time; which one changes with the epoch.
        """
        if not (self.shard_ends and self.shard_ends_b):
            return rng.integers(len(self.b))
        assert isinstance(key, SampleKey)
        assert isinstance(rng, np.random.Generator)
        shard_rng = np.random.default_rng([self.seed, key.epoch, bisect_right(self.shard_ends, key.index)])
        shard = int(shard_rng.integers(len(self.shard_ends_b)))
        return int(rng.integers(self.shard_ends_b[shard - 1] if shard else 0, self.shard_ends_b[shard]))


class PhotoDataset(AugmentedDataset[ImageSource]):
    """A dataset of photos: `photo`, (C, H, W) uint8.

    Args:
        channels: C, 1 for gray images, 3 for colour.
        training, ranges, cache: as for `AugmentedDataset`.
    """

    def __init__(
        self,
        files: Sequence[ImageSource],
        c: AugmentationConfig,
        *,
        channels: int = 3,
        training: bool,
        ranges: Mapping[ImageSource, ValueRange] = NO_RANGES,
        cache: DecodedCache[ImageSource] | None = None,
    ) -> None:
        super().__init__(c, training=training, ranges=ranges, cache=cache)
        self.files, self.channels = files, channels
        self.shard_sizes = shard_sizes(files)

    def __len__(self) -> int:
        return len(self.files)

    def sample(self, key: SampleKey) -> Sample:
        draw = self.draw(sample_rng(self.seed, key), key)["photo"]
        photo = self.augment(self.reader(self.files[key.index]), draw)
        return {"photo": to_image_tensor(photo, self.channels)}

    def draw(self, rng: Generator, key: SampleKey | SampleKeys) -> dict[str, Draw]:
        return {"photo": Draw(key.index, _draw_seed(rng))}

    def stored_images(self) -> dict[str, StoredImages]:
        return {"photo": StoredImages(len(self), self._read)}

    def _read(self, number: int) -> Pixels:
        return convert_channels(self.reader(self.files[number]), self.channels)


def to_image_tensor(pixels: Pixels, channels: int | None = None) -> Tensor:
    """Return an image, (H, W, C), as a tensor, (C, H, W), with a number of channels if given."""
    pixels = pixels if channels is None else convert_channels(pixels, channels)
    # Torch needs a writable array, and pixels from the cache are read-only.
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)


def _draw_seed(rng: Generator) -> Numbers:
    """Draw the seed of an augmentation."""
    return rng.integers(2**31)


@cache
def _log_once(text: str) -> None:
    log.info(text)
