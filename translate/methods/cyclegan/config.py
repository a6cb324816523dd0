"""The settings of CycleGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import TranslationConfig, setting
from translate.errors import UsageError


@dataclass(kw_only=True)
class CycleGANConfig(TranslationConfig):
    """Unpaired translation (arXiv:1703.10593)."""

    init_back: str | None = setting(
        None,
        "start the direction that the model of --init does not have from the weights of this model",
        metavar="MODEL",
        group="run",
    )
    lambda_a: float = setting(10.0, "weight of the cycle loss A -> B -> A", low=0, group="losses")
    lambda_b: float = setting(10.0, "weight of the cycle loss B -> A -> B", low=0, group="losses")
    lambda_identity: float = setting(
        0.5, "weight of the identity loss, as a factor of lambda_a and lambda_b", low=0, group="losses"
    )
    pool_size: int = setting(
        50,
        "generated images in the pool of each discriminator; 0: no pool",
        low=0,
        high=10000,
        group="losses",
    )

    def check(self) -> None:
        super().check()
        if self.init_back and not self.init:
            raise UsageError(
                f"init_back {self.init_back} is for the direction that a model of --init does not have, and"
                " there is no --init: use --init"
            )
        if self.channels[0] != self.channels[1]:
            raise UsageError(
                f"in_channels {self.channels[0]} and out_channels {self.channels[1]} differ, and CycleGAN"
                " translates both ways by generators of one architecture: give both the same number"
            )
        if self.gan_loss == "wgan-gp" and not self.preprocess.endswith("crop"):
            raise UsageError(
                f"gan_loss wgan-gp needs crops of one size, but preprocess is {self.preprocess}:"
                " use --preprocess resize_and_crop"
            )

    @property
    def init_models(self) -> list[str]:
        return [model for model in (self.init, self.init_back) if model]
