"""An RMSprop optimizer whose learning rate may be a tensor that changes during a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class RMSprop(torch.optim.RMSprop):
    """RMSprop (Tieleman and Hinton 2012) that reads no tensor on the host.

    On a CPU, torch's own implementation reads a learning rate that is a tensor, so a captured step would keep
    the learning rate of its capture.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all weights that have a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update_weight(weight, weight.grad, group)

    def _update_weight(self, weight: torch.Tensor, grad: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:  # The keys are torch's, so that state dicts of its RMSprop load here.
            state["step"] = torch.zeros((), device=weight.device)
            state["square_avg"] = torch.zeros_like(weight)
            state["momentum_buffer"] = torch.zeros_like(weight)
        state["step"].add_(1)
        average = state["square_avg"].mul_(group["alpha"]).addcmul_(grad, grad, value=1 - group["alpha"])
        root = average.sqrt().add_(group["eps"])
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"].mul_(group["momentum"]).addcdiv_(grad, root)
            weight.sub_(buffer * group["lr"])
        else:
            # This order of the operations rounds as torch's does.
            weight.addcdiv_(grad * -group["lr"], root)
