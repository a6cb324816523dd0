"""A small convolutional classifier of generated images, trained on the labels of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.metrics.image_quality import Pixels

SIDE = 32  # Images are resized to this many pixels a side.
VALIDATION_EVERY = 10  # One image in so many is kept for validation.
WIDTHS = (16, 32, 64)  # Channels of the convolutions.
STEPS, BATCH_SIZE, MAX_LR = 1500, 128, 3e-3

Labels = npt.NDArray[np.int64]


class Classifier:
    """A classifier that is trained when it is constructed; equal images give equal weights.

    It leaves torch's random number generator as it found it.

    Args:
        images: (H, W, 3) uint8 each, 10 or more, of any size.
        labels: the class number of each image.
        classes: the number of classes.
        progress: is called after each step with the steps done and their total.
        steps: training steps; None is `STEPS`.

    Attributes:
        accuracy: the accuracy on the validation set, every tenth image, in [0, 1].
    """

    def __init__(
        self,
        images: Sequence[Pixels],
        labels: Sequence[int],
        classes: int,
        progress: Callable[[int, int], None] = lambda done, total: None,
        *,
        steps: int | None = None,
    ) -> None:
        x, y = _to_batch(images), torch.tensor(labels)
        validation = torch.arange(len(y)) % VALIDATION_EVERY == VALIDATION_EVERY - 1
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            self._network = _create_network(x.shape[1], classes)
            self._train(x[~validation], y[~validation], STEPS if steps is None else steps, progress)
        self._network.eval()
        correct = self._predict(x[validation]) == y[validation].numpy()
        self.accuracy = float(correct.mean())

    def _train(self, x: Tensor, y: Tensor, steps: int, progress: Callable[[int, int], None]) -> None:
        """Minimise the cross-entropy by Adam, with a one-cycle learning-rate schedule (arXiv:1708.07120)."""
        optimizer = torch.optim.Adam(self._network.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, MAX_LR, total_steps=steps)
        for step in range(steps):
            indices = torch.randint(len(y), (BATCH_SIZE,))
            loss = F.cross_entropy(self._network(_normalize(x[indices])), y[indices])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress(step + 1, steps)

    def __call__(self, images: Sequence[Pixels]) -> Labels:
        """Return the predicted class numbers of (H, W, 3) uint8 images, (N,)."""
        return self._predict(_to_batch(images))

    @torch.inference_mode()
    def _predict(self, x: Tensor) -> Labels:
        predictions = [self._network(_normalize(batch)).argmax(dim=1) for batch in torch.split(x, BATCH_SIZE)]
        labels: Labels = torch.cat(predictions).numpy()
        return labels


def _create_network(channels: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for width in WIDTHS:
        convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.LazyLinear(classes))


def _to_batch(images: Sequence[Pixels]) -> Tensor:
    """Resize images to 32 x 32 pixels and stack them, (N, 3, 32, 32) uint8."""
    resized = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2)


def _normalize(x: Tensor) -> Tensor:
    return x.float() / 127.5 - 1
