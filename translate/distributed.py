"""This process, and its place among those that torchrun started together for one command. Needs no torch."""

from __future__ import annotations

import os


def _started() -> bool:
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()


def rank() -> int:
    """The number of this process, from 0: that one alone tells and writes what is told and written once."""
    return int(os.environ["RANK"]) if _started() else 0


def world_size() -> int:
    """How many processes work together."""
    return int(os.environ["WORLD_SIZE"]) if _started() else 1


def local_rank() -> int | None:
    """The number of this process among those of its machine; None where it was not started so."""
    return int(os.environ.get("LOCAL_RANK", "0")) if _started() else None


def local_world_size() -> int:
    """How many of them are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def restart_count() -> int:
    """How often they were started again, after one of them had ended."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
