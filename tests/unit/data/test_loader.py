"""The order of batches, and their way through worker processes."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.images import noise
from translate.data.datasets.loader import InfiniteBatchSampler, load
from translate.data.datasets.samples import PairedDataset, PhotoDataset, SampleKey
from translate.data.discovery.pair import Pair
from translate.errors import DataError, TranslateError, UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig

LENGTH_AND_BATCH = st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


def first(count: int, batches: InfiniteBatchSampler) -> list[list[SampleKey]]:
    return list(islice(batches, count))


@given(LENGTH_AND_BATCH, st.integers(0, 2**32 - 1))
def test_an_epoch_takes_each_image_once_at_most(sizes: tuple[int, int], seed: int) -> None:
    length, size = sizes
    batches = InfiniteBatchSampler(length, size, seed)
    assert batches.steps_per_epoch == length // size
    taken = first(2 * batches.steps_per_epoch, batches)
    assert all(len(batch) == size for batch in taken)
    for epoch in (0, 1):
        indices = [key.index for batch in taken for key in batch if key.epoch == epoch]
        assert len(indices) == len(set(indices)) == batches.steps_per_epoch * size
        assert set(indices) <= set(range(length))


@given(LENGTH_AND_BATCH, st.integers(1, 7), st.integers(0, 20))
def test_a_step_of_several_batches_takes_them_in_the_same_order(
    sizes: tuple[int, int], batches_per_step: int, start: int
) -> None:
    each = first(batches_per_step * (start + 3), InfiniteBatchSampler(*sizes, seed=3))
    steps = first(3, InfiniteBatchSampler(*sizes, seed=3, start=start, batches_per_step=batches_per_step))
    expected = each[start * batches_per_step :]
    assert [key for step in steps for key in step] == [key for batch in expected for key in batch]


@given(LENGTH_AND_BATCH, st.integers(0, 60))
def test_a_resumed_order_goes_on_where_it_stopped(sizes: tuple[int, int], start: int) -> None:
    whole = first(start + 5, InfiniteBatchSampler(*sizes, seed=3))
    assert first(5, InfiniteBatchSampler(*sizes, seed=3, start=start)) == whole[start:]


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
def test_the_shares_of_several_processes_make_up_one_large_batch(
    size: int, count: int, batches_per_step: int, start: int
) -> None:
    length = size * count + 3
    settings = {"seed": 3, "start": start, "batches_per_step": batches_per_step}
    whole = first(4, InfiniteBatchSampler(length, size * count, **settings))
    shares = [
        first(4, InfiniteBatchSampler(length, size, share=(i, count), **settings)) for i in range(count)
    ]
    for number, step in enumerate(whole):
        batches = range(batches_per_step)
        parts = [share[number][n * size : (n + 1) * size] for n in batches for share in shares]
        assert [key for part in parts for key in part] == step


def test_several_processes_need_a_batch_for_each() -> None:
    with pytest.raises(UsageError, match=r"4 in each of 2 processes is more than the 7 .* --batch-size 3"):
        InfiniteBatchSampler(7, 4, 0, share=(0, 2))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = [
        [key.index for b in first(2, InfiniteBatchSampler(50, 50, seed)) for key in b] for seed in (0, 1)
    ]
    assert len({tuple(order[part : part + 50]) for order in orders for part in (0, 50)}) == 4
    assert all(sorted(order[:50]) == list(range(50)) for order in orders)


def test_what_is_left_over_has_its_turn_in_another_epoch() -> None:
    taken = first(100, InfiniteBatchSampler(5, 3, 0))
    assert {key.index for batch in taken for key in batch} == set(range(5))


def test_a_batch_larger_than_the_set_is_refused_with_the_remedy() -> None:
    with pytest.raises(UsageError, match=r"batch_size 4 is more than the 3 .*: use --batch-size 3"):
        InfiniteBatchSampler(3, 4, 0)


@pytest.fixture
def dataset(tmp_path: Path) -> PairedDataset:
    pairs = [Pair(noise(tmp_path / f"{n}.png", 40, 80, seed=n)) for n in range(5)]
    return PairedDataset(pairs, Pix2PixConfig(image_size=32, affine=5, color_jitter=0.3), training=True)


def test_the_number_of_workers_changes_nothing(dataset: PairedDataset) -> None:
    by_thread = list(islice(load(dataset, InfiniteBatchSampler(5, 2, 0), 0), 12))
    for one, other in zip(by_thread, load(dataset, InfiniteBatchSampler(5, 2, 0), 2), strict=False):
        time.sleep(0.02)  # in which the processes could fill what is looked at
        assert one["a"].shape == (2, 3, 32, 32)
        assert torch.equal(one["a"], other["a"])
        assert torch.equal(one["b"], other["b"])


def test_images_of_other_sizes_come_from_processes_too(tmp_path: Path) -> None:
    files = [noise(tmp_path / f"{n}.png", 32 * n, 32, seed=n) for n in (1, 2, 3)]
    photos = PhotoDataset(files, CycleGANConfig(image_size=32, preprocess="none"), training=True)
    by_thread = list(islice(load(photos, InfiniteBatchSampler(3, 1, 0), 0), 12))
    sizes = set()
    for one, other in zip(by_thread, load(photos, InfiniteBatchSampler(3, 1, 0), 2), strict=False):
        assert torch.equal(one["photo"], other["photo"])
        sizes.add(one["photo"].shape[2])
    assert sizes == {32, 64, 96}


def test_loading_leaves_the_random_state_of_training_alone(dataset: PairedDataset) -> None:
    before = torch.get_rng_state()
    next(load(dataset, InfiniteBatchSampler(5, 2, 0), 0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_vanished_is_an_error_of_one_line(workers: int, dataset: PairedDataset) -> None:
    for pair in dataset.pairs:
        pair.a.unlink()
    with pytest.raises(DataError, match=r"^\S+\.png: No such file or directory$"):
        next(load(dataset, InfiniteBatchSampler(5, 2, 0), workers))


def test_images_of_different_sizes_in_one_batch_are_refused(tmp_path: Path) -> None:
    pairs = [Pair(noise(tmp_path / f"{n}.png", 32, 64 * n, seed=n)) for n in (1, 2)]

    def train() -> None:
        config = Pix2PixConfig(image_size=32, preprocess="none", batch_size=2)
        next(load(PairedDataset(pairs, config, training=True), InfiniteBatchSampler(2, 2, 0), 0))

    with pytest.raises(TranslateError, match="batch"):  # in the settings or in the loader, but in words
        train()
