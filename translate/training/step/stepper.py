"""The stepper: runs training steps, in mixed precision, compiled, as a CUDA graph, or in several processes.

For mixed precision, `Stepper.run` enters autocast; `models/device.py` chooses its data type, and
`optimization.py` scales the loss by the `GradScaler` that is created here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
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
from translate.training.step.compile import (
    compile_networks,
    decides_later,
    describe_compilation,
    memory_format,
    should_compile,
)
from translate.training.step.determinism import NonDeterminism
from translate.training.step.distributed import ProcessGroup, synchronize_norms
from translate.training.step.ema import EMA
from translate.training.step.graph import Capturer, CUDACapturer, GraphedStep, reason_against_graph
from translate.training.step.optimization import MicrobatchUpdate, OptimizerUpdate
from translate.training.step.pace import Pace
from translate.training.step.recompute import recompute_generators
from translate.training.step.state import StepState

PROVEN_STEPS = 2  # After so many successful compiled steps of a variant, no snapshot is taken before it.


class Stepper:
    """A stepper runs a trainer's steps on a device, and updates the EMA of its generators.

    Numbers that change from step to step and enter arithmetic (learning rates, EMA decay, progress) are
    tensors on the device, which `prepare` sets, so that a captured step sees them change. The rest of a step,
    `run`, reads no tensor on the host.

    Args:
        trainer: with initial weights, the same in all processes.
        log: logs a line.
        capturer: captures steps; by default, as CUDA graphs on a GPU, unless something is against it.

    Attributes:
        description: the device, how steps run there, and the precision, for the log.
        state: all that the steps change.
        pace: keeps the host at most one step ahead of the device.
        compiles_later: it is not decided yet whether to compile; `start_compiling` does so.
    """

    def __init__(
        self,
        trainer: Trainer,
        c: TrainConfig,
        group: ProcessGroup | None = None,
        log: Callable[[str], None] = lambda line: None,
        *,
        capturer: Capturer | None = None,
    ) -> None:
        self.c, self.group, self.log = c, group or ProcessGroup(), log
        self.device = pick_device(c.device)
        self.precision = pick_precision(c.precision, self.device)
        self.is_compiled = should_compile(c, self.device)
        self.memory_format = memory_format(trainer, c, self.precision, compiled=self.is_compiled)
        if c.sync_norm and self.group.size > 1:
            synchronize_norms(trainer)
        self.trainer = trainer.to(self.device).to(memory_format=self.memory_format)
        self.learning_rates = list(map(self._convert_learning_rate, self._parameter_groups()))
        self.progress = StepProgress.on(self.device)
        self.ema = EMA(trainer.generators, c.ema)
        # Mixed precision in float16 needs loss scaling; bfloat16 has the range of float32.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision.dtype == torch.float16)
        self.update = OptimizerUpdate(trainer.optimizers, c, self.device, self.group, self.scaler)
        self.state = StepState(trainer, self.ema, self.scaler, self.device, self.group)
        if c.recompute:
            recompute_generators(trainer)
        self.compilation_failed = False
        if self.is_compiled:
            compile_networks(trainer)
        self.graph, self.description = self._graph(capturer)
        self.compiles_later = decides_later(c, trainer, self.device, captured=self.graph is not None)
        self.pace = Pace(self.device)
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
            with self.name_nondeterminism():
                losses = self._run_captured(batch) if self.graph else self._run_batch(batch)
            self.pace.after_step()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise TranslateError(out_of_memory_message(self.c, self.device)) from None
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise TranslateError(
                f"image_size {self.c.image_size} leaves batch norm one pixel of one image at a time, and it"
                " needs more: use a larger --batch-size or --image-size, or no --accumulate"
            ) from None
        return losses

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

    def start_compiling(self) -> None:
        """Compile the networks from the next step on."""
        self.is_compiled = True
        compile_networks(self.trainer)
        self._set_memory_format()

    def _set_memory_format(self) -> None:
        """Change to the memory format that is fastest now; what was captured is captured anew."""
        compiled = self.is_compiled and not self.compilation_failed
        self.memory_format = memory_format(self.trainer, self.c, self.precision, compiled=compiled)
        self.trainer.to(memory_format=self.memory_format)
        self.state.match_memory_format()
        if self.graph:
            self.graph.clear()

    def _run_captured(self, batch: Sample) -> dict[str, Tensor]:
        """Take a step by a graph; if it cannot be captured, take it eagerly, and do so from then on."""
        assert self.graph
        graph = self.graph
        try:
            losses = graph(self.trainer.variant(self.progress), batch)
        except Exception:
            if not graph.failure:
                raise
            self._abandon_step()
            losses = None
        if graph.failure:
            graph.clear()
            self.graph = None
            self.log(f"no CUDA graph ({graph.failure}): training continues in eager mode")
        return self._run_batch(batch) if losses is None else losses

    def _run_batch(self, batch: Sample) -> dict[str, Tensor]:
        """Take a step on a batch as it was loaded, compiled or not."""
        return self._run_compiled(batch) if self.is_compiled else self._run_loaded(batch)

    def _run_loaded(self, batch: Sample) -> dict[str, Tensor]:
        return self.run({name: self._prepare_images(tensor) for name, tensor in batch.items()})

    def _run_compiled(self, batch: Sample) -> dict[str, Tensor]:
        """Take a compiled step; if that fails, take it again in eager mode, and stay in eager mode.

        Only the first steps of each variant can fail to compile, so only they need a snapshot to return to.
        """
        if self.compilation_failed:
            with torch.compiler.set_stance("force_eager"):
                return self._run_loaded(batch)
        shapes = tuple((name, tuple(tensor.shape)) for name, tensor in batch.items())
        variant = self.trainer.variant(self.progress), shapes
        if self.successes.get(variant, 0) >= PROVEN_STEPS:
            return self._run_loaded(batch)
        snapshot, failure = self.state.snapshot(), ""
        try:
            losses = self._run_loaded(batch)
        except Exception as error:  # A compiler may raise anything.
            if isinstance(error, (TranslateError, MemoryError)) or is_out_of_memory(error):
                raise
            failure = shorten(str(error) or type(error).__name__, 200)
        if (
            failure
        ):  # Outside of `except`, where the error would keep the tensors of the failed step in memory.
            self._abandon_step()
            self.state.restore_snapshot(snapshot)
            self.compilation_failed = True
            self._set_memory_format()
            self.log(f"torch.compile failed ({failure}): training continues in eager mode")
            return self._run_compiled(batch)
        self.successes[variant] = self.successes.get(variant, 0) + 1
        return losses

    def _abandon_step(self) -> None:
        """Forget a step that failed; its gradients may be incomplete."""
        self.update.abandon()
        self.trainer.zero_grad()

    def _graph(self, capturer: Capturer | None) -> tuple[GraphedStep | None, str]:
        """Return what captures the steps, or None if they run eagerly, and the description."""
        how = ""
        if not capturer and self.device.type == "cuda":
            if reason := reason_against_graph(self.c, self.trainer, self.precision, self.group):
                how = f", no CUDA graph ({reason})"
            else:
                how = ", each step one CUDA graph"
                capturer = CUDACapturer(self.device, list(self.trainer.optimizers.values()))
        processes = f" in each of {self.group.size} processes" if self.group.size > 1 else ""
        graph = GraphedStep(self._run_batch, capturer, self.device) if capturer else None
        compiled = describe_compilation(self.c, self.trainer, self.device, captured=graph is not None)
        return graph, f"{self.device}{how}, {compiled}, {self.precision}{processes}"

    def _prepare_images(self, tensor: Tensor) -> Tensor:
        """Move a tensor to the device, and normalize images to [-1, 1]; labels keep their values."""
        tensor = tensor.to(self.device, non_blocking=True)
        if tensor.dtype != torch.uint8:
            return tensor
        return to_tensor(tensor).contiguous(memory_format=self.memory_format)

    def _run_microbatches(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take a step with gradient accumulation: forward and backward passes of one microbatch at a time.

        All optimizers step at the end, along the mean of the microbatches' gradients.

        Returns:
            The mean of each loss over the microbatches that have it: the last one may log more.
        """
        update, losses = MicrobatchUpdate(self.update), []
        for part in update.split(batch):
            progress = replace(self.progress, is_last_microbatch=update.is_last)
            losses.append(self.trainer.step(part, update, progress))
        update.apply()
        return {
            name: torch.stack([part[name].detach() for part in losses if name in part]).mean()
            for name in losses[-1]
        }

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
