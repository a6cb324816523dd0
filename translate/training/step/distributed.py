"""The processes that train one model together, as torchrun starts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import shorten
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.distributed_c10d as c10d
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from translate import distributed
from translate.errors import TranslateError
from translate.networks.blocks import BatchNorm

BUCKET = 2**23  # numbers that are sent at once


class ProcessGroup:
    """Some processes, one model: each has the same weights and its own part of every batch.

    A process that torchrun did not start is a group of its own.

    Attributes:
        rank: of this process, from 0; that one alone writes.
        size: processes.
    """

    def __init__(self) -> None:
        self.rank, self.size = distributed.rank(), distributed.world_size()

    @property
    def first(self) -> bool:
        return self.rank == 0

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Within, the processes can talk; all of them must get here."""
        if self.size == 1:
            yield
            return
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=self._store(), rank=self.rank, world_size=self.size)
        try:
            yield
        finally:
            dist.destroy_process_group()

    def _store(self) -> c10d.Store:
        """Where the processes find each other. After a restart on one machine torchrun may hand out the
        store of before (pytorch 2.13, its static rendezvous), in which the addresses are those of the dead.
        """
        store, *_ = next(rendezvous("env://", self.rank, self.size))
        one_machine = distributed.local_world_size() == self.size
        return c10d.PrefixStore(f"attempt {distributed.restart_count()}", store) if one_machine else store

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Give each process the mean of what all of them hold, in place."""
        if self.size == 1:
            return
        with _explained():
            for some in _buckets(tensors):
                flat = torch.cat([tensor.flatten() for tensor in some])
                dist.all_reduce(flat)
                flat /= self.size
                start = 0
                for tensor in some:
                    tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
                    start += tensor.numel()

    def all_reduce_max(self, *values: float) -> list[float]:
        """The greatest that any process gives of each value."""
        if self.size == 1:
            return list(values)
        found = torch.tensor(values, dtype=torch.float64)
        with _explained():
            dist.all_reduce(found, dist.ReduceOp.MAX)
        return found.tolist()

    def gather(self, value: Any) -> list[Any]:
        """What each process gives, by rank."""
        found = [value] * self.size
        if self.size > 1:
            with _explained():
                dist.all_gather_object(found, value)
        return found


def synchronize_norms(network: nn.Module) -> None:
    """Batch norm over the images of all processes, in place."""
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.synchronized = True


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors in turn, some at once: neither one by one nor all copied."""
    some: list[Tensor] = []
    for tensor in tensors:
        some.append(tensor)
        if sum(each.numel() for each in some) >= BUCKET:
            yield some
            some = []
    if some:
        yield some


@contextmanager
def _explained() -> Iterator[None]:
    """Raise what torch says of a lost process as an error with its remedy."""
    try:
        yield
    except RuntimeError as error:  # of as many kinds as there are ways to talk
        raise TranslateError(
            f"another process ended, and this one cannot go on alone ({shorten(str(error), 100)}):"
            " torchrun --max-restarts 3 starts all again from the last checkpoint, and so does --resume"
        ) from None
