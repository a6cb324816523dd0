"""Distributed data-parallel training by several processes, as torchrun starts them."""

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

BUCKET_SIZE = 2**23  # Numbers in one all-reduce.


class ProcessGroup:
    """The processes of distributed training: they share the weights, and each has its part of every batch.

    A process that torchrun did not start is a group of its own, in which all operations do nothing.

    Attributes:
        rank: rank of this process, from 0; only rank 0 logs and writes files.
        size: number of processes (the world size).
    """

    def __init__(self) -> None:
        self.rank, self.size = distributed.rank(), distributed.world_size()

    @property
    def is_first(self) -> bool:
        """Return whether this is the process that logs and writes files."""
        return self.rank == 0

    @contextmanager
    def connect(self, device: torch.device) -> Iterator[None]:
        """Connect the processes inside the context, which all of them must enter."""
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
        """Return the store by which the processes find each other.

        After a restart on one machine, torchrun may return the store of the attempt before (torch 2.13, with
        static rendezvous), which holds the addresses of dead processes. So each attempt has its own prefix.
        """
        store, *_ = next(rendezvous("env://", self.rank, self.size))
        one_machine = distributed.local_world_size() == self.size
        return c10d.PrefixStore(f"attempt {distributed.restart_count()}", store) if one_machine else store

    def all_reduce_mean(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over all processes, in place."""
        if self.size == 1:
            return
        with _lost_process_errors():
            for bucket in _buckets(tensors):
                flat = torch.cat([tensor.flatten() for tensor in bucket])
                dist.all_reduce(flat)
                flat /= self.size
                start = 0
                for tensor in bucket:
                    tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
                    start += tensor.numel()

    def all_reduce_max(self, *values: float) -> list[float]:
        """Return the maximum of each value over all processes."""
        if self.size == 1:
            return list(values)
        maxima = torch.tensor(values, dtype=torch.float64)
        with _lost_process_errors():
            dist.all_reduce(maxima, dist.ReduceOp.MAX)
        return maxima.tolist()

    def all_gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank."""
        values = [value] * self.size
        if self.size > 1:
            with _lost_process_errors():
                dist.all_gather_object(values, value)
        return values


def synchronize_norms(network: nn.Module) -> None:
    """Turn on synchronized batch norm in place: statistics over the images of all processes."""
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.synchronized = True


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors in buckets: few messages, without a copy of all tensors at once."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        bucket.append(tensor)
        if sum(each.numel() for each in bucket) >= BUCKET_SIZE:
            yield bucket
            bucket = []
    if bucket:
        yield bucket


@contextmanager
def _lost_process_errors() -> Iterator[None]:
    """Raise torch's errors about a lost process as an error with a remedy."""
    try:
        yield
    except RuntimeError as error:  # Each backend raises its own kind.
        raise TranslateError(
            f"another process of this training ended ({shorten(str(error), 100)}): resume from the last"
            " checkpoint with --resume, or let torchrun do it with --max-restarts 3"
        ) from None
