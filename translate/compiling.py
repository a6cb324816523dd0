"""Which networks torch.compile runs, and passes that must not be compiled."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger("translate")
_compiled: WeakSet[nn.Module] = WeakSet()


def compile_network(network: nn.Module) -> None:
    """Compile a network in place; its weights stay what they are."""
    network.compile(dynamic=False)  # few sizes come, each again and again
    _compiled.add(network)


@contextmanager
def run_eagerly(reason: str) -> Iterator[None]:
    """Run the networks that are called within eagerly, on the same weights; log the reason once."""
    if not _compiled:
        yield
        return
    import torch  # a room without torch imports this one

    _log_once(f"{reason}: runs uncompiled")
    with torch.compiler.set_stance("force_eager"):
        yield


@cache
def _log_once(text: str) -> None:
    log.info(text)
