"""Generate volumes from noise.

Sample k of a seed is the same volume, however many are drawn and whatever is generated beside it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from translate.config import VolumeModelConfig
from translate.errors import UsageError
from translate.inference.runtime.runner import move_to_device
from translate.inference.runtime.settings_lock import settings_read_lock
from translate.models import Model, pick_device, pick_precision

OCCUPIED = 0.5  # The occupancy from which on a voxel counts as occupied.


class VolumeSampler:
    """A model that generates volumes from noise. Any number of threads may call it at the same time.

    Args:
        device, precision: as for `load_predictor`.

    Raises:
        UsageError: the model does not generate volumes.
    """

    def __init__(self, model: Model, *, device: str = "auto", precision: str = "auto") -> None:
        if not isinstance(model.config, VolumeModelConfig):
            raise UsageError(f"this model is of kind {model.config.kind}, and generates no volumes")
        self.config = model.config
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator: nn.Module = move_to_device(model.generator(), self.device)

    def draw(self, count: int, seed: int = 0) -> Tensor:
        """Draw the noise of `count` volumes, (count, latent), uniformly from [-1, 1].

        Raises:
            UsageError: a number is out of its range.
        """
        if count < 1 or seed < 0:
            raise UsageError(f"count {count}, seed {seed}: give a count of 1 or more and a seed of 0 or more")
        rows = [
            np.random.default_rng([seed, index]).uniform(-1, 1, self.config.latent) for index in range(count)
        ]
        return torch.from_numpy(np.stack(rows)).float()

    def __call__(self, noise: Tensor) -> list[NDArray[np.float32]]:
        """Generate N volumes, (S, S, S) occupancy in [0, 1]; each in a forward pass of its own.

        Args:
            noise: (N, latent).

        Raises:
            UsageError: the noise has another shape, or contains NaN or Inf.
        """
        size = self.config.latent
        if noise.ndim != 2 or noise.shape[1] != size or not noise.isfinite().all():
            shape = " x ".join(map(str, noise.shape))
            raise UsageError(f"noise of {shape}: give N x {size} finite numbers, as `draw` returns them")
        return [self._generate(z) for z in noise.to(self.device)]

    @torch.inference_mode()
    def _generate(self, z: Tensor) -> NDArray[np.float32]:
        with settings_read_lock(), self.precision.autocast():
            volume: Tensor = self.generator(z[None])[0, 0]
        return np.asarray(volume.float().cpu().numpy())
