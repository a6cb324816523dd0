"""The settings of SSGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, NoiseTrainConfig, TrainConfig, setting, with_default
from translate.errors import UsageError

LARGEST = 256  # The largest side of an image that DCGAN's networks generate, in pixels.


@dataclass(kw_only=True)
class SSGANConfig(NoiseTrainConfig):
    """The settings of the steganographic GAN (arXiv:1707.01613), as far as its abstract states them.

    The GAN is a Wasserstein GAN; the gradient penalty, `alpha`, the payload and the learning rate are our
    choices (docs/decisions/0004-noise.md).
    """

    image_size: int = with_default(NoiseTrainConfig, "image_size", 64, low=16, high=LARGEST)
    lr: float = with_default(TrainConfig, "lr", 2e-4)
    beta2: float = with_default(TrainConfig, "beta2", 0.9)
    ngf: int = with_default(ImageTrainConfig, "ngf", 64)
    ndf: int = with_default(ImageTrainConfig, "ndf", 64)
    upsample: str = with_default(ImageTrainConfig, "upsample", "resize")
    d_steps: int = setting(
        5,
        "steps of the critic and of the steganalyser per generator step",
        low=1,
        high=100,
        group="optimization",
    )
    payload: float = setting(
        0.4,
        "share of the values of an image that carry a bit of a random message, by LSB matching",
        low=0.001,
        high=1,
        group="losses",
    )
    alpha: float = setting(
        0.9,
        "share of the critic in the generator's loss; the rest is the steganalyser's",
        low=0,
        high=1,
        group="losses",
    )
    lambda_gp: float = setting(10.0, "weight of the gradient penalty", low=0, group="losses")

    def check(self) -> None:
        super().check()
        if self.batch_size == 1:
            raise UsageError("batch_size 1 is too small for batch norm: use --batch-size 2 or more")

    @property
    def batches_per_step(self) -> int:
        return self.d_steps
