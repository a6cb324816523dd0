"""The cost of a recipe beside CycleGAN's, and the memory of the tensors of a training step on a CPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from timing.measure import CPU
from timing.training import WAYS, Case, Way
from translate.models import pick_precision
from translate.training.memory import estimate_memory

COMPARED_WITH_CYCLEGAN = ("cyclegan", "cut", "fastcut")


def group_cases(cases: Iterable[Case], device: torch.device) -> list[list[Case]]:
    """Group the cases whose variants take turns.

    On a CPU these are the recipes that are compared with CycleGAN, at one image and batch size; each other
    case is a group of its own.
    """
    groups: dict[Any, list[Case]] = {}
    for case in cases:
        together = device.type == "cpu" and case.recipe in COMPARED_WITH_CYCLEGAN
        groups.setdefault((case.image_size, case.batch_size) if together else case, []).append(case)
    return list(groups.values())


def add_tensors(cases: Iterable[Case], rows: Iterable[dict[str, Any]]) -> None:
    """Add to the rows of this package the gigabytes of tensors on a CPU, where torch does not count them."""
    by_name = {str(case): case for case in cases}
    for row in rows:
        if way := WAYS.get(row["way"].removeprefix("ours, ")):
            row["tensors_gb"] = estimate_tensors(by_name[row["case"]], way) / 1e9


def estimate_tensors(case: Case, way: Way) -> int:
    """Estimate the bytes that the tensors of a step take on a CPU, as `translate train --dry-run` does."""
    c = case.config(device="cpu", **way.settings)
    is_half = pick_precision(c.precision, CPU).dtype != torch.float32
    with torch.device("meta"):
        trainer = case.trainer(c)
    return estimate_memory(trainer, c, {name: x[0] for name, x in case.batch().items()}, is_half)


def compare_with_cyclegan(rows: Iterable[dict[str, Any]]) -> None:
    """Add to each row its share of the time and of the tensors of CycleGAN, of the same size and way."""
    by_case = {(row["case"], row["way"]): row for row in rows}
    for (case, way), row in by_case.items():
        recipe, _, size = case.partition(", ")
        base = by_case.get((f"cyclegan, {size}", way))
        if recipe == "cyclegan" or base is None:
            continue
        row["time_share"] = row["ms"] / base["ms"]
        if row.get("tensors_gb") and base.get("tensors_gb"):
            row["tensors_share"] = row["tensors_gb"] / base["tensors_gb"]
