"""Generators by name: networks that map images, or noise, to images, and noise to volumes."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from typing import Any

from translate.config.model import GeneratorSpec
from translate.errors import UsageError, nearest
from translate.networks.generators.attention import ContextualAttentionInpainter
from translate.networks.generators.base import Generator, MemoryCost
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

GENERATORS: dict[str, type[Generator]] = {
    "attention": ContextualAttentionInpainter,
    "biggan": BigGANGenerator,
    "colorizer": Colorizer,
    "context": ContextEncoder,
    "dcgan": DCGANGenerator,
    "gan3d": GAN3DGenerator,
    "identity": Identity,
    "inpainter": Inpainter,
    "mlp": MLPGenerator,
    "progan": ProGANGenerator,
    "resnet": ResNet,
    "stargan": StarGANGenerator,
    "stylegan2": StyleGAN2Generator,
    "unet": UNet,
}
# The largest integers that a constructor takes, so that no config.json can ask for a network that fills the
# memory.
MAX_ARGUMENTS = {
    "depth": 64,
    "domains": 1024,
    "fmap_base": 65536,
    "fmap_max": 1024,
    "mapping_depth": 64,
    "out_channels": 64,
    "width": 1024,
}
MAX_OTHER_ARGUMENT = 8192
MAY_BE_0 = ("attention", "depth")


def create_generator(spec: GeneratorSpec) -> Generator:
    """Create the generator that a spec describes, with torch's default initialisation.

    Raises:
        UsageError: there is no such generator, or its constructor does not take an argument.
    """
    if spec.name not in GENERATORS:
        raise UsageError(f"no generator {spec.name!r}{nearest(spec.name, GENERATORS)}")
    constructor = GENERATORS[spec.name]
    hints = typing.get_type_hints(constructor.__init__)
    for name, value in spec.args.items():
        _check_argument(spec.name, name, value, hints)
    network = constructor(**spec.args)
    network.spec = spec
    return network


def generator_spec(name: str, arguments: Mapping[str, Any]) -> GeneratorSpec:
    """Return the spec of a generator; arguments that its constructor does not take are left out.

    Raises:
        UsageError: there is no such generator.
    """
    if name not in GENERATORS:
        raise UsageError(f"no generator {name!r}{nearest(name, GENERATORS)}")
    parameters = inspect.signature(GENERATORS[name]).parameters
    return GeneratorSpec(name=name, args={key: arguments[key] for key in parameters if key in arguments})


def _check_argument(generator: str, name: str, value: Any, hints: Mapping[str, Any]) -> None:
    if name not in hints or name == "return":
        names = [hint for hint in hints if hint != "return"]
        raise UsageError(f"generator {generator!r} takes no argument {name!r}{nearest(name, names)}")
    if type(value) is not hints[name]:
        raise UsageError(
            f"argument {name!r} of generator {generator!r} is {value!r}, but must be {hints[name].__name__}"
        )
    low, high = int(name not in MAY_BE_0), MAX_ARGUMENTS.get(name, MAX_OTHER_ARGUMENT)
    if type(value) is int and not low <= value <= high:
        raise UsageError(
            f"argument {name!r} of generator {generator!r} is {value}, but must be from {low} to {high}"
        )


__all__ = ["GENERATORS", "Generator", "MemoryCost", "create_generator", "generator_spec"]
