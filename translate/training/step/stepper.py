"""A trainer at work: where its networks are, in which precision, and one step after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor

from translate.config import TrainConfig
from translate.data.datasets.samples import Sample
from translate.errors import TranslateError
from translate.images import to_tensor
from translate.methods.trainer import StepProgress, Trainer
from translate.models import pick_device, pick_precision
from translate.training.memory import not_enough_memory, out_of_memory
from translate.training.step.compile import compile_networks, memory_format, wants_compiling
from translate.training.step.distributed import ProcessGroup, synchronize_norms
from translate.training.step.ema import EMA
from translate.training.step.optimization import Microbatches, Updates
from translate.training.step.recompute import recompute_generators

State = dict[str, Any]
PROVEN_STEPS = 2  # of one kind, after which what is compiled is trusted


class Stepper:
    """Takes steps of a trainer on the device that the settings name, and keeps the EMA of its generators.

    Numbers that change from step to step and enter arithmetic (learning rates, EMA decay, progress) are
    tensors of the device, set by `prepare`; all else of a step is in `run`, which reads nothing on the host.

    Args:
        trainer: with initial weights, the same in all processes.
        log: takes a line for the person.

    Attributes:
        chosen: a few words on what was chosen for speed.
    """

    def __init__(
        self,
        trainer: Trainer,
        c: TrainConfig,
        group: ProcessGroup | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.c, self.group, self.log = c, group or ProcessGroup(), log
        self.device = pick_device(c.device)
        self.precision = pick_precision(c.precision, self.device)
        self.layout = memory_format(trainer, c, self.precision)
        if c.sync_norm and self.group.size > 1:
            synchronize_norms(trainer)
        self.trainer = trainer.to(self.device).to(memory_format=self.layout)
        self.rates = [self._rate_as_tensor(parameters) for parameters in self._parameter_groups()]
        self.progress = StepProgress(
            step_tensor=torch.zeros((), device=self.device),
            fraction_tensor=torch.zeros((), device=self.device),
        )
        self.ema = EMA(trainer.generators, c.ema)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision.dtype == torch.float16)
        self.updates = Updates(trainer.optimizers, c, self.device, self.group, self.scaler)
        if c.recompute:
            recompute_generators(trainer)
        self.compiled = wants_compiling(c, self.device)
        self.gave_up_compiling = False
        self.chosen = compile_networks(trainer, c, self.device)
        self.proven: dict[Hashable, int] = {}  # steps that each kind of them has taken, compiled
        if self.group.rank:  # the same weights as the others, but noise of its own
            torch.manual_seed(c.seed + (self.group.rank << 32))

    def step(
        self, batch: Sample, *, step: int = 0, epoch: int = 0, fraction: float = 0.0, rate: float = 1.0
    ) -> dict[str, Tensor]:
        """Take one step on a batch of images, (N, C, H, W) uint8; return its losses, by name.

        Args:
            step: steps taken before.
            epoch: epochs finished before.
            fraction: of the run that is behind.
            rate: factor of the learning rates.

        Raises:
            TranslateError: the memory does not suffice, or another process has ended.
        """
        self.prepare(step=step, epoch=epoch, fraction=fraction, rate=rate)
        try:
            ready = {name: self._ready(part) for name, part in batch.items()}
            return self._run_compiled(ready) if self.compiled else self.run(ready)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise TranslateError(not_enough_memory(self.c, self.device)) from None

    def prepare(self, *, step: int, epoch: int = 0, fraction: float = 0.0, rate: float = 1.0) -> None:
        """Set all numbers that change from step to step, on the device."""
        tensors = self.progress.step_tensor.fill_(step), self.progress.fraction_tensor.fill_(fraction)
        self.progress = StepProgress(step, epoch, fraction, *tensors)
        for tensor, parameters in zip(self.rates, self._parameter_groups(), strict=True):
            tensor.fill_(rate * parameters["initial_lr"])
        self.ema.set_step(step + 1)

    def run(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take the step that was prepared, on a batch of the device; move the EMA."""
        with self.precision.autocast():
            if self.c.accumulation_steps > 1:
                losses = self._run_microbatches(batch)
            else:
                losses = self.trainer.step(batch, self.updates, self.progress)
        self.ema.update()
        return losses

    def _run_compiled(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take the step compiled; where that fails, take it again from its start, eager.

        The state is copied before the first steps of each kind only: later ones run what ran before.
        """
        if self.gave_up_compiling:
            with torch.compiler.set_stance("force_eager"):
                return self.run(batch)
        shapes = tuple((name, tuple(part.shape)) for name, part in batch.items())
        kind = self.trainer.variant(self.progress), shapes
        if self.proven.get(kind, 0) >= PROVEN_STEPS:
            return self.run(batch)
        before = self._snapshot()
        try:
            losses = self.run(batch)
        except Exception as error:  # a compiler may raise anything
            if isinstance(error, (TranslateError, MemoryError)) or out_of_memory(error):
                raise
            self._restore_snapshot(before)
            self.gave_up_compiling = True
            reason = shorten(str(error) or type(error).__name__, 200)
            self.log(f"torch.compile failed ({reason}): the run goes on uncompiled")
            return self._run_compiled(batch)
        self.proven[kind] = self.proven.get(kind, 0) + 1
        return losses

    def _ready(self, part: Tensor) -> Tensor:
        """Bring images to [-1, 1] and to the networks' memory format; labels stay as they are."""
        part = part.to(self.device, non_blocking=True)
        if part.dtype != torch.uint8:
            return part
        return to_tensor(part).contiguous(memory_format=self.layout)

    def _run_microbatches(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take a step of which parts of the batch go through the networks one by one (gradient accumulation).

        All optimizers step at the end, along the means of the parts' gradients.
        """
        updates = Microbatches(self.updates)
        losses = [self.trainer.step(part, updates, self.progress) for part in self._microbatches(batch)]
        updates.apply()
        return {name: torch.stack([part[name].detach() for part in losses]).mean() for name in losses[0]}

    def _microbatches(self, batch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
        count = self.c.accumulation_steps
        for values in zip(*(whole.chunk(count) for whole in batch.values()), strict=True):
            yield dict(zip(batch, values, strict=True))

    def _parameter_groups(self) -> Iterator[dict[str, Any]]:
        for optimizer in self.trainer.optimizers.values():
            yield from optimizer.param_groups

    def _rate_as_tensor(self, parameters: dict[str, Any]) -> Tensor:
        parameters["initial_lr"] = float(parameters["lr"])
        kind = torch.float64 if self.device.type == "cpu" else torch.float32  # what fused kernels take
        parameters["lr"] = torch.tensor(parameters["initial_lr"], dtype=kind, device=self.device)
        rate: Tensor = parameters["lr"]
        return rate

    def state(self) -> State:
        """Return everything that going on needs; all processes must ask for it together."""
        own, *others = self.group.gather(self._own_state())
        networks = {id(network): name for name, network in self.trainer.networks.items()}
        return {
            "generators": {name: networks[id(g)] for name, g in self.trainer.generators.items()},
            "trainer": self.trainer.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.trainer.optimizers.items()},
            "ema": self.ema.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": own["random"],
            "others": others,
        }

    def _own_state(self) -> State:
        """Return what differs from process to process: random state, and buffers of no network."""
        if self.group.size == 1:
            return {"random": self._random_state()}
        networks = self.trainer.networks
        buffers = {
            name: value
            for name, value in self.trainer.state_dict().items()
            if name.partition(".")[0] not in networks
        }
        return {"random": self._random_state(), "buffers": buffers}

    def restore(self, state: State) -> None:
        """Go on from a state. A process that was not there then starts with noise of its own."""
        own = dict(enumerate([{"random": state["random"]}, *state["others"]])).get(self.group.rank, {})
        self._load({**state, "trainer": {**state["trainer"], **own.get("buffers", {})}})
        if own:
            self._set_random_state(own["random"])

    def _load(self, state: State) -> None:
        self.trainer.load_state_dict(state["trainer"])
        self.ema.load_state_dict(state["ema"])
        self.scaler.load_state_dict(state["scaler"])
        self._load_optimizers(state["optimizers"])

    def _load_optimizers(self, states: State) -> None:
        """Load the state of the optimizers; learning rates, betas and the like are those of the settings."""
        for name, optimizer in self.trainer.optimizers.items():
            settings = [
                {key: value for key, value in parameters.items() if key != "params"}
                for parameters in optimizer.param_groups
            ]
            optimizer.load_state_dict(states[name])
            for parameters, own in zip(optimizer.param_groups, settings, strict=True):
                parameters.update(own)
            _match_layout(optimizer)

    def _random_state(self) -> State:
        device = None if self.device.type == "cpu" else torch.get_device_module(self.device).get_rng_state()
        return {"cpu": torch.get_rng_state(), "device": device}

    def _set_random_state(self, random: State) -> None:
        torch.set_rng_state(random["cpu"])
        if self.device.type != "cpu" and random["device"] is not None:
            torch.get_device_module(self.device).set_rng_state(random["device"])

    def _snapshot(self) -> State:
        optimizers = {name: o.state_dict() for name, o in self.trainer.optimizers.items()}
        state = {"trainer": self.trainer.state_dict(), "optimizers": optimizers}
        state |= {"ema": self.ema.state_dict(), "scaler": self.scaler.state_dict()}
        return {**copy.deepcopy(state), "random": self._random_state()}

    def _restore_snapshot(self, state: State) -> None:
        self._load(state)
        self._set_random_state(state["random"])
        self.trainer.zero_grad()


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Give restored averages the memory layout of their weights, which fused kernels rely on."""
    for weight, averages in optimizer.state.items():
        for name, value in averages.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                averages[name] = torch.empty_like(weight).copy_(value)
