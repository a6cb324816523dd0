"""From what a person asked for to a loop that runs: settings, run folder, data, checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch

from translate import distributed
from translate.config import dump_yaml
from translate.data.datasets.samples import SampleKey
from translate.errors import UsageError
from translate.methods.registry import find_method
from translate.models import pick_device, pick_precision
from translate.training.loop import Loop, batches
from translate.training.memory import estimate, free_memory, remedies
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run, resume_config
from translate.training.start import new_trainer
from translate.training.step.distributed import ProcessGroup


class Session:
    """A training run, new or resumed, with its data found and checked. Writes nothing until `train`.

    Args:
        given: the settings that the person gave; the others are default, or the resumed run's.
        resume: go on with the run in `out`, or start it where there is none.
        overwrite: replace the run in `out`.

    Attributes:
        signal: the number of the signal that ended the training early; 0 if none did.

    Raises:
        TranslateError: a setting or the data cannot be used.
    """

    def __init__(
        self, method: str, given: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
    ) -> None:
        if resume and overwrite:
            raise UsageError("--resume goes on with a run and --overwrite replaces it: give one of them")
        if distributed.restart_count():  # torchrun repeats the command, which a person would end by --resume
            resume, overwrite = True, False
        self.method, self.group, self.signal = method, ProcessGroup(), 0
        kind = find_method(method).config_class()
        self.run = Run(Path(kind(**given).out or f"runs/{method}"))
        self.continues = resume and self.run.exists()
        self.config = resume_config(kind, self.run, method, dict(given)) if self.continues else kind(**given)
        if not self.continues:
            self.run.refuse(overwrite=overwrite)
        elif self.run.model.exists() and not self._newest():
            raise UsageError(
                f"{self.run.folder} has a model and no checkpoint to go on from:"
                " to start anew give another --out, or --overwrite in place of --resume"
            )
        self.task = find_method(method).load_task()
        self.data = self.task.data(self.config)
        self.config = self.config.replace(**self.data.settings)
        self.remarks = ["nothing to resume yet: starting anew"] if resume and not self._newest() else []

    def _newest(self) -> Path | None:
        paths = list(self.run.checkpoints().values()) if self.continues else []
        return paths[-1] if paths else None

    def train(self) -> bool:
        """Train to the end; return False where Ctrl-C or a signal ended it earlier."""
        with self.group.joined(self._device()):  # by now each process has seen what was there before
            warnings = self._warnings() if self.group.first else []
            loop = self._loop()
            if self.group.first:
                self._write_config()
            if loop.at.step:
                self.remarks.append(f"resuming {self.run.folder} from step {loop.at.step}")
            ended = loop.train(self.remarks + self.data.notes + warnings)
            self.signal = loop.signal
            return ended

    def _device(self) -> torch.device:
        return pick_device(self.config.device)

    def _loop(self) -> Loop:
        newest = self._newest()
        state = checkpoint.load(newest) if newest else None
        return Loop(self.method, self.task, self.config, self.data, self.run, state, self.group)

    def _write_config(self) -> None:
        text = dump_yaml(self.config, self.method)
        if self.continues:
            self.run.write_config(text)
        else:
            self.run.create(text)

    def _needed(self) -> tuple[int, str]:
        """Return the bytes that training will hold, about, or 0 and why they cannot be told."""
        half = pick_precision(self.config.precision, self._device()).dtype.itemsize == 2
        trainer = new_trainer(self.task, self.config, fresh=False)
        sample = self.data.train[SampleKey(0, 0)]
        try:
            return estimate(trainer, self.config, sample, half), ""
        except Exception as error:  # a step may do what torch's meta device cannot, and train all the same
            return 0, shorten(str(error) or type(error).__name__, 200)

    def _warnings(self) -> list[str]:
        """Return a line that memory will hardly suffice, where it will not."""
        needed, left = self._needed()[0], free_memory(self._device())
        if needed <= left:
            return []
        what = f"this takes about {needed / 2**20:.0f} MiB and {left / 2**20:.0f} are free"
        return [f"{what}: if it fails, {remedies(self.config)}"]

    def describe(self) -> str:
        """Describe what would be trained, on what, and in how much memory; train nothing."""
        c = self.config
        needed, unknown = self._needed()
        about = f"about {needed / 2**20:.0f} MiB"
        if unknown:
            about = f"not known, for a step cannot be tried without its tensors ({unknown})"
        order = batches(c, self.data, self.group)
        precision = pick_precision(c.precision, self._device())
        return "\n".join(
            [
                dump_yaml(self.config, self.method).rstrip(),
                "",
                f"run: {self.run.folder}",
                f"data: {self.data.summary}, {order.steps_per_epoch} steps an epoch",
                *self.data.notes,
                f"memory: {about} on {precision.device} in {precision}, beside torch",
            ]
        )
