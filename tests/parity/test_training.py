"""Three training steps in float64 give the losses and weights of the CycleGAN and pix2pix authors' code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from tests.parity.reference_keys import load_reference, rename_keys
from tests.updates import plain_updates
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.trainer import StepProgress

SMALL = {"ngf": 4, "ndf": 4, "image_size": 128, "dropout": False}


# Each function returns our trainer, and our names of its networks and losses by the reference's names.
def pix2pix() -> tuple[Pix2Pix, dict[str, str], dict[str, str]]:
    networks = {"G": "g", "D": "d"}
    return Pix2Pix(Pix2PixConfig(**SMALL)), networks, {"G_GAN": "g", "G_L1": "l1"}


def cyclegan() -> tuple[CycleGAN, dict[str, str], dict[str, str]]:
    networks = {"G_A": "g_ab", "G_B": "g_ba", "D_A": "d_b", "D_B": "d_a"}
    losses = {"D_A": "d_b", "D_B": "d_a", "G_A": "g_ab", "G_B": "g_ba"}
    return CycleGAN(CycleGANConfig(**SMALL, blocks=6, pool_size=0)), networks, losses


@pytest.mark.parametrize("method", [pix2pix, cyclegan])
def test_three_steps_equal_those_of_the_reference(real_data: Path, method) -> None:
    with safe_open(real_data / "reference" / f"train_{method.__name__}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        expected_losses = json.loads(file.metadata()["losses"])
    trainer, networks, loss_names = method()
    trainer.double()

    def select(prefix: str) -> dict[str, torch.Tensor]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    for theirs, ours in networks.items():
        load_reference(getattr(trainer, ours), select(f"before/{theirs}/"))

    for step in range(3):
        batch = {"a": tensors[f"input/{step}/A"], "b": tensors[f"input/{step}/B"]}
        losses = trainer.step(batch, plain_updates(trainer), StepProgress())
        for theirs, ours in loss_names.items():
            expected = expected_losses[step][theirs] / (100 if theirs == "G_L1" else 1)
            # The reference's labels are float32; torch then computes the whole cross entropy in float32.
            assert losses[ours].item() == pytest.approx(expected, rel=2e-7)

    for theirs, ours in networks.items():
        network = getattr(trainer, ours)
        after = rename_keys(network, select(f"after/{theirs}/"))
        for key, parameter in network.named_parameters():
            assert (parameter - after[key]).abs().max() <= 1e-9, key
