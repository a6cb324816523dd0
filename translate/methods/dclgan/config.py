"""The settings of DCLGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ContrastiveConfig, TwoWayConfig, setting, with_default


@dataclass(kw_only=True)
class DCLGANConfig(ContrastiveConfig, TwoWayConfig):
    """Unpaired translation in both directions by PatchNCE (arXiv:2104.07689)."""

    gan_loss: str = with_default(ContrastiveConfig, "gan_loss", "hinge-real")
    lambda_nce: float = with_default(ContrastiveConfig, "lambda_nce", 2.0)
    lambda_identity: float = setting(1.0, "weight of the identity loss", low=0, group="losses")
    lr_f: float = with_default(
        ContrastiveConfig, "lr_f", 1e-3, help="learning rate of the projection heads of PatchNCE"
    )
    beta1_f: float = with_default(ContrastiveConfig, "beta1_f", 0.9, help="beta1 of the projection heads")
    beta2_f: float = with_default(ContrastiveConfig, "beta2_f", 0.999, help="beta2 of the projection heads")
