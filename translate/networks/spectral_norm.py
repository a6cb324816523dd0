"""Spectral normalization: weights divided by their largest singular value (arXiv:1802.05957).

`add_spectral_norm` adds torch's to a discriminator. The layers here are those of BigGAN (arXiv:1809.11096),
whose generator has them as well: a step of the power iteration counts once in a forward pass of the network,
and inference takes a step of its own, which torch's does not.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from translate.mixed_precision import without_autocast

EPS = 1e-8  # The smallest norm that a vector of the power iteration is divided by, as in BigGAN's code.


def add_spectral_norm(network: nn.Module) -> None:
    """Add spectral normalization to each layer in place.

    It divides the weights of a layer by their largest singular value, of which each forward pass in training
    takes one more step of the power iteration.
    """
    for module in list(network.modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            spectral_norm(module)


class SpectralLayer(nn.Module):
    """A base class of layers that compute with `normalized_weight()`: W / sigma, sigma = u W v.

    W is the weight as a matrix, (outputs, rest). The gradient flows through sigma, but not through u and v.

    In training, u and v are those of the last `step_power_iterations`, which the network calls. In `eval()`,
    each forward pass takes a step from u, and stores nothing.

    Attributes:
        u, v: the approximate left and right singular vectors, of length 1; u starts as a random vector.
    """

    weight: Tensor
    u: Tensor
    v: Tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows, columns = self.weight.flatten(1).shape
        self.register_buffer("u", torch.randn(rows))
        self.register_buffer("v", torch.zeros(columns))

    def normalized_weight(self) -> Tensor:
        """Return the weight divided by its largest singular value."""
        # Copies, because the next step of the power iteration may come before the backward pass.
        u, v = (self.u.clone(), self.v.clone()) if self.training else self.iterate()
        with without_autocast(self.weight.device):
            sigma = torch.dot(u, self.weight.flatten(1) @ v)
        return self.weight / sigma

    def iterate(self) -> tuple[Tensor, Tensor]:
        """Take a step of the power iteration from u; return the new u and v, without a gradient."""
        matrix = self.weight.detach().flatten(1)
        with without_autocast(matrix.device):
            v = F.normalize(self.u @ matrix, dim=0, eps=EPS)
            return F.normalize(matrix @ v, dim=0, eps=EPS), v


def step_power_iterations(layers: list[SpectralLayer]) -> None:
    """Take and store a step of the power iteration in each layer that is in training.

    A network calls this once in each forward pass, and outside of its segments, because gradient
    checkpointing computes a segment twice.
    """
    for layer in layers:
        if layer.training:
            u, v = layer.iterate()
            layer.u.copy_(u)
            layer.v.copy_(v)


def spectral_layers(network: nn.Module) -> list[SpectralLayer]:
    """Return the layers of a network that have spectral normalization."""
    return [module for module in network.modules() if isinstance(module, SpectralLayer)]


class SpectralConv2d(SpectralLayer, nn.Conv2d):
    """A convolution with spectral normalization."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W) features."""
        output: Tensor = self._conv_forward(x, self.normalized_weight(), self.bias)
        return output


class SpectralLinear(SpectralLayer, nn.Linear):
    """A linear layer with spectral normalization."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs) to (N, outputs)."""
        return F.linear(x, self.normalized_weight(), self.bias)


class SpectralEmbedding(SpectralLayer, nn.Embedding):
    """An embedding of class indices with spectral normalization of the matrix (classes, dimensions)."""

    def forward(self, indices: Tensor) -> Tensor:
        """Return the embeddings of (N,) indices, (N, dimensions)."""
        return F.embedding(indices, self.normalized_weight())
