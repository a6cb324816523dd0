"""The settings of StyleGAN2."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import (
    AdversarialConfig,
    NoiseTrainConfig,
    TrainConfig,
    setting,
    with_default,
)
from translate.errors import UsageError

R1_SCALE = 0.0002  # The heuristic weight of R1 for an image's pixels in a batch (arXiv:2006.06676, app. C).


@dataclass(kw_only=True)
class StyleGAN2Config(NoiseTrainConfig):
    """The settings of StyleGAN2 (arXiv:1912.04958) with adaptive augmentation (arXiv:2006.06676)."""

    batch_size: int = with_default(NoiseTrainConfig, "batch_size", 32, help="images in a batch")
    lr: float = with_default(TrainConfig, "lr", 0.0025)
    beta1: float = with_default(TrainConfig, "beta1", 0.0)
    beta2: float = with_default(TrainConfig, "beta2", 0.99)
    ema: float = with_default(TrainConfig, "ema", 0.998)
    latent: int = with_default(NoiseTrainConfig, "latent", 512, help="dimensions of the noise z, and of w")
    fmap_base: int = setting(
        8192,
        "channels of both networks: 2 * fmap_base / side at feature maps of this side, up to fmap_max",
        low=16,
        high=65536,
        group="networks",
    )
    fmap_max: int = setting(512, "largest number of channels", low=1, high=1024, group="networks")
    mapping_depth: int = setting(8, "layers of the mapping network", low=1, high=64, group="networks")
    std_group: int = setting(
        4,
        "images over which the discriminator takes the minibatch standard deviation",
        low=1,
        high=4096,
        group="networks",
    )
    style_mixing: float = setting(
        0.9,
        "probability that a batch mixes the styles of two latents, from a random layer on",
        low=0,
        high=1,
        group="augmentation",
    )
    ada: bool = with_default(AdversarialConfig, "ada", True)
    ada_target: float = with_default(AdversarialConfig, "ada_target", 0.6)
    diffaugment: bool = with_default(AdversarialConfig, "diffaugment", False)
    lambda_r1: float | None = setting(
        None,
        "weight gamma of R1, the gradient penalty on real images (arXiv:1801.04406)"
        f" [default: {R1_SCALE:g} image_size^2 / batch_size]",
        low=0,
        group="losses",
    )
    r1_every: int = setting(
        16,
        "steps from one R1 to the next, weighted by this number (lazy regularization)",
        low=1,
        high=1000,
        group="losses",
    )
    lambda_path: float = setting(
        2.0, "weight of the path length regularization; 0: none", low=0, group="losses"
    )
    path_every: int = setting(
        4,
        "steps from one path length regularization to the next, weighted by this number",
        low=1,
        high=1000,
        group="losses",
    )

    def check(self) -> None:
        super().check()
        if self.ada and self.diffaugment:
            raise UsageError(
                "ada and diffaugment both augment what the discriminator sees: give --no-ada with"
                " --diffaugment, or leave it out"
            )
        batch, group = self.batch_size, min(self.std_group, self.batch_size)
        if batch % group:
            raise UsageError(
                f"batch_size {batch} is no multiple of std_group {group}, the images over which the"
                f" discriminator takes a standard deviation: use --std-group"
                f" {_largest_divisor(batch, group)}, or --batch-size {batch // group * group + group}"
            )

    def learning_rate_and_betas(self, role: str) -> tuple[float, tuple[float, float]]:
        """Return the learning rate and the betas of a role, for steps that lazy regularization adds.

        With c = n / (n + 1), the learning rate is multiplied by c, and the betas are raised to its power
        (arXiv:1912.04958, appendix B).
        """
        lr, (beta1, beta2) = super().learning_rate_and_betas(role)
        interval, weight = (
            (self.path_every, self.lambda_path) if role == "g" else (self.r1_every, self.r1_gamma)
        )
        c = interval / (interval + 1) if weight else 1.0
        return c * lr, (beta1**c, beta2**c)

    @property
    def r1_gamma(self) -> float:
        """Return the weight gamma of R1."""
        if self.lambda_r1 is not None:
            return self.lambda_r1
        return R1_SCALE * self.image_size**2 / self.batch_size


def _largest_divisor(number: int, largest: int) -> int:
    """Return the largest divisor of a number that is not above `largest`."""
    return next(divisor for divisor in range(largest, 0, -1) if number % divisor == 0)
