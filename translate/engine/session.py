"""From what a person asked for to a loop that runs: settings, run folder, data, checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from translate import processes
from translate.config import dump_yaml
from translate.data.sets import Draw
from translate.engine import checkpoint
from translate.engine.group import Group
from translate.engine.loop import Loop, batches, new_trainer
from translate.engine.memory import estimate, free, remedies
from translate.engine.run import Run, resumed
from translate.errors import UsageError
from translate.models import pick_device, pick_precision
from translate.recipes import find_recipe


class Session:
    """A training run, new or resumed, with its data found and checked. Writes nothing until `train`.

    Args:
        given: the settings that the person gave; the others are default, or the resumed run's.
        resume: go on with the run in `out`, or start it where there is none.
        overwrite: replace the run in `out`.

    Raises:
        TranslateError: a setting or the data cannot be used.
    """

    def __init__(
        self, recipe: str, given: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
    ) -> None:
        if processes.attempt():  # torchrun repeats the command, which a person would end by --resume
            resume, overwrite = True, False
        self.recipe, self.group = recipe, Group()
        kind = find_recipe(recipe).config
        self.run = Run(Path(kind(**given).out or f"runs/{recipe}"))
        self.continues = resume and self.run.exists()
        self.config = resumed(kind, self.run, recipe, dict(given)) if self.continues else kind(**given)
        if not self.continues:
            self.run.refuse(overwrite=overwrite)
        elif self.run.model.exists() and not self._newest():
            raise UsageError(
                f"{self.run.folder} has a model and no checkpoint to go on from:"
                " to start anew give another --out, or --overwrite in place of --resume"
            )
        self.task = find_recipe(recipe).task()
        self.data = self.task.data(self.config)
        self.config = self.config.replace(**self.data.settles)
        self.remarks = ["nothing to resume yet: starting anew"] if resume and not self._newest() else []

    def _newest(self) -> Path | None:
        paths = list(self.run.checkpoints().values()) if self.continues else []
        return paths[-1] if paths else None

    def train(self) -> bool:
        """Train to the end; False where Ctrl-C or a signal ended it earlier."""
        with self.group.joined(self._device()):  # by now each process has seen what was there before
            warnings = self._warnings() if self.group.first else []
            loop = self._loop()
            if self.group.first:
                self._write_config()
            if loop.at.step:
                self.remarks.append(f"resuming {self.run.folder} from step {loop.at.step}")
            return loop.train(self.remarks + self.data.notes + warnings)

    def _device(self) -> torch.device:
        return pick_device(self.config.device)

    def _loop(self) -> Loop:
        newest = self._newest()
        state = checkpoint.load(newest) if newest else None
        return Loop(self.recipe, self.task, self.config, self.data, self.run, state, self.group)

    def _write_config(self) -> None:
        text = dump_yaml(self.config, self.recipe)
        if self.continues:
            self.run.write_config(text)
        else:
            self.run.create(text)

    def _needed(self) -> int:
        """Bytes that training will hold, about."""
        half = pick_precision(self.config.precision, self._device()).dtype.itemsize == 2
        trainer = new_trainer(self.task, self.config, fresh=False)
        return estimate(trainer, self.config, self.data.train[Draw(0, 0)], half)

    def _warnings(self) -> list[str]:
        """That memory will hardly suffice, where it will not."""
        needed, left = self._needed(), free(self._device())
        if needed <= left:
            return []
        what = f"this takes about {needed / 2**20:.0f} MiB and {left / 2**20:.0f} are free"
        return [f"{what}: if it fails, {remedies(self.config)}"]

    def describe(self) -> str:
        """What would be trained, on what, and in how much memory; trains nothing."""
        c = self.config
        needed = self._needed()
        order = batches(c, self.data, self.group)
        precision = pick_precision(c.precision, self._device())
        return "\n".join(
            [
                dump_yaml(self.config, self.recipe).rstrip(),
                "",
                f"run: {self.run.folder}",
                f"data: {self.data.summary}, {order.steps_per_epoch} steps an epoch",
                *self.data.notes,
                f"memory: about {needed / 2**20:.0f} MiB on {precision.device} in {precision}, beside torch",
            ]
        )
