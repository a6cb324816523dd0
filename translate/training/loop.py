"""The training loop, the same for all methods: steps, validation, checkpoints and the log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from translate import allocator
from translate.config import TrainConfig
from translate.data.datasets.loader import iterate_batches
from translate.data.datasets.samples import Sample
from translate.data.datasets.worker_processes import lost_worker_errors
from translate.errors import TranslateError
from translate.images import write_rgb
from translate.methods.task import Task, TaskData
from translate.methods.trainer import StepProgress
from translate.models import Model, pick_device
from translate.models.feature_networks import add_backbones
from translate.training.best import BestCheckpoint
from translate.training.break_even import BreakEven
from translate.training.divergence import divergence_warnings, refuse_non_finite
from translate.training.interrupt import Interrupt
from translate.training.log import Log, NullLog
from translate.training.memory import is_out_of_memory, out_of_memory_message
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run
from translate.training.runs.migrate import FORMAT_VERSION, migrate_checkpoint
from translate.training.runs.status import ENDED, STOPPED
from translate.training.schedule import TrainingBudget, TrainingProgress
from translate.training.start import create_sampler, load_initial_weights, prepare_validation
from translate.training.step.determinism import set_determinism
from translate.training.step.distributed import ProcessGroup
from translate.training.step.stepper import Stepper

CHECKPOINT_SECONDS = 180.0  # Seconds between two checkpoints, unless `--checkpoint-every` is given.


class Loop:
    """The training loop of one run, from its first step or from a checkpoint to its end.

    Every few minutes, or every `checkpoint_every` steps, it validates the generators with their EMA weights,
    writes a sample sheet, and saves a checkpoint and the model; for methods with a best score, the best
    checkpoint is kept as well. A run ends after its steps, epochs or minutes, or by early stopping.

    Args:
        method: name of the method, stored in the model.
        state: the state of a checkpoint to resume from.
        group: the processes of distributed training; only the first one logs and writes files.

    Attributes:
        progress: steps and seconds so far.
        signal: number of the signal that stopped training early; 0 if there was none.

    Raises:
        TranslateError: the dataset or the checkpoint does not fit the settings.
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
        self.notes: list[str] = []  # Lines for the log about the weights that it starts from.
        self.validation_notes: list[str] = []  # Lines about validations, each of which is logged once.
        self.sampler = create_sampler(c, data, group)
        self.budget = TrainingBudget(c, self.sampler.steps_per_epoch)
        self.log: Log | NullLog = NullLog()
        trainer = task.trainer(c)
        if state is None:
            self.notes, self.initial_backbones = load_initial_weights(c, trainer.generators)
        self.stepper = Stepper(trainer, c, group, lambda line: self.log.message(line))
        self.best = BestCheckpoint(task.best, c)
        self.history: list[dict[str, float]] = []  # The scores of all validations.
        self.progress = TrainingProgress()
        # Progressive growing: the settings that `Task.settings_at` overrides now, and the step since when.
        self.stage, self.stage_start = dict[str, Any](), 0
        self.signal = 0
        if state is not None:
            self._restore(state)
        self.has_stopped_early = self.best.is_patience_over(self.history)
        self._enter_stage()

    def train(self, messages: Sequence[str] = ()) -> bool:
        """Train to the end of the run; return False if a signal stopped it early.

        Args:
            messages: lines to log first.
        """
        if self.group.is_first:
            self.log = Log(self.run, self.budget, self.progress, self.sampler.images_per_step)
        for message in messages:
            self.log.message(message)
        if self._has_ended():
            remedy = self.best.remedy if self.has_stopped_early else "more --epochs, --steps or --minutes"
            self.log.message(f"{ENDED} {self.progress.step} already: to train longer, give {remedy}")
            self.log.close()
            return True
        for note in self.notes:
            self.log.message(note)
        with Interrupt() as interrupt:
            try:
                with allocator.retain_freed_memory(), lost_worker_errors(self.c.workers):
                    self._run_steps(interrupt)
            finally:
                self.log.close()
        return self._has_ended()

    def _has_ended(self) -> bool:
        return self.has_stopped_early or self.budget.is_reached(self.progress)

    def _run_steps(self, interrupt: Interrupt) -> None:
        """Take steps until the end of the run or a signal."""
        self.log.message(f"{self.stepper.description}, {self.data.summary}")
        if self.stage:
            self._log_stage()
        preparation = self.task.prepare(self._build_model(), self.data, self.stepper.precision)
        self.signal = prepare_validation(preparation, self.group, interrupt, self.log)
        if self.signal:
            return
        self.log.start(self.progress)
        run_start = time.monotonic() - self.progress.seconds  # As if the run had not been interrupted.
        last_checkpoint = time.monotonic()
        break_even = BreakEven(self.stepper, self.budget, self.progress)
        batches = self._iterate_batches()
        while True:
            if self._enter_stage():
                batches = self._iterate_batches()
            batch, waited = self._next_batch(batches)
            progress = {"steps_done": self.progress.step, **self.budget.step_arguments(self.progress)}
            factor = self.budget.learning_rate_factor(self.progress)
            losses = self.stepper.step(batch, learning_rate_factor=factor, **progress)
            seconds, since_checkpoint, self.signal = self._synchronize(run_start, last_checkpoint, interrupt)
            self.progress = TrainingProgress(self.progress.step + 1, seconds)
            self.log.step(self.progress, losses, waited)
            break_even.after_step(self.progress)

            is_last = self.budget.is_reached(self.progress)
            if is_last or self._is_checkpoint_due(since_checkpoint):
                self._validate_and_save()
                last_checkpoint = time.monotonic()
            elif self.signal:
                self.log.record_losses(self.progress)
                self._save()
            if is_last or self.signal or self.has_stopped_early:
                self.log.message(f"{ENDED if self._has_ended() else STOPPED} {self.progress.step}")
                return

    def _next_batch(self, batches: Iterator[Sample]) -> tuple[Sample, float]:
        """Return the next batch, and how long the device waited; if loading fails, save the steps so far."""
        before = time.monotonic()
        try:
            batch = next(batches)
        except Exception as error:
            # Saving is collective; the other processes have not failed and would not join in.
            if self.progress.step and self.group.size == 1:
                self._save()
                self.log.message(f"saved at step {self.progress.step}")
            if is_out_of_memory(error):  # A GPU makes batches in its memory.
                raise TranslateError(out_of_memory_message(self.c, self.stepper.device)) from None
            raise
        # A device that still computes the last step has not waited.
        return batch, time.monotonic() - before if self.stepper.pace.is_idle() else 0.0

    def _enter_stage(self) -> bool:
        """Find the dataset again if the task changes its settings at this step; return whether it does."""
        progress = StepProgress(self.progress.step, **self.budget.step_arguments(self.progress))
        settings = dict(self.task.settings_at(self.c, progress))
        if settings == self.stage:
            return False
        self.stage, self.stage_start = settings, self.progress.step
        self._find_stage_data()
        return True

    def _find_stage_data(self) -> None:
        c = self.c.replace(**self.stage)
        self.data = self.task.data(c)
        self.sampler = create_sampler(c, self.data, self.group)
        self.log.images_per_step = self.sampler.images_per_step
        self._log_stage()

    def _log_stage(self) -> None:
        settings = ", ".join(f"{name} {value}" for name, value in self.stage.items()) or "those of the run"
        self.log.message(f"dataset settings from step {self.stage_start} on: {settings}")

    def _iterate_batches(self) -> Iterator[Sample]:
        """Return the batches from the next step on."""
        self.sampler.start = self.progress.step - self.stage_start
        return iterate_batches(self.data.train, self.sampler, self.c.workers, device=self.stepper.device)

    def _synchronize(
        self, run_start: float, last_checkpoint: float, interrupt: Interrupt
    ) -> tuple[float, float, int]:
        """Return the seconds since both times, and the signal, the same in all processes.

        The times are those of the first process's clock; the signal is one that any process got.
        """
        now = time.monotonic()
        own = (now - run_start, now - last_checkpoint) if self.group.is_first else (0.0, 0.0)
        seconds, since_checkpoint, number = self.group.all_reduce_max(*own, float(interrupt.signal))
        return seconds, since_checkpoint, int(number)

    def _is_checkpoint_due(self, seconds: float) -> bool:
        """Return whether to save a checkpoint, `seconds` after the last one."""
        if self.c.checkpoint_every:
            return self.progress.step % self.c.checkpoint_every == 0
        return seconds >= CHECKPOINT_SECONDS

    def _validate_and_save(self) -> None:
        """Validate in the first process, save a checkpoint, and log both; unreadable images end no run."""
        self.log.record_losses(self.progress)
        try:
            lines = self._validate() if self.group.is_first else []
        except TranslateError as error:
            lines = [f"checkpoint at step {self.progress.step}, not validated: {error}"]
        except Exception:
            self._save()  # A bug in validation must not lose the training.
            raise
        self._save()
        (is_over,) = self.group.all_reduce_max(float(self.best.is_patience_over(self.history)))
        self.has_stopped_early = bool(is_over)
        if self._has_ended():
            lines += self.best.summary(self.run.best_model, stopped_early=self.has_stopped_early)
        for line in lines:
            self.log.message(line)

    def _validate(self) -> list[str]:
        """Validate the model, write the sample sheet, and keep the best model; return lines to log."""
        step = self.progress.step
        sheet_path = self.run.samples / f"step-{step:08d}.png"
        model, precision, trainer = self._build_model(), self.stepper.precision, self.stepper.trainer
        result = self.task.validate(model, self.data, precision, **trainer.validation_networks)
        write_rgb(result.sheet, sheet_path)
        self.history.append({"step": step, **result.scores})
        self.log.record_validation(self.progress, result.scores)
        if is_best := self.best.update(step, result.scores):
            model.save_pretrained(self.run.best_model)
        scores = "  ".join(f"{name} {value:.4f}" for name, value in result.scores.items())
        line = f"checkpoint at step {step}  {scores}  {sheet_path}{'  best so far' if is_best else ''}"
        notes = [*result.notes, *self.best.warnings(result.scores)]
        new_notes = [note for note in notes if note not in self.validation_notes]
        self.validation_notes += new_notes
        warnings = [*self.task.warnings(self.history), *divergence_warnings(trainer.networks, self.c)]
        return [line, *new_notes, *warnings]

    def _save(self) -> None:
        """Save a checkpoint and the model, and remove old checkpoints.

        Raises:
            TranslateError: the weights contain NaN or Inf.
        """
        refuse_non_finite(self.stepper.trainer, self.progress.step)
        state = self._state()
        if self.group.is_first:
            checkpoint.save(state, self.run.checkpoint(self.progress.step))
            self.run.prune(self.c.keep_checkpoints, self.best.record.get("step"))
            self._build_model().save_pretrained(self.run.model)

    def _build_model(self) -> Model:
        """Return the model with the EMA weights of the generators."""
        generators = dict(self.stepper.ema.copies.items())
        config = self.task.model(self.c, self.stepper.trainer.generators, self.data.facts)
        trained_on = add_backbones(config.trained_on, self.initial_backbones)
        trained_on |= {"pictures": self.data.summary, "steps": self.progress.step}
        trained_on["batch_size"] = self.sampler.global_batch_size
        return Model(config.replace(method=self.method, trained_on=trained_on), generators)  # type: ignore[arg-type]

    def _state(self) -> checkpoint.State:
        """Return the state that a checkpoint stores."""
        return {
            "format_version": FORMAT_VERSION,
            "step": self.progress.step,
            "seconds": self.progress.seconds,
            "best": self.best.record,
            "history": self.history,
            "data": self.data.fingerprint,
            "settings": {name: value for name, value in self.c.to_dict().items() if name != "out"},
            "stage": {"settings": self.stage, "start": self.stage_start},
            "initial_backbones": self.initial_backbones,
            **self.stepper.state.to_dict(),
        }

    def _restore(self, state: checkpoint.State) -> None:
        """Restore the state of a checkpoint."""
        state, notes = migrate_checkpoint(state, list(self.stepper.trainer.generators), self.run.folder)
        self.notes += notes
        self.progress = TrainingProgress(state["step"], state["seconds"])
        self.best.record, self.history = state["best"], state["history"]
        self.stage, self.stage_start = state["stage"]["settings"], state["stage"]["start"]
        self.initial_backbones = state["initial_backbones"]
        if self.stage:
            self._find_stage_data()
        self.stepper.state.restore(state)
