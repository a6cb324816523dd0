"""How alike two sets of images are, as sets: the Frechet distance of a network's features.

The network is torchvision's MobileNetV2 with the weights IMAGENET1K_V1: the 1280 features before its
classifier, averaged over the image, in float32 on the CPU. Each image is first resized, bilinear and
antialiased, to a short side of 256, of which the central 224 x 224 are taken: the weights' own
`transforms()`.

The number is not the FID, which takes the features of an Inception network, and can be compared only
with others that were made in this way, from the same inputs: fewer images give a larger number, and
sets of the same scenes a smaller one.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from translate.errors import DataError, TranslateError
from translate.metrics.images import Pixels

Features = npt.NDArray[np.float64]

FEATURES = 1280
BATCH = 16


class ImageFeatures:
    """MobileNetV2 without its classifier: what it sees in images.

    The weights are torchvision's file in TORCH_HOME (see `torch.hub`), downloaded if they are not there.

    Raises:
        TranslateError: they could not be downloaded.
        DataError: the file is damaged.
    """

    def __init__(self) -> None:
        # Not above: it takes seconds.
        from torchvision.models import MobileNet_V2_Weights, mobilenet_v2  # type: ignore[import-untyped]

        weights = MobileNet_V2_Weights.IMAGENET1K_V1
        with torch.device("meta"):  # drawing random weights would advance torch's generator
            network = mobilenet_v2()
        _load(network, weights)
        self._prepare = weights.transforms()
        self._network = network.features.eval()

    def __call__(self, images: Iterable[Pixels]) -> Features:
        """Images (H, W, 3) RGB, each of any size -> (N, 1280) features, in [0, 6]."""
        images = iter(images)
        features = [np.empty((0, FEATURES))]
        while batch := list(islice(images, BATCH)):
            features.append(self._of_batch(batch))
        return np.concatenate(features)

    @torch.inference_mode()
    def _of_batch(self, images: list[Pixels]) -> Features:
        batch = torch.stack([self._prepare(Image.fromarray(image)) for image in images])
        features: Features = self._network(batch).mean(dim=(2, 3)).double().numpy()
        return features


def _load(network: torch.nn.Module, weights: Any) -> None:
    """Fill a network with weights of torchvision, only tensors being read of their file."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / PurePosixPath(weights.url).name
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where it is said that a download begins
            state = weights.get_state_dict(
                progress=False, check_hash=True, weights_only=True, map_location="cpu"
            )
        network.load_state_dict(state, assign=True)
    except Exception as error:  # of the network, of the disk, of torch: of many kinds
        if path.exists():
            raise DataError(f"cannot read the weights {path}: delete the file, to download it anew") from None
        reason = " ".join(str(error).split())
        raise TranslateError(
            f"cannot download {weights.url}: {reason}; copy the file to {path}, "
            f"or set TORCH_HOME to a folder with hub/checkpoints/{path.name}"
        ) from None


def frechet_distance(features: Features, others: Features) -> float:
    """The squared Frechet distance of the Gaussians that two sets have: 0 for equal sets, no upper bound.

    arXiv:1706.08500, eq. 6: |m1 - m2|^2 + Tr(C1 + C2 - 2 sqrt(C1 C2)), m being the means and C the
    covariances (divided by N - 1).

    Args:
        features, others: (N, D) and (M, D).

    Raises:
        DataError: a set has fewer than 2 images.
    """
    for count in (len(features), len(others)):
        if count < 2:
            raise DataError(f"a set of {count}: the Frechet distance compares spreads, give 2 images or more")
    features, others = features.astype(np.float64), others.astype(np.float64)
    means = np.square(features.mean(axis=0) - others.mean(axis=0)).sum()
    # With C1 = A'A and C2 = B'B, C1 C2 has the eigenvalues of (AB')(AB')', so that Tr sqrt(C1 C2) is the
    # sum of the singular values of AB'. A matrix square root fails, or turns complex, where there are
    # fewer images than features: C1 C2 is singular then. This is exact, and never forms a covariance.
    a, b = _factor(features), _factor(others)
    together = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    distance = means + np.square(a).sum() + np.square(b).sum() - 2 * together
    return max(0.0, float(distance))  # rounding can leave it just below


def _factor(features: Features) -> Features:
    """A matrix A of at most D rows with A'A the covariance of (N, D) features."""
    triangle = np.linalg.qr(features - features.mean(axis=0), mode="r")
    factor: Features = triangle / np.sqrt(len(features) - 1)
    return factor
