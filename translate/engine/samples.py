"""A look at the held-out pictures: their scores, and a sheet of the same few."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import torch

from translate.data.sets import Draw, SampleSet
from translate.images import Pixels, contact_sheet, to_pixels, to_tensor, write_rgb
from translate.models import Model, Precision
from translate.tasks.task import Task

SHOWN, SCORED, SIDE = 8, 50, 128


@torch.no_grad()
def look(
    task: Task, model: Model, held_out: SampleSet, precision: Precision, sheet: Path
) -> dict[str, float]:
    """Apply a model to held-out pictures one by one, write the sheet, return the mean scores.

    Over up to 50 pictures where a score tells the best checkpoint, else over the few that are shown.
    """
    columns: dict[str, list[Pixels]] = defaultdict(list)
    totals: dict[str, float] = defaultdict(float)
    generators = dict(model.generators.items())
    count = min(SCORED if task.best else SHOWN, len(held_out))
    for item in range(count):
        sample = held_out[Draw(0, item)]
        batch = {name: to_tensor(picture[None].to(precision.device)) for name, picture in sample.items()}
        with precision.autocast():
            shown = task.show(generators, batch)
        for name, value in task.score(shown).items():
            totals[name] += value / count
        for name, picture in shown.items() if item < SHOWN else ():
            columns[name].append(to_pixels(picture[0]))
    write_rgb(contact_sheet(columns, side=SIDE), sheet)
    return dict(totals)
