"""The composition that the engine trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from translate.data.sets import SampleSet
from translate.images import Pixels
from translate.models import Model, Precision
from translate.trainers.building import Trainer


@dataclass(frozen=True)
class Data:
    """The sets of a run, and what a person should be told about them.

    Attributes:
        held_out: pictures by which a model is looked at.
        settles: settings that follow from the data.
        facts: what a model should keep of it.
    """

    train: SampleSet
    held_out: SampleSet
    summary: str
    notes: list[str]
    fingerprint: str
    settles: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What a model makes at some point of its training.

    Attributes:
        sheet: (H, W, 3), pictures of it.
    """

    sheet: Pixels
    scores: dict[str, float]


Looks = Sequence[Mapping[str, float]]  # the scores of a run's looks, the newest last, each with its `step`


def nothing(looks: Looks) -> list[str]:
    """No remarks."""
    return []


@dataclass(frozen=True)
class Task:
    """Everything by which one recipe differs from another.

    Attributes:
        trainer: builds the trainer from the config.
        data: finds, checks and wraps the data set.
        look: a model and the held-out pictures -> a sheet and named scores.
        best: the score whose least value marks the best checkpoint, if one can be trusted for that.
        remarks: what a person should be told in words of the newest look, knowing those before it.
    """

    trainer: Callable[[Any], Trainer]
    data: Callable[[Any], Data]
    look: Callable[[Model, SampleSet, Precision], Look]
    best: str | None
    remarks: Callable[[Looks], list[str]] = nothing
