"""The settings of CycleGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import TranslationConfig, setting
from translate.errors import UsageError


@dataclass(kw_only=True)
class CycleGANConfig(TranslationConfig):
    """Unpaired translation (arXiv:1703.10593)."""

    lambda_a: float = setting(10.0, "weight of the cycle A -> B -> A", low=0)
    lambda_b: float = setting(10.0, "weight of the cycle B -> A -> B", low=0)
    lambda_identity: float = setting(0.5, "weight of the identity loss, times the cycle's", low=0)
    pool_size: int = setting(50, "generated images kept for the discriminators", low=0, high=10000)

    def check(self) -> None:
        super().check()
        if self.gan_loss == "wgan-gp" and not self.preprocess.endswith("crop"):
            raise UsageError(
                "gan_loss wgan-gp mixes true images with made ones of their size, which preprocess"
                f" {self.preprocess} does not see to: use --preprocess resize_and_crop"
            )
