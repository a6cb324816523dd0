"""Distributed data-parallel training by several processes, as torchrun starts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from textwrap import shorten
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.distributed_c10d as c10d
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from translate import distributed
from translate.errors import TranslateError, UsageError
from translate.networks.blocks import BatchNorm


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
        """Connect the processes inside the context, which all of them must enter.

        A GPU is the current device inside, so that nothing of this process is on the GPU of another one.

        Raises:
            UsageError: several processes would use one GPU.
        """
        on_gpu = device.type == "cuda"
        if on_gpu:
            _refuse_shared_gpu(device)
        with torch.cuda.device(device) if on_gpu else nullcontext():
            if self.size == 1:
                yield
                return
            # Python objects and numbers of the host go by gloo.
            backend, bound_device = ("cpu:gloo,cuda:nccl", device) if on_gpu else ("gloo", None)
            dist.init_process_group(
                backend, store=self._store(), rank=self.rank, world_size=self.size, device_id=bound_device
            )
            world = dist.group.WORLD
            assert world is not None
            try:
                yield
            except BaseException:
                # Destroying waits until all collectives have ended, which those of a lost process never do.
                world.abort()
                raise
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

    def start_all_reduce(self, tensor: Tensor) -> Callable[[], None]:
        """Start to replace a tensor by its sum over all processes, in place.

        All processes must start the same sums in the same order.

        Returns:
            A function that waits for the sum; on a GPU, its current stream waits, and the host goes on.
        """
        with _lost_process_errors():
            work = dist.all_reduce(tensor, async_op=True)
        assert work is not None

        def wait() -> None:
            with _lost_process_errors():
                work.wait()

        return wait

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


def _refuse_shared_gpu(device: torch.device) -> None:
    processes = distributed.local_world_size()
    if processes > 1 and device.index != distributed.local_rank():
        raise UsageError(
            f"--device {device} is one GPU for {processes} processes: use --device cuda, a GPU for each"
        )


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
