"""Run a generator for inference: on a device, with mixed precision, by torch or another engine."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from translate import allocator
from translate.compiling import prepare_compiler
from translate.inference.runtime.cudnn import repeatable_kernels
from translate.inference.runtime.engines import find_engine, max_batch_size
from translate.inference.runtime.formats import first_line
from translate.inference.runtime.graphs import Forward, GraphedForwards, find_capture
from translate.inference.runtime.settings_lock import settings_read_lock
from translate.models import Model, Precision, pick_device, pick_precision
from translate.networks import Generator
from translate.networks.blocks import per_image_norms
from translate.networks.generators.fixed_label import FixedLabel

log = logging.getLogger(__name__)


class Runner:
    """A model's generator for one direction, ready for inference. Any number of threads may call it.

    Args:
        direction, device, precision, engine, compile: as in `load_predictor`.

    Attributes:
        direction: the name of the route, or of the target that `for_label` was called with.
        generator: the network on the device, in float32.
        compiled: whether the network is to be compiled.
        memory_format: that of the convolutions, if the device is a GPU or the precision is half.

    Raises:
        UsageError: the model has no such direction, or the device or engine is not available.
    """

    def __init__(
        self, model: Model, direction: str | None, *, device: str, precision: str, engine: str, compile: bool
    ) -> None:
        self.direction = model.direction(direction)
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator = move_to_device(model.generator(direction), self.device)
        self._engine = find_engine(engine, model, direction, self.precision)
        self._engine_forward: Forward | None = self._engine
        self.compiled = compile
        self.memory_format = choose_memory_format(self.generator, self.precision, compile=compile)
        self._mixed = self.precision.cast_weights(self.generator, self.memory_format)
        self._mixed_forward: Forward = CompiledNetwork(self._mixed, self.device) if compile else self._mixed
        capture = find_capture(self.device)
        self._graphs = GraphedForwards(capture) if capture else None

    def for_label(self, name: str, label: Sequence[float]) -> Runner:
        """Return a runner with the label of one target; both share weights, engine, program and graphs.

        Args:
            name: identifies the target.
            label: an entry for each domain of the model.
        """
        runner, values = copy.copy(self), torch.tensor(label, device=self.device)
        runner.direction = name
        runner.generator = FixedLabel(self.generator, values)
        runner._mixed = FixedLabel(self._mixed, values)
        runner._mixed_forward = _with_label(self._mixed_forward, values)
        runner._engine_forward = _with_label(self._engine, values) if self._engine else None
        return runner

    @property
    def engine(self) -> str:
        """Return the name of the engine: `torch`, `openvino` or `onnxruntime`."""
        return self._engine.name if self._engine else "torch"

    @property
    def max_batch_size(self) -> int:
        """Return how many small images of one size to run in one forward pass."""
        return 1 if self._engine else max_batch_size(self.generator)

    def __call__(self, windows: Tensor, *, exact: bool = False) -> Tensor:
        """Run the network on (N, C, H, W) float32 in [-1, 1]; `exact` runs it in float32 by torch."""
        if self._engine_forward and not exact:
            return self._engine_forward(windows)
        name = "exact" if exact else "mixed"
        return self.run(name, partial(self.forward, exact=exact), windows.to(self.device))

    @property
    def is_graphed(self) -> bool:
        """Return whether forward passes run as graphs where their shape recurs, as on a GPU."""
        return self._graphs is not None

    @torch.inference_mode()
    def run(self, name: str, forward: Forward, x: Tensor) -> Tensor:
        """Run a function that runs `forward` on a tensor of the device, as a graph where that pays off.

        Args:
            name: identifies the function among those that run on this object.
        """
        with settings_read_lock(), allocator.retain_freed_memory():
            return self._graphs(f"{self.direction} {name}", forward, x) if self._graphs else forward(x)

    def forward(self, x: Tensor, *, exact: bool = False) -> Tensor:
        """Run the network by torch on a tensor of the device, kernel by kernel; return float32."""
        network = self.generator if exact else self._mixed_forward
        with self.precision_for(exact).autocast():
            out: Tensor = network(x)
        return out.float()

    def network(self, exact: bool) -> nn.Module:
        """Return the network, for running it layer by layer under `autocast(exact)`."""
        return self.generator if exact else self._mixed

    def precision_for(self, exact: bool) -> Precision:
        """Return float32 if `exact`, as for images of more than 8 bits, otherwise the runner's precision."""
        return Precision(self.device, torch.float32) if exact else self.precision

    @contextmanager
    def autocast(self, exact: bool) -> Iterator[None]:
        """Enter the precision of the network, and on a GPU settings that make its output repeatable."""
        settings = repeatable_kernels(self.device) if self.is_graphed else nullcontext()
        with settings, self.precision_for(exact).autocast():
            yield


def _with_label(forward: Callable[..., Tensor], label: Tensor) -> Forward:
    """Return a function of images that calls a function of images and labels."""
    return lambda x: forward(x, label.expand(len(x), -1))


def choose_memory_format(generator: nn.Module, precision: Precision, *, compile: bool) -> torch.memory_format:
    """Return the memory format of the convolutions in which a network is fastest on a device.

    Uncompiled on a GPU, `F.instance_norm` is the fastest norm for single images' statistics, and takes NCHW.
    A network in float32 is the model's own, whose weights stay in NCHW.
    """
    takes_nchw = precision.dtype == torch.float32 or per_image_norms(generator)
    is_nchw = precision.device.type == "cuda" and not compile and takes_nchw
    return torch.contiguous_format if is_nchw else torch.channels_last


class CompiledNetwork:
    """A network that torch.compile has compiled; where compiling fails, it runs as it is."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        prepare_compiler()
        self._network: Callable[..., Tensor] = network
        # On a GPU, each image size gets a program of its own. By default, the second size gets one for all
        # sizes, and images of the first size that come after it would differ from those before it.
        dynamic = False if device.type == "cuda" else None
        self._compiled: Callable[..., Tensor] = torch.compile(network, dynamic=dynamic)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Run the network, (N, C, H, W) and a label if it takes one -> (N, C', H, W)."""
        try:
            return self._compiled(*inputs)
        except RuntimeError as error:
            from torch._dynamo.exc import TorchDynamoException  # Its import takes as long as that of torch.

            if not isinstance(error, TorchDynamoException):
                raise
            reason = getattr(error, "inner_exception", error)
            log.info("the network is not compiled: %s", first_line(reason))
            self._compiled = self._network
        return self._network(*inputs)


def move_to_device(generator: Generator, device: torch.device) -> Generator:
    """Return a generator on a device in eval mode: itself if it is there already, otherwise a copy.

    The model's generator is not moved, because another predictor or a training run may be using it.
    """
    target = torch.empty(0, device=device).device  # Resolves `cuda` to `cuda:0`.
    if all(weight.device == target for weight in generator.state_dict().values()):
        return generator.eval()
    return copy.deepcopy(generator).to(device).eval()
