"""The training loop, the same for all methods: steps, validation, checkpoints and the log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from translate import allocator
from translate.config import TrainConfig
from translate.data.datasets.loader import is_lost_worker, iterate_batches
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
from translate.training.start import build_trainer, create_sampler
from translate.training.step.compile import set_determinism
from translate.training.step.distributed import ProcessGroup
from translate.training.step.stepper import Stepper

CHECKPOINT_SECONDS = 180.0  # Between two checkpoints, unless `--checkpoint-every` is given.


class Loop:
    """The training loop of one run, from its first step or from a checkpoint to its end.

    Every few minutes, or every `checkpoint_every` steps, it validates the EMA of the generators, writes a
    sample sheet, and saves a checkpoint and the model. There is no early stopping: a run ends after its
    steps, epochs or minutes, and the best checkpoint is kept besides the newest ones.

    Args:
        method: name of the method, stored in the model.
        state: the state of a checkpoint to resume from.
        group: the processes of distributed training; only the first one logs and writes files.

    Attributes:
        progress: steps and seconds so far.
        signal: number of the signal that stopped training early; 0 if there was none.

    Raises:
        TranslateError: the dataset differs from the checkpoint's, or does not fit the settings.
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
        self.notes: list[str] = []
        self.sampler = create_sampler(c, data, group)
        self.budget = TrainingBudget(c, self.sampler.steps_per_epoch)
        self.log: Log | NullLog = NullLog()
        trainer = build_trainer(task, c, initialize=state is None)
        self.stepper = Stepper(trainer, c, group, lambda line: self.log.message(line))
        self.best: dict[str, Any] = {}  # The `step` and the `score` of the best checkpoint.
        self.history: list[dict[str, float]] = []  # The scores of all validations.
        self.progress = TrainingProgress()
        self.stage: dict[str, Any] = {}  # Settings of the dataset that the task changes during the run.
        self.stage_start = 0
        self.signal = 0
        if state is not None:
            self._restore(state)
        self._enter_stage()

    def train(self, messages: Sequence[str] = ()) -> bool:
        """Train to the end of the run; return False where a signal stopped it before.

        Args:
            messages: lines to log first.
        """
        if self.group.is_first:
            self.log = Log(self.run, self.budget, self.progress, self._images_per_step())
        for message in messages:
            self.log.message(message)
        if self.budget.is_reached(self.progress):
            self.log.message(
                f"the run has ended already, at step {self.progress.step}:"
                " to train longer, give more --epochs, --steps or --minutes"
            )
            self.log.close()
            return True
        for note in self.notes:
            self.log.message(note)
        with Interrupt() as interrupt:
            try:
                with allocator.retain_freed_memory():
                    self._run_steps(interrupt)
            except RuntimeError as error:
                if not is_lost_worker(error):
                    raise
                raise TranslateError(
                    "a process that loads images was killed, perhaps for lack of memory:"
                    f" continue with --resume and --workers {max(0, self.c.workers - 1)}"
                ) from None
            finally:
                self.log.close()
        return self.budget.is_reached(self.progress)

    def _run_steps(self, interrupt: Interrupt) -> None:
        """Take steps until the end of the run or a signal."""
        processes = f" in each of {self.group.size} processes" if self.group.size > 1 else ""
        self.log.message(f"{self.stepper.engine}, {self.stepper.precision}{processes}, {self.data.summary}")
        run_start = time.monotonic() - self.progress.seconds
        last_checkpoint = time.monotonic()
        batches = self._load()
        while True:
            if self._enter_stage():
                batches = self._load()
            before = time.monotonic()
            batch = self._next_batch(batches)
            waited = time.monotonic() - before

            factor = self.budget.learning_rate_factor(self.progress)
            losses = self.stepper.step(batch, learning_rate_factor=factor, **self._step_progress())

            seconds, since_checkpoint, self.signal = self._synchronize(run_start, last_checkpoint, interrupt)
            self.progress = TrainingProgress(self.progress.step + 1, seconds)
            self.log.step(self.progress, losses, waited)

            is_last = self.budget.is_reached(self.progress)
            if is_last or self._is_checkpoint_due(since_checkpoint):
                self._checkpoint()
                last_checkpoint = time.monotonic()
            elif self.signal:
                self.log.record_losses(self.progress)
                self._save()
            if is_last or self.signal:
                return

    def _next_batch(self, batches: Iterator[Sample]) -> Sample:
        """Return the next batch; where loading fails, save the steps so far."""
        try:
            return next(batches)
        except Exception:
            # Saving needs all processes of distributed training, and the others may be fine.
            if self.progress.step and self.group.size == 1:
                self._save()
                self.log.message(f"saved at step {self.progress.step}")
            raise

    def _step_progress(self) -> dict[str, Any]:
        """Return the arguments of the next step's `StepProgress`."""
        fraction = min(1.0, self.budget.fraction(self.progress))
        return {"step": self.progress.step, "epoch": self.budget.epoch(self.progress), "fraction": fraction}

    def _enter_stage(self) -> bool:
        """Find the dataset again where the task changes its settings at this step; return whether it does."""
        settings = dict(self.task.settings_at(self.c, StepProgress(**self._step_progress())))
        if settings == self.stage:
            return False
        self.stage, self.stage_start = settings, self.progress.step
        self._find_stage_data()
        return True

    def _find_stage_data(self) -> None:
        c = self.c.replace(**self.stage)
        self.data = self.task.data(c)
        self.sampler = create_sampler(c, self.data, self.group)
        self.log.images_per_step = self._images_per_step()
        settings = ", ".join(f"{name} {value}" for name, value in self.stage.items())
        self.log.message(f"from step {self.progress.step} on: {settings or 'the settings of the run'}")

    def _load(self) -> Iterator[Sample]:
        """Return the batches from the next step on."""
        self.sampler.start = self.progress.step - self.stage_start
        pin_memory = self.stepper.device.type == "cuda"
        return iterate_batches(self.data.train, self.sampler, self.c.workers, pin_memory=pin_memory)

    def _images_per_step(self) -> int:
        return self.sampler.global_batch_size * self.c.batches_per_step

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

    def _checkpoint(self) -> None:
        """Validate the model, save a checkpoint, and log both.

        A validation that fails, because an image is gone for example, does not end the run.
        """
        self.log.record_losses(self.progress)
        try:
            lines = self._validate() if self.group.is_first else []
        except TranslateError as error:
            lines = [f"checkpoint at step {self.progress.step}, not validated: {error}"]
        except Exception:
            self._save()
            raise
        self._save()
        for line in lines:
            self.log.message(line)

    def _validate(self) -> list[str]:
        """Validate the model, write the sample sheet, and keep the best model; return lines to log."""
        step = self.progress.step
        sheet = self.run.samples / f"step-{step:08d}.png"
        result = self.task.validate(self._build_model(), self.data.validation, self.stepper.precision)
        write_rgb(result.sheet, sheet)
        self.history.append({"step": step, **result.scores})
        self.log.record_validation(self.progress, result.scores)
        self._keep_best(result.scores)
        scores = "  ".join(f"{name} {value:.4f}" for name, value in result.scores.items())
        return [f"checkpoint at step {step}  {scores}  {sheet}", *self.task.warnings(self.history)]

    def _keep_best(self, scores: dict[str, float]) -> None:
        """Save the model as the best one if its score is at least as good as the best so far."""
        if self.task.best is None:
            return
        score, lower_is_better = scores[self.task.best.name], self.task.best.lower_is_better
        best = self.best.get("score", math.nan)
        if math.isnan(best) or (score <= best if lower_is_better else score >= best):
            self.best = {"step": self.progress.step, "score": score}
            self._build_model().save_pretrained(self.run.best_model)

    def _save(self) -> None:
        """Save a checkpoint and the model, and remove old checkpoints.

        Raises:
            TranslateError: the weights contain NaN or Inf.
        """
        if not all(weight.isfinite().all() for weight in self.stepper.trainer.parameters()):
            raise TranslateError(
                f"the weights contain NaN or Inf at step {self.progress.step}: resume from the last"
                " checkpoint with --resume, or start again with a lower --lr or --precision fp32"
            )
        state = self._state()
        if self.group.is_first:
            checkpoint.save(state, self.run.checkpoint(self.progress.step))
            self.run.prune(self.c.keep_checkpoints, self.best.get("step"))
            self._build_model().save_pretrained(self.run.model)

    def _build_model(self) -> Model:
        """Return a model of the EMA of the generators."""
        generators = dict(self.stepper.ema.copies.items())
        config = self.task.model(self.c, self.stepper.trainer.generators, self.data.facts)
        trained_on = {**config.trained_on, "pictures": self.data.summary, "steps": self.progress.step}
        trained_on["batch_size"] = self.sampler.global_batch_size
        config = config.replace(method=self.method, trained_on=trained_on)
        return Model(config, generators)  # type: ignore[arg-type]

    def _state(self) -> checkpoint.State:
        """Return the state that a checkpoint stores."""
        return {
            "format_version": FORMAT_VERSION,
            "step": self.progress.step,
            "seconds": self.progress.seconds,
            "best": self.best,
            "history": self.history,
            "data": self.data.fingerprint,
            "stage": {"settings": self.stage, "start": self.stage_start},
            **self.stepper.state(),
        }

    def _restore(self, state: checkpoint.State) -> None:
        """Restore the state of a checkpoint."""
        state, notes = migrate_checkpoint(state, list(self.stepper.trainer.generators))
        self.notes += notes
        if state["data"] != self.data.fingerprint:
            raise TranslateError(
                f"the dataset is not the one that {self.run.folder} was started with"
                f" ({state['data']}, now {self.data.fingerprint}):"
                " restore its images, or start another run with --init and this run's model"
            )
        self.progress = TrainingProgress(state["step"], state["seconds"])
        self.best, self.history = state["best"], state["history"]
        stage = state.get("stage", {"settings": {}, "start": 0})
        self.stage, self.stage_start = stage["settings"], stage["start"]
        if self.stage:
            self._find_stage_data()
        self.stepper.restore(state)
