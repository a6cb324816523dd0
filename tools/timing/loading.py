"""Images from a folder to the device, without a network behind them.

The process that asks for them computes by one thread: the workers are measured, not who gets the cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from timing import plain
from timing.measure import Build, Run, keep_heap, timed
from translate.data.datasets.loader import InfiniteBatchSampler, load
from translate.data.datasets.reader import training_cache
from translate.data.datasets.samples import PhotoDataset
from translate.images import find_images, to_tensor
from translate.methods.cyclegan.config import CycleGANConfig

LOAD_SIZE, SIDE, BATCH, WORKERS = 286, 256, 8, 2


def ours(photos: Path, batches: int, *, cached: bool) -> Run:
    """Batches as a training step gets them, up to float32 in [-1, 1]."""
    torch.set_num_threads(1)
    keep_heap()
    c = CycleGANConfig(image_size=SIDE, load_size=LOAD_SIZE, batch_size=BATCH)
    files = find_images(photos)
    photo_set = PhotoDataset(files, c, training=True, cache=training_cache(files, c) if cached else None)
    loaded = load(photo_set, InfiniteBatchSampler(len(files), BATCH, 0), WORKERS)
    return partial(_take, (to_tensor(batch["photo"]) for batch in loaded), batches)


def theirs(photos: Path, batches: int) -> Run:
    """The same by the plain loader."""
    torch.set_num_threads(1)
    photo_set = plain.PlainPhotos(find_images(photos), LOAD_SIZE, SIDE)
    return partial(_take, plain.loader(photo_set, BATCH, WORKERS), batches)


def _take(loaded: Iterator[torch.Tensor], batches: int) -> None:
    for _, batch in zip(range(batches), loaded, strict=False):
        assert batch.shape == (BATCH, 3, SIDE, SIDE)
        assert batch.dtype == torch.float32


def rows(photos: Path, rounds: int, batches: int) -> list[dict[str, Any]]:
    """Images a second of each way, the plain loader first."""
    ways: dict[str, Build] = {
        "plain loader": partial(theirs, photos, batches),
        "ours, --cache-size 0": partial(ours, photos, batches, cached=False),
        "ours": partial(ours, photos, batches, cached=True),
    }
    found = timed(ways, rounds)
    base = found["plain loader"].seconds
    images = batches * BATCH
    return [
        {"way": name, "images_a_second": images / figures.seconds, "ratio": base / figures.seconds}
        for name, figures in found.items()
    ]


def write_photos(folder: Path, source: Path, side: int, number: int) -> None:
    """JPEGs of photographs' usual proportions, of the images in a folder."""
    from PIL import Image

    found = find_images(source)
    folder.mkdir(parents=True)
    for name in range(number):
        image = Image.open(found[name % len(found)]).convert("RGB")
        image.resize((side * 4 // 3, side), Image.Resampling.LANCZOS).save(
            folder / f"{name:04}.jpg", quality=90
        )
