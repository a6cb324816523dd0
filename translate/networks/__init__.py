"""Networks: generators and discriminators, their building blocks, initialisation and DiffAugment."""

from translate.networks.discriminators import (
    DISCRIMINATORS,
    BigGANDiscriminator,
    DCGANDiscriminator,
    GAN3DDiscriminator,
    MLPDiscriminator,
    PatchGAN,
    PixelDiscriminator,
    ProGANDiscriminator,
    StarGANDiscriminator,
    WholeImageCritic,
)
from translate.networks.generators import (
    GENERATORS,
    Generator,
    MemoryCost,
    create_generator,
    generator_spec,
)
from translate.networks.generators.attention import ContextualAttentionInpainter
from translate.networks.generators.colorizer import Colorizer
from translate.networks.generators.context import ContextEncoder
from translate.networks.generators.identity import Identity
from translate.networks.generators.inpainter import Inpainter
from translate.networks.generators.noise.biggan import BigGANGenerator
from translate.networks.generators.noise.dcgan import DCGANGenerator
from translate.networks.generators.noise.gan3d import GAN3DGenerator
from translate.networks.generators.noise.mlp import MLPGenerator
from translate.networks.generators.noise.progan import ProGANGenerator
from translate.networks.generators.noise.stylegan2 import StyleGAN2Generator
from translate.networks.generators.resnet import ResNet
from translate.networks.generators.stargan import StarGANGenerator
from translate.networks.generators.unet import UNet
from translate.networks.initialization import initialize
from translate.networks.projection import PatchProjection, draw_positions

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "BigGANDiscriminator",
    "BigGANGenerator",
    "Colorizer",
    "ContextEncoder",
    "ContextualAttentionInpainter",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "GAN3DDiscriminator",
    "GAN3DGenerator",
    "Generator",
    "Identity",
    "Inpainter",
    "MLPDiscriminator",
    "MLPGenerator",
    "MemoryCost",
    "PatchGAN",
    "PatchProjection",
    "PixelDiscriminator",
    "ProGANDiscriminator",
    "ProGANGenerator",
    "ResNet",
    "StarGANDiscriminator",
    "StarGANGenerator",
    "StyleGAN2Generator",
    "UNet",
    "WholeImageCritic",
    "create_generator",
    "draw_positions",
    "generator_spec",
    "initialize",
]
