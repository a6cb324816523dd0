"""The interface of a task: a method's dataset, trainer, validation and finished model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from translate.config import ModelConfig
from translate.data.datasets.samples import PhotoDataset, SampleDataset
from translate.images import Pixels
from translate.methods.trainer import StepProgress, Trainer
from translate.models import Model, Precision
from translate.networks import Generator


@dataclass(frozen=True)
class DomainImages:
    """All images of a domain, without data augmentation.

    Attributes:
        train, validation: datasets of `photo`, (3, H, W) uint8.
    """

    train: PhotoDataset
    validation: PhotoDataset


@dataclass(frozen=True)
class TaskData:
    """The training and validation set of a run.

    Attributes:
        summary: the dataset in a few words, for the log and the finished model.
        notes: lines to log about the dataset, such as images that were left out.
        fingerprint: a hash by which a resumed run checks that the images are still the same.
        settings: settings that follow from the dataset.
        facts: what the finished model stores about the dataset, such as its classes.
        hints: lines on settings that suit the dataset, for the log of a new run, which can still choose them.
        domains: the images of each domain, where methods without pairs are scored by comparing sets.
    """

    train: SampleDataset
    validation: SampleDataset
    summary: str
    notes: list[str]
    fingerprint: str
    settings: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    domains: Mapping[str, DomainImages] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidationResult:
    """The result of a validation.

    Attributes:
        sheet: a sample sheet of a few images, (H, W, 1 or 3) uint8.
        scores: validation scores by name.
        notes: lines to log about this validation.
    """

    sheet: Pixels
    scores: dict[str, float]
    notes: Sequence[str] = ()


History = Sequence[Mapping[str, float]]  # All validation scores of a run, each with its `step`, newest last.
BuildModel = Callable[[Any, Mapping[str, Generator], Mapping[str, Any]], ModelConfig]


@dataclass(frozen=True)
class BestScore:
    """The validation score that selects the best checkpoint.

    Attributes:
        compares_domains: whether it compares images with those of `TaskData.domains`, without which there is
            no score.
    """

    name: str
    lower_is_better: bool = True
    compares_domains: bool = False


def no_warnings(history: History) -> list[str]:
    """Return no warnings."""
    return []


def no_preparation(model: Model, data: TaskData, precision: Precision) -> Iterator[str]:
    """Return an iterator over nothing, for a validation that needs no preparation."""
    return iter(())


def constant_settings(c: Any, progress: StepProgress) -> Mapping[str, Any]:
    """Return no settings that change during a run."""
    return {}


@dataclass(frozen=True)
class Task:
    """Everything that the training loop must know about a method.

    Attributes:
        trainer: builds the trainer from the config.
        data: finds and checks the dataset.
        validate: takes a model, a dataset (`TaskData`), a precision, and the trainer's `validation_networks`
            as keyword arguments; scores the model on the validation set, and renders a sample sheet.
        prepare: computes what all validations of a run need, before its first step. It yields a line for the
            log, or an empty string, after each part, at the latest after seconds: a signal stops it there.
        model: builds the finished model's config from the training config, the generators by name, and the
            facts of the dataset.
        best: the score that selects the best checkpoint; None if no score is reliable enough for that.
        warnings: returns lines to log after a validation, such as a warning of mode collapse.
        settings_at: returns the settings of the dataset at a point of the run, if they change during it
            (image size and batch size in progressive growing); the dataset is then found again.
    """

    trainer: Callable[[Any], Trainer]
    data: Callable[[Any], TaskData]
    validate: Callable[..., ValidationResult]
    model: BuildModel
    best: BestScore | None = None
    prepare: Callable[[Model, TaskData, Precision], Iterator[str]] = no_preparation
    warnings: Callable[[History], list[str]] = no_warnings
    settings_at: Callable[[Any, StepProgress], Mapping[str, Any]] = constant_settings
