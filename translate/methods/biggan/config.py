"""The settings of BigGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import (
    AdversarialConfig,
    ClassConditionalConfig,
    ImageTrainConfig,
    NoiseTrainConfig,
    TrainConfig,
    setting,
    with_default,
)
from translate.config.training.noise import refuse_single_image_batches
from translate.errors import UsageError

SMALLEST, LARGEST = 32, 256  # Sides of the images for which BigGAN's networks are published, in pixels.
SMALLEST_ATTENTION = 16  # The smallest side of feature maps with self-attention, in pixels.


@dataclass(kw_only=True)
class BigGANConfig(ClassConditionalConfig):
    """The settings of BigGAN (arXiv:1809.11096), by default the paper's, but for widths and batch size."""

    image_size: int = with_default(NoiseTrainConfig, "image_size", 64, low=SMALLEST, high=LARGEST)
    latent: int = with_default(NoiseTrainConfig, "latent", 120)
    ngf: int = with_default(
        ImageTrainConfig,
        "ngf",
        64,
        help="channels of a generator layer of multiplier 1; the first of a 64 px image has 16 times as many",
    )
    ndf: int = with_default(
        ImageTrainConfig,
        "ndf",
        64,
        help="channels of a discriminator layer of multiplier 1; the last of a 64 px image has 16 times as"
        " many",
    )
    embedding: int = setting(
        128, "dimensions of the generator's class embedding", low=1, high=4096, group="networks"
    )
    hierarchical: bool = setting(
        True,
        "cut the noise into parts, one for the first layer and one for each block; off: all of it enters the"
        " first layer",
        group="networks",
    )
    attention: int | None = setting(
        None,
        "side of the feature maps with self-attention in both networks, in pixels; 0: none"
        " [default: 64, for 64 px 32, for 32 px none]",
        low=0,
        high=LARGEST // 2,
        group="networks",
    )
    lr_g: float | None = with_default(
        TrainConfig, "lr_g", None, help="learning rate of the generator [default: a quarter of lr]"
    )
    beta1: float = with_default(TrainConfig, "beta1", 0.0)
    ema: float = with_default(TrainConfig, "ema", 0.9999)
    d_steps: int = setting(2, "discriminator steps per generator step", low=1, high=100, group="optimization")
    lambda_ortho: float = setting(
        1e-4,
        "weight of the orthogonal regularization of the generator (eq. 3); 0: off",
        low=0,
        group="losses",
    )
    diffaugment: bool = with_default(AdversarialConfig, "diffaugment", False)

    def check(self) -> None:
        super().check()
        refuse_single_image_batches(self)
        sides = [SMALLEST_ATTENTION]
        while 2 * sides[-1] < self.image_size:
            sides.append(2 * sides[-1])
        if self.attention and self.attention not in sides:
            raise UsageError(
                f"attention {self.attention} is no side of feature maps from {sides[0]} to half of image_size"
                f" {self.image_size}: use --attention {' or '.join(map(str, sides))}, or 0 for none"
            )

    def learning_rate_and_betas(self, role: str) -> tuple[float, tuple[float, float]]:
        lr, betas = super().learning_rate_and_betas(role)
        return (lr / 4 if role == "g" and self.lr_g is None else lr), betas

    @property
    def attention_side(self) -> int:
        """Return the side of the feature maps with self-attention; 0: there is none."""
        if self.attention is None:
            return min(64, self.image_size // 2) if self.image_size > SMALLEST else 0
        return self.attention

    @property
    def batches_per_step(self) -> int:
        return self.d_steps
