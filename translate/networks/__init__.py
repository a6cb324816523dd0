"""Generators and discriminators, as functions of tensors. They know nothing of training."""

from collections.abc import Callable

from torch import nn

from translate.config import GeneratorSpec
from translate.networks.colorizer import Colorizer
from translate.networks.context import ContextEncoder
from translate.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from translate.networks.identity import Identity
from translate.networks.initialization import initialize
from translate.networks.inpainter import Inpainter
from translate.networks.mlp import MLPDiscriminator, MLPGenerator
from translate.networks.patchgan import PatchGAN, PixelDiscriminator
from translate.networks.resnet import ResNet
from translate.networks.unet import UNet

GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "colorizer": Colorizer,
    "context": ContextEncoder,
    "dcgan": DCGANGenerator,
    "identity": Identity,
    "inpainter": Inpainter,
    "mlp": MLPGenerator,
    "resnet": ResNet,
    "unet": UNet,
}
DISCRIMINATORS: dict[str, Callable[..., nn.Module]] = {
    "dcgan": DCGANDiscriminator,
    "mlp": MLPDiscriminator,
    "patch": PatchGAN,
    "pixel": PixelDiscriminator,
}


def create_generator(spec: GeneratorSpec) -> nn.Module:
    """The generator that a spec describes, with weights as torch draws them."""
    settings = spec.to_dict()
    return GENERATORS[settings.pop("name")](**settings)


__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "Colorizer",
    "ContextEncoder",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Identity",
    "Inpainter",
    "MLPDiscriminator",
    "MLPGenerator",
    "PatchGAN",
    "PixelDiscriminator",
    "ResNet",
    "UNet",
    "create_generator",
    "initialize",
]
