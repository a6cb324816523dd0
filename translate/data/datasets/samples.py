"""Datasets of training and validation samples. The same key (epoch, index) always gives the same sample."""

from __future__ import annotations

import functools
import logging
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, pairwise, takewhile

import albumentations as A
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from translate.config import ImageTrainConfig, TranslationConfig
from translate.config.value_range import ValueRange
from translate.data.datasets.cache import DecodedCache
from translate.data.datasets.masks import draw_mask
from translate.data.datasets.reader import NO_RANGES, ImageReader
from translate.data.datasets.transforms import convert_channels, evaluation_transform, training_transform
from translate.data.discovery.location import ImageSource
from translate.data.discovery.pair import Pair
from translate.data.discovery.shards import shard_sizes
from translate.errors import DataError
from translate.images import Pixels

Sample = dict[str, Tensor]
MAX_TRIES = 20  # Loading fails after this number of unreadable images in a row.
MASK_STREAM = 1  # Separates the random numbers of masks from those of augmentation.

log = logging.getLogger("translate")


@dataclass(frozen=True, slots=True)
class SampleKey:
    """The key of a sample, which together with the seed determines all that is random in it."""

    epoch: int
    index: int


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


class PairedDataset(SampleDataset):
    """A dataset of pairs: `a`, the input, and `b`, the target, (C, H, W) uint8 each.

    Args:
        c: the settings, which say how many channels input and target have.
        training: whether to apply random data augmentation; if not, a sample is the same in every epoch.
        swap: exchange `a` and `b`, so that B is the input (the direction BtoA).
        ranges: the stored values of black and white of the files whose type does not fix them.
        cache: the decoded images of the pairs, for training.
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
        self.pairs, self.seed, self.swap = pairs, c.seed, swap
        self.channels = c.channels
        self.shard_sizes = shard_sizes([pair.a for pair in pairs])
        self.reader: ImageReader[Pair] = ImageReader(c, training=training, ranges=ranges, cache=cache)
        self.faster_without_workers = self.reader.faster_without_workers
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return len(self.pairs)

    def sample(self, key: SampleKey) -> Sample:
        pair = self.reader(self.pairs[key.index])
        a, b = _transform(self.transform, pair, sample_rng(self.seed, key))
        if self.swap:
            a, b = b, a
        return {
            name: _to_tensor(convert_channels(image, channels))
            for name, image, channels in zip("ab", (a, b), self.channels, strict=True)
        }


class UnpairedDataset(SampleDataset):
    """A dataset of two domains, `a` and `b`, (C, H, W) uint8 each; its length is that of the larger domain.

    The index selects the image of A. The image of B is random in training, else selected by the index.

    Args:
        files: the images of A and of B.
        c: the settings, which say how many channels the images have.
        training: whether to apply random data augmentation and to draw B at random; if not, a sample is the
            same in every epoch.
        ranges: as for `PairedDataset`.
        cache: the decoded images of both domains, for training.
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
        self.a, self.b = files
        self.seed, self.training, self.channels = c.seed, training, c.channels[1]
        self.shard_sizes = _repeat_sizes(shard_sizes(self.a), len(self))
        self.shard_ends = list(accumulate(self.shard_sizes))
        self.shard_ends_b = list(accumulate(shard_sizes(self.b)))
        self.reader = ImageReader(c, training=training, ranges=ranges, cache=cache)
        self.faster_without_workers = self.reader.faster_without_workers
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if self.a and self.b else 0

    def sample(self, key: SampleKey) -> Sample:
        rng = sample_rng(self.seed, key)
        index_b = self._draw_index_b(key, rng) if self.training else key.index % len(self.b)
        a, b = (
            _to_tensor(convert_channels(_transform(self.transform, self.reader(source), rng), self.channels))
            for source in (self.a[key.index % len(self.a)], self.b[index_b])
        )
        return {"a": a, "b": b}

    def _draw_index_b(self, key: SampleKey, rng: np.random.Generator) -> int:
        """Draw the index of an image of B.

        In tar files, all images of one shard of A are matched with one shard of B, so that few shards are
        read at a time; which one changes with the epoch.
        """
        if not (self.shard_ends and self.shard_ends_b):
            return int(rng.integers(len(self.b)))
        shard_rng = np.random.default_rng([self.seed, key.epoch, bisect_right(self.shard_ends, key.index)])
        shard = int(shard_rng.integers(len(self.shard_ends_b)))
        return int(rng.integers(self.shard_ends_b[shard - 1] if shard else 0, self.shard_ends_b[shard]))


class PhotoDataset(SampleDataset):
    """A dataset of photos: `photo`, (3, H, W) uint8.

    Args:
        training: whether to apply random data augmentation; if not, a sample is the same in every epoch.
        ranges: as for `PairedDataset`.
        cache: the decoded photos, for training.
    """

    def __init__(
        self,
        files: Sequence[ImageSource],
        c: ImageTrainConfig,
        *,
        training: bool,
        ranges: Mapping[ImageSource, ValueRange] = NO_RANGES,
        cache: DecodedCache[ImageSource] | None = None,
    ) -> None:
        self.files, self.seed = files, c.seed
        self.shard_sizes = shard_sizes(files)
        self.reader = ImageReader(c, training=training, ranges=ranges, cache=cache)
        self.faster_without_workers = self.reader.faster_without_workers
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return len(self.files)

    def sample(self, key: SampleKey) -> Sample:
        photo = self.reader(self.files[key.index])
        return {"photo": _to_tensor(_transform(self.transform, photo, sample_rng(self.seed, key)))}


class InpaintingDataset(PhotoDataset):
    """A dataset of photos, `photo`, (3, H, W) uint8, and masks, `mask`, (1, H, W) uint8, 255 in the hole.

    Args:
        holes: the shape of the holes: `strokes`, `boxes`, `blobs`, `outlines`, or `all` for a mixture.
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
        self.training = training
        self.faster_without_workers = False  # Drawing a mask takes 2 ms.
        self.kinds = () if holes == "all" else (holes,)

    def sample(self, key: SampleKey) -> Sample:
        sample = super().sample(key)
        height, width = sample["photo"].shape[1:]
        rng = np.random.default_rng([self.seed, key.epoch if self.training else 0, key.index, MASK_STREAM])
        mask = draw_mask(rng, height, width, self.kinds)
        return {**sample, "mask": torch.from_numpy(mask)[None]}


def sample_rng(seed: int, key: SampleKey) -> np.random.Generator:
    """Return the random generator of a sample."""
    return np.random.default_rng([seed, key.epoch, key.index])


def _transform(transform: A.Compose, pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Augment an image, (H, W, 3), or both images of a pair alike, (2, H, W, 3)."""
    transform.set_random_seed(int(rng.integers(2**31)))
    if pixels.ndim == 3:
        return np.asarray(transform(image=pixels)["image"])
    pair = transform(image=pixels[0], b=pixels[1])
    return np.stack([pair["image"], pair["b"]])


def _to_tensor(pixels: Pixels) -> Tensor:
    # Torch needs a writable array, and pixels from the cache are read-only.
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)


def _repeat_sizes(sizes: Sequence[int], length: int) -> list[int]:
    """Repeat the sizes of shards until their sum is `length`; the last one is reduced to fit.

    For example, sizes of 3 and 2 become 3, 2, 3, 1 for a length of 9.
    """
    ends = (min(end, length) for end in accumulate(cycle(sizes)))
    bounds = [0, *takewhile(lambda end: end < length, ends), length] if sizes else []
    return [end - start for start, end in pairwise(bounds)]


@functools.cache
def _log_once(text: str) -> None:
    log.info(text)
