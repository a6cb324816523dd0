"""The training loop: one for all recipes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor, nn

from translate.config import TrainConfig
from translate.data.loader import EndlessBatches, load
from translate.data.sets import Sample
from translate.engine import checkpoint
from translate.engine.ema import Averaged
from translate.engine.interrupt import Interrupt
from translate.engine.log import Log
from translate.engine.run import Run
from translate.engine.schedule import Length, Position
from translate.engine.speed import memory_format, prepare, repeatable
from translate.errors import TranslateError
from translate.images import to_tensor, write_rgb
from translate.models import Model, pick_device, pick_precision
from translate.tasks.task import Data, Task
from translate.trainers.building import Trainer

CHECKPOINT_SECONDS = 180.0


class Loop:
    """One run, from its first step or from a checkpoint to its end.

    Args:
        recipe: name of the recipe, kept in the model.
        state: of a checkpoint, to go on from.

    Raises:
        TranslateError: the data is not that of the checkpoint, or does not fit the settings.
    """

    def __init__(
        self, recipe: str, task: Task, c: TrainConfig, data: Data, run: Run, state: checkpoint.State | None
    ) -> None:
        self.recipe, self.task, self.c, self.data, self.run = recipe, task, c, data, run
        self.device = pick_device(c.device)
        repeatable(c, self.device)
        self.precision = pick_precision(c.precision, self.device)
        self.batches = EndlessBatches(len(data.train), c.batch_size, c.seed, together=c.batches_a_step)
        self.length = Length(c, self.batches.steps_per_epoch)
        self.trainer = self._new_trainer(fresh=state is None)
        self.averaged = Averaged(self.trainer.generators, c.ema)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision.dtype == torch.float16)
        self.best: dict[str, Any] = {}
        self.looks: list[dict[str, float]] = []
        self.at = Position()
        if state is not None:
            self._restore(state)

    def _new_trainer(self, *, fresh: bool) -> Trainer:
        trainer = self.task.trainer(self.c)
        if fresh and self.c.init:
            _start_from(Model.from_pretrained(self.c.init), trainer.generators)
        for optimizer in trainer.optimizers.values():
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        self.layout = memory_format(trainer, self.c, self.device)
        return trainer.to(self.device).to(memory_format=self.layout)

    def train(self, remarks: Sequence[str] = ()) -> bool:
        """Train to the end of the run; False where Ctrl-C or a signal ended it earlier.

        Args:
            remarks: lines to tell first.
        """
        self.batches.start = self.at.step
        log = Log(self.run, self.length, self.at, self.c.batch_size * self.c.batches_a_step)
        for remark in remarks:
            log.say(remark)
        if self.length.done(self.at):
            log.say(f"finished at step {self.at.step} already: give a greater length to go on")
            log.close()
            return True
        with Interrupt() as interrupt:
            try:
                self._steps(log, interrupt)
            finally:
                log.close()
        return self.length.done(self.at)

    def _steps(self, log: Log, interrupt: Interrupt) -> None:
        log.say(f"{prepare(self.trainer, self.c, self.device)}, {self.precision}, {self.data.summary}")
        started = time.monotonic() - self.at.seconds
        saved = time.monotonic()
        pin_memory = self.device.type == "cuda"
        for batch in load(self.data.train, self.batches, self.c.workers, pin_memory=pin_memory):
            losses = self._step(batch)
            self.at = Position(self.at.step + 1, time.monotonic() - started)
            log.step(self.at, losses)
            ended = self.length.done(self.at)
            if ended or self._due(saved):
                self._milestone(log)
                saved = time.monotonic()
            elif interrupt.asked:
                log.tell(self.at)
                self._save()
            if ended or interrupt.asked:
                return

    def _step(self, batch: Sample) -> dict[str, Tensor]:
        """One step of the trainer at the learning rate of its place."""
        factor = self.length.rate(self.at)
        for optimizer in self.trainer.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = factor * group["initial_lr"]
        ready = {name: self._ready(part.to(self.device, non_blocking=True)) for name, part in batch.items()}
        with self.precision.autocast():
            losses = self.trainer.step(ready, self._update)
        self.averaged.update(self.at.step)
        return losses

    def _ready(self, part: Tensor) -> Tensor:
        """Pictures in [-1, 1] and as the networks want them; labels as they are."""
        if part.dtype != torch.uint8:
            return part
        return to_tensor(part).contiguous(memory_format=self.layout)

    def _update(self, name: str, loss: Tensor) -> None:
        """One optimizer step on a loss."""
        optimizer = self.trainer.optimizers[name]
        optimizer.zero_grad()
        with torch.autocast(self.device.type, enabled=False):
            torch.autograd.backward(self.scaler.scale(loss))
        if self.c.clip_grad is not None:
            self.scaler.unscale_(optimizer)
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            nn.utils.clip_grad_norm_(weights, self.c.clip_grad)
        self.scaler.step(optimizer)
        self.scaler.update()
        torch.clear_autocast_cache()  # it holds 16-bit copies of the weights as they were

    def _due(self, saved: float) -> bool:
        if self.c.checkpoint_every:
            return self.at.step % self.c.checkpoint_every == 0
        return time.monotonic() - saved >= CHECKPOINT_SECONDS

    def _milestone(self, log: Log) -> None:
        """Scores, sample sheet, checkpoint and model, told in a line."""
        log.tell(self.at)
        sheet = self.run.samples / f"step-{self.at.step:08d}.png"
        seen = self.task.look(self.model(), self.data.held_out, self.precision)
        write_rgb(seen.sheet, sheet)
        scores = seen.scores
        self.looks.append({"step": self.at.step, **scores})
        log.looked(self.at, scores)
        if self.task.best and scores[self.task.best] <= self.best.get("score", float("inf")):
            self.best = {"step": self.at.step, "score": scores[self.task.best]}
            self.model().save_pretrained(self.run.best_model)
        self._save()
        figures = "  ".join(f"{name} {value:.4f}" for name, value in scores.items())
        log.say(f"checkpoint at step {self.at.step}  {figures}  {sheet}")
        for remark in self.task.remarks(self.looks):
            log.say(remark)

    def _save(self) -> None:
        if not all(weight.isfinite().all() for weight in self.trainer.parameters()):
            raise TranslateError(
                f"the weights are no numbers any more at step {self.at.step}:"
                " --resume from the last checkpoint, or start anew with a lower --lr or --precision fp32"
            )
        checkpoint.save(self._state(), self.run.checkpoint(self.at.step))
        self.run.prune(self.c.keep_checkpoints, self.best.get("step"))
        self.model().save_pretrained(self.run.model)

    def model(self) -> Model:
        """The averaged generators as they are now, as a model that knows itself."""
        trained_on = {"pictures": self.data.summary, "steps": self.at.step, "batch_size": self.c.batch_size}
        trained_on |= self.data.facts
        config = self.c.model_config(self.recipe, list(self.trainer.generators), trained_on)
        return Model(config, dict(self.averaged.copies.items()))

    def _state(self) -> checkpoint.State:
        """Everything that going on needs."""
        own = None if self.device.type == "cpu" else torch.get_device_module(self.device).get_rng_state()
        return {
            "step": self.at.step,
            "seconds": self.at.seconds,
            "best": self.best,
            "looks": self.looks,
            "data": self.data.fingerprint,
            "trainer": self.trainer.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.trainer.optimizers.items()},
            "averaged": self.averaged.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": {"cpu": torch.get_rng_state(), "device": own},
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
        self.trainer.load_state_dict(state["trainer"])
        self.averaged.load_state_dict(state["averaged"])
        self.scaler.load_state_dict(state["scaler"])
        for name, optimizer in self.trainer.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            _match_layout(optimizer)
        torch.set_rng_state(state["random"]["cpu"])
        if self.device.type != "cpu" and state["random"]["device"] is not None:
            torch.get_device_module(self.device).set_rng_state(state["random"]["device"])


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Give restored averages the memory layout of their weights, which fused kernels rely on."""
    for weight, averages in optimizer.state.items():
        for name, value in averages.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                averages[name] = torch.empty_like(weight).copy_(value)


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
