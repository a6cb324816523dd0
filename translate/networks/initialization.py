"""Weight initialisation: normal, Xavier, Kaiming and orthogonal."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from translate.config.model import GeneratorSpec
from translate.networks.generators import Generator, create_generator

INITIALIZERS: dict[str, Callable[[Tensor, float], object]] = {
    "normal": lambda weight, gain: nn.init.normal_(weight, 0.0, gain),
    "xavier": lambda weight, gain: nn.init.xavier_normal_(weight, gain),
    "kaiming": lambda weight, gain: nn.init.kaiming_normal_(weight, a=0, mode="fan_in"),
    "orthogonal": lambda weight, gain: nn.init.orthogonal_(weight, gain),
}


def initialize(network: nn.Module, kind: str = "normal", gain: float = 0.02) -> nn.Module:
    """Initialise the weights of a network in place and return it.

    Biases start at 0, and the weights of batch norms at N(1, gain).

    Args:
        kind: of convolutions and linear layers: normal, xavier, kaiming (which ignores the gain) or
            orthogonal.
        gain: the standard deviation of normal weights, or the gain of xavier and orthogonal ones.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            INITIALIZERS[kind](module.weight, gain)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, gain)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return network


def initialize_orthogonally(network: nn.Module) -> nn.Module:
    """Initialise weights orthogonally, as BigGAN does, and biases at 0, in place; return the network."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.Embedding)):
            nn.init.orthogonal_(module.weight)
            if isinstance(bias := getattr(module, "bias", None), Tensor):
                nn.init.zeros_(bias)
    return network


def create_untrained_generator(spec: GeneratorSpec) -> Generator:
    """Create a generator that maps noise to images, with the weights from which training starts.

    DCGAN's weights are initialised to N(0, 0.02) (arXiv:1511.06434, section 4), those of BigGAN orthogonally
    (arXiv:1809.11096, section 3), and others as torch does by default.
    """
    generator = create_generator(spec)
    if spec.name == "dcgan":
        initialize(generator, "normal", 0.02)
    if spec.name == "biggan":
        initialize_orthogonally(generator)
    return generator
