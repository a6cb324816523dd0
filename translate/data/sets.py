"""Sets of samples. A sample is drawn by (epoch, item): the same draw is the same sample."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, partial
from itertools import accumulate, cycle, pairwise, takewhile
from typing import Generic, NamedTuple, TypeVar

import albumentations as A
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from translate.config import ImageTrainConfig, InpaintConfig, TranslationConfig
from translate.data.layouts import Pair, Source
from translate.data.masks import draw_mask
from translate.data.pack import Pack, packed
from translate.data.shards import parts
from translate.data.transforms import evaluation_transform, training_transform, whole_size
from translate.errors import DataError
from translate.images import read_rgb, resized
from translate.images.picture import Pixels

Sample = dict[str, Tensor]
Unit = TypeVar("Unit", Pair, Source)
Size = tuple[int, int]  # width and height
TRIED = 20  # samples one after the other that cannot be read, before it is an error
RESIZED = ("resize_and_crop", "scale_width", "scale_width_and_crop")  # whole pictures first
HOLES = 1  # so that the holes of a sample are not drawn as its crop is

log = logging.getLogger("translate")


class Draw(NamedTuple):
    """Which sample: all that is random in it follows from the seed and these two."""

    epoch: int
    item: int


class SampleSet(Dataset[Sample]):
    """A set of known length whose samples are named pictures, (C, H, W) uint8.

    Attributes:
        parts: how many pictures are in each tar file, one after the other; empty where they are files.
        ready: samples come from memory, quicker than they would come from another process.
    """

    parts: Sequence[int] = ()
    ready: bool = False

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, draw: Draw) -> Sample:
        """A sample; of tar files, which nobody looked through beforehand, the next where one cannot be read.

        Raises:
            DataError: it cannot be read, nor the many after it.
        """
        if not self.parts:
            return self.sample(draw)
        tries = min(TRIED, len(self))
        for tried in range(tries):
            try:
                return self.sample(Draw(draw.epoch, (draw.item + tried) % len(self)))
            except DataError as error:
                last = error
                _tell_once(f"left out, {error}")
        raise DataError(
            f"{tries} pictures in a row cannot be read, the last: {last}; translate data check tells of all"
        )

    def sample(self, draw: Draw) -> Sample:
        """That sample itself."""
        raise NotImplementedError


class Wholes(Generic[Unit]):
    """Whole pictures, or pairs, as they are before chance comes in.

    Args:
        pack: those that were decoded before.

    Attributes:
        ready: as of a `SampleSet`.
    """

    def __init__(self, c: ImageTrainConfig, *, training: bool, pack: Pack[Unit] | None = None) -> None:
        self.size = partial(whole_size, c, training=training)
        shrunk = training and c.preprocess in RESIZED
        self.least: Size | None = (c.resize_to, c.resize_to) if shrunk else None
        self.pack: Pack[Unit] | None = pack
        slow = c.affine or c.color_jitter or c.preprocess == "random_resized_crop"
        self.ready = pack is not None and pack.complete and not slow

    def __call__(self, unit: Unit) -> Pixels:
        """(H, W, 3), or for a pair (2, H, W, 3), uint8."""
        found = self.pack.find(unit) if self.pack else None
        return self.read(unit) if found is None else found

    def read(self, unit: Unit) -> Pixels:
        """The same, from the files."""
        if isinstance(unit, Pair):
            pixels = np.stack(_read_pair(unit, self.least))
        else:
            pixels = read_rgb(unit, least=self.least)
        return resized(pixels, *self.size(*pixels.shape[-3:-1]))


def pack_of(units: Sequence[Unit], c: ImageTrainConfig) -> Pack[Unit] | None:
    """The whole pictures of a training set, decoded once; None where the settings do not want it."""
    if not c.cache_size or parts([file for unit in units for file in _files(unit)]):
        return None

    def made(unit: Unit) -> Pixels:
        wholes: Wholes[Unit] = Wholes(c, training=True)  # one for each: they are called in threads
        return wholes.read(unit)

    settings = {name: getattr(c, name) for name in ("preprocess", "resize_to", "image_size")}
    return packed(units, _files, made, settings, c.cache_size)


def decoded(pack: Pack[Unit] | None) -> dict[Source, str]:
    """What is known of the files that a pack was made from: nothing bad, or why they cannot be read."""
    if pack is None:
        return {}
    return {file: reason for unit, reason in pack.reasons().items() for file in _files(unit)}


def _files(unit: Pair | Source) -> tuple[Source, ...]:
    return unit.files if isinstance(unit, Pair) else (unit,)


def _transformed(transform: A.Compose, pixels: Pixels) -> Pixels:
    """A picture, or both of a pair alike."""
    if pixels.ndim == 3:
        return np.asarray(transform(image=pixels)["image"])
    done = transform(image=pixels[0], b=pixels[1])
    return np.stack([done["image"], done["b"]])


class PairedSet(SampleSet):
    """Pairs as `a` and `b`, (3, H, W) uint8, `a` being what is translated.

    Args:
        training: random crops and flips; otherwise the same sample at every draw.
        pack: of the pairs, for training.
    """

    def __init__(
        self, pairs: Sequence[Pair], c: TranslationConfig, *, training: bool, pack: Pack[Pair] | None = None
    ) -> None:
        self.pairs, self.seed = pairs, c.seed
        self.parts = parts([pair.a for pair in pairs])
        self.swapped = c.direction == "BtoA"
        self.wholes: Wholes[Pair] = Wholes(c, training=training, pack=pack)
        self.ready = self.wholes.ready
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return len(self.pairs)

    def sample(self, draw: Draw) -> Sample:
        whole = self.wholes(self.pairs[draw.item])
        self.transform.set_random_seed(int(random_of(self.seed, draw).integers(2**31)))
        a, b = _transformed(self.transform, whole)
        return {"a": _tensor(b), "b": _tensor(a)} if self.swapped else {"a": _tensor(a), "b": _tensor(b)}


class UnpairedSet(SampleSet):
    """Pictures of two kinds as `a` and `b`, (3, H, W) uint8; as long as the longer of the two.

    A goes round by its index; B is drawn at random in training, and by its index otherwise.

    Args:
        pack: of the pictures of both kinds, for training.
    """

    def __init__(
        self,
        files: tuple[Sequence[Source], Sequence[Source]],
        c: ImageTrainConfig,
        *,
        training: bool,
        pack: Pack[Source] | None = None,
    ) -> None:
        self.a, self.b = files
        self.seed, self.training = c.seed, training
        self.parts = _round(parts(self.a), len(self))
        self.ends = list(accumulate(self.parts))
        self.ends_b = list(accumulate(parts(self.b)))
        self.wholes = Wholes(c, training=training, pack=pack)
        self.ready = self.wholes.ready
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if self.a and self.b else 0

    def sample(self, draw: Draw) -> Sample:
        random = random_of(self.seed, draw)
        chosen = self._partner(draw, random) if self.training else draw.item % len(self.b)
        a, b = (
            _drawn(self.wholes(source), self.transform, random)
            for source in (self.a[draw.item % len(self.a)], self.b[chosen])
        )
        return {"a": a, "b": b}

    def _partner(self, draw: Draw, random: np.random.Generator) -> int:
        """Any of B; of tar files, in an epoch one of B's for each of A's, so that few are read at a time."""
        if not (self.ends and self.ends_b):
            return int(random.integers(len(self.b)))
        shard = np.random.default_rng([self.seed, draw.epoch, bisect_right(self.ends, draw.item)])
        chosen = int(shard.integers(len(self.ends_b)))
        return int(random.integers(self.ends_b[chosen - 1] if chosen else 0, self.ends_b[chosen]))


class PhotoSet(SampleSet):
    """Photos as `photo`, (3, H, W) uint8.

    Args:
        training: random crops and flips; otherwise the same sample at every draw.
        pack: of the photos, for training.
    """

    def __init__(
        self,
        files: Sequence[Source],
        c: ImageTrainConfig,
        *,
        training: bool,
        pack: Pack[Source] | None = None,
    ) -> None:
        self.files, self.seed = files, c.seed
        self.parts = parts(files)
        self.wholes = Wholes(c, training=training, pack=pack)
        self.ready = self.wholes.ready
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return len(self.files)

    def sample(self, draw: Draw) -> Sample:
        whole = self.wholes(self.files[draw.item])
        return {"photo": _drawn(whole, self.transform, random_of(self.seed, draw))}


class HoledSet(PhotoSet):
    """Photos as `photo`, (3, H, W) uint8, and holes in them as `mask`, (1, H, W) uint8, 255 in the hole."""

    def __init__(
        self, files: Sequence[Source], c: InpaintConfig, *, training: bool, pack: Pack[Source] | None = None
    ) -> None:
        super().__init__(files, c, training=training, pack=pack)
        self.training, self.ready = training, False  # to draw holes takes 2 ms each
        self.kinds = () if c.holes == "all" else (c.holes,)

    def sample(self, draw: Draw) -> Sample:
        sample = super().sample(draw)
        height, width = sample["photo"].shape[1:]
        random = np.random.default_rng([self.seed, draw.epoch if self.training else 0, draw.item, HOLES])
        mask = draw_mask(random, height, width, self.kinds)
        return {**sample, "mask": torch.from_numpy(mask)[None]}


def _round(sizes: Sequence[int], length: int) -> list[int]:
    """The sizes again and again, up to a length together."""
    ends = (min(end, length) for end in accumulate(cycle(sizes)))
    found = [0, *takewhile(lambda end: end < length, ends), length] if sizes else []
    return [end - start for start, end in pairwise(found)]


@cache
def _tell_once(text: str) -> None:
    log.info(text)


def _drawn(whole: Pixels, transform: A.Compose, random: np.random.Generator) -> Tensor:
    """A picture, transformed as `random` decides."""
    transform.set_random_seed(int(random.integers(2**31)))
    return _tensor(_transformed(transform, whole))


def random_of(seed: int, draw: Draw) -> np.random.Generator:
    return np.random.default_rng([seed, draw.epoch, draw.item])


def _read_pair(pair: Pair, least: Size | None) -> tuple[Pixels, Pixels]:
    """Two pictures of one size; a joined file is cut at half its width.

    Args:
        least: a width and height that are enough for each.
    """
    if pair.b is None:
        a = read_rgb(pair.a, least=least and (2 * least[0], least[1]))
        half = a.shape[1] // 2
        return a[:, :half], a[:, half : 2 * half]
    a, b = (read_rgb(picture, least=least) for picture in (pair.a, pair.b))
    return a, resized(b, *a.shape[:2])  # so that both can be cropped alike


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)
