"""Spectral normalization of a discriminator (arXiv:1802.05957)."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def add_spectral_norm(network: nn.Module) -> None:
    """Add spectral normalization to each layer in place.

    It divides the weights of a layer by their largest singular value, of which each forward pass in training
    takes one more step of the power iteration.
    """
    for module in list(network.modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            spectral_norm(module)
