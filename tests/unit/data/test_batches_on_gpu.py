"""A GPU that is busy gets the batches that a CPU gets."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from tests.images import noise
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches
from translate.data.datasets.reader import open_training_cache
from translate.data.datasets.samples import UnpairedDataset
from translate.methods.cyclegan.config import CycleGANConfig


@pytest.mark.gpu
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache_size", [0.0, 1.0])  # Uploaded, or made on the GPU.
def test_a_busy_gpu_gets_the_batches_of_the_loader(
    cache_size: float, workers: int, gpu: str, tmp_path: Path
) -> None:
    files = [noise(tmp_path / f"{number}.png", 80, 80, seed=number) for number in range(9)]
    c = CycleGANConfig(image_size=64, cache_size=cache_size)
    cache = open_training_cache(files, c)
    dataset = UnpairedDataset((files[:6], files[6:]), c, training=True, cache=cache)
    batches = iterate_batches(dataset, InfiniteBatchSampler(6, 2, 0), workers, device=torch.device(gpu))
    taken = []
    for batch in islice(batches, 60):
        assert {tensor.device.type for tensor in batch.values()} == {torch.device(gpu).type}
        if torch.cuda.is_available():
            torch.cuda._sleep(5_000_000)  # The GPU reads the batch after the next ones have been uploaded.
        taken.append({name: tensor.clone() for name, tensor in batch.items()})
        del batch
    batches.close()
    loaded = iterate_batches(dataset, InfiniteBatchSampler(6, 2, 0), 0)
    for batch, expected in zip(taken, loaded, strict=False):
        assert all(torch.equal(batch[name].cpu(), expected[name]) for name in "ab")
