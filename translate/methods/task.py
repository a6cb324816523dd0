"""The contract of a task: data, trainer, validation and the model that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from translate.config import ModelConfig
from translate.data.datasets.samples import SampleDataset
from translate.images import Pixels
from translate.methods.trainer import StepProgress, Trainer
from translate.models import Model, Precision
from translate.networks import Generator


@dataclass(frozen=True)
class TaskData:
    """The datasets of a run, and what a person should be told about them.

    Attributes:
        validation: images by which a model is validated.
        settings: settings that follow from the data.
        facts: what a model should know of it.
    """

    train: SampleDataset
    validation: SampleDataset
    summary: str
    notes: list[str]
    fingerprint: str
    settings: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidationResult:
    """What a model makes of the validation set.

    Attributes:
        sheet: (H, W, 3), images of it.
    """

    sheet: Pixels
    scores: dict[str, float]


History = Sequence[Mapping[str, float]]  # validation scores of a run, the newest last, each with its `step`
BuildModel = Callable[[Any, Mapping[str, Generator], Mapping[str, Any]], ModelConfig]


@dataclass(frozen=True)
class BestScore:
    """The validation score that marks the best checkpoint."""

    name: str
    less_is_better: bool = True


def no_remarks(history: History) -> list[str]:
    """Return no remarks."""
    return []


def same_settings(c: Any, progress: StepProgress) -> Mapping[str, Any]:
    """Return no settings that change during a run."""
    return {}


@dataclass(frozen=True)
class Task:
    """Everything by which one method differs from another.

    Attributes:
        trainer: builds the trainer from the config.
        data: finds, checks and wraps the data set.
        validate: a model and the validation set -> a sheet and named scores.
        model: config, generators by name and the data's facts -> what the finished model knows of itself.
        best: the score that marks the best checkpoint, if one can be trusted for that.
        remarks: what a person should be told in words of the newest scores, knowing those before.
        settings_at: the settings of the data that change during a run (image size, batch size); where they
            do, the data is found anew with them.
    """

    trainer: Callable[[Any], Trainer]
    data: Callable[[Any], TaskData]
    validate: Callable[[Model, SampleDataset, Precision], ValidationResult]
    model: BuildModel
    best: BestScore | None = None
    remarks: Callable[[History], list[str]] = no_remarks
    settings_at: Callable[[Any, StepProgress], Mapping[str, Any]] = same_settings
