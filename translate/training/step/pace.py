"""The pace of the host, which launches a step on a GPU and does not wait until it has run."""

from __future__ import annotations

from collections import deque

import torch

MAX_STEPS_AHEAD = 1  # More would gain nothing, and delay a Ctrl-C, the clock and the losses on display.


class Pace:
    """Keeps the host at most one step ahead of a CUDA device; other devices compute each step at once."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.launched: deque[torch.cuda.Event] = deque()  # The ends of the steps that may not have run yet.

    def after_step(self) -> None:
        """Note that a step was launched, and wait until at most `MAX_STEPS_AHEAD` of them have not run."""
        if self.device.type != "cuda":
            return
        # A blocking event lets the host sleep; the default one keeps a core busy.
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        self.launched.append(event)
        while len(self.launched) > MAX_STEPS_AHEAD:
            self.launched.popleft().synchronize()

    def is_idle(self) -> bool:
        """Return whether the device has run all steps, and waits for the next batch."""
        return all(event.query() for event in self.launched)  # type: ignore[no-untyped-call]
