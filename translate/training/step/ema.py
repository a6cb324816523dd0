"""The exponential moving average (EMA) of the generators: less noisy than any step (arXiv:1806.04498)."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn


class EMA(nn.Module):
    """Exponential moving averages of networks.

    Args:
        networks: by name; they go on training, the copies follow by `update`.
        decay: weight of the past; it starts lower, so that the first steps are soon forgotten.
    """

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.sources = list(networks.values())  # a plain list: not part of the state
        self.copies = nn.ModuleDict(copy.deepcopy(dict(networks))).requires_grad_(False).eval()
        device = next((weight.device for weight in self.copies.parameters()), None)
        self.weight = torch.ones((), device=device)  # of the present; a tensor, for captured steps

    def set_step(self, step: int) -> None:
        """Set the decay of the next update, after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        self.weight.fill_(1 - decay)

    @torch.no_grad()
    def update(self) -> None:
        """Move the copies towards their sources."""
        for source, copied in zip(self.sources, self.copies.values(), strict=True):
            for weight, average in zip(source.parameters(), copied.parameters(), strict=True):
                average.lerp_(weight, self.weight)
            for value, copied_value in zip(source.buffers(), copied.buffers(), strict=True):
                copied_value.copy_(value)
