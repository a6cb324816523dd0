"""A look at a model by held-out pictures: their scores, and a sheet of the same few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from translate.data.sets import Draw, Sample, SampleSet
from translate.images import Pixels, contact_sheet, to_pixels, to_tensor
from translate.models import Model, Precision
from translate.tasks.task import Look

SHOWN, SCORED, SIDE = 8, 50, 128

Generators = Mapping[str, nn.Module]
Shown = dict[str, Tensor]


@dataclass(frozen=True)
class OneByOne:
    """Applies a model to held-out pictures one by one.

    Args:
        show: generators and a batch of (N, 3, H, W) in [-1, 1] -> the columns of a sample sheet.
        score: those columns -> named scores; their means are given.
        count: pictures that are scored, of which the first few are shown.
    """

    show: Callable[[Generators, Sample], Shown]
    score: Callable[[Shown], dict[str, float]]
    count: int = SHOWN

    @torch.no_grad()
    def __call__(self, model: Model, held_out: SampleSet, precision: Precision) -> Look:
        columns: dict[str, list[Pixels]] = defaultdict(list)
        totals: dict[str, float] = defaultdict(float)
        generators = dict(model.generators.items())
        count = min(self.count, len(held_out))
        for item in range(count):
            sample = held_out[Draw(0, item)]
            batch = {name: to_tensor(picture[None].to(precision.device)) for name, picture in sample.items()}
            with precision.autocast():
                shown = self.show(generators, batch)
            for name, value in self.score(shown).items():
                totals[name] += value / count
            for name, picture in shown.items() if item < SHOWN else ():
                columns[name].append(to_pixels(picture[0]))
        return Look(contact_sheet(columns, side=SIDE), dict(totals))
