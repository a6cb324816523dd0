"""Three steps of DCLGAN in float64 give the losses, gradients and weights of the authors' code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor

from tests.parity.reference_keys import head_weights, rename_keys
from tests.parity.test_cut import load, select
from tests.updates import recorded_updates
from translate.methods.dclgan import trainer as dclgan
from translate.methods.dclgan.config import DCLGANConfig
from translate.methods.trainer import StepProgress

SETTINGS = {"image_size": 48, "blocks": 6, "ngf": 5, "ndf": 6, "nce_width": 16, "nce_patches": 64}
FILES = {"train_dclgan": {}, "train_dclgan_lsgan": {"gan_loss": "lsgan"}}
# Our names of the reference's networks: its G_A translates A to B, and its D_A scores images of B.
NETWORKS = {"G_A": "g_ab", "G_B": "g_ba", "D_A": "d_b", "D_B": "d_a", "F1": "f_a", "F2": "f_b"}


def reference_weights(
    trainer: dclgan.DCLGAN, tensors: dict[str, Tensor], state: str
) -> dict[str, dict[str, Tensor]]:
    """Return the weights of a state of the reference, by network, under the keys of ours."""
    weights = {}
    for theirs, ours in NETWORKS.items():
        prefix = f"{state}/{theirs}/"
        if ours.startswith("f"):
            weights[ours] = head_weights(tensors, prefix)
        else:
            weights[ours] = rename_keys(getattr(trainer, ours), select(tensors, prefix))
    return weights


@pytest.mark.parametrize("file", FILES)
def test_three_steps_equal_those_of_the_reference(
    real_data: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors, metadata = load(real_data, file)
    facts = {key: json.loads(metadata[key]) for key in ("losses", "grad_norms", "zero_gradient")}
    trainer = dclgan.DCLGAN(DCLGANConfig(**SETTINGS, **FILES[file])).double()
    before = reference_weights(trainer, tensors, "before")
    for name, weights in before.items():
        getattr(trainer, name).load_state_dict(weights)
    keys = {id(tensor): key.removeprefix("before/") for key, tensor in tensors.items()}
    names = {keys[id(w)]: f"{net}.{key}" for net, own in before.items() for key, w in own.items()}

    for step, expected in enumerate(facts["losses"]):
        calls = iter(range(2))

        def recorded_positions(features: Sequence[Tensor], count: int) -> list[Tensor]:
            call = next(calls)  # noqa: B023
            return [tensors[f"patch_ids/{step}/{call}/{layer}"] for layer in range(4)]  # noqa: B023

        monkeypatch.setattr(dclgan, "draw_positions", recorded_positions)
        norms: dict[str, float] = {}
        batch = {"a": tensors[f"input/{step}/A"], "b": tensors[f"input/{step}/B"]}
        losses = trainer.step(batch, recorded_updates(trainer, norms), StepProgress())
        found = {NETWORKS[key]: expected[key] for key in ("D_A", "D_B", "G_A", "G_B")}
        found |= {"nce_a": expected["NCE1"] / 2, "nce_b": expected["NCE2"] / 2}
        found["identity"] = expected["idt_A"] + expected["idt_B"]
        assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(found, rel=1e-12)
        theirs = facts["grad_norms"][step]
        assert {key: norms[names[key]] for key in theirs} == pytest.approx(theirs, rel=1e-7, abs=1e-12)

    zero_gradient = {names[key] for key in facts["zero_gradient"]}
    for name, weights in reference_weights(trainer, tensors, "after").items():
        for key, weight in getattr(trainer, name).named_parameters():
            if f"{name}.{key}" not in zero_gradient:
                assert (weight - weights[key]).abs().max() <= 1e-12, key
