"""A set of whole pictures at the size of training: decoded once, or kept in memory where they fit."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from translate.config import NoiseTrainConfig
from translate.data.check import unreadable
from translate.data.classes import Classed
from translate.data.layouts import Source
from translate.data.pack import Pack, packed
from translate.data.progress import told
from translate.data.sets import Draw, Sample, SampleSet, random_of
from translate.data.shards import parts
from translate.errors import DataError
from translate.images import Pixels, read_rgb

MOST = 2**31  # bytes kept in memory
LOOKED_AT = 256  # pictures by which it is said whether a set is gray
THREADS = 4


class KeptSet(SampleSet):
    """Pictures as `picture`, (C, S, S) uint8, and, with classes, `label`, () int64.

    A picture is scaled until its shorter side is S, and its middle is taken. Those of a folder come from a
    pack, others from memory; what has room in neither is read each time.

    Raises:
        DataError: no picture can be read.
    """

    def __init__(self, found: Classed, c: NoiseTrainConfig) -> None:
        self.side, self.seed, self.flip = c.image_size, c.seed, c.flip
        self.found, self.pack = found, _pack_of(found, c)
        known = self.pack.reasons() if self.pack else {}
        packed_all = self.pack is not None and self.pack.complete
        fits = not packed_all and 3 * self.side**2 * len(found.pictures) <= MOST
        files = found.files()
        if packed_all:
            read = [known[file] or self._square(number) for number, file in enumerate(files)]
        else:
            read = list(self._read(len(found.pictures) if fits else LOOKED_AT))
            if not (fits or known):
                known = unreadable(file for file in files if isinstance(file, Path))
        bad = {file: reason for file, reason in known.items() if reason}
        bad |= {file: what for file, what in zip(files, read, strict=False) if isinstance(what, str)}
        self.found = found.without(bad, [f"left out, {reason}" for reason in bad.values()])
        pictures = [what for what in read if not isinstance(what, str)]
        if not pictures:
            raise DataError(f"no picture is left to train on; the first bad one: {next(iter(bad.values()))}")
        self.channels = c.channels or (1 if all(_is_gray(picture) for picture in pictures) else 3)
        self.parts = [] if fits else parts(self.found.files())
        self.kept = np.stack([self._in_channels(picture) for picture in pictures]) if fits else None
        self.ready = packed_all or fits

    def _read(self, count: int) -> Iterator[Pixels | str]:
        """The first pictures, (S, S, 3) each; where one cannot be read, the reason."""
        numbers = range(min(count, len(self.found.pictures)))
        with ThreadPoolExecutor(THREADS) as pool:
            read = pool.map(partial(_fitted_or_reason, self.found, self.side), numbers)
            yield from told(read, len(numbers), "read %d of %d pictures")

    def _in_channels(self, picture: Pixels) -> Pixels:
        if picture.shape[2] == self.channels:
            return picture
        if self.channels == 3:
            return np.repeat(picture, 3, axis=2)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]

    def __len__(self) -> int:
        return len(self.found.pictures)

    def sample(self, draw: Draw) -> Sample:
        picture = self._picture(draw.item)
        if self.flip and random_of(self.seed, draw).random() < 0.5:
            picture = picture[:, ::-1]
        writable = np.require(picture, requirements=["C", "W"])
        sample = {"picture": torch.from_numpy(writable).permute(2, 0, 1)}
        if self.found.labels:
            sample["label"] = torch.tensor(self.found.labels[draw.item])
        return sample

    def _picture(self, number: int) -> Pixels:
        if self.kept is not None:
            return np.asarray(self.kept[number])
        return self._in_channels(self._square(number))

    def _square(self, number: int) -> Pixels:
        """(S, S, 3), or (S, S, 1) of a gray one from the pack."""
        if self.pack and (pixels := self.pack.find(self.found.files()[number])) is not None:
            return pixels
        return fitted(self.found.pixels(number, self.side), self.side)


def _pack_of(found: Classed, c: NoiseTrainConfig) -> Pack[Source] | None:
    """The pictures of a folder, decoded once; None for others, and where the settings do not want it."""
    files = found.files()
    if not c.cache_size or found.sources or parts(files):
        return None
    make = partial(_squared, c.image_size)
    return packed(files, lambda file: (file,), make, {"squared": c.image_size}, c.cache_size)


def _squared(side: int, file: Source) -> Pixels:
    """What a pack keeps of a file: (S, S, 3), or (S, S, 1) of a gray one."""
    pixels = fitted(read_rgb(file, least=(side, side)), side)
    return pixels[..., :1] if _is_gray(pixels) else pixels


def _fitted_or_reason(found: Classed, side: int, number: int) -> Pixels | str:
    try:
        return fitted(found.pixels(number, side), side)
    except DataError as error:
        return str(error)


def fitted(picture: Pixels, side: int) -> Pixels:
    """The middle of a picture, (side, side, 3), after its shorter side was brought to that length."""
    factor = side / min(picture.shape[:2])
    size = tuple(max(side, round(factor * length)) for length in (picture.shape[1], picture.shape[0]))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
    top, left = (scaled.shape[0] - side) // 2, (scaled.shape[1] - side) // 2
    return scaled[top : top + side, left : left + side]


def _is_gray(picture: Pixels) -> bool:
    return bool((picture == picture[..., :1]).all())
