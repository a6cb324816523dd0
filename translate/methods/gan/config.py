"""The settings of the recipes that make images from noise."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, TrainConfig, setting, with_default
from translate.config.model import BASE_SIDE
from translate.errors import UsageError

SMALLEST, LARGEST = 8, 256  # pixels a side of what DCGAN's networks make


@dataclass(kw_only=True)
class NoiseTrainConfig(TrainConfig):
    """Settings that all of them share."""

    image_size: int = with_default(TrainConfig, "image_size", 64, low=SMALLEST, high=LARGEST)
    batch_size: int = with_default(TrainConfig, "batch_size", 64)
    workers: int = with_default(TrainConfig, "workers", 0)
    lr_schedule: str = with_default(TrainConfig, "lr_schedule", "constant")
    channels: int | None = setting(
        None, "1 for gray images, 3 for colour [default: what the data has]", low=1, high=3
    )
    latent: int = setting(100, "numbers of noise from which an image is made", low=1, high=4096)
    networks: str = setting("dcgan", "architecture of both networks", choices=("dcgan", "mlp"))
    ngf: int = with_default(ImageTrainConfig, "ngf", 64)
    ndf: int = with_default(ImageTrainConfig, "ndf", 64)
    upsample: str = with_default(ImageTrainConfig, "upsample", "deconv")
    d_norm: str = setting(
        "batch", "normalisation in the discriminator", choices=("batch", "instance", "none")
    )
    spectral: bool = setting(False, "spectral norm in the discriminator (arXiv:1802.05957)")
    d_steps: int = setting(1, "steps of the discriminator for each of the generator", low=1, high=100)
    flip: bool = with_default(ImageTrainConfig, "flip", False)
    diffaugment: bool = setting(
        False, "move, recolour and cut what the discriminator sees, for small sets (arXiv:2006.10738)"
    )

    def check(self) -> None:
        super().check()
        size = self.image_size
        if size != 2 ** (size.bit_length() - 1):
            below = 2 ** (size.bit_length() - 1)
            raise UsageError(
                f"image_size {size} is no power of two, by which an image grows from {BASE_SIDE} x"
                f" {BASE_SIDE}:"
                f" use --image-size {below} or {min(2 * below, LARGEST)}"
            )
        if self.channels == 2:
            raise UsageError("channels 2 is neither gray nor colour: use --channels 1 or 3")
        if self.networks == "mlp" and self.d_norm != "none":
            raise UsageError(
                f"d_norm {self.d_norm} is for the layers of dcgan, not of mlp: use --d-norm none"
            )
        if self.batch_size == 1:
            raise UsageError(
                "batch_size 1 gives the generator's batch norm nothing to compare: use --batch-size 2 or more"
            )

    @property
    def batches_per_step(self) -> int:
        return self.d_steps

    @property
    def inputs(self) -> int:
        """Numbers that go into the generator: noise, and what is asked for."""
        return self.latent

    @property
    def depth(self) -> int:
        """Strided layers of either network."""
        return (self.image_size // BASE_SIDE).bit_length() - 1


@dataclass(kw_only=True)
class GANConfig(NoiseTrainConfig):
    """The first GAN: layers that connect all with all (arXiv:1406.2661)."""

    networks: str = with_default(NoiseTrainConfig, "networks", "mlp")
    d_norm: str = with_default(NoiseTrainConfig, "d_norm", "none")
    smoothing: float = setting(
        0.0, "how far under 1 real images are to score (one-sided, arXiv:1606.03498)", low=0, high=0.5
    )


@dataclass(kw_only=True)
class DCGANConfig(GANConfig):
    """A GAN of strided convolutions (arXiv:1511.06434)."""

    networks: str = with_default(NoiseTrainConfig, "networks", "dcgan")
    d_norm: str = with_default(NoiseTrainConfig, "d_norm", "batch")


@dataclass(kw_only=True)
class CGANConfig(DCGANConfig):
    """Images of the class that is asked for (arXiv:1411.1784)."""

    labels: str | None = setting(
        None,
        "CSV of file names and classes [default: a class is a sub-folder, or what IDX files say]",
        resumable=True,
    )
    classes: int | None = setting(None, "number of classes [default: what the data has]", low=1)

    @property
    def inputs(self) -> int:
        assert self.classes is not None
        return self.latent + self.classes


@dataclass(kw_only=True)
class WGANConfig(NoiseTrainConfig):
    """A critic of bounded weights (arXiv:1701.07875, algorithm 1)."""

    lr: float = with_default(NoiseTrainConfig, "lr", 5e-5, help="learning rate of RMSprop")
    beta1: float = with_default(NoiseTrainConfig, "beta1", 0.0, help="RMSprop's momentum")
    beta2: float = with_default(NoiseTrainConfig, "beta2", 0.99, help="RMSprop's memory of squared gradients")
    d_steps: int = with_default(NoiseTrainConfig, "d_steps", 5)
    clip: float = setting(0.01, "largest weight of the critic", low=1e-6)


@dataclass(kw_only=True)
class WGANGPConfig(NoiseTrainConfig):
    """A critic whose slope is drawn to 1 (arXiv:1704.00028, algorithm 1)."""

    lr: float = with_default(NoiseTrainConfig, "lr", 1e-4)
    beta2: float = with_default(NoiseTrainConfig, "beta2", 0.9)
    d_steps: int = with_default(NoiseTrainConfig, "d_steps", 5)
    d_norm: str = with_default(NoiseTrainConfig, "d_norm", "none", choices=("instance", "none"))
    lambda_gp: float = setting(10.0, "weight of the gradient penalty", low=0)


@dataclass(kw_only=True)
class InfoGANConfig(DCGANConfig):
    """A GAN whose codes can be read off its images (arXiv:1606.03657)."""

    latent: int = with_default(NoiseTrainConfig, "latent", 62)
    categories: int = setting(10, "values of the categorical code; 0 is without it", low=0, high=1000)
    codes: int = setting(2, "continuous codes, each from -1 to 1", low=0, high=100)
    lambda_category: float = setting(1.0, "weight of the category's cross-entropy", low=0)
    lambda_codes: float = setting(0.1, "weight of the continuous codes' likelihood", low=0)

    def check(self) -> None:
        super().check()
        if not self.categories and not self.codes:
            raise UsageError("categories 0 and codes 0 leave nothing to find: give one of them")

    @property
    def inputs(self) -> int:
        return self.latent + self.categories + self.codes
