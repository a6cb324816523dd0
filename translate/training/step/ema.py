"""The exponential moving average (EMA) of the generators' weights (arXiv:1806.04498)."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

RUNNING_STATISTICS = ("running_mean", "running_var")  # The buffers of a batch norm that are averages.


class EMA(nn.Module):
    """Copies of networks whose weights are exponential moving averages of the networks' weights.

    So are the running statistics of batch norms, which belong to the weights that they were computed with.
    Other buffers are copied.

    Args:
        networks: the networks that are trained, by name.
        decay: decay of the average. It is lower in the first steps (`set_step`): a warm-up, so that the first
            random weights are soon forgotten. 0 copies the weights.
    """

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.sources = list(networks.values())  # A plain list, which is not part of the state dict.
        self.copies = nn.ModuleDict(copy.deepcopy(dict(networks))).requires_grad_(False).eval()
        device = next((weight.device for weight in self.copies.parameters()), None)
        # A tensor, so that a captured step sees it change.
        self.one_minus_decay = torch.ones((), device=device)

    def set_step(self, step: int) -> None:
        """Set the decay of the next update, which is the `step`-th: min(decay, (1 + step) / (10 + step))."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        self.one_minus_decay.fill_(1 - decay)

    @torch.no_grad()
    def update(self) -> None:
        """Update the averages with the current weights."""
        for source, average in zip(self.sources, self.copies.values(), strict=True):
            for weight, averaged_weight in zip(source.parameters(), average.parameters(), strict=True):
                averaged_weight.lerp_(weight, self.one_minus_decay)
            averaged_buffers = dict(average.named_buffers())
            for name, value in source.named_buffers():
                averaged_value = averaged_buffers[name]
                if name.endswith(RUNNING_STATISTICS):
                    averaged_value.lerp_(value, self.one_minus_decay)
                else:
                    averaged_value.copy_(value)
