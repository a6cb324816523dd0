"""Trace networks: as a graph of torch.fx, and as the program that exported files are made from.

Both put their own functions into torch for a moment, for all threads of the process.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
import torch.fx.experimental._config as shapes_config
from torch import fx, nn
from torch.export import ExportedProgram

from translate.config import ModelConfig
from translate.inference.runtime.gate import changing_settings
from translate.inference.runtime.inputs import network_input

# Two threads that each replace what is global, and restore it out of turn, would leave a replacement behind.
_GLOBALS_LOCK = threading.RLock()


def trace_graph(network: nn.Module, leaves: Collection[nn.Module]) -> fx.Graph:
    """Trace a network as a graph in which the leaves, like torch's own modules, are single nodes.

    Other threads may call the network, or any other, meanwhile.

    Raises:
        torch.fx.proxy.TraceError: its forward branches on the values of a tensor.
    """
    with _GLOBALS_LOCK:
        return _Tracer(leaves).trace(network)


class _Tracer(fx.Tracer):
    """A tracer of the thread that creates it.

    torch.fx replaces `__call__` and `__getattr__` of all modules while it traces: here they do in every other
    thread what they do untraced.
    """

    def __init__(self, leaves: Collection[nn.Module]) -> None:
        # By default it would replace the functions of `math`, too, which no network applies to tensors.
        super().__init__(autowrap_modules=())  # type: ignore[arg-type]
        self.leaves = leaves
        self.thread = threading.get_ident()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is a single node."""
        return m in self.leaves or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record the call of a module in this thread; run it in any other."""
        if threading.get_ident() != self.thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Return a proxy of a parameter in this thread, and the parameter itself in any other."""
        if threading.get_ident() != self.thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def trace_program(generator: nn.Module, config: ModelConfig) -> ExportedProgram:
    """Trace a generator for any batch size, and for all sides that are multiples of its size multiple."""
    given = network_input(config)
    # Of a copy: torch.export swaps the weights for fake ones meanwhile, and other threads may need them.
    module = given.module(copy.deepcopy(generator)).eval()
    # Or a U-Net's file would refuse images of the smallest side, where its innermost layer has one pixel.
    oblivious = shapes_config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with suppress_output(), changing_settings(), oblivious:
        return torch.export.export(module, (given.example(),), dynamic_shapes=(given.dynamic_shapes(),))


@contextlib.contextmanager
def suppress_output() -> Iterator[None]:
    """Keep what a library prints, logs and warns of from the terminal; its errors still raise."""
    with _GLOBALS_LOCK:
        disabled = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            with (
                warnings.catch_warnings(),
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                warnings.simplefilter("ignore")
                yield
        finally:
            logging.disable(disabled)
