"""Discriminators by name: PatchGAN, at one scale or several, the pixel discriminator, DCGAN's and an MLP."""

from collections.abc import Callable

from torch import nn

from translate.networks.discriminators.biggan import BigGANDiscriminator
from translate.networks.discriminators.critic import WholeImageCritic
from translate.networks.discriminators.dcgan import DCGANDiscriminator
from translate.networks.discriminators.gan3d import GAN3DDiscriminator
from translate.networks.discriminators.mlp import MLPDiscriminator
from translate.networks.discriminators.multiscale import MultiscaleDiscriminator
from translate.networks.discriminators.patchgan import PatchGAN, PixelDiscriminator
from translate.networks.discriminators.progan import ProGANDiscriminator
from translate.networks.discriminators.projected import ProjectedDiscriminator
from translate.networks.discriminators.stargan import StarGANDiscriminator

DISCRIMINATORS: dict[str, Callable[..., nn.Module]] = {
    "dcgan": DCGANDiscriminator,
    "mlp": MLPDiscriminator,
    "multiscale": MultiscaleDiscriminator,
    "patch": PatchGAN,
    "pixel": PixelDiscriminator,
}

__all__ = [
    "DISCRIMINATORS",
    "BigGANDiscriminator",
    "DCGANDiscriminator",
    "GAN3DDiscriminator",
    "MLPDiscriminator",
    "MultiscaleDiscriminator",
    "PatchGAN",
    "PixelDiscriminator",
    "ProGANDiscriminator",
    "ProjectedDiscriminator",
    "StarGANDiscriminator",
    "WholeImageCritic",
]
