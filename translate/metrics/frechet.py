"""The Frechet distance between two sets of images, on MobileNetV2 features.

The features are the 1280 before the classifier of torchvision's MobileNetV2 (weights IMAGENET1K_V1), averaged
over the image and computed in float32 on the CPU. Images are preprocessed by the weights' own `transforms()`:
a bilinear, antialiased resize of the shorter side to 256, then a central crop of 224 x 224.

The number is not the FID, whose features are those of an Inception network. Compare it only with numbers that
were computed in the same way on the same inputs: fewer images give a larger distance, and two sets with the
same scenes a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from translate.errors import DataError
from translate.metrics.image_quality import Pixels
from translate.pretrained import load_torchvision, torchvision_weights, weights_path

Features = npt.NDArray[np.float64]

NETWORK = "mobilenet_v2"
FEATURE_DIM = 1280
BATCH_SIZE = 16


class MobileNetFeatures:
    """A feature extractor: MobileNetV2 without its classifier.

    The weights are torchvision's file in TORCH_HOME (see `torch.hub`), downloaded if it is not there.

    Raises:
        TranslateError: the weights cannot be downloaded.
        DataError: the file is damaged.
    """

    name, dimensions = "MobileNetV2", FEATURE_DIM

    def __init__(self) -> None:
        network: Any = load_torchvision(
            NETWORK,
            purpose="the distances between sets of images",
            alternative="leave frechet and kernel out of --metrics",
        )
        self.key = f"{self.name} {self.weights_path().name}"  # The file is named by a hash of the weights.
        self._preprocess = torchvision_weights(NETWORK).transforms()
        self._network = network.features

    @staticmethod
    def weights_path() -> Path:
        """Return the path of the weights, whether or not they have been downloaded."""
        return weights_path(NETWORK)

    def __call__(self, images: Iterable[Pixels]) -> Features:
        """Return the features of (H, W, 3) RGB images, each of any size: (N, 1280), in [0, 6]."""
        images = iter(images)
        features = [np.empty((0, FEATURE_DIM))]
        while batch := list(islice(images, BATCH_SIZE)):
            features.append(self._extract(batch))
        return np.concatenate(features)

    @torch.inference_mode()
    def _extract(self, images: list[Pixels]) -> Features:
        batch = torch.stack([self._preprocess(Image.fromarray(image)) for image in images])
        features: Features = self._network(batch).mean(dim=(2, 3)).double().numpy()
        return features


def frechet_distance(features: Features, others: Features) -> float:
    """Return the squared Frechet distance between Gaussians fitted to two sets of features.

    arXiv:1706.08500, eq. 6: |m1 - m2|^2 + Tr(C1 + C2 - 2 sqrt(C1 C2)) with means m and covariances C (divided
    by N - 1). It is 0 for equal sets and has no upper bound.

    Args:
        features, others: (N, D) and (M, D).

    Raises:
        DataError: a set has fewer than 2 images.
    """
    for count in (len(features), len(others)):
        if count < 2:
            raise DataError(
                f"the Frechet distance takes sets of 2 images or more, but one has {count}: add images"
            )
    features, others = features.astype(np.float64), others.astype(np.float64)
    means = np.square(features.mean(axis=0) - others.mean(axis=0)).sum()
    # With C1 = A'A and C2 = B'B, C1 C2 has the eigenvalues of (AB')(AB')', so that Tr sqrt(C1 C2) is the sum
    # of the singular values of AB'. With fewer images than features, C1 C2 is singular and a matrix square
    # root fails or becomes complex; this way is exact then, too, and never forms a covariance.
    a, b = _factor_covariance(features), _factor_covariance(others)
    trace_of_root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    distance = means + np.square(a).sum() + np.square(b).sum() - 2 * trace_of_root
    return max(0.0, float(distance))  # Rounding can leave it just below 0.


def _factor_covariance(features: Features) -> Features:
    """Return a matrix A of at most D rows such that A'A is the covariance of (N, D) features."""
    triangle = np.linalg.qr(features - features.mean(axis=0), mode="r")
    factor: Features = triangle / np.sqrt(len(features) - 1)
    return factor
