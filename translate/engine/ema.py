"""The generators averaged over training: less noisy than any single step (arXiv:1806.04498)."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Averaged(nn.Module):
    """Exponential moving averages of networks.

    Args:
        networks: by name; they go on training, the copies follow by `update`.
        decay: weight of the past; it starts lower, so that the first steps are soon forgotten.
    """

    def __init__(self, networks: dict[str, nn.Module], decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.sources = list(networks.values())  # a plain list: not part of the state
        self.copies = nn.ModuleDict(copy.deepcopy(networks)).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the copies towards their sources, after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        for source, copied in zip(self.sources, self.copies.values(), strict=True):
            torch._foreach_lerp_(list(copied.parameters()), list(source.parameters()), 1 - decay)
            for new, old in zip(source.buffers(), copied.buffers(), strict=True):
                old.copy_(new)
