"""The generators of many samples draw what each sample's own generator draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.data.datasets.batched_rng import BatchedGenerator
from translate.data.datasets.crops import SampleKey, sample_rng

SEEDS = st.integers(0, 2**32 - 1)
KEYS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), min_size=1, max_size=20)
# Bounds above 2**31 reject half of the numbers, so that samples draw different numbers of times.
DRAWS = st.lists(st.one_of(st.none(), st.integers(1, 2**32 - 1), st.just(2**31 + 1)), min_size=1, max_size=6)


@given(SEEDS, KEYS, DRAWS)
def test_the_numbers_are_those_of_each_sample(
    seed: int, keys: list[tuple[int, int]], bounds: list[int | None]
) -> None:
    epochs, indices = np.array(keys).T
    batched = BatchedGenerator(seed, epochs, indices)
    generators = [sample_rng(seed, SampleKey(epoch, index)) for epoch, index in keys]
    for bound in bounds:
        if bound is None:
            assert batched.random().tolist() == [generator.random() for generator in generators]
        else:
            expected = [generator.integers(bound) for generator in generators]
            assert batched.integers(bound).tolist() == expected


@pytest.mark.parametrize("count", [1, 3000])
def test_the_numbers_do_not_depend_on_the_number_of_samples(count: int) -> None:
    indices = np.arange(count)
    drawn = BatchedGenerator(7, np.zeros_like(indices), indices).integers(2**31)
    assert drawn[0] == sample_rng(7, SampleKey(0, 0)).integers(2**31)
    assert drawn[-1] == sample_rng(7, SampleKey(0, count - 1)).integers(2**31)
