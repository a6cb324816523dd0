"""The settings of ProGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import NoiseTrainConfig, setting, with_default
from translate.config.model import BASE_SIDE


@dataclass(kw_only=True)
class ProGANConfig(NoiseTrainConfig):
    """The settings of progressive growing (arXiv:1710.10196); the defaults are those of the authors' code.

    Its batches on one GPU have 128 images of up to 16 x 16 pixels, 64 of 32, 32 of 64, 16 of 128, 8 of 256,
    and 4 of more. Its learning rate for 1024 x 1024 pixels is 0.0015.
    """

    image_size: int = with_default(NoiseTrainConfig, "image_size", 128, low=BASE_SIDE)
    batch_size: int = with_default(
        NoiseTrainConfig,
        "batch_size",
        16,
        help="images in a batch at the full size; each halving of the side doubles it, up to max_batch_size",
    )
    max_batch_size: int = setting(
        128,
        "largest batch of small images; the dataset limits it, too",
        low=1,
        high=4096,
        group="optimization",
    )
    latent: int = with_default(NoiseTrainConfig, "latent", 512)
    lr: float = with_default(NoiseTrainConfig, "lr", 1e-3)
    beta1: float = with_default(NoiseTrainConfig, "beta1", 0.0)
    beta2: float = with_default(NoiseTrainConfig, "beta2", 0.99)
    fmap_base: int = setting(
        8192,
        "channels of both networks: 2 * fmap_base / side at images of this side, up to fmap_max",
        low=16,
        high=65536,
        group="networks",
    )
    fmap_max: int = setting(512, "largest number of channels", low=1, high=1024, group="networks")
    growth: float | None = setting(
        None,
        "share of the run until the last level has faded in; the rest trains at the full size"
        " [default: so long that all phases see equally many images]",
        low=0,
        high=1,
        group="optimization",
        resumable=True,
    )
    fade: float = setting(
        0.5,
        "share of each level's images during which it fades in",
        low=0,
        high=0.9,
        group="optimization",
        resumable=True,
    )
    lambda_gp: float = setting(10.0, "weight of the gradient penalty", low=0, group="losses")
    drift: float = setting(
        1e-3, "weight of the squared scores of real images, which keeps them near 0", low=0, group="losses"
    )

    def batch_size_at(self, level: int) -> int:
        """Return the number of images in a batch of a level, whose images have 4 * 2^level pixels a side."""
        largest = max(self.batch_size, self.max_batch_size)
        return min(self.batch_size << (self.depth - level), largest)
