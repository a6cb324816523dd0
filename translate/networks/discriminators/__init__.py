"""Discriminators by name: PatchGAN, the pixel discriminator, DCGAN's and an MLP."""

from collections.abc import Callable

from torch import nn

from translate.networks.discriminators.dcgan import DCGANDiscriminator
from translate.networks.discriminators.mlp import MLPDiscriminator
from translate.networks.discriminators.patchgan import PatchGAN, PixelDiscriminator

DISCRIMINATORS: dict[str, Callable[..., nn.Module]] = {
    "dcgan": DCGANDiscriminator,
    "mlp": MLPDiscriminator,
    "patch": PatchGAN,
    "pixel": PixelDiscriminator,
}

__all__ = ["DISCRIMINATORS", "DCGANDiscriminator", "MLPDiscriminator", "PatchGAN", "PixelDiscriminator"]
