"""From what a person asked for to a loop that runs: settings, run folder, data, checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from translate.config import dump_yaml
from translate.data.loader import EndlessBatches
from translate.data.sets import Draw
from translate.engine import checkpoint
from translate.engine.loop import Loop
from translate.engine.memory import estimate
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
        self.recipe = recipe
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
        loop = self._loop()
        text = dump_yaml(self.config, self.recipe)
        if self.continues:
            self.run.write_config(text)
        else:
            self.run.create(text)
        if loop.at.step:
            self.remarks.append(f"resuming {self.run.folder} from step {loop.at.step}")
        return loop.train(self.remarks + self.data.notes)

    def _loop(self) -> Loop:
        newest = self._newest()
        state = checkpoint.load(newest) if newest else None
        return Loop(self.recipe, self.task, self.config, self.data, self.run, state)

    def describe(self) -> str:
        """What would be trained, on what, and in how much memory; trains nothing."""
        c = self.config
        batches = EndlessBatches(len(self.data.train), c.batch_size, c.seed, together=c.batches_a_step)
        sample = self.data.train[Draw(0, 0)]
        precision = pick_precision(self.config.precision, pick_device(self.config.device))
        half = precision.dtype.itemsize == 2
        needed = estimate(self.task.trainer(self.config), self.config, sample, half)
        return "\n".join(
            [
                dump_yaml(self.config, self.recipe).rstrip(),
                "",
                f"run: {self.run.folder}",
                f"data: {self.data.summary}, {batches.steps_per_epoch} steps an epoch",
                *self.data.notes,
                f"memory: about {needed / 2**20:.0f} MiB on {precision.device} in {precision}, beside torch",
            ]
        )
