"""Initial weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from translate.config.model import GeneratorSpec
from translate.networks.generators import Generator, create_generator

WEIGHTS: dict[str, Callable[[Tensor, float], object]] = {
    "normal": lambda weight, gain: nn.init.normal_(weight, 0.0, gain),
    "xavier": lambda weight, gain: nn.init.xavier_normal_(weight, gain),
    "kaiming": lambda weight, gain: nn.init.kaiming_normal_(weight, a=0, mode="fan_in"),
    "orthogonal": lambda weight, gain: nn.init.orthogonal_(weight, gain),
}


def initialize(network: nn.Module, kind: str = "normal", gain: float = 0.02) -> nn.Module:
    """Draw all weights of a network anew: convolutions as `kind` says, biases 0, batch norm N(1, gain).

    Args:
        kind: normal, xavier, kaiming (which has a scale of its own) or orthogonal.
        gain: standard deviation, or scale, of the weights.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            WEIGHTS[kind](module.weight, gain)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, gain)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return network


def initial_generator(spec: GeneratorSpec) -> Generator:
    """Create a generator from noise with the weights from which training starts.

    DCGAN's weights start from N(0, 0.02) (arXiv:1511.06434, section 4), others as torch draws them.
    """
    generator = create_generator(spec)
    if spec.name == "dcgan":
        initialize(generator, "normal", 0.02)
    return generator
