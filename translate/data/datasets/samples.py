"""Sets of training and validation samples. The same key (epoch, index) always gives the same sample."""

from __future__ import annotations

import functools
import logging
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, pairwise, takewhile

import albumentations as A
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from translate.config import ImageTrainConfig
from translate.data.datasets.cache import DecodedCache
from translate.data.datasets.masks import draw_mask
from translate.data.datasets.reader import ImageReader
from translate.data.datasets.transforms import evaluation_transform, training_transform
from translate.data.discovery.location import ImageSource
from translate.data.discovery.pair import Pair
from translate.data.discovery.shards import shard_sizes
from translate.errors import DataError
from translate.images import Pixels

Sample = dict[str, Tensor]
MAX_TRIES = 20  # samples in a row that cannot be read, before it is an error
HOLES = 1  # a third key of the random generator, so that holes are not drawn by the numbers of the crop

log = logging.getLogger("translate")


@dataclass(frozen=True, slots=True)
class SampleKey:
    """The key of a sample: all that is random in it follows from the seed, the epoch and the index."""

    epoch: int
    index: int


class SampleDataset(Dataset[Sample]):
    """A set of known length whose samples are named images, (C, H, W) uint8.

    Attributes:
        shard_sizes: how many images lie in each tar file, in order; empty where the images are files.
        ready: samples come from memory, quicker than they would come from another process.
    """

    shard_sizes: Sequence[int] = ()
    ready: bool = False

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, key: SampleKey) -> Sample:
        """Return a sample; of tar files, the next that can be read, because they were not checked before.

        Raises:
            DataError: it cannot be read, nor the many after it.
        """
        if not self.shard_sizes:
            return self.sample(key)
        tries = min(MAX_TRIES, len(self))
        for offset in range(tries):
            try:
                return self.sample(SampleKey(key.epoch, (key.index + offset) % len(self)))
            except DataError as error:
                last = error
                _log_once(f"left out, {error}")
        raise DataError(
            f"{tries} images in a row cannot be read, the last: {last}; translate data check tells of all"
        )

    def sample(self, key: SampleKey) -> Sample:
        """Return the sample of exactly this key."""
        raise NotImplementedError


class PairedDataset(SampleDataset):
    """Pairs as `a` and `b`, (3, H, W) uint8, `a` being what is translated.

    Args:
        training: random crops and flips; otherwise the same sample for every epoch.
        swap: B is what is translated.
        cache: of the pairs, for training.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        c: ImageTrainConfig,
        *,
        training: bool,
        swap: bool = False,
        cache: DecodedCache[Pair] | None = None,
    ) -> None:
        self.pairs, self.seed, self.swap = pairs, c.seed, swap
        self.shard_sizes = shard_sizes([pair.a for pair in pairs])
        self.reader: ImageReader[Pair] = ImageReader(c, training=training, cache=cache)
        self.ready = self.reader.ready
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return len(self.pairs)

    def sample(self, key: SampleKey) -> Sample:
        pair = self.reader(self.pairs[key.index])
        a, b = _apply(self.transform, pair, sample_rng(self.seed, key))
        if self.swap:
            a, b = b, a
        return {"a": _to_tensor(a), "b": _to_tensor(b)}


class UnpairedDataset(SampleDataset):
    """Images of two domains as `a` and `b`, (3, H, W) uint8; as long as the longer of the two.

    A is taken in turn by the index; B is drawn at random in training, and by the index otherwise.

    Args:
        training: random crops, flips and partners; otherwise the same sample for every epoch.
        cache: of the images of both domains, for training.
    """

    def __init__(
        self,
        files: tuple[Sequence[ImageSource], Sequence[ImageSource]],
        c: ImageTrainConfig,
        *,
        training: bool,
        cache: DecodedCache[ImageSource] | None = None,
    ) -> None:
        self.a, self.b = files
        self.seed, self.training = c.seed, training
        self.shard_sizes = _repeat_sizes(shard_sizes(self.a), len(self))
        self.shard_ends = list(accumulate(self.shard_sizes))
        self.shard_ends_b = list(accumulate(shard_sizes(self.b)))
        self.reader = ImageReader(c, training=training, cache=cache)
        self.ready = self.reader.ready
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if self.a and self.b else 0

    def sample(self, key: SampleKey) -> Sample:
        rng = sample_rng(self.seed, key)
        index_b = self._choose_partner(key, rng) if self.training else key.index % len(self.b)
        a, b = (
            _to_tensor(_apply(self.transform, self.reader(source), rng))
            for source in (self.a[key.index % len(self.a)], self.b[index_b])
        )
        return {"a": a, "b": b}

    def _choose_partner(self, key: SampleKey, rng: np.random.Generator) -> int:
        """Choose any image of B.

        Of tar files, an epoch takes one of B's for each of A's, so that few are read at a time.
        """
        if not (self.shard_ends and self.shard_ends_b):
            return int(rng.integers(len(self.b)))
        shard_rng = np.random.default_rng([self.seed, key.epoch, bisect_right(self.shard_ends, key.index)])
        shard = int(shard_rng.integers(len(self.shard_ends_b)))
        return int(rng.integers(self.shard_ends_b[shard - 1] if shard else 0, self.shard_ends_b[shard]))


class PhotoDataset(SampleDataset):
    """Photos as `photo`, (3, H, W) uint8.

    Args:
        training: random crops and flips; otherwise the same sample for every epoch.
        cache: of the photos, for training.
    """

    def __init__(
        self,
        files: Sequence[ImageSource],
        c: ImageTrainConfig,
        *,
        training: bool,
        cache: DecodedCache[ImageSource] | None = None,
    ) -> None:
        self.files, self.seed = files, c.seed
        self.shard_sizes = shard_sizes(files)
        self.reader = ImageReader(c, training=training, cache=cache)
        self.ready = self.reader.ready
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return len(self.files)

    def sample(self, key: SampleKey) -> Sample:
        photo = self.reader(self.files[key.index])
        return {"photo": _to_tensor(_apply(self.transform, photo, sample_rng(self.seed, key)))}


class InpaintingDataset(PhotoDataset):
    """Photos as `photo`, (3, H, W) uint8, and holes in them as `mask`, (1, H, W) uint8, 255 in the hole.

    Args:
        holes: what the holes look like: `strokes`, `boxes`, `blobs`, `outlines`, or `all` of them.
    """

    def __init__(
        self,
        files: Sequence[ImageSource],
        c: ImageTrainConfig,
        *,
        training: bool,
        holes: str = "all",
        cache: DecodedCache[ImageSource] | None = None,
    ) -> None:
        super().__init__(files, c, training=training, cache=cache)
        self.training = training
        self.ready = False  # To draw a mask takes 2 ms, so worker processes are quicker.
        self.kinds = () if holes == "all" else (holes,)

    def sample(self, key: SampleKey) -> Sample:
        sample = super().sample(key)
        height, width = sample["photo"].shape[1:]
        rng = np.random.default_rng([self.seed, key.epoch if self.training else 0, key.index, HOLES])
        mask = draw_mask(rng, height, width, self.kinds)
        return {**sample, "mask": torch.from_numpy(mask)[None]}


def sample_rng(seed: int, key: SampleKey) -> np.random.Generator:
    """Return the random generator of a sample."""
    return np.random.default_rng([seed, key.epoch, key.index])


def _apply(transform: A.Compose, pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Transform an image, (H, W, 3), or both of a pair alike, (2, H, W, 3), as `rng` decides."""
    transform.set_random_seed(int(rng.integers(2**31)))
    if pixels.ndim == 3:
        return np.asarray(transform(image=pixels)["image"])
    pair = transform(image=pixels[0], b=pixels[1])
    return np.stack([pair["image"], pair["b"]])


def _to_tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)


def _repeat_sizes(sizes: Sequence[int], length: int) -> list[int]:
    """Repeat the sizes of shards until they add up to a length; the last is cut."""
    ends = (min(end, length) for end in accumulate(cycle(sizes)))
    bounds = [0, *takewhile(lambda end: end < length, ends), length] if sizes else []
    return [end - start for start, end in pairwise(bounds)]


@functools.cache
def _log_once(text: str) -> None:
    log.info(text)
