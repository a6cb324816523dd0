"""Three steps of CUT and FastCUT in float64 give the losses, gradients and weights of the authors' code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.parity.reference_keys import head_weights, rename_keys
from tests.parity.test_cut import load, select
from tests.updates import Updates
from translate.methods.cut.config import CUTConfig, FastCUTConfig
from translate.methods.cut.trainer import CUT
from translate.methods.trainer import StepProgress

# The networks of both files, with CUT's own layers and weights.
SETTINGS = {
    "image_size": 48,
    "blocks": 6,
    "ngf": 8,
    "ndf": 8,
    "nce_width": 32,
    "nce_patches": 64,
    "nce_layers": "0,4,8,12,16",
}
METHODS = {
    "cut": CUTConfig(**SETTINGS),
    "fastcut": FastCUTConfig(**SETTINGS, lambda_nce=10),
}


class ReplayedCUT(CUT):
    """A CUT that takes the patches and the flips of a file in place of random ones."""

    def __init__(self, c: CUTConfig, flips: list[bool]) -> None:
        super().__init__(c)
        self.flips, self.patches = iter(flips), iter(list[list[Tensor]]())

    def draw_positions(self, features):
        return next(self.patches)

    def draw_flip(self, x):
        return torch.tensor(next(self.flips))


def reference_weights(trainer: CUT, tensors: dict[str, Tensor], state: str) -> dict[str, dict[str, Tensor]]:
    """Return the weights of a state of the reference, by network, under the keys of ours."""
    own = {name: select(tensors, f"{state}/{name.upper()}/") for name in ("g", "d")}
    weights = {name: rename_keys(getattr(trainer, name), tensors) for name, tensors in own.items()}
    return {**weights, "f": head_weights(tensors, f"{state}/F/")}


def reference_names(weights: dict[str, dict[str, Tensor]], tensors: dict[str, Tensor]) -> dict[str, str]:
    """Return the reference's name of each weight (`G/model.1.bias`) by ours (`g.encoder.1.bias`)."""
    names = {id(tensor): key.partition("/")[2] for key, tensor in tensors.items()}
    return {f"{net}.{key}": names[id(w)] for net, own in weights.items() for key, w in own.items()}


@pytest.mark.parametrize("method", METHODS)
def test_three_steps_equal_those_of_the_reference(real_data: Path, method: str) -> None:
    tensors, metadata = load(real_data, f"train_{method}")
    facts = {key: json.loads(metadata[key]) for key in ("losses", "grad_norms", "flips", "zero_gradient")}
    trainer = ReplayedCUT(METHODS[method], facts["flips"]).double()
    before = reference_weights(trainer, tensors, "before")
    for name, weights in before.items():
        getattr(trainer, name).load_state_dict(weights)
    names, norms = reference_names(before, tensors), dict[str, float]()

    def update(name: str, loss: Tensor, step: bool) -> None:
        optimizer = trainer.optimizers[name]
        own = [weight for group in optimizer.param_groups for weight in group["params"]]
        torch.autograd.backward(loss, inputs=own)
        if step:
            ids = {id(weight) for weight in own}
            for key, weight in trainer.named_parameters():
                if id(weight) in ids:
                    norms[names[key]] = weight.grad.norm().item()
            optimizer.step()
            optimizer.zero_grad()

    for step, expected in enumerate(facts["losses"]):
        calls = 2 if trainer.c.nce_identity else 1
        trainer.patches = iter([list_of_positions(tensors, step, call) for call in range(calls)])
        batch = {"a": tensors[f"input/{step}/A"], "b": tensors[f"input/{step}/B"]}
        losses = trainer.step(batch, Updates(update), StepProgress())
        weight = trainer.c.lambda_nce
        found = {"D": losses["d"], "G_GAN": losses["g"], "NCE": weight * losses["nce"]}
        if calls == 2:
            found["NCE_Y"] = weight * losses["nce_identity"]
        for key, loss in found.items():
            assert loss.item() == pytest.approx(expected[key], rel=1e-12), key
        for key, norm in facts["grad_norms"][step].items():
            assert norms[key] == pytest.approx(norm, rel=1e-7, abs=1e-12), key

    for name, weights in reference_weights(trainer, tensors, "after").items():
        for key, weight in getattr(trainer, name).named_parameters():
            if names[f"{name}.{key}"] not in facts["zero_gradient"]:
                assert (weight - weights[key]).abs().max() <= 1e-12, key


def list_of_positions(tensors: dict[str, Tensor], step: int, call: int) -> list[Tensor]:
    return [tensors[f"patch_ids/{step}/{call}/{layer}"] for layer in range(5)]
