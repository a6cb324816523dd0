"""Scores of volumes: distances between them, coverage of a set, and whether a volume is in one piece."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Volumes = NDArray[np.bool_]  # (N, S, S, S), True where they are occupied.
CONNECTED_SHARE = 0.9  # The share of its voxels that the largest part of a volume in one piece has at least.


def jaccard_distances(volumes: Volumes, others: Iterable[NDArray[np.bool_]]) -> NDArray[np.float32]:
    """Return the distance of each volume to each of M others, (N, M): 1 minus intersection over union.

    That of two empty volumes is 0.
    """
    flat = volumes.reshape(len(volumes), -1).astype(np.float32)  # Exact, as the counts are below 2^24.
    sizes = flat.sum(axis=1)
    columns = []
    for other in others:
        vector = other.ravel().astype(np.float32)
        intersection = flat @ vector
        union = sizes + vector.sum() - intersection
        columns.append(1 - np.where(union == 0, 1, intersection / np.maximum(union, 1)))
    return np.stack(columns, axis=1)


def coverage(distances: NDArray[np.float32]) -> float:
    """Return the share of a set that is the nearest to some sample (arXiv:1707.02392, section 2).

    Args:
        distances: (samples, set).
    """
    return float(len(np.unique(distances.argmin(axis=1))) / distances.shape[1])


def is_connected(volume: NDArray[np.bool_]) -> bool:
    """Return whether at least 90 % of the occupied voxels are one part; voxels that share a corner are.

    An empty volume is not.
    """
    # Imported here because importing scikit-image's measures takes long.
    from skimage.measure import label

    sizes = np.bincount(label(volume, connectivity=3).ravel())[1:]
    return bool(len(sizes)) and bool(sizes.max() >= CONNECTED_SHARE * sizes.sum())
