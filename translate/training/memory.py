"""Estimate the memory of a training step without running it, and suggest settings that need less."""

from __future__ import annotations

import weakref
from dataclasses import replace
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


def estimate_memory(trainer: Trainer, c: TrainConfig, sample: Sample, half: bool) -> int:
    """Estimate the peak memory of training, in bytes.

    It is the sum of weights, buffers, gradients, Adam's moments, the EMA, and the activations of a step. The
    step runs on torch's meta device, where tensors have shapes but no data.

    Args:
        trainer: moved to the meta device by this, and not usable afterwards.
        sample: a sample of the dataset, for its shapes.
        half: whether mixed precision keeps activations in 16 bits.
    """
    move_to_meta(trainer)
    weights: int = sum(weight.nbytes for weight in trainer.parameters())
    buffers: int = sum(buffer.nbytes for buffer in trainer.buffers())
    ema: int = sum(weight.nbytes for g in trainer.generators.values() for weight in g.parameters())
    if c.recompute:
        recompute_generators(trainer)
    batch_size = c.batch_size * c.batches_per_step // c.accumulation_steps
    batch = {name: _meta_batch(tensor, batch_size) for name, tensor in sample.items()}
    with _LiveMemory() as memory:
        # Step 0 has every lazy regularization, and at the end of the run all that grows is grown.
        progress = replace(StepProgress.on(torch.device("meta")), fraction=1.0)
        trainer.step(batch, _MetaUpdates(trainer), progress)
    return int(3 * weights + buffers + ema + memory.peak // (2 if half else 1))


def move_to_meta(trainer: Trainer) -> None:
    """Move a trainer to torch's meta device, and let its optimizers train the weights there.

    A weight of the meta device is a new one, while on other devices a weight stays the same object.
    """
    before = list(trainer.parameters())
    trainer.to("meta")
    moved = dict(zip(before, trainer.parameters(), strict=True))
    for optimizer in trainer.optimizers.values():
        for group in optimizer.param_groups:
            group["params"] = [moved[weight] for weight in group["params"]]


def free_memory(device: torch.device) -> int:
    """Return the free memory of a device, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch or Python means that there is not enough memory."""
    text = str(error).lower()
    phrases = ("out of memory", "can't allocate memory", "not enough memory")
    is_memory_error = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return is_memory_error or any(phrase in text for phrase in phrases)


def out_of_memory_message(c: TrainConfig, device: torch.device) -> str:
    """Return the error message of a step that ran out of memory."""
    free = f"{free_memory(device) / 2**20:.0f} MiB free"
    return (
        f"a training step does not fit into the memory of {device} ({free}): start a new run with another"
        f" --out and {memory_remedies(c)}; the checkpoints of this run are intact"
    )


def memory_remedies(c: TrainConfig) -> str:
    """Return the settings that would need less memory, in words, the ones that cost least first."""
    remedies = []
    if isinstance(c, ImageTrainConfig) and c.batches_per_step == 1:
        if c.batch_size > c.accumulate:
            remedies.append(f"--accumulate {c.batch_size} (gradient accumulation)")
    elif c.batch_size > 2:
        remedies.append(f"--batch-size {c.batch_size // 2}")
    if not c.recompute:
        remedies.append("--recompute (gradient checkpointing)")
    return ", or ".join([*remedies, f"an --image-size under {c.image_size}"])


def _meta_batch(tensor: Tensor, batch_size: int) -> Tensor:
    """Return a batch of such tensors on the meta device; images become float32."""
    dtype = torch.float32 if tensor.dtype == torch.uint8 else tensor.dtype
    return torch.empty(batch_size, *tensor.shape, dtype=dtype, device="meta")


class _MetaUpdates:
    """An `update` that computes gradients, and does not change the weights."""

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
    """A dispatch mode that counts the bytes of the new tensors that are alive, and their peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: dict[int, int] = {}  # Bytes by storage.
        self.total = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        inputs = {leaf.untyped_storage()._cdata for leaf in tree_leaves(args) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in inputs:
                self._add(leaf.untyped_storage())
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self.live:
            return
        self.live[key] = storage.nbytes()
        self.total += storage.nbytes()
        self.peak = max(self.peak, self.total)
        weakref.finalize(storage, self._remove, key)

    def _remove(self, key: int) -> None:
        self.total -= self.live.pop(key)
