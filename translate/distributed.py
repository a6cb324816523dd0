"""Distributed training: the rank and world size of this process under torchrun. Needs no torch."""

from __future__ import annotations

import os


def _is_distributed() -> bool:
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()


def rank() -> int:
    """Return the rank of this process among all; only rank 0 logs and writes files. Without torchrun, 0."""
    return int(os.environ["RANK"]) if _is_distributed() else 0


def world_size() -> int:
    """Return the number of processes; without torchrun, 1."""
    return int(os.environ["WORLD_SIZE"]) if _is_distributed() else 1


def local_rank() -> int | None:
    """Return the rank of this process among those on its machine; without torchrun, None."""
    return int(os.environ.get("LOCAL_RANK", "0")) if _is_distributed() else None


def local_world_size() -> int:
    """Return the number of processes on this machine; without torchrun, 1."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def restart_count() -> int:
    """Return how often torchrun has restarted the processes after a failure."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
