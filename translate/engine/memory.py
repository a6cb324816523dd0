"""How much memory a training step will take, without taking it; and what to do where it is too much."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import psutil
import torch
from torch import Tensor

from translate.config import ImageTrainConfig, TrainConfig
from translate.data.sets import Sample
from translate.trainers.building import Trainer


def estimate(trainer: Trainer, c: TrainConfig, sample: Sample, half: bool) -> int:
    """Bytes that training holds at its peak: weights, gradients, Adam's two averages, the averaged
    generators, and what a step keeps for its backward passes.

    The step is walked through on torch's meta device, where tensors have shapes and no content.

    Args:
        trainer: turned into a meta module by this; not to be used afterwards.
        sample: one of the data, whose shapes count.
        half: whether activations are kept in 16 bits.
    """
    trainer.to("meta")
    state = trainer.state_dict(keep_vars=True).values()
    own = {value.untyped_storage()._cdata for value in state if isinstance(value, Tensor)}
    weights = sum(_bytes(weight) for weight in trainer.parameters())
    averaged = sum(_bytes(w) for g in trainer.generators.values() for w in g.parameters())
    kept, passes = _Kept(own), [0]
    if c.recompute:
        for generator in trainer.generators.values():
            generator.forward = partial(_counted_apart, passes, own, generator.forward)
    batch = {name: _batch(part, c.batch_size * c.batches_a_step // c.parts) for name, part in sample.items()}
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, _Saved.unpack):
        trainer.step(batch, lambda _, loss, more=False: torch.autograd.backward(loss))
    return 4 * weights + averaged + (kept.most + max(passes)) // (2 if half else 1)


def _counted_apart(
    passes: list[int], own: set[int], forward: Callable[[Tensor], Tensor], x: Tensor
) -> Tensor:
    """What `forward` gives; what it keeps is forgotten, until one pass after the other is computed again."""
    kept = _Kept(own)
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, _Saved.unpack):
        y = forward(x)
    passes.append(kept.most)
    return y


def free(device: torch.device) -> int:
    """Bytes that a device has left, by its own word."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or of Python says that memory ran out."""
    words = str(error).lower()
    lacking = "out of memory" in words or "can't allocate memory" in words or "not enough memory" in words
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or lacking


def too_little(c: TrainConfig, device: torch.device) -> str:
    """That a step did not fit, and what helps."""
    return (
        f"a step does not fit into the memory of {device} ({free(device) / 2**20:.0f} MiB are free now);"
        f" what was saved is whole; in another --out, {remedies(c)}"
    )


def remedies(c: TrainConfig) -> str:
    """The settings that need less, the cheapest first."""
    ways = []
    if isinstance(c, ImageTrainConfig):
        ways += [f"--accumulate {c.batch_size} (the same batch in parts)"] * (c.batch_size > c.accumulate)
    elif c.batch_size > 2:
        ways.append(f"--batch-size {c.batch_size // 2}")
    if not c.recompute:
        ways.append("--recompute (forgets layers and computes them again)")
    return f"use {', '.join([*ways, f'an --image-size under {c.image_size}'])}"


def _batch(part: Tensor, count: int) -> Tensor:
    """As many of a part of a sample, pictures as numbers in [-1, 1]."""
    kind = torch.float32 if part.dtype == torch.uint8 else part.dtype
    return torch.empty(count, *part.shape, dtype=kind, device="meta")


class _Kept:
    """Counts the bytes of distinct tensors that autograd holds."""

    def __init__(self, own: set[int]) -> None:
        self.own, self.users = own, dict[int, int]()
        self.now = self.most = 0

    def pack(self, tensor: Tensor) -> _Saved:
        return _Saved(tensor, self)

    def change(self, tensor: Tensor, users: int) -> None:
        storage = tensor.untyped_storage()._cdata
        if storage in self.own:
            return
        before = self.users.get(storage, 0)
        self.users[storage] = before + users
        if 0 in (before, before + users):
            self.now += users * tensor.untyped_storage().nbytes()
            self.most = max(self.most, self.now)


class _Saved:
    """One tensor in autograd's keeping; deleted when its backward pass is done."""

    def __init__(self, tensor: Tensor, kept: _Kept) -> None:
        self.tensor, self.kept = tensor, kept
        kept.change(tensor, 1)

    def unpack(self) -> Tensor:
        return self.tensor

    def __del__(self) -> None:
        self.kept.change(self.tensor, -1)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
