"""Time data loading: images from files to normalized batches, without a network; and how long training waits.

The main process uses one thread, so that the workers are measured and not the competition for cores.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import translate
from timing import plain
from timing.measure import CPU, Build, Run, retain_freed_memory, time_variants
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches
from translate.data.datasets.reader import open_training_cache
from translate.data.datasets.samples import PhotoDataset
from translate.images import find_images, to_tensor
from translate.methods.cyclegan.config import CycleGANConfig

LOAD_SIZE, CROP_SIZE, BATCH_SIZE, WORKERS = 286, 256, 8, 2


def build_ours(photos: Path, batches: int, device: torch.device, *, cached: bool) -> Run:
    """Build a loader of this package, of batches as a training step sees them: on the device, in [-1, 1]."""
    torch.set_num_threads(1)
    retain_freed_memory()
    c = CycleGANConfig(image_size=CROP_SIZE, load_size=LOAD_SIZE, batch_size=BATCH_SIZE)
    files = find_images(photos)
    dataset = PhotoDataset(files, c, training=True, cache=open_training_cache(files, c) if cached else None)
    sampler = InfiniteBatchSampler(len(files), BATCH_SIZE, 0)
    samples = iterate_batches(dataset, sampler, WORKERS, device=device)
    return partial(_load, (to_tensor(batch["photo"]) for batch in samples), batches)


def build_plain(photos: Path, batches: int, device: torch.device) -> Run:
    """Build the plain loader of the same batches."""
    torch.set_num_threads(1)
    dataset = plain.PlainPhotos(find_images(photos), LOAD_SIZE, CROP_SIZE)
    return partial(_load, plain.infinite_batches(dataset, BATCH_SIZE, WORKERS, device), batches)


def _load(loader: Iterator[torch.Tensor], batches: int) -> None:
    for _, batch in zip(range(batches), loader, strict=False):
        assert batch.shape == (BATCH_SIZE, 3, CROP_SIZE, CROP_SIZE)
        assert batch.dtype == torch.float32


def rows(photos: Path, rounds: int, batches: int, device: torch.device = CPU) -> list[dict[str, Any]]:
    """Return the images and batches per second of each loader, the plain one first.

    Args:
        batches: batches to load in each round.
    """
    variants: dict[str, Build] = {
        "plain loader": partial(build_plain, photos, batches, device),
        "ours, --cache-size 0": partial(build_ours, photos, batches, device, cached=False),
        "ours": partial(build_ours, photos, batches, device, cached=True),
    }
    timings = time_variants(variants, rounds, device=device)
    base = timings["plain loader"].seconds
    return [
        {
            "way": name,
            "images_a_second": batches * BATCH_SIZE / timing.seconds,
            "batches_a_second": batches / timing.seconds,
            "ratio": base / timing.seconds,
        }
        for name, timing in timings.items()
    ]


def waiting_row(photos: Path, run: Path, device: torch.device, **settings: Any) -> dict[str, Any]:
    """Train dcgan at 64 px with batches of 64, and return how long its steps waited for their images.

    The figures are those of the progress line, but for its first one, while the GPU gets ready.

    Args:
        photos: the folder of the images.
        run: the folder of the run.
        settings: further settings of the run.
    """
    sizes = {"image_size": 64, "batch_size": 64, "channels": 3}
    translate.train("dcgan", data=str(photos), out=str(run), device=str(device), **{**sizes, **settings})
    lines = (run / "metrics.jsonl").read_text().splitlines()
    records = [record for record in map(json.loads, lines) if "waiting" in record]
    records = records[1:] or records
    return {
        "way": "translate train dcgan, 64 px, batch 64",
        "images_a_second": statistics.mean(record["pictures_per_second"] for record in records),
        "waiting": statistics.mean(record["waiting"] for record in records),
    }


def write_photos(folder: Path, source: Path, height: int, count: int) -> None:
    """Write JPEGs of the aspect ratio 4:3 from the images of a folder, repeating them if they are few."""
    images = find_images(source)
    folder.mkdir(parents=True)
    for number in range(count):
        image = Image.open(images[number % len(images)]).convert("RGB")
        image = image.resize((height * 4 // 3, height), Image.Resampling.LANCZOS)
        image.save(folder / f"{number:04}.jpg", quality=90)
