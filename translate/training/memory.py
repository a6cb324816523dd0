"""How much memory a training step will take, without taking it; and what to do where it is too much."""

from __future__ import annotations

import weakref
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from translate.config import ImageTrainConfig, TrainConfig
from translate.data.datasets.samples import Sample
from translate.methods.trainer import StepProgress, Trainer
from translate.training.step.recompute import recompute_generators


def estimate(trainer: Trainer, c: TrainConfig, sample: Sample, half: bool) -> int:
    """Estimate the bytes that training holds at its peak: weights, Adam's two averages, the EMA, and what a
    step holds of activations and gradients.

    The step is walked through on torch's meta device, where tensors have shapes and no content.

    Args:
        trainer: turned into a meta module by this; not to be used afterwards.
        sample: one of the data, whose shapes count.
        half: whether activations are kept in 16 bits.
    """
    trainer.to("meta")
    weights: int = sum(weight.nbytes for weight in trainer.parameters())
    averages: int = sum(weight.nbytes for g in trainer.generators.values() for weight in g.parameters())
    if c.recompute:
        recompute_generators(trainer)
    count = c.batch_size * c.batches_per_step // c.accumulation_steps
    batch = {name: _meta_batch(part, count) for name, part in sample.items()}
    progress = StepProgress(
        step_tensor=torch.zeros((), device="meta"), fraction_tensor=torch.zeros((), device="meta")
    )
    with _LiveMemory() as memory:
        trainer.step(batch, _MetaUpdates(trainer), progress)
    return int(3 * weights + averages + memory.peak // (2 if half else 1))


def free_memory(device: torch.device) -> int:
    """Return the bytes that a device has left, by its own word."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch or of Python says that memory ran out."""
    words = str(error).lower()
    lacking = "out of memory" in words or "can't allocate memory" in words or "not enough memory" in words
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or lacking


def not_enough_memory(c: TrainConfig, device: torch.device) -> str:
    """Say that a step did not fit, and what helps."""
    free = f"{free_memory(device) / 2**20:.0f} MiB are free now"
    return (
        f"a step does not fit into the memory of {device} ({free});"
        f" what was saved is whole; in another --out, {remedies(c)}"
    )


def remedies(c: TrainConfig) -> str:
    """Name the settings that need less, the cheapest first."""
    ways = []
    if isinstance(c, ImageTrainConfig):
        ways += [f"--accumulate {c.batch_size} (the same batch in parts)"] * (c.batch_size > c.accumulate)
    elif c.batch_size > 2:
        ways.append(f"--batch-size {c.batch_size // 2}")
    if not c.recompute:
        ways.append("--recompute (forgets layers and computes them again)")
    return f"use {', '.join([*ways, f'an --image-size under {c.image_size}'])}"


def _meta_batch(part: Tensor, count: int) -> Tensor:
    """Return as many of a part of a sample on the meta device, images as numbers in [-1, 1]."""
    kind = torch.float32 if part.dtype == torch.uint8 else part.dtype
    return torch.empty(count, *part.shape, dtype=kind, device="meta")


class _MetaUpdates:
    """Updates that take gradients and move nothing."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        self.accumulate(name, loss)
        self.trainer.optimizers[name].zero_grad()

    def accumulate(self, name: str, loss: Tensor) -> None:
        groups = self.trainer.optimizers[name].param_groups
        weights = [weight for group in groups for weight in group["params"] if weight.requires_grad]
        torch.autograd.backward(loss, inputs=weights)


class _LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that operations make, as long as anybody holds them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: dict[int, int] = {}  # bytes by storage
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        known = {leaf.untyped_storage()._cdata for leaf in tree_leaves(args) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in known:
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self.live:
            return
        self.live[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self.live.pop(key)
