"""Trace networks: with torch.fx as a graph of layers, with torch.export as a program to convert.

Both patch torch globally, for all threads of the process, while they trace.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
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
from translate.inference.runtime.inputs import network_input
from translate.inference.runtime.settings_lock import settings_write_lock

# If two threads patched a global and restored it in the wrong order, a patch would stay behind.
_GLOBALS_LOCK = threading.RLock()


def trace_graph(network: nn.Module, leaves: Collection[nn.Module]) -> fx.Graph:
    """Trace a network as a torch.fx graph in which `leaves`, like torch's own modules, are single nodes.

    Other threads may run this or any other network at the same time.

    Raises:
        torch.fx.proxy.TraceError: the network's forward branches on the values of a tensor.
    """
    with _GLOBALS_LOCK:
        return _Tracer(leaves).trace(network)


class _Tracer(fx.Tracer):
    """A torch.fx tracer that only traces the thread that created it.

    While it traces, torch.fx patches `__call__` and `__getattr__` of all modules. Here, the patches do the
    usual thing in every other thread.
    """

    proxy_buffer_attributes = True  # The label of a network is a buffer.

    def __init__(self, leaves: Collection[nn.Module]) -> None:
        # By default, fx also patches the functions of `math`, which no network applies to tensors.
        super().__init__(autowrap_modules=())  # type: ignore[arg-type]
        self.leaves = leaves
        self.thread = threading.get_ident()

    def create_args_for_root(self, root_fn: Any, *args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        """Trace the inputs without a default; the others choose what `forward` returns."""
        function, inputs = super().create_args_for_root(root_fn, *args, **kwargs)
        required = [p for p in inspect.signature(root_fn).parameters.values() if p.default is p.empty]
        for proxy in inputs[len(required) :]:
            self.graph.erase_node(proxy.node)
        return function, inputs[: len(required)]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module becomes a single node: a leaf, or one of which no part could be one."""
        is_atomic = next(m.children(), None) is None
        return is_atomic or m in self.leaves or super().is_leaf_module(m, module_qualified_name)

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
    """Trace a generator by torch.export for any batch size and any multiples of its size multiple."""
    inputs = network_input(config)
    # Trace a copy: torch.export swaps the weights for fake tensors, and other threads may be using them.
    module = inputs.wrap(copy.deepcopy(generator)).eval()
    # Without this setting, the program of a U-Net refuses images of the smallest size, on which its innermost
    # layer has one pixel.
    oblivious = shapes_config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with suppress_output(), settings_write_lock(), oblivious:
        return torch.export.export(module, inputs.example(), dynamic_shapes=inputs.dynamic_shapes())


@contextlib.contextmanager
def suppress_output() -> Iterator[None]:
    """Suppress what libraries print, log and warn; their exceptions still propagate."""
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
