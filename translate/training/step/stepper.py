"""The stepper: runs training steps, in mixed precision, compiled, or in several processes.

For mixed precision, `Stepper.run` enters autocast; `models/device.py` chooses its data type, and
`optimization.py` scales the loss by the `GradScaler` that is created here.
"""

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
from translate.training.memory import is_out_of_memory, out_of_memory_message
from translate.training.step.compile import compile_networks, memory_format, should_compile
from translate.training.step.determinism import NonDeterminism
from translate.training.step.distributed import ProcessGroup, synchronize_norms
from translate.training.step.ema import EMA
from translate.training.step.optimization import MicrobatchUpdate, OptimizerUpdate, match_memory_format
from translate.training.step.recompute import recompute_generators

State = dict[str, Any]
PROVEN_STEPS = 2  # After so many successful compiled steps of a variant, no snapshot is taken before it.


class Stepper:
    """A stepper runs a trainer's steps on a device, and updates the EMA of its generators.

    Numbers that change from step to step and enter arithmetic (learning rates, EMA decay, progress) are
    tensors on the device, which `prepare` sets, so that a captured step sees them change. The rest of a step,
    `run`, reads no tensor on the host (except the loss scaling of float16).

    Args:
        trainer: with initial weights, the same in all processes.
        log: logs a line.

    Attributes:
        description: the device, and whether the networks are compiled, for the log.
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
        self.memory_format = memory_format(trainer, c, self.precision)
        if c.sync_norm and self.group.size > 1:
            synchronize_norms(trainer)
        self.trainer = trainer.to(self.device).to(memory_format=self.memory_format)
        self.learning_rates = [
            self._convert_learning_rate(parameters) for parameters in self._parameter_groups()
        ]
        self.progress = StepProgress(
            step_tensor=torch.zeros((), device=self.device),
            fraction_tensor=torch.zeros((), device=self.device),
        )
        self.ema = EMA(trainer.generators, c.ema)
        # Mixed precision in float16 needs loss scaling; bfloat16 has the range of float32.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision.dtype == torch.float16)
        self.update = OptimizerUpdate(trainer.optimizers, c, self.device, self.group, self.scaler)
        if c.recompute:
            recompute_generators(trainer)
        self.is_compiled = should_compile(c, self.device)
        self.compilation_failed = False
        self.description = compile_networks(trainer, c, self.device)
        self.name_nondeterminism = NonDeterminism(c, log)
        self.successes: dict[Hashable, int] = {}  # Successful compiled steps, by variant and shapes.
        # All processes draw the same initial weights, and then each its own noise; `<< 32` makes its seed far
        # from the seeds that a user would choose.
        if self.group.rank:
            torch.manual_seed(c.seed + (self.group.rank << 32))

    def step(
        self,
        batch: Sample,
        *,
        steps_done: int = 0,
        epoch: int = 0,
        fraction: float = 0.0,
        learning_rate_factor: float = 1.0,
    ) -> dict[str, Tensor]:
        """Take one step on a batch of images, (N, C, H, W) uint8; return its losses, by name.

        Args:
            steps_done: number of steps taken before.
            epoch: number of finished epochs.
            fraction: finished fraction of the run.
            learning_rate_factor: the learning-rate schedule's factor of all learning rates.

        Raises:
            TranslateError: there is not enough memory, or another process has ended.
        """
        self.prepare(
            steps_done=steps_done, epoch=epoch, fraction=fraction, learning_rate_factor=learning_rate_factor
        )
        try:
            images = {name: self._prepare_images(tensor) for name, tensor in batch.items()}
            with self.name_nondeterminism():
                return self._run_compiled(images) if self.is_compiled else self.run(images)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise TranslateError(out_of_memory_message(self.c, self.device)) from None

    def prepare(
        self, *, steps_done: int, epoch: int = 0, fraction: float = 0.0, learning_rate_factor: float = 1.0
    ) -> None:
        """Set all numbers that change from step to step, on the device."""
        self.progress = StepProgress(
            step=steps_done,
            epoch=epoch,
            fraction=fraction,
            step_tensor=self.progress.step_tensor.fill_(steps_done),
            fraction_tensor=self.progress.fraction_tensor.fill_(fraction),
        )
        for learning_rate, parameters in zip(self.learning_rates, self._parameter_groups(), strict=True):
            learning_rate.fill_(learning_rate_factor * parameters["initial_lr"])
        self.ema.set_step(steps_done + 1)

    def run(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take the prepared step on a batch on the device, and update the EMA; return the losses."""
        with self.precision.autocast():
            if self.c.accumulation_steps > 1:
                losses = self._run_microbatches(batch)
            else:
                losses = self.trainer.step(batch, self.update, self.progress)
        self.update.update_loss_scale()
        self.ema.update()
        return losses

    def _run_compiled(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take a compiled step; if that fails, take it again in eager mode, and stay in eager mode.

        Only the first steps of each variant can fail to compile, so only they need a snapshot to return to.
        """
        if self.compilation_failed:
            with torch.compiler.set_stance("force_eager"):
                return self.run(batch)
        shapes = tuple((name, tuple(tensor.shape)) for name, tensor in batch.items())
        variant = self.trainer.variant(self.progress), shapes
        if self.successes.get(variant, 0) >= PROVEN_STEPS:
            return self.run(batch)
        snapshot = self._snapshot()
        try:
            losses = self.run(batch)
        except Exception as error:  # A compiler may raise anything.
            if isinstance(error, (TranslateError, MemoryError)) or is_out_of_memory(error):
                raise
            self._restore_snapshot(snapshot)
            self.compilation_failed = True
            reason = shorten(str(error) or type(error).__name__, 200)
            self.log(f"torch.compile failed ({reason}): training continues in eager mode")
            return self._run_compiled(batch)
        self.successes[variant] = self.successes.get(variant, 0) + 1
        return losses

    def _prepare_images(self, tensor: Tensor) -> Tensor:
        """Move a tensor to the device, and normalize images to [-1, 1]; labels keep their values."""
        tensor = tensor.to(self.device, non_blocking=True)
        if tensor.dtype != torch.uint8:
            return tensor
        return to_tensor(tensor).contiguous(memory_format=self.memory_format)

    def _run_microbatches(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take a step with gradient accumulation: forward and backward passes of one microbatch at a time.

        All optimizers step at the end, along the mean of the microbatches' gradients.
        """
        update = MicrobatchUpdate(self.update)
        losses = [self.trainer.step(part, update, self.progress) for part in self._microbatches(batch)]
        update.apply()
        return {name: torch.stack([part[name].detach() for part in losses]).mean() for name in losses[0]}

    def _microbatches(self, batch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
        count = self.c.accumulation_steps
        for tensors in zip(*(tensor.chunk(count) for tensor in batch.values()), strict=True):
            yield dict(zip(batch, tensors, strict=True))

    def _parameter_groups(self) -> Iterator[dict[str, Any]]:
        for optimizer in self.trainer.optimizers.values():
            yield from optimizer.param_groups

    def _convert_learning_rate(self, parameter_group: dict[str, Any]) -> Tensor:
        """Replace the group's learning rate by a tensor, which `prepare` fills at each step; return it."""
        parameter_group["initial_lr"] = float(parameter_group["lr"])
        # Fused Adam requires these dtypes.
        dtype = torch.float64 if self.device.type == "cpu" else torch.float32
        learning_rate = torch.tensor(parameter_group["initial_lr"], dtype=dtype, device=self.device)
        parameter_group["lr"] = learning_rate
        return learning_rate

    def state(self) -> State:
        """Return the state for a checkpoint; all processes must call this at the same step."""
        first, *others = self.group.all_gather(self._process_state())
        networks = {id(network): name for name, network in self.trainer.networks.items()}
        return {
            # Which network of the trainer each generator is: `load_without_ema` finds their weights by it.
            "generators": {name: networks[id(g)] for name, g in self.trainer.generators.items()},
            "trainer": self.trainer.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.trainer.optimizers.items()},
            "ema": self.ema.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": first["random"],
            "others": others,  # The states of ranks 1, 2, ...
        }

    def _process_state(self) -> State:
        """Return the state that differs between processes.

        It is the random state, and the buffers outside the networks, such as image pools.
        """
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
        """Restore the state of a checkpoint.

        If training resumes in more processes than before, the further ones keep the random state of their
        seed, and get the image pools of the first process.
        """
        processes = [{"random": state["random"]}, *state["others"]]
        own = processes[self.group.rank] if self.group.rank < len(processes) else {}
        try:
            self._load({**state, "trainer": {**state["trainer"], **own.get("buffers", {})}})
        except (RuntimeError, ValueError, KeyError) as error:  # Of networks with other layers.
            if is_out_of_memory(error):
                raise
            reason = shorten(str(error).partition("\n")[2] or str(error), 100)
            raise TranslateError(
                f"the checkpoint does not fit the settings of the run ({reason}): put back what config.yaml"
                " held when it was trained"
            ) from None
        if own:
            self._set_random_state(own["random"])

    def _load(self, state: State) -> None:
        self.trainer.load_state_dict(state["trainer"])
        self.ema.load_state_dict(state["ema"])
        self.scaler.load_state_dict(state["scaler"])
        self._load_optimizers(state["optimizers"])

    def _load_optimizers(self, states: State) -> None:
        """Load the optimizers' state, but keep their learning rates, betas and so on, which are settings."""
        for name, optimizer in self.trainer.optimizers.items():
            settings = [
                {key: value for key, value in group.items() if key != "params"}
                for group in optimizer.param_groups
            ]
            optimizer.load_state_dict(states[name])
            for group, own in zip(optimizer.param_groups, settings, strict=True):
                group.update(own)
            match_memory_format(optimizer)

    def _random_state(self) -> State:
        device = None if self.device.type == "cpu" else torch.get_device_module(self.device).get_rng_state()
        return {"cpu": torch.get_rng_state(), "device": device}

    def _set_random_state(self, random_state: State) -> None:
        torch.set_rng_state(random_state["cpu"])
        if self.device.type != "cpu" and random_state["device"] is not None:
            torch.get_device_module(self.device).set_rng_state(random_state["device"])

    def _snapshot(self) -> State:
        """Return a copy of all state that a step changes."""
        optimizers = {name: o.state_dict() for name, o in self.trainer.optimizers.items()}
        state = {"trainer": self.trainer.state_dict(), "optimizers": optimizers}
        state |= {"ema": self.ema.state_dict(), "scaler": self.scaler.state_dict()}
        return {**copy.deepcopy(state), "random": self._random_state()}

    def _restore_snapshot(self, state: State) -> None:
        self.update.update_loss_scale()  # Forget the optimizers that have stepped; the scale is loaded next.
        self._load(state)
        self._set_random_state(state["random"])
        self.trainer.zero_grad()
