"""The training loop: one for all methods."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from translate import allocator
from translate.config import TrainConfig
from translate.data.datasets.loader import InfiniteBatchSampler, is_lost_worker, load
from translate.data.datasets.samples import Sample
from translate.errors import TranslateError
from translate.images import write_rgb
from translate.methods.task import Task, TaskData
from translate.methods.trainer import StepProgress
from translate.models import Model, pick_device
from translate.training.interrupt import Interrupt
from translate.training.log import Log, NullLog
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run
from translate.training.runs.migrate import FORMAT_VERSION, migrate_checkpoint
from translate.training.schedule import TrainingBudget, TrainingProgress
from translate.training.start import new_trainer
from translate.training.step.compile import set_determinism
from translate.training.step.distributed import ProcessGroup
from translate.training.step.stepper import Stepper

CHECKPOINT_SECONDS = 180.0


class Loop:
    """One run, from its first step or from a checkpoint to its end.

    Args:
        method: name of the method, kept in the model.
        state: of a checkpoint, to go on from.
        group: the processes that train together, of which the first writes.

    Attributes:
        signal: the number of the signal that ended it early; 0 if none did.

    Raises:
        TranslateError: the data is not that of the checkpoint, or does not fit the settings.
    """

    def __init__(
        self,
        method: str,
        task: Task,
        c: TrainConfig,
        data: TaskData,
        run: Run,
        state: checkpoint.State | None,
        group: ProcessGroup,
    ) -> None:
        self.method, self.task, self.c, self.data, self.run, self.group = method, task, c, data, run, group
        set_determinism(c, pick_device(c.device))
        self.remarks: list[str] = []
        self.batches = batches(c, data, group)
        self.budget = TrainingBudget(c, self.batches.steps_per_epoch)
        self.output: Log | NullLog = NullLog()
        trainer = new_trainer(task, c, fresh=state is None)
        self.stepper = Stepper(trainer, c, group, lambda line: self.output.log(line))
        self.best: dict[str, Any] = {}
        self.history: list[dict[str, float]] = []
        self.at = TrainingProgress()
        self.stage: dict[str, Any] = {}  # settings of the data that the task gives for this part of the run
        self.stage_start = 0
        self.signal = 0
        if state is not None:
            self._restore(state)
        self._enter_stage()

    def train(self, remarks: Sequence[str] = ()) -> bool:
        """Train to the end of the run; return False where a signal ended it earlier.

        Args:
            remarks: lines to log first.
        """
        if self.group.first:
            self.output = Log(self.run, self.budget, self.at, self._images_per_step())
        for remark in remarks:
            self.output.log(remark)
        if self.budget.done(self.at):
            self.output.log(f"finished at step {self.at.step} already: give a greater length to go on")
            self.output.close()
            return True
        for remark in self.remarks:
            self.output.log(remark)
        with Interrupt() as interrupt:
            try:
                with allocator.retain_freed_memory():
                    self._steps(interrupt)
            except RuntimeError as error:
                if not is_lost_worker(error):
                    raise
                raise TranslateError(
                    "a process that reads images was killed, perhaps for lack of memory:"
                    f" go on with --resume and --workers {max(0, self.c.workers - 1)}"
                ) from None
            finally:
                self.output.close()
        return self.budget.done(self.at)

    def _steps(self, interrupt: Interrupt) -> None:
        each = f" in each of {self.group.size} processes" if self.group.size > 1 else ""
        self.output.log(f"{self.stepper.chosen}, {self.stepper.precision}{each}, {self.data.summary}")
        started, saved = time.monotonic() - self.at.seconds, time.monotonic()
        loaded = self._load()
        while True:
            if self._enter_stage():
                loaded = self._load()
            waiting = time.monotonic()
            batch = self._next(loaded)
            waited = time.monotonic() - waiting
            losses = self.stepper.step(batch, rate=self.budget.rate(self.at), **self._position())
            seconds, since, self.signal = self._agree(started, saved, interrupt)
            self.at = TrainingProgress(self.at.step + 1, seconds)
            self.output.step(self.at, losses, waited)
            ended = self.budget.done(self.at)
            if ended or self._due(since):
                self._checkpoint()
                saved = time.monotonic()
            elif self.signal:
                self.output.log_losses(self.at)
                self._save()
            if ended or self.signal:
                return

    def _next(self, loaded: Iterator[Sample]) -> Sample:
        """Return the next batch; where there is none, save the steps that were taken."""
        try:
            return next(loaded)
        except Exception:  # an image or the process that reads it is gone
            if self.at.step and self.group.size == 1:  # to save takes all processes
                self._save()
                self.output.log(f"saved at step {self.at.step}")
            raise

    def _position(self) -> dict[str, Any]:
        """Return what a step may know of the run."""
        fraction = min(1.0, self.budget.fraction(self.at))
        return {"step": self.at.step, "epoch": self.budget.epoch(self.at), "fraction": fraction}

    def _enter_stage(self) -> bool:
        """Find the data anew where the task gives it other settings from here on; return whether it does."""
        settings = dict(self.task.settings_at(self.c, StepProgress(**self._position())))
        if settings == self.stage:
            return False
        self.stage, self.stage_start = settings, self.at.step
        self._find_stage_data()
        return True

    def _find_stage_data(self) -> None:
        c = self.c.replace(**self.stage)
        self.data = self.task.data(c)
        self.batches = batches(c, self.data, self.group)
        self.output.images_per_step = self._images_per_step()
        shown = ", ".join(f"{name} {value}" for name, value in self.stage.items()) or "the run's own settings"
        self.output.log(f"from step {self.at.step} on: {shown}")

    def _load(self) -> Iterator[Sample]:
        self.batches.start = self.at.step - self.stage_start
        pin_memory = self.stepper.device.type == "cuda"
        return load(self.data.train, self.batches, self.c.workers, pin_memory=pin_memory)

    def _images_per_step(self) -> int:
        return self.batches.batch_size * self.c.batches_per_step

    def _agree(self, started: float, saved: float, interrupt: Interrupt) -> tuple[float, float, int]:
        """Return the seconds since the start and since the last checkpoint, by the first process's clock,
        and the signal that any process got: so that all of them do the same.
        """
        now = time.monotonic()
        own = (now - started, now - saved) if self.group.first else (0.0, 0.0)
        seconds, since, number = self.group.all_reduce_max(*own, float(interrupt.signal))
        return seconds, since, int(number)

    def _due(self, since: float) -> bool:
        if self.c.checkpoint_every:
            return self.at.step % self.c.checkpoint_every == 0
        return since >= CHECKPOINT_SECONDS

    def _checkpoint(self) -> None:
        """Validate, write a sample sheet, a checkpoint and a model, and log a line.

        A run does not end because it cannot be validated: an image may have gone.
        """
        self.output.log_losses(self.at)
        try:
            lines = self._validate() if self.group.first else []
        except TranslateError as error:
            lines = [f"checkpoint at step {self.at.step}, not validated: {error}"]
        except Exception:
            self._save()
            raise
        self._save()
        for line in lines:
            self.output.log(line)

    def _validate(self) -> list[str]:
        """Score the model and write the sample sheet; return what to log of them."""
        sheet = self.run.samples / f"step-{self.at.step:08d}.png"
        result = self.task.validate(self.model(), self.data.validation, self.stepper.precision)
        write_rgb(result.sheet, sheet)
        self.history.append({"step": self.at.step, **result.scores})
        self.output.validated(self.at, result.scores)
        self._keep_best(result.scores)
        figures = "  ".join(f"{name} {value:.4f}" for name, value in result.scores.items())
        return [f"checkpoint at step {self.at.step}  {figures}  {sheet}", *self.task.remarks(self.history)]

    def _keep_best(self, scores: dict[str, float]) -> None:
        if self.task.best is None:
            return
        score, less = scores[self.task.best.name], self.task.best.less_is_better
        best = self.best.get("score", math.nan)
        if math.isnan(best) or (score <= best if less else score >= best):
            self.best = {"step": self.at.step, "score": score}
            self.model().save_pretrained(self.run.best_model)

    def _save(self) -> None:
        if not all(weight.isfinite().all() for weight in self.stepper.trainer.parameters()):
            raise TranslateError(
                f"the weights contain NaN or Inf at step {self.at.step}:"
                " --resume from the last checkpoint, or start anew with a lower --lr or --precision fp32"
            )
        state = self._state()
        if self.group.first:
            checkpoint.save(state, self.run.checkpoint(self.at.step))
            self.run.prune(self.c.keep_checkpoints, self.best.get("step"))
            self.model().save_pretrained(self.run.model)

    def model(self) -> Model:
        """Return the averaged generators as they are now, as a model that knows itself."""
        copies = dict(self.stepper.ema.copies.items())
        config = self.task.model(self.c, self.stepper.trainer.generators, self.data.facts)
        trained_on = {**config.trained_on, "pictures": self.data.summary, "steps": self.at.step}
        trained_on["batch_size"] = self.batches.batch_size
        return Model(config.replace(method=self.method, trained_on=trained_on), copies)  # type: ignore[arg-type]

    def _state(self) -> checkpoint.State:
        """Return everything that going on needs."""
        return {
            "format_version": FORMAT_VERSION,
            "step": self.at.step,
            "seconds": self.at.seconds,
            "best": self.best,
            "history": self.history,
            "data": self.data.fingerprint,
            "stage": {"settings": self.stage, "start": self.stage_start},
            **self.stepper.state(),
        }

    def _restore(self, state: checkpoint.State) -> None:
        state, notes = migrate_checkpoint(state, list(self.stepper.trainer.generators))
        self.remarks += notes
        if state["data"] != self.data.fingerprint:
            raise TranslateError(
                f"the images are not those that {self.run.folder} was started with"
                f" ({state['data']}, now {self.data.fingerprint}):"
                " bring them back, or start another run with --init and this run's model"
            )
        self.at = TrainingProgress(state["step"], state["seconds"])
        self.best, self.history = state["best"], state["history"]
        stage = state.get("stage", {"settings": {}, "start": 0})
        self.stage, self.stage_start = stage["settings"], stage["start"]
        if self.stage:
            self._find_stage_data()
        self.stepper.restore(state)


def batches(c: TrainConfig, data: TaskData, group: ProcessGroup) -> InfiniteBatchSampler:
    """Return the order of a run's images, and of them what this process takes."""
    return InfiniteBatchSampler(
        len(data.train),
        c.batch_size,
        c.seed,
        batches_per_step=c.batches_per_step,
        share=(group.rank, group.size),
        shard_sizes=data.train.shard_sizes,
    )
