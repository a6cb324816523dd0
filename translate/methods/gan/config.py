"""The settings of GAN, DCGAN, CGAN, WGAN, WGAN-GP and InfoGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import (
    AdversarialConfig,
    ClassConditionalConfig,
    ImageTrainConfig,
    NoiseTrainConfig,
    setting,
    with_default,
)
from translate.config.training.noise import SMALLEST, refuse_single_image_batches
from translate.errors import UsageError

LARGEST = 256  # The largest side of an image that DCGAN's networks generate, in pixels.


@dataclass(kw_only=True)
class BaseGANConfig(NoiseTrainConfig):
    """The settings that all methods of the family share."""

    image_size: int = with_default(NoiseTrainConfig, "image_size", 64, low=SMALLEST, high=LARGEST)
    networks: str = setting(
        "dcgan", "architecture of both networks", choices=("dcgan", "mlp"), group="networks"
    )
    ngf: int = with_default(ImageTrainConfig, "ngf", 64)
    ndf: int = with_default(ImageTrainConfig, "ndf", 64)
    upsample: str = with_default(ImageTrainConfig, "upsample", "deconv")
    d_norm: str = setting(
        "batch",
        "normalization layers of the discriminator",
        choices=("batch", "instance", "none"),
        group="networks",
    )
    spectral: bool = setting(
        False, "spectral normalization of the discriminator (arXiv:1802.05957)", group="networks"
    )
    d_steps: int = setting(1, "discriminator steps per generator step", low=1, high=100, group="optimization")
    diffaugment: bool = with_default(AdversarialConfig, "diffaugment", False)

    def check(self) -> None:
        super().check()
        if self.networks == "mlp" and self.d_norm != "none":
            raise UsageError(
                f"d_norm {self.d_norm} needs convolutions, and networks mlp has none: use --d-norm none, or"
                " --networks dcgan"
            )
        refuse_single_image_batches(self)

    @property
    def batches_per_step(self) -> int:
        return self.d_steps


@dataclass(kw_only=True)
class GANConfig(BaseGANConfig):
    """The settings of the original GAN with fully connected layers (arXiv:1406.2661)."""

    networks: str = with_default(BaseGANConfig, "networks", "mlp")
    d_norm: str = with_default(BaseGANConfig, "d_norm", "none")
    smoothing: float = setting(
        0.0,
        "one-sided label smoothing: the target of real images is 1 minus this (arXiv:1606.03498)",
        low=0,
        high=0.5,
        group="losses",
    )


@dataclass(kw_only=True)
class DCGANConfig(GANConfig):
    """The settings of DCGAN (arXiv:1511.06434)."""

    networks: str = with_default(BaseGANConfig, "networks", "dcgan")
    d_norm: str = with_default(BaseGANConfig, "d_norm", "batch")


@dataclass(kw_only=True)
class CGANConfig(ClassConditionalConfig, DCGANConfig):
    """The settings of the conditional GAN (arXiv:1411.1784)."""


@dataclass(kw_only=True)
class WGANConfig(BaseGANConfig):
    """The settings of the Wasserstein GAN with weight clipping (arXiv:1701.07875, algorithm 1)."""

    lr: float = with_default(NoiseTrainConfig, "lr", 5e-5, help="learning rate of RMSprop")
    beta1: float = with_default(NoiseTrainConfig, "beta1", 0.0, help="momentum of RMSprop")
    beta2: float = with_default(
        NoiseTrainConfig, "beta2", 0.99, help="decay of the squared gradients of RMSprop (alpha)"
    )
    d_steps: int = with_default(BaseGANConfig, "d_steps", 5)
    clip: float = setting(
        0.01, "weight clipping: largest absolute weight of the critic", low=1e-6, group="losses"
    )


@dataclass(kw_only=True)
class WGANGPConfig(BaseGANConfig):
    """The settings of the Wasserstein GAN with gradient penalty (arXiv:1704.00028, algorithm 1)."""

    lr: float = with_default(NoiseTrainConfig, "lr", 1e-4)
    beta2: float = with_default(NoiseTrainConfig, "beta2", 0.9)
    d_steps: int = with_default(BaseGANConfig, "d_steps", 5)
    d_norm: str = with_default(BaseGANConfig, "d_norm", "none", choices=("instance", "none"))
    lambda_gp: float = setting(10.0, "weight of the gradient penalty", low=0, group="losses")


@dataclass(kw_only=True)
class InfoGANConfig(DCGANConfig):
    """The settings of InfoGAN (arXiv:1606.03657)."""

    latent: int = with_default(NoiseTrainConfig, "latent", 62)
    categories: int = setting(
        10, "values of the categorical code; 0: no such code", low=0, high=1000, group="networks"
    )
    codes: int = setting(2, "continuous codes, each from -1 to 1", low=0, high=100, group="networks")
    lambda_category: float = setting(1.0, "weight of the categorical code's loss", low=0, group="losses")
    lambda_codes: float = setting(0.1, "weight of the continuous codes' loss", low=0, group="losses")

    def check(self) -> None:
        super().check()
        if not self.categories and not self.codes:
            raise UsageError(
                "categories 0 and codes 0 leave InfoGAN without codes: set one of them to 1 or more"
            )

    @property
    def inputs(self) -> int:
        return self.latent + self.categories + self.codes
