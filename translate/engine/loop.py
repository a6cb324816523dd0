"""The training loop: one for all recipes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from torch import nn

from translate import heap
from translate.config import TrainConfig
from translate.data.loader import EndlessBatches, load, lost_process
from translate.engine import checkpoint
from translate.engine.group import Group
from translate.engine.interrupt import Interrupt
from translate.engine.log import Log, Silent
from translate.engine.run import Run
from translate.engine.schedule import Length, Position
from translate.engine.speed import repeatable
from translate.engine.stepper import Stepper
from translate.errors import TranslateError
from translate.images import write_rgb
from translate.models import Model, pick_device
from translate.tasks.task import Data, Task
from translate.trainers.building import Trainer

CHECKPOINT_SECONDS = 180.0


class Loop:
    """One run, from its first step or from a checkpoint to its end.

    Args:
        recipe: name of the recipe, kept in the model.
        state: of a checkpoint, to go on from.
        group: the processes that train together, of which the first writes.

    Raises:
        TranslateError: the data is not that of the checkpoint, or does not fit the settings.
    """

    def __init__(
        self,
        recipe: str,
        task: Task,
        c: TrainConfig,
        data: Data,
        run: Run,
        state: checkpoint.State | None,
        group: Group,
    ) -> None:
        self.recipe, self.task, self.c, self.data, self.run, self.group = recipe, task, c, data, run, group
        repeatable(c, pick_device(c.device))
        self.batches = batches(c, data, group)
        self.length = Length(c, self.batches.steps_per_epoch)
        self.stepper = Stepper(new_trainer(task, c, fresh=state is None), c, group)
        self.best: dict[str, Any] = {}
        self.looks: list[dict[str, float]] = []
        self.at = Position()
        if state is not None:
            self._restore(state)

    def train(self, remarks: Sequence[str] = ()) -> bool:
        """Train to the end of the run; False where Ctrl-C or a signal ended it earlier.

        Args:
            remarks: lines to tell first.
        """
        self.batches.start = self.at.step
        pictures = self.batches.batch_size * self.c.batches_a_step
        log = Log(self.run, self.length, self.at, pictures) if self.group.first else Silent()
        for remark in remarks:
            log.say(remark)
        if self.length.done(self.at):
            log.say(f"finished at step {self.at.step} already: give a greater length to go on")
            log.close()
            return True
        with Interrupt() as interrupt:
            try:
                with heap.kept():
                    self._steps(log, interrupt)
            except RuntimeError as error:
                if not lost_process(error):
                    raise
                raise TranslateError(
                    "a process that reads pictures was killed, perhaps for lack of memory:"
                    f" go on with --resume and --workers {max(0, self.c.workers - 1)}"
                ) from None
            finally:
                log.close()
        return self.length.done(self.at)

    def _steps(self, log: Log | Silent, interrupt: Interrupt) -> None:
        together = f" in each of {self.group.size} processes" if self.group.size > 1 else ""
        log.say(f"{self.stepper.chosen}, {self.stepper.precision}{together}, {self.data.summary}")
        started, saved = time.monotonic() - self.at.seconds, time.monotonic()
        pin_memory = self.stepper.device.type == "cuda"
        loaded = load(self.data.train, self.batches, self.c.workers, pin_memory=pin_memory)
        while True:
            asked = time.monotonic()
            batch = next(loaded)
            waited = time.monotonic() - asked
            losses = self.stepper.step(batch, number=self.at.step + 1, rate=self.length.rate(self.at))
            seconds, since, stop = self._agreed(started, saved, interrupt)
            self.at = Position(self.at.step + 1, seconds)
            log.step(self.at, losses, waited)
            ended = self.length.done(self.at)
            if ended or self._due(since):
                self._milestone(log)
                saved = time.monotonic()
            elif stop:
                log.tell(self.at)
                self._save()
            if ended or stop:
                return

    def _agreed(self, started: float, saved: float, interrupt: Interrupt) -> tuple[float, float, bool]:
        """Seconds since the start and since the last checkpoint, by the first process's clock, and
        whether any process is asked to stop: so that all of them do the same.
        """
        now = time.monotonic()
        own = (now - started, now - saved) if self.group.first else (0.0, 0.0)
        seconds, since, stop = self.group.most(*own, float(interrupt.asked))
        return seconds, since, bool(stop)

    def _due(self, since: float) -> bool:
        if self.c.checkpoint_every:
            return self.at.step % self.c.checkpoint_every == 0
        return since >= CHECKPOINT_SECONDS

    def _milestone(self, log: Log | Silent) -> None:
        """Scores, sample sheet, checkpoint and model, told in a line."""
        log.tell(self.at)
        told = self._look(log) if self.group.first else []
        self._save()
        for line in told:
            log.say(line)

    def _look(self, log: Log | Silent) -> list[str]:
        """Scores and sample sheet; what to tell of them."""
        sheet = self.run.samples / f"step-{self.at.step:08d}.png"
        seen = self.task.look(self.model(), self.data.held_out, self.stepper.precision)
        write_rgb(seen.sheet, sheet)
        scores = seen.scores
        self.looks.append({"step": self.at.step, **scores})
        log.looked(self.at, scores)
        if self.task.best and scores[self.task.best] <= self.best.get("score", float("inf")):
            self.best = {"step": self.at.step, "score": scores[self.task.best]}
            self.model().save_pretrained(self.run.best_model)
        figures = "  ".join(f"{name} {value:.4f}" for name, value in scores.items())
        return [f"checkpoint at step {self.at.step}  {figures}  {sheet}", *self.task.remarks(self.looks)]

    def _save(self) -> None:
        if not all(weight.isfinite().all() for weight in self.stepper.trainer.parameters()):
            raise TranslateError(
                f"the weights are no numbers any more at step {self.at.step}:"
                " --resume from the last checkpoint, or start anew with a lower --lr or --precision fp32"
            )
        state = self._state()
        if self.group.first:
            checkpoint.save(state, self.run.checkpoint(self.at.step))
            self.run.prune(self.c.keep_checkpoints, self.best.get("step"))
            self.model().save_pretrained(self.run.model)

    def model(self) -> Model:
        """The averaged generators as they are now, as a model that knows itself."""
        trained_on = {"pictures": self.data.summary, "steps": self.at.step}
        trained_on |= {"batch_size": self.batches.batch_size, **self.data.facts}
        copies = dict(self.stepper.averaged.copies.items())
        return Model(self.c.model_config(self.recipe, list(copies), trained_on), copies)

    def _state(self) -> checkpoint.State:
        """Everything that going on needs."""
        return {
            "step": self.at.step,
            "seconds": self.at.seconds,
            "best": self.best,
            "looks": self.looks,
            "data": self.data.fingerprint,
            **self.stepper.state(),
        }

    def _restore(self, state: checkpoint.State) -> None:
        if state["data"] != self.data.fingerprint:
            raise TranslateError(
                f"the pictures are not those that {self.run.folder} was started with"
                f" ({state['data']}, now {self.data.fingerprint}):"
                " bring them back, or start another run with --init and this run's model"
            )
        self.at = Position(state["step"], state["seconds"])
        self.best, self.looks = state["best"], state.get("looks", [])
        self.stepper.restore(state)


def batches(c: TrainConfig, data: Data, group: Group) -> EndlessBatches:
    """The order of a run's pictures, and of them what this process takes."""
    return EndlessBatches(
        len(data.train),
        c.batch_size,
        c.seed,
        together=c.batches_a_step,
        share=(group.rank, group.size),
        parts=data.train.parts,
    )


def new_trainer(task: Task, c: TrainConfig, *, fresh: bool = True) -> Trainer:
    """A trainer with the weights that training starts from.

    Args:
        fresh: the run is new: `--init` counts.
    """
    trainer = task.trainer(c)
    if fresh and c.init:
        _start_from(Model.from_pretrained(c.init), trainer.generators)
    return trainer


def _start_from(model: Model, generators: dict[str, nn.Module]) -> None:
    """Load the weights of a model into new generators of the same kind.

    Raises:
        TranslateError: the model has other directions or other layers.
    """
    for direction, generator in generators.items():
        try:
            generator.load_state_dict(model.generator(direction).state_dict())
        except RuntimeError as error:
            reason = shorten(str(error).splitlines()[1], 100)
            raise TranslateError(
                f"--init: the model is a {model.config.generator.name} of other layers than these"
                f" settings make ({reason}): give the settings in its config.json"
            ) from None
