"""Batches are uploaded one ahead, in order; errors and an early end leave nothing behind."""

from __future__ import annotations

import copy
from collections.abc import Generator
from itertools import count, islice
from pathlib import Path

import pytest
import torch

from tests.images import noise
from tests.unit.data.uploaders import LateUploader
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches, iterate_on_device
from translate.data.datasets.samples import PhotoDataset, Sample
from translate.data.datasets.upload import upload_ahead
from translate.errors import DataError
from translate.methods.cyclegan.config import CycleGANConfig


class Loader:
    """Endless batches of one number, in memory that is reused."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at, self.is_closed, self.taken = fails_at, False, 0

    def __iter__(self) -> Generator[Sample, None, None]:
        memory = torch.zeros(1)
        try:
            for number in count():
                if number == self.fails_at:
                    raise DataError(f"{number}.png: damaged")
                self.taken += 1
                yield {"image": memory.fill_(number)}
        finally:
            self.is_closed = True


def test_the_next_upload_has_begun_when_a_batch_is_used() -> None:
    uploader = LateUploader()
    batches = upload_ahead(iter(Loader()), uploader)
    assert [int(batch["image"]) for batch in islice(batches, 20)] == list(range(20))
    assert uploader.events[:5] == [("start", 0), ("start", 1), ("finish", 0), ("start", 2), ("finish", 1)]
    batches.close()


def test_batches_are_loaded_in_a_thread_only_a_few_ahead() -> None:
    uploader, loader = LateUploader(), Loader()
    batches = upload_ahead(iter(loader), uploader)
    next(batches)
    batches.close()
    assert uploader.owner not in uploader.threads
    assert loader.taken <= 4
    assert loader.is_closed
    assert not any(thread.is_alive() for thread in uploader.threads)


@pytest.mark.parametrize("fails_at", [0, 1, 5])
def test_the_batches_before_an_error_are_used(fails_at: int) -> None:
    loader = Loader(fails_at)
    batches = upload_ahead(iter(loader), LateUploader())
    assert [int(batch["image"]) for batch in islice(batches, fails_at)] == list(range(fails_at))
    with pytest.raises(DataError, match=rf"^{fails_at}\.png: damaged$"):
        next(batches)
    assert loader.is_closed


def test_an_error_of_the_caller_ends_the_thread() -> None:
    uploader, loader = LateUploader(), Loader()
    batches = upload_ahead(iter(loader), uploader)
    next(batches)
    with pytest.raises(KeyboardInterrupt):
        batches.throw(KeyboardInterrupt)
    assert loader.is_closed
    assert not any(thread.is_alive() for thread in uploader.threads)


@pytest.fixture
def photos(tmp_path: Path) -> PhotoDataset:
    files = [noise(tmp_path / f"{n}.png", 32 * n, 32, seed=n) for n in (1, 2, 3)]
    return PhotoDataset(files, CycleGANConfig(image_size=32, preprocess="none"), training=True)


@pytest.mark.parametrize("workers", [0, 2])
def test_images_of_different_sizes_are_uploaded(workers: int, photos: PhotoDataset) -> None:
    state = torch.get_rng_state()
    uploaded = iterate_on_device(photos, InfiniteBatchSampler(3, 1, 0), workers, LateUploader())
    # Each has a thread, and the augmentation of one dataset serves one thread.
    expected = iterate_batches(copy.deepcopy(photos), InfiniteBatchSampler(3, 1, 0), 0)
    heights = set()
    for batch, other in islice(zip(uploaded, expected, strict=True), 12):
        assert torch.equal(batch["photo"], other["photo"])
        heights.add(batch["photo"].shape[2])
    assert heights == {32, 64, 96}
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_image_is_an_error_of_one_line(workers: int, photos: PhotoDataset) -> None:
    for file in photos.files:
        file.unlink()
    with pytest.raises(DataError, match=r"^\S+\.png: No such file or directory$"):
        next(iterate_on_device(photos, InfiniteBatchSampler(3, 1, 0), workers, LateUploader()))
