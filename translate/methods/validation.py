"""Validation: score a model on the validation set, and render a sample sheet of its first images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from translate.data.datasets.crops import SampleKey
from translate.data.datasets.samples import Sample
from translate.images import Pixels, contact_sheet, to_pixels, to_tensor
from translate.methods.task import TaskData, ValidationResult
from translate.models import Model, Precision

SHEET_IMAGES = 8  # Images in a sample sheet.
SCORED_IMAGES = 50  # Images whose mean score may select the best checkpoint.
SHEET_SIDE = 128  # Longest side of an image in a sample sheet, in pixels.

Generators = Mapping[str, nn.Module]
Columns = dict[str, Tensor]  # Columns of a sample sheet: images, (N, C, H, W) in [-1, 1], by title.


def no_scores(columns: Columns) -> dict[str, float]:
    """Return no scores."""
    return {}


@dataclass(frozen=True)
class Validation:
    """A validation that applies the generators to the images of the validation set one by one.

    Args:
        make_columns: applies the generators to a batch of (N, C, H, W) images in [-1, 1], and returns the
            columns of the sample sheet. The validation networks of the trainer are among the generators.
        score: returns named scores of these columns; they are averaged over the images.
        count: images to score, of which the first few are in the sample sheet.
    """

    make_columns: Callable[[Generators, Sample], Columns]
    score: Callable[[Columns], dict[str, float]] = no_scores
    count: int = SHEET_IMAGES

    @torch.no_grad()
    def __call__(
        self, model: Model, data: TaskData, precision: Precision, **networks: nn.Module
    ) -> ValidationResult:
        """Score a model on the validation set, and render the sample sheet."""
        sheet: dict[str, list[Pixels]] = defaultdict(list)
        means: dict[str, float] = defaultdict(float)
        generators = {**dict(model.generators.items()), **networks}
        count = min(self.count, len(data.validation))
        for index in range(count):
            sample = data.validation[SampleKey(0, index)]
            batch = {name: to_tensor(image[None].to(precision.device)) for name, image in sample.items()}
            with precision.autocast():
                columns = self.make_columns(generators, batch)
            for name, value in self.score(columns).items():
                means[name] += value / count
            for name, image in columns.items() if index < SHEET_IMAGES else ():
                sheet[name].append(to_pixels(image[0].expand(3, -1, -1)))
        return ValidationResult(contact_sheet(sheet, side=SHEET_SIDE), dict(means))
