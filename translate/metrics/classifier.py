"""A small network that tells the classes of small images, trained here on the images themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.metrics.images import Pixels

SIDE = 32  # pixels that it looks at
HELD_OUT = 10  # one image in so many
WIDTHS = (16, 32, 64)
STEPS, BATCH, LR = 1500, 128, 3e-3

Labels = npt.NDArray[np.int64]


class Classifier:
    """Learns on construction, from nine images in ten; equal images give an equal classifier.

    Args:
        images: (H, W, 3) uint8 each, 10 at least, brought to 32 x 32 pixels.
        labels: the number of each one's class.
        classes: how many there are.
        progress: is told how many steps are done, of how many.

    Attributes:
        accuracy: share of the tenth image of ten, which it did not learn from, that it is right on.
    """

    def __init__(
        self,
        images: Sequence[Pixels],
        labels: Sequence[int],
        classes: int,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        x, y = _batch(images), torch.tensor(labels)
        validation = torch.arange(len(y)) % HELD_OUT == HELD_OUT - 1
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            self._network = _network(x.shape[1], classes)
            self._learn(x[~validation], y[~validation], progress)
        self._network.eval()
        right = self._classes(x[validation]) == y[validation].numpy()
        self.accuracy = float(right.mean())

    def _learn(self, x: Tensor, y: Tensor, progress: Callable[[int, int], None]) -> None:
        """Adam down the cross-entropy, its rate rising and falling once (arXiv:1708.07120)."""
        optimizer = torch.optim.Adam(self._network.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=STEPS)
        for step in range(STEPS):
            drawn = torch.randint(len(y), (BATCH,))
            loss = F.cross_entropy(self._network(_scaled(x[drawn])), y[drawn])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress(step + 1, STEPS)

    def __call__(self, images: Sequence[Pixels]) -> Labels:
        """The number of each image's class, (N,)."""
        return self._classes(_batch(images))

    @torch.inference_mode()
    def _classes(self, x: Tensor) -> Labels:
        found = [self._network(_scaled(part)).argmax(dim=1) for part in torch.split(x, BATCH)]
        labels: Labels = torch.cat(found).numpy()
        return labels


def _network(channels: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for width in WIDTHS:
        convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.LazyLinear(classes))


def _batch(images: Sequence[Pixels]) -> Tensor:
    """(N, 3, 32, 32) uint8."""
    small = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2)


def _scaled(x: Tensor) -> Tensor:
    return x.float() / 127.5 - 1
