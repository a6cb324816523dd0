"""The settings of CycleGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import TwoWayConfig, setting


@dataclass(kw_only=True)
class CycleGANConfig(TwoWayConfig):
    """Unpaired translation (arXiv:1703.10593)."""

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
