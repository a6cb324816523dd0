"""The kernel distance between two sets of images: an unbiased estimate from few images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from translate.errors import DataError
from translate.metrics.frechet import Features

ROWS = 1024  # The rows of a kernel matrix that are in memory at a time.


class KernelDistance:
    """A function that returns the kernel distance of a set of images to a reference set.

    The kernel distance (KID, arXiv:1801.01401, section 4) is the squared maximum mean discrepancy of two sets
    of features, by the polynomial kernel k(x, y) = (x.y / D + 1)^3 and the unbiased estimator. Its expected
    value is 0 for two sets of one distribution, whatever their sizes, so that it can be slightly negative.

    Args:
        features: those of the reference set, (M, D).

    Raises:
        DataError: there are fewer than 2 images.
    """

    def __init__(self, features: Features) -> None:
        self.features = _as_set(features)
        self._within = _mean_within(self.features)

    def __call__(self, features: Features) -> float:
        """Return the distance of (N, D) features to the reference.

        Raises:
            DataError: there are fewer than 2 images.
        """
        features = _as_set(features)
        between = _sum_kernel(features, self.features) / (len(features) * len(self.features))
        return _mean_within(features) + self._within - 2 * between


def kernel_distance(features: Features, others: Features) -> float:
    """Return the kernel distance between two sets of features, (N, D) and (M, D): see `KernelDistance`."""
    return KernelDistance(others)(features)


def shift_share(inputs: Features, outputs: Features, targets: Features) -> float:
    """Return which share of the shift from the mean input to the mean target a translation makes.

    The mean features of a translation's outputs are projected on the line between the two means: 0 is at the
    inputs, 1 at the targets. Copies of the inputs are at 0, and stay near it with noise, blur or compression.

    Args:
        inputs, outputs: (N, D); an output belongs to the input in its row.
        targets: (M, D).

    Returns:
        Any number; 1 if chance could explain the shift, because all that is known then is that the inputs
        are near the targets.
    """
    start = inputs.mean(axis=0)
    shift = targets.mean(axis=0) - start
    squared = np.square(shift).sum()
    by_chance = sum(features.var(axis=0, ddof=1).sum() / len(features) for features in (inputs, targets))
    if squared <= 2 * by_chance:
        return 1.0
    return float((outputs.mean(axis=0) - start) @ shift / squared)


def _as_set(features: Features) -> Features:
    """Return features as float64.

    Raises:
        DataError: there are fewer than 2 images.
    """
    if len(features) < 2:
        raise DataError(
            f"the kernel distance takes sets of 2 images or more, but one has {len(features)}: add images"
        )
    return features.astype(np.float64)


def _kernel(x: Features, y: Features) -> npt.NDArray[np.float64]:
    matrix: npt.NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return matrix


def _sum_kernel(x: Features, y: Features) -> float:
    """Return the sum of the kernel over all pairs of an x and a y."""
    return float(sum(_kernel(x[row : row + ROWS], y).sum() for row in range(0, len(x), ROWS)))


def _mean_within(x: Features) -> float:
    """Return the mean of the kernel over all pairs of different images of a set."""
    with_itself = ((np.square(x).sum(axis=1) / x.shape[1] + 1) ** 3).sum()
    return float((_sum_kernel(x, x) - with_itself) / (len(x) * (len(x) - 1)))
