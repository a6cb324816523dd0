"""torch.compile: compile networks, and run them eagerly if compilation does not work."""

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
    """Compile a network in place by torch.compile; its weights stay the same tensors."""
    # A run has few image sizes, so a faster program for each of them pays off.
    network.compile(dynamic=False)
    _compiled.add(network)


@contextmanager
def run_eagerly(message: str) -> Iterator[None]:
    """Run compiled networks eagerly inside the context, on the same weights; log `message` once."""
    if not _compiled:
        yield
        return
    import torch  # Imported here because modules that must not import torch import this one.

    _log_once(message)
    with torch.compiler.set_stance("force_eager"):
        yield


@cache
def _log_once(text: str) -> None:
    log.info(text)
