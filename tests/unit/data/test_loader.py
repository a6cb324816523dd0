"""The order of batches, and batches from a thread and from worker processes."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.images import noise
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches
from translate.data.datasets.samples import PairedDataset, PhotoDataset, SampleKey
from translate.data.discovery.pair import Pair
from translate.errors import DataError, UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig

LENGTH_AND_BATCH_SIZE = st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


def take(count: int, batches: InfiniteBatchSampler) -> list[list[SampleKey]]:
    return list(islice(batches, count))


@given(LENGTH_AND_BATCH_SIZE, st.integers(0, 2**32 - 1))
def test_an_epoch_uses_each_image_at_most_once(sizes: tuple[int, int], seed: int) -> None:
    length, batch_size = sizes
    sampler = InfiniteBatchSampler(length, batch_size, seed)
    assert sampler.steps_per_epoch == length // batch_size
    batches = take(2 * sampler.steps_per_epoch, sampler)
    assert all(len(batch) == batch_size for batch in batches)
    for epoch in (0, 1):
        indices = [key.index for batch in batches for key in batch if key.epoch == epoch]
        assert len(indices) == len(set(indices)) == sampler.steps_per_epoch * batch_size
        assert set(indices) <= set(range(length))


@given(LENGTH_AND_BATCH_SIZE, st.integers(1, 7), st.integers(0, 20))
def test_steps_of_several_batches_have_the_same_order(
    sizes: tuple[int, int], batches_per_step: int, start: int
) -> None:
    single = take(batches_per_step * (start + 3), InfiniteBatchSampler(*sizes, seed=3))
    steps = take(3, InfiniteBatchSampler(*sizes, seed=3, start=start, batches_per_step=batches_per_step))
    expected = single[start * batches_per_step :]
    assert [key for step in steps for key in step] == [key for batch in expected for key in batch]


@given(LENGTH_AND_BATCH_SIZE, st.integers(0, 60))
def test_a_resumed_run_continues_the_order(sizes: tuple[int, int], start: int) -> None:
    batches = take(start + 5, InfiniteBatchSampler(*sizes, seed=3))
    assert take(5, InfiniteBatchSampler(*sizes, seed=3, start=start)) == batches[start:]


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
def test_the_batches_of_several_processes_are_the_parts_of_one_large_batch(
    batch_size: int, world_size: int, batches_per_step: int, start: int
) -> None:
    length = batch_size * world_size + 3
    settings = {"seed": 3, "start": start, "batches_per_step": batches_per_step}
    steps = take(4, InfiniteBatchSampler(length, batch_size * world_size, **settings))
    steps_by_rank = [
        take(4, InfiniteBatchSampler(length, batch_size, rank=rank, world_size=world_size, **settings))
        for rank in range(world_size)
    ]
    for number, step in enumerate(steps):
        slices = [slice(n * batch_size, (n + 1) * batch_size) for n in range(batches_per_step)]
        parts = [rank_steps[number][part] for part in slices for rank_steps in steps_by_rank]
        assert [key for part in parts for key in part] == step


def test_each_process_needs_images_for_a_batch() -> None:
    with pytest.raises(UsageError, match=r"4 in each of 2 processes is more than the 7 .* --batch-size 3"):
        InfiniteBatchSampler(7, 4, 0, rank=0, world_size=2)


def test_each_epoch_and_each_seed_has_a_different_order() -> None:
    orders = [
        [key.index for batch in take(2, InfiniteBatchSampler(50, 50, seed)) for key in batch]
        for seed in (0, 1)
    ]
    assert len({tuple(order[start : start + 50]) for order in orders for start in (0, 50)}) == 4
    assert all(sorted(order[:50]) == list(range(50)) for order in orders)


def test_images_left_over_in_one_epoch_are_used_in_another() -> None:
    batches = take(100, InfiniteBatchSampler(5, 3, 0))
    assert {key.index for batch in batches for key in batch} == set(range(5))


def test_a_batch_larger_than_the_dataset_is_refused() -> None:
    with pytest.raises(UsageError, match=r"batch_size 4 is more than the 3 .*: use --batch-size 3"):
        InfiniteBatchSampler(3, 4, 0)


@pytest.fixture
def dataset(tmp_path: Path) -> PairedDataset:
    pairs = [Pair(noise(tmp_path / f"{n}.png", 40, 80, seed=n)) for n in range(5)]
    return PairedDataset(pairs, Pix2PixConfig(image_size=32, affine=5, color_jitter=0.3), training=True)


def test_batches_do_not_depend_on_the_number_of_workers(dataset: PairedDataset) -> None:
    from_thread = list(islice(iterate_batches(dataset, InfiniteBatchSampler(5, 2, 0), 0), 12))
    from_workers = iterate_batches(dataset, InfiniteBatchSampler(5, 2, 0), 2)
    for expected, batch in zip(from_thread, from_workers, strict=False):
        time.sleep(0.02)  # The workers must not overwrite the batch in use during this time.
        assert expected["a"].shape == (2, 3, 32, 32)
        assert torch.equal(expected["a"], batch["a"])
        assert torch.equal(expected["b"], batch["b"])


def test_workers_load_images_of_different_sizes(tmp_path: Path) -> None:
    files = [noise(tmp_path / f"{n}.png", 32 * n, 32, seed=n) for n in (1, 2, 3)]
    photos = PhotoDataset(files, CycleGANConfig(image_size=32, preprocess="none"), training=True)
    from_thread = list(islice(iterate_batches(photos, InfiniteBatchSampler(3, 1, 0), 0), 12))
    from_workers = iterate_batches(photos, InfiniteBatchSampler(3, 1, 0), 2)
    heights = set()
    for expected, batch in zip(from_thread, from_workers, strict=False):
        assert torch.equal(expected["photo"], batch["photo"])
        heights.add(expected["photo"].shape[2])
    assert heights == {32, 64, 96}


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_does_not_change_the_random_state_of_training(workers: int, dataset: PairedDataset) -> None:
    before = torch.get_rng_state()
    next(iterate_batches(dataset, InfiniteBatchSampler(5, 2, 0), workers))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_image_is_an_error_of_one_line(workers: int, dataset: PairedDataset) -> None:
    for pair in dataset.pairs:
        pair.a.unlink()
    with pytest.raises(DataError, match=r"^\S+\.png: No such file or directory$"):
        next(iterate_batches(dataset, InfiniteBatchSampler(5, 2, 0), workers))


def test_images_of_different_sizes_in_one_batch_are_refused(tmp_path: Path) -> None:
    pairs = [Pair(noise(tmp_path / f"{n}.png", 32, 64 * n, seed=n)) for n in (1, 2)]

    config = Pix2PixConfig(image_size=32, preprocess="none", batch_size=2)
    dataset = PairedDataset(pairs, config, training=True)
    with pytest.raises(DataError, match=r"32x32 and 64x32.*--batch-size 1"):
        next(iterate_batches(dataset, InfiniteBatchSampler(2, 2, 0), 0))
