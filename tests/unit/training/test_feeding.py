"""A run takes the same steps whether its batches are made by the loader or on a device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import translate
from tests.images import noise
from tests.unit.data.uploaders import LateUploader
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches, iterate_on_device
from translate.data.datasets.samples import Sample, SampleDataset
from translate.errors import TranslateError
from translate.training import loop


def train(out: Path, data: Path, **settings: Any) -> dict[str, torch.Tensor]:
    """Train a small conditional GAN; return the weights of its generator."""
    small = {"image_size": 8, "batch_size": 4, "steps": 3, "ngf": 4, "ndf": 4, "latent": 4, "flip": True}
    translate.train("cgan", data=str(data), out=str(out), device="cpu", **{**small, **settings})
    return load_file(out / "model" / "model.safetensors")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(10):
        noise(tmp_path / "data" / "ab"[number % 2] / f"{number}.png", 12, 12, seed=number)
    return tmp_path / "data"


@pytest.mark.parametrize("total_memory", [0, 10**9])  # Batches are uploaded, or made on the device.
def test_a_run_does_not_depend_on_where_its_batches_are_made(
    total_memory: int, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def iterate(
        dataset: SampleDataset, batches: InfiniteBatchSampler, workers: int, *, device: torch.device
    ) -> Iterator[Sample]:
        return iterate_on_device(dataset, batches, workers, LateUploader(total_memory))

    expected = train(tmp_path / "loader", images)
    monkeypatch.setattr(loop, "iterate_batches", iterate)
    weights = train(tmp_path / "device", images)
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_a_batch_that_does_not_fit_on_the_device_is_an_error_with_a_remedy(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def iterate(*args: Any, **settings: Any) -> Iterator[Sample]:
        yield next(iterate_batches(*args, **settings))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(loop, "iterate_batches", iterate)
    with pytest.raises(TranslateError, match=r"memory of cpu .*--batch-size 2"):
        train(tmp_path / "run", images)
    assert "saved at step 1" in (tmp_path / "run" / "log.txt").read_text()
