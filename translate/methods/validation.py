"""Validation: a model applied to the validation set, its scores, and a sheet of the same few images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from translate.data.datasets.samples import Sample, SampleDataset, SampleKey
from translate.images import Pixels, contact_sheet, to_pixels, to_tensor
from translate.methods.task import ValidationResult
from translate.models import Model, Precision

SHOWN, SCORED, SIDE = 8, 50, 128

Generators = Mapping[str, nn.Module]
Shown = dict[str, Tensor]


@dataclass(frozen=True)
class Validation:
    """Apply a model to the images of the validation set one by one.

    Args:
        show: generators and a batch of (N, 3, H, W) in [-1, 1] -> the columns of a sample sheet.
        score: those columns -> named scores; their means are given.
        count: images that are scored, of which the first few are shown.
    """

    show: Callable[[Generators, Sample], Shown]
    score: Callable[[Shown], dict[str, float]]
    count: int = SHOWN

    @torch.no_grad()
    def __call__(self, model: Model, data: SampleDataset, precision: Precision) -> ValidationResult:
        columns: dict[str, list[Pixels]] = defaultdict(list)
        totals: dict[str, float] = defaultdict(float)
        generators = dict(model.generators.items())
        count = min(self.count, len(data))
        for index in range(count):
            sample = data[SampleKey(0, index)]
            batch = {name: to_tensor(image[None].to(precision.device)) for name, image in sample.items()}
            with precision.autocast():
                shown = self.show(generators, batch)
            for name, value in self.score(shown).items():
                totals[name] += value / count
            for name, image in shown.items() if index < SHOWN else ():
                columns[name].append(to_pixels(image[0]))
        return ValidationResult(contact_sheet(columns, side=SIDE), dict(totals))
