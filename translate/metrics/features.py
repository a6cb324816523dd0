"""Features of images for the distance between two sets, from the backbone that comes with the package."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import islice
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.metrics.frechet import Features
from translate.metrics.image_quality import Pixels

SIDE = 128  # Pixels; with 64, deep features have few positions, and more takes a CPU too long.
BATCH_SIZE = 16


class FeatureNetwork(Protocol):
    """A network whose features describe images.

    Attributes:
        name: the name of the network, as the log and the protocol of a score state it.
        key: the name with a digest of the weights and the type of the device, for features that are stored.
        dimensions: the number of features of an image, D.
    """

    name: str
    key: str
    dimensions: int

    def __call__(self, images: Iterable[Pixels]) -> Features:
        """Return the features, (N, D), of (H, W, 3) RGB images, each of any size."""
        ...


class EfficientNetFeatures:
    """A feature extractor: the EfficientNet-Lite0 of the installed model `colorize`.

    The backbone sees R, G and B of an image one by one, because it was trained on gray images, resized to a
    square of 128 px. The features of an image are the mean and the standard deviation of each channel at
    several scales. Those of each scale are scaled to one length, so that neither one scale nor one image with
    extreme values outweighs the rest.

    Args:
        backbone: maps (N, 1, H, W) gray images in [-1, 1], H and W multiples of 32, to features at several
            scales. It stays on its device.
        channels: the channels of these scales.
    """

    name = "EfficientNet-Lite0"

    def __init__(self, backbone: nn.Module, channels: Iterable[int]) -> None:
        self._backbone = backbone.eval()
        self._device = next(backbone.parameters()).device
        self.dimensions = 2 * 3 * sum(channels)
        self.key = f"{self.name} {SIDE} px, means and deviations {_digest(backbone)} {self._device.type}"

    def __call__(self, images: Iterable[Pixels]) -> Features:
        """Return the features, (N, D), of (H, W, 3) RGB images, each of any size."""
        images = iter(images)
        features = [np.empty((0, self.dimensions))]
        while batch := list(islice(images, BATCH_SIZE)):
            features += [self._extract(group) for group in _group_by_shape(batch)]
        return np.concatenate(features)

    @torch.inference_mode()
    def _extract(self, images: list[Pixels]) -> Features:
        """Return the features of images of one size."""
        pixels = torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2)
        batch = _resize(pixels.float() / 127.5 - 1)
        gray = batch.reshape(-1, 1, *batch.shape[2:])  # R, G and B of each image, one after the other.
        scales = []
        for maps in self._backbone(gray):
            deviation, mean = torch.std_mean(maps, dim=(2, 3))
            scales.append(F.normalize(torch.cat([mean, deviation], dim=1).reshape(len(images), -1), dim=1))
        features = torch.cat(scales, dim=1) * (self.dimensions / len(scales)) ** 0.5
        return np.asarray(features.double().cpu().numpy())


def _digest(network: nn.Module) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for tensor in network.state_dict().values():
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _group_by_shape(images: list[Pixels]) -> list[list[Pixels]]:
    """Return runs of neighbouring images of one size, in order."""
    groups: list[list[Pixels]] = []
    for image in images:
        if groups and groups[-1][0].shape == image.shape:
            groups[-1].append(image)
        else:
            groups.append([image])
    return groups


def _resize(images: Tensor) -> Tensor:
    """Resize (N, C, H, W) images to a square of `SIDE`."""
    return F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
