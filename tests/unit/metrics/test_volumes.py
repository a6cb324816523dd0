"""Distances between volumes, coverage, and connected parts."""

from __future__ import annotations

import numpy as np
import pytest

from translate.metrics.volumes import coverage, is_connected, jaccard_distances


def slab(start: int, end: int) -> np.ndarray:
    volume = np.zeros((8, 8, 8), bool)
    volume[start:end] = True
    return volume


def test_the_distance_is_one_minus_intersection_over_union() -> None:
    volumes, others = np.stack([slab(0, 4), slab(0, 0)]), [slab(0, 4), slab(2, 6), slab(4, 8), slab(0, 0)]
    expected = [[0, 1 - 2 / 6, 1, 1], [1, 1, 1, 0]]
    assert jaccard_distances(volumes, others) == pytest.approx(np.array(expected))


def test_coverage_is_the_share_of_the_set_that_is_nearest_to_some_sample() -> None:
    shapes = np.stack([slab(0, 3), slab(3, 5), slab(5, 8), slab(0, 8)])
    assert coverage(jaccard_distances(shapes, shapes)) == 1
    assert coverage(jaccard_distances(shapes[[1, 1, 1, 2]], shapes)) == 0.5


def test_a_volume_in_one_piece() -> None:
    volume = slab(0, 4)
    assert is_connected(volume)
    volume[6, :, :3] = True  # 24 of 280 voxels.
    assert is_connected(volume)
    volume[6, :, 3:5] = True
    assert not is_connected(volume)
    assert not is_connected(slab(0, 0))
    corners = slab(0, 0)
    corners[:4, :4, :4] = corners[4:, 4:, 4:] = True  # They touch at a corner.
    assert is_connected(corners)
