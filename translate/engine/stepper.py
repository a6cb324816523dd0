"""A trainer at work: where its networks are, in which arithmetic, and how a loss moves them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from translate.config import TrainConfig
from translate.data.sets import Sample
from translate.engine.checkpoint import State
from translate.engine.ema import Averaged
from translate.engine.group import Group, synchronize_norms
from translate.engine.memory import out_of_memory, too_little
from translate.engine.speed import memory_format, prepare
from translate.errors import TranslateError
from translate.images import to_tensor
from translate.losses import ImagePool
from translate.models import pick_device, pick_precision
from translate.trainers.building import Trainer

MOVED_TOGETHER = 2**23  # weights of which the gradients are there at once


class Stepper:
    """Takes steps of a trainer on the device that the settings name, and keeps its averaged generators.

    Args:
        trainer: with fresh weights, the same in all processes.

    Attributes:
        chosen: a few words on what was chosen for speed.
    """

    def __init__(self, trainer: Trainer, c: TrainConfig, group: Group | None = None) -> None:
        self.c, self.group = c, group or Group()
        self.device = pick_device(c.device)
        self.precision = pick_precision(c.precision, self.device)
        self.layout = memory_format(trainer, c, self.precision)
        if c.sync_norm and self.group.size > 1:
            synchronize_norms(trainer)
        self.trainer = trainer.to(self.device).to(memory_format=self.layout)
        for parameters in self._parameter_groups():
            parameters["initial_lr"] = parameters["lr"]
        self.averaged = Averaged(trainer.generators, c.ema)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision.dtype == torch.float16)
        self.chosen = prepare(trainer, c, self.device)
        at_once = self.group.size > 1 or c.clip_grad is not None or self.scaler.is_enabled()
        self.early = self.device.type == "cpu" and not at_once  # a GPU would wait for Python
        if self.group.rank:  # the same weights as the others, but noise of its own
            torch.manual_seed(c.seed + (self.group.rank << 32))

    def step(self, batch: Sample, *, number: int, rate: float) -> dict[str, Tensor]:
        """One step of the trainer on a batch of pictures, (N, C, H, W) uint8; its losses, by name.

        Args:
            number: of steps taken before.
            rate: factor of the learning rate.

        Raises:
            TranslateError: the memory does not suffice, or another process has ended.
        """
        for parameters in self._parameter_groups():
            parameters["lr"] = rate * parameters["initial_lr"]
        try:
            ready = {name: self._ready(part) for name, part in batch.items()}
            with self.precision.autocast():
                losses = self._in_parts(ready) if self.c.parts > 1 else self.trainer.step(ready, self._update)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise TranslateError(too_little(self.c, self.device)) from None
        self.averaged.update(number)
        return losses

    def _ready(self, part: Tensor) -> Tensor:
        """Pictures in [-1, 1] and as the networks want them; labels as they are."""
        part = part.to(self.device, non_blocking=True)
        if part.dtype != torch.uint8:
            return part
        return to_tensor(part).contiguous(memory_format=self.layout)

    def _in_parts(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A step of which parts of the batch go through the networks one by one: less memory at once.

        All optimizers move at the end, along the means of the parts' gradients.
        """
        told = [self.trainer.step(part, self._gather) for part in self._parts(batch)]
        for optimizer in self.trainer.optimizers.values():
            self._move(optimizer)
        return {name: torch.stack([losses[name].detach() for losses in told]).mean() for name in told[0]}

    def _parts(self, batch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
        for values in zip(*(whole.chunk(self.c.parts) for whole in batch.values()), strict=True):
            yield dict(zip(batch, values, strict=True))

    def _update(self, name: str, loss: Tensor, *, more: bool = False) -> None:
        """One optimizer step on a loss, with those gathered before."""
        optimizer = self.trainer.optimizers[name]
        if self.early and not more and not _gradients(optimizer):
            with _moving_early(optimizer):
                self._gather(name, loss)
            torch.clear_autocast_cache()
            return
        self._gather(name, loss)
        if not more:
            self._move(optimizer)

    def _gather(self, name: str, loss: Tensor, *, more: bool = True) -> None:
        """Add a loss's gradients to those that are there."""
        with torch.autocast(self.device.type, enabled=False):
            torch.autograd.backward(self.scaler.scale(loss / self.c.parts))

    def _move(self, optimizer: torch.optim.Optimizer) -> None:
        """One optimizer step, along the mean of all processes' gradients, which are forgotten then."""
        self.group.average(_gradients(optimizer))
        if self.c.clip_grad is not None:
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(_weights(optimizer), self.c.clip_grad)
        self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.zero_grad()
        torch.clear_autocast_cache()  # it holds 16-bit copies of the weights as they were

    def _parameter_groups(self) -> Iterator[dict[str, Any]]:
        for optimizer in self.trainer.optimizers.values():
            yield from optimizer.param_groups

    def state(self) -> State:
        """Everything that going on needs; all processes must ask for it together."""
        random, *others = self.group.gather(self._own())
        return {
            "trainer": self.trainer.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.trainer.optimizers.items()},
            "averaged": self.averaged.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": random["random"],
            "others": others,
        }

    def _own(self) -> State:
        """What differs from process to process."""
        device = None if self.device.type == "cpu" else torch.get_device_module(self.device).get_rng_state()
        random = {"cpu": torch.get_rng_state(), "device": device}
        if self.group.size == 1:
            return {"random": random}
        return {"random": random, "pools": {name: p.get_extra_state() for name, p in self._pools().items()}}

    def _pools(self) -> dict[str, ImagePool]:
        return {n: module for n, module in self.trainer.named_modules() if isinstance(module, ImagePool)}

    def restore(self, state: State) -> None:
        """Go on from there. A process that was not there then starts with noise of its own."""
        self.trainer.load_state_dict(state["trainer"])
        self.averaged.load_state_dict(state["averaged"])
        self.scaler.load_state_dict(state["scaler"])
        for name, optimizer in self.trainer.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            _match_layout(optimizer)
        own = dict(enumerate([{"random": state["random"]}, *state.get("others", [])])).get(self.group.rank)
        if own is None:
            return
        for name, pool in self._pools().items():
            pool.set_extra_state(own.get("pools", {}).get(name, pool.get_extra_state()))
        torch.set_rng_state(own["random"]["cpu"])
        if self.device.type != "cpu" and own["random"]["device"] is not None:
            torch.get_device_module(self.device).set_rng_state(own["random"]["device"])


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for parameters in optimizer.param_groups for weight in parameters["params"]]


def _gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Those that were gathered and not used yet."""
    return [weight.grad for weight in _weights(optimizer) if weight.grad is not None]


@contextmanager
def _moving_early(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Within, a backward pass moves some weights as soon as it has their gradients, and forgets these: never
    are all of them there. It has no more use for a weight by then.
    """
    gathered = 0

    def move() -> None:
        nonlocal gathered
        gathered = 0
        optimizer.step()
        optimizer.zero_grad()

    def gather(weight: Tensor) -> None:
        nonlocal gathered
        gathered += weight.numel()
        if gathered >= MOVED_TOGETHER:
            move()

    hooks = [w.register_post_accumulate_grad_hook(gather) for w in _weights(optimizer)]  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    move()


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Give restored averages the memory layout of their weights, which fused kernels rely on."""
    for weight, averages in optimizer.state.items():
        for name, value in averages.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                averages[name] = torch.empty_like(weight).copy_(value)
