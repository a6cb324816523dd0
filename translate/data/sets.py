"""Sets of samples. A sample is drawn by (epoch, item): the same draw is the same sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import albumentations as A
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from translate.config import ImageTrainConfig, InpaintConfig, TranslationConfig
from translate.data.layouts import Pair
from translate.data.masks import draw_mask
from translate.data.transforms import evaluation_transform, training_transform
from translate.images import read_rgb
from translate.images.picture import Pixels

Sample = dict[str, Tensor]
HOLES = 1  # so that the holes of a sample are not drawn as its crop is


class Draw(NamedTuple):
    """Which sample: all that is random in it follows from the seed and these two."""

    epoch: int
    item: int


class SampleSet(Dataset[Sample]):
    """A set of known length whose samples are named pictures, (C, H, W) uint8."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, draw: Draw) -> Sample:
        raise NotImplementedError


class PairedSet(SampleSet):
    """Pairs as `a` and `b`, (3, H, W) uint8, `a` being what is translated.

    Args:
        training: random crops and flips; otherwise the same sample at every draw.
    """

    def __init__(self, pairs: Sequence[Pair], c: TranslationConfig, *, training: bool) -> None:
        self.pairs, self.seed = pairs, c.seed
        self.swapped = c.direction == "BtoA"
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, draw: Draw) -> Sample:
        a, b = _read_pair(self.pairs[draw.item])
        if a.shape != b.shape:
            b = _fit(b, a)
        self.transform.set_random_seed(int(random_of(self.seed, draw).integers(2**31)))
        done = self.transform(image=a, b=b)
        a, b = done["image"], done["b"]
        return {"a": _tensor(b), "b": _tensor(a)} if self.swapped else {"a": _tensor(a), "b": _tensor(b)}


class UnpairedSet(SampleSet):
    """Pictures of two kinds as `a` and `b`, (3, H, W) uint8; as long as the longer of the two.

    A goes round by its index; B is drawn at random in training, and by its index otherwise.
    """

    def __init__(
        self, files: tuple[Sequence[Path], Sequence[Path]], c: ImageTrainConfig, *, training: bool
    ) -> None:
        self.a, self.b = files
        self.seed, self.training = c.seed, training
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if self.a and self.b else 0

    def __getitem__(self, draw: Draw) -> Sample:
        random = random_of(self.seed, draw)
        chosen = int(random.integers(len(self.b))) if self.training else draw.item % len(self.b)
        a, b = (
            _drawn(path, self.transform, random) for path in (self.a[draw.item % len(self.a)], self.b[chosen])
        )
        return {"a": a, "b": b}


class PhotoSet(SampleSet):
    """Photos as `photo`, (3, H, W) uint8.

    Args:
        training: random crops and flips; otherwise the same sample at every draw.
    """

    def __init__(self, files: Sequence[Path], c: ImageTrainConfig, *, training: bool) -> None:
        self.files, self.seed = files, c.seed
        self.transform = training_transform(c) if training else evaluation_transform(c)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, draw: Draw) -> Sample:
        return {"photo": _drawn(self.files[draw.item], self.transform, random_of(self.seed, draw))}


class HoledSet(PhotoSet):
    """Photos as `photo`, (3, H, W) uint8, and holes in them as `mask`, (1, H, W) uint8, 255 in the hole."""

    def __init__(self, files: Sequence[Path], c: InpaintConfig, *, training: bool) -> None:
        super().__init__(files, c, training=training)
        self.training = training
        self.kinds = () if c.holes == "all" else (c.holes,)

    def __getitem__(self, draw: Draw) -> Sample:
        sample = super().__getitem__(draw)
        height, width = sample["photo"].shape[1:]
        random = np.random.default_rng([self.seed, draw.epoch if self.training else 0, draw.item, HOLES])
        mask = draw_mask(random, height, width, self.kinds)
        return {**sample, "mask": torch.from_numpy(mask)[None]}


def _drawn(path: Path, transform: A.Compose, random: np.random.Generator) -> Tensor:
    """A picture file, transformed as `random` decides."""
    transform.set_random_seed(int(random.integers(2**31)))
    return _tensor(transform(image=read_rgb(path))["image"])


def random_of(seed: int, draw: Draw) -> np.random.Generator:
    return np.random.default_rng([seed, draw.epoch, draw.item])


def _read_pair(pair: Pair) -> tuple[Pixels, Pixels]:
    """The two pictures; a joined file is cut at half its width."""
    a = read_rgb(pair.a)
    if pair.b is not None:
        return a, read_rgb(pair.b)
    half = a.shape[1] // 2
    return a[:, :half], a[:, half : 2 * half]


def _fit(picture: Pixels, like: Pixels) -> Pixels:
    """Bring a partner of another size to its pair's size, so that both can be cropped alike."""
    height, width = like.shape[:2]
    fitted: Pixels = A.Resize(height, width, area_for_downscale="image")(image=picture)["image"]
    return fitted


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
