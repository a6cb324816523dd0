"""The composition that the engine trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from translate.data.sets import Sample, SampleSet
from translate.trainers.building import Trainer

Generators = Mapping[str, nn.Module]
Shown = dict[str, Tensor]


@dataclass(frozen=True)
class Data:
    """The sets of a run, and what a person should be told about them."""

    train: SampleSet
    held_out: SampleSet
    summary: str
    notes: list[str]
    fingerprint: str


@dataclass(frozen=True)
class Task:
    """Everything by which one recipe differs from another.

    Attributes:
        trainer: builds the trainer from the config.
        data: finds, checks and wraps the data set.
        show: generators and a batch of (N, 3, H, W) in [-1, 1] -> the columns of a sample sheet.
        score: those columns -> named scores.
        best: the score whose least value marks the best checkpoint, if one can be trusted for that.
    """

    trainer: Callable[[Any], Trainer]
    data: Callable[[Any], Data]
    show: Callable[[Generators, Sample], Shown]
    score: Callable[[Shown], dict[str, float]]
    best: str | None
