"""A training session: from the settings of a command to a training loop with its run folder and dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch

from translate import distributed
from translate.config import dump_yaml
from translate.data.datasets.crops import SampleKey
from translate.data.datasets.worker_processes import leave_unguarded_script
from translate.errors import TranslateError, UsageError
from translate.methods.registry import find_method
from translate.methods.task import TaskData
from translate.models import pick_device, pick_precision
from translate.training.architecture import adopt_architecture, check_domains
from translate.training.loop import Loop
from translate.training.memory import (
    estimate_memory,
    free_memory,
    is_out_of_memory,
    memory_remedies,
    out_of_memory_message,
)
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run
from translate.training.runs.lock import lock_run, refuse_running
from translate.training.runs.resume import (
    ResumePoint,
    check_fingerprint,
    describe_missing_data,
    find_resume_point,
    resume_config,
)
from translate.training.start import create_sampler
from translate.training.step.distributed import ProcessGroup


class Session:
    """A new or resumed run whose settings and dataset are checked. It writes nothing before `train`.

    Args:
        settings: the settings that the user gave; the others have their defaults, or are the resumed run's.
        resume: continue the run in `out`, or start it if there is none.
        overwrite: replace the run in `out`.

    Attributes:
        signal: number of the signal that stopped training early; 0 if there was none.
        has_stopped_early: whether early stopping ended the run.

    Raises:
        TranslateError: a setting or the dataset is not usable.
    """

    def __init__(
        self, method: str, settings: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
    ) -> None:
        leave_unguarded_script()
        if resume and overwrite:
            raise UsageError("--resume continues a run and --overwrite replaces it: give only one of them")
        if distributed.restart_count():  # Torchrun repeats the same command; a user would add --resume.
            resume, overwrite = True, False
        self.method, self.group, self.signal = method, ProcessGroup(), 0
        self.has_stopped_early = False
        config_class = find_method(method).config_class()
        self.run = Run(Path(settings.get("out") or f"runs/{method}"))
        if self.group.is_first:
            refuse_running(self.run.folder)
        self.overwrite, self.is_resumed = overwrite, resume and self.run.exists()
        self.checkpoints = self.run.checkpoints() if self.is_resumed else {}
        self.start = find_resume_point(self.run) if self.is_resumed else ResumePoint()
        self.messages: list[str] = []
        if self.is_resumed:
            self.config, self.messages = resume_config(
                config_class, self.run, method, settings, self.start.settings
            )
        else:
            settings, self.messages = config_class.complete(settings)
            settings, messages = adopt_architecture(config_class, settings)
            self.messages += messages
            self.config = config_class(**settings)
            self.run.refuse(overwrite=overwrite)
        if self.is_resumed and self.run.model.exists() and not self.start.path:
            raise UsageError(
                f"{self.run.folder} has a model but no checkpoint to resume from:"
                " start a new run with another --out, or with --overwrite instead of --resume"
            )
        self.task = find_method(method).load_task()
        if self.task.best is None:
            self._refuse_early_stopping(f"{method} has none")
        self.data = self._find_data(settings)
        self.config = self.config.replace(**self.data.settings)
        self.messages += [] if self.start.path else self.data.hints
        if resume and not self.start.path:
            reason = "has no checkpoint to resume from" if self.is_resumed else "is no run yet"
            self.messages.append(f"{self.run.folder} {reason}: starting a new run there")

    def _refuse_early_stopping(self, reason: str) -> None:
        """Refuse early stopping where no score selects the best checkpoint.

        Raises:
            UsageError: early stopping is on.
        """
        if self.config.early_stopping:
            raise UsageError(
                f"early_stopping {self.config.early_stopping} needs a score that selects the best checkpoint,"
                f" and {reason}: leave --early-stopping out, or give 0"
            )

    def _find_data(self, given: Mapping[str, Any]) -> TaskData:
        """Find the dataset; that of a resumed run must be the one that it was trained on."""
        try:
            data = self.task.data(self.config)
        except UsageError:
            if self.is_resumed and (reason := describe_missing_data(self.config, self.run, given)):
                raise UsageError(reason) from None
            raise
        if self.start.path:
            check_fingerprint(self.config, self.run, data.fingerprint, self.start.fingerprint)
        else:
            check_domains(self.config, data.facts)
        if self.task.best and self.task.best.compares_domains and not data.domains:
            self._refuse_early_stopping(f"{self.task.best.name} compares domains, not attributes")
        return data

    def train(self) -> bool:
        """Train to the end; return False if Ctrl-C or another signal stopped it early.

        Raises:
            TranslateError: another process trains in the folder of the run, or training fails.
        """
        # The processes of distributed training meet here, after all of them have looked at the run folder.
        with self.group.connect(self._device()):
            warnings = self._memory_warnings() if self.group.is_first else []
            loop = self._create_loop()
            with self._open_run():
                if loop.progress.step:
                    self.messages.append(f"resuming {self.run.folder} from step {loop.progress.step}")
                has_ended = loop.train(self.messages + self.data.notes + warnings)
            self.signal, self.has_stopped_early = loop.signal, loop.has_stopped_early
            return has_ended

    @contextmanager
    def _open_run(self) -> Iterator[None]:
        """Lock the run and write its settings; the first process does this for all of them."""
        if not self.group.is_first:
            yield
            return
        with lock_run(self.run.folder) as warning:
            # Another process may have trained here while this one was reading its dataset.
            if not self.is_resumed:
                self.run.refuse(overwrite=self.overwrite)
            elif self.run.checkpoints() != self.checkpoints:
                raise UsageError(
                    f"another process has trained {self.run.folder} in the meantime: give the command again"
                )
            self.messages += [warning] if warning else []
            self.messages += self.start.set_aside_damaged()
            self._write_config()
            yield

    def _device(self) -> torch.device:
        return pick_device(self.config.device)

    def _create_loop(self) -> Loop:
        state = checkpoint.load(self.start.path) if self.start.path else None
        try:
            return Loop(self.method, self.task, self.config, self.data, self.run, state, self.group)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):  # The weights are moved to the device here.
                raise
            raise TranslateError(out_of_memory_message(self.config, self._device())) from None

    def _write_config(self) -> None:
        text = dump_yaml(self.config, self.method)
        if self.is_resumed:
            self.run.write_config(text)
        else:
            self.run.create(text)

    def _estimate_memory(self) -> tuple[int, str]:
        """Return the estimated memory of training in bytes, or 0 and the reason why there is no estimate."""
        half = pick_precision(self.config.precision, self._device()).dtype.itemsize == 2
        trainer = self.task.trainer(self.config)
        sample = self.data.train[SampleKey(0, 0)]
        try:
            return estimate_memory(trainer, self.config, sample, half), ""
        except Exception as error:  # A step that trains well may use what the meta device does not support.
            return 0, shorten(str(error) or type(error).__name__, 200)

    def _memory_warnings(self) -> list[str]:
        """Return a warning if training will probably not fit into memory."""
        needed, free = self._estimate_memory()[0], free_memory(self._device())
        if needed <= free:
            return []
        memory = (
            f"training needs about {needed / 2**20:.0f} MiB of memory, and {free / 2**20:.0f} MiB are free"
        )
        return [f"{memory}: if it fails, use {memory_remedies(self.config)}"]

    def describe(self) -> str:
        """Return the settings, the dataset and the estimated memory of the run, without training."""
        c = self.config
        needed, reason = self._estimate_memory()
        memory = f"about {needed / 2**20:.0f} MiB"
        if reason:
            memory = f"unknown (the step cannot be estimated: {reason})"
        sampler = create_sampler(c, self.data, self.group)
        precision = pick_precision(c.precision, self._device())
        return "\n".join(
            [
                dump_yaml(self.config, self.method).rstrip(),
                "",
                f"run: {self.run.folder}",
                *self.messages,
                f"data: {self.data.summary}, {sampler.steps_per_epoch} steps per epoch",
                *self.data.notes,
                f"memory: {memory} on {precision.device} in {precision}, besides torch itself",
            ]
        )
