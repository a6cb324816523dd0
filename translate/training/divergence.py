"""A warning and an error if training diverges although its losses are finite, by the weights.

Losses do not show it for all methods: that of a WGAN is large and negative by nature.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from translate.config import TrainConfig
from translate.errors import TranslateError

# The root mean square of the weights was 0.01 to 0.4 in each recipe after 8 steps, and 0.17 and 0.03 in the
# installed models.
MAX_RMS = 5.0


@torch.no_grad()
def divergence_warnings(networks: Mapping[str, nn.Module], c: TrainConfig) -> list[str]:
    """Return a warning if the weights of a network have grown far beyond those of a healthy run."""
    sizes = {name: _root_mean_square(network) for name, network in networks.items()}
    name = max(sizes, key=lambda name: sizes[name])
    if not sizes[name] > MAX_RMS:
        return []
    role = name[0] if hasattr(c, f"lr_{name[0]}") else "g"
    flag = "--lr" if getattr(c, f"lr_{role}") is None else f"--lr-{role}"
    lr, _ = c.learning_rate_and_betas(role)
    return [
        f"training diverges: the weights of {name} have grown to {sizes[name]:.3g} (root mean square; at most"
        f" {MAX_RMS:g} in a healthy run): start again with a lower {flag} (it is {lr:g})"
    ]


def refuse_non_finite(network: nn.Module, step: int) -> None:
    """Refuse weights that contain NaN or Inf.

    Raises:
        TranslateError: they do.
    """
    if not all(weight.isfinite().all() for weight in network.parameters()):
        raise TranslateError(
            f"the weights contain NaN or Inf at step {step}: continue with --resume and a lower --lr, or"
            " start again with --precision fp32"
        )


def _root_mean_square(network: nn.Module) -> float:
    squares, count = [], 0
    for module in network.modules():
        # Weights that learn slower are stored larger (`EqualizedLinear`).
        factor = getattr(module, "lr_mul", 1.0)
        for weight in module.parameters(recurse=False):
            squares.append((factor * weight.double()).square().sum())
            count += weight.numel()
    return float((torch.stack(squares).sum() / count).sqrt())
