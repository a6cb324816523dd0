"""The state that the steps of a run change: save it to a checkpoint, restore it, and undo a failed step."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor

from translate.errors import TranslateError
from translate.methods.trainer import Trainer
from translate.training.memory import is_out_of_memory
from translate.training.step.distributed import ProcessGroup
from translate.training.step.ema import EMA

State = dict[str, Any]


@dataclass(frozen=True)
class StepState:
    """All state that a step changes: weights, buffers, optimizers, EMA, loss scale and random numbers.

    Restoring copies values into the tensors that are in use, so that a captured step goes on with them.
    """

    trainer: Trainer
    ema: EMA
    scaler: torch.amp.GradScaler
    device: torch.device
    group: ProcessGroup

    def to_dict(self) -> State:
        """Return the state for a checkpoint; all processes must call this at the same step."""
        first, *others = self.group.all_gather(self._process_state())
        networks = {id(network): name for name, network in self.trainer.networks.items()}
        return {
            # Which network of the trainer each generator is: `load_without_ema` finds their weights by it.
            "generators": {name: networks[id(g)] for name, g in self.trainer.generators.items()},
            **self._values(),
            "random": first["random"],
            "others": others,  # The states of ranks 1, 2, ...
        }

    def restore(self, state: State) -> None:
        """Restore the state of a checkpoint.

        If training resumes in more processes than before, the further ones keep the random state of their
        seed, and get the image pools of the first process.

        Raises:
            TranslateError: the checkpoint is one of other networks.
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

    def snapshot(self) -> State:
        """Return a copy of the state, to return to if the next step fails."""
        return {**copy.deepcopy(self._values()), "random": self._random_state()}

    def restore_snapshot(self, state: State) -> None:
        """Return to the state of a snapshot."""
        self._load(state)
        self._set_random_state(state["random"])

    def match_memory_format(self) -> None:
        """Give averages and moments the memory format that the weights have now, as fused kernels require."""
        for source, average in zip(self.ema.sources, self.ema.copies.values(), strict=True):
            for trained, averaged in zip(source.parameters(), average.parameters(), strict=True):
                averaged.data = _into(None, averaged.data, trained.data)
        for optimizer in self.trainer.optimizers.values():
            for weight, values in optimizer.state.items():
                for name, value in values.items():
                    if isinstance(value, Tensor):
                        values[name] = _into(None, value, weight)

    def _values(self) -> State:
        return {
            "trainer": self.trainer.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.trainer.optimizers.items()},
            "ema": self.ema.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def _process_state(self) -> State:
        """Return the state that differs between processes.

        It is the random state, and the buffers outside the networks, such as image pools.
        """
        if self.group.size == 1:
            return {"random": self._random_state()}
        networks = self.trainer.networks
        buffers = {
            name: value.cpu()  # The first process, which gathers them, has another GPU.
            for name, value in self.trainer.state_dict().items()
            if name.partition(".")[0] not in networks
        }
        return {"random": self._random_state(), "buffers": buffers}

    def _load(self, state: State) -> None:
        self.trainer.load_state_dict(state["trainer"])
        self.ema.load_state_dict(state["ema"])
        self.scaler.load_state_dict(state["scaler"])
        for name, optimizer in self.trainer.optimizers.items():
            _load_optimizer(optimizer, state["optimizers"][name])

    def _random_state(self) -> State:
        device = None if self.device.type == "cpu" else torch.get_device_module(self.device).get_rng_state()
        return {"cpu": torch.get_rng_state(), "device": device}

    def _set_random_state(self, random_state: State) -> None:
        torch.set_rng_state(random_state["cpu"])
        if self.device.type != "cpu" and random_state["device"] is not None:
            device = torch.get_device_module(self.device)
            # A checkpoint of another kind of device, mps or cuda, has a state of another size.
            if len(random_state["device"]) == len(device.get_rng_state()):
                device.set_rng_state(random_state["device"])


def _load_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Load an optimizer's state, but keep its learning rates, betas and so on, which are settings."""
    settings = [
        {key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups
    ]
    used = {weight: dict(values) for weight, values in optimizer.state.items()}
    optimizer.load_state_dict(state)
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)
    for weight, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                values[name] = _into(used.get(weight, {}).get(name), value, weight)
    for weight, values in used.items():
        if weight not in optimizer.state:  # The state is that of an optimizer before its first step.
            optimizer.state[weight] = values
            for value in values.values():
                if isinstance(value, Tensor):
                    value.zero_()


def _into(used: Tensor | None, value: Tensor, weight: Tensor) -> Tensor:
    """Return a restored value in the tensor that was used so far, if there was one.

    A new moment gets the memory format of its weight, as fused kernels require.
    """
    if used is None:
        used = torch.empty_like(weight if value.shape == weight.shape else value)
    return used.copy_(value)
