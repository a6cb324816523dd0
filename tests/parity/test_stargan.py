"""StarGAN's networks and three training steps in float64 are those of the StarGAN authors' code.

Their code always normalizes by the statistics of the image itself (`output_train`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from translate import losses
from translate.methods.stargan.config import StarGANConfig
from translate.methods.stargan.trainer import StarGAN
from translate.methods.trainer import StepProgress
from translate.networks import StarGANDiscriminator, StarGANGenerator

StateDict = dict[str, Tensor]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
LOSSES = {
    "D/loss_cls": "d_cls",
    "G/loss_fake": "g",
    "G/loss_rec": "rec",
    "G/loss_cls": "g_cls",
}


def load(path: Path) -> tuple[StateDict, dict[str, Any]]:
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def select(tensors: StateDict, prefix: str) -> StateDict:
    return {key.removeprefix(prefix): x for key, x in tensors.items() if key.startswith(prefix)}


def rename_keys(network: nn.Module, names: list[str]) -> dict[str, str]:
    """Return our key of each of the reference's weights, which have the same order."""

    def position(key: str) -> tuple[bool, list[int], bool]:
        numbers = [int(n) for n in re.findall(r"\d+", key)]
        return key.startswith("conv"), numbers, key.endswith("bias")

    weights = sorted((name for name in names if not name.endswith(STATISTICS)), key=position)
    return dict(zip(weights, network.state_dict(), strict=True))


def load_reference(network: nn.Module, state: StateDict) -> None:
    names = rename_keys(network, list(state))
    network.load_state_dict({ours: state[theirs] for theirs, ours in names.items()})


def test_the_generator(real_data: Path) -> None:
    tensors, _ = load(real_data / "reference" / "G_stargan.safetensors")
    network = StarGANGenerator(domains=3, width=8, depth=2).eval()
    load_reference(network, select(tensors, "state_dict/"))
    output = network(tensors["input"], tensors["c"])
    assert (output - tensors["output_train"]).norm() <= 1e-5 * tensors["output_train"].norm()
    assert (output - tensors["output_train"]).abs().max() <= 1e-5


def test_the_discriminator(real_data: Path) -> None:
    tensors, _ = load(real_data / "reference" / "D_stargan.safetensors")
    network = StarGANDiscriminator(image_size=32, domains=3, width=8, layers=3)
    load_reference(network, select(tensors, "state_dict/"))
    for output, name in zip(network(tensors["input"]), ("out_src", "out_cls"), strict=True):
        assert (output - tensors[name]).norm() <= 1e-5 * tensors[name].norm()


@pytest.mark.parametrize(
    ("create", "count"),
    [
        (lambda: StarGANGenerator(domains=5), 8_430_528),
        (lambda: StarGANDiscriminator(image_size=128, domains=5), 44_762_048),
    ],
)
def test_parameter_counts_are_those_of_the_reference(create, count: int) -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in create().parameters()) == count


class RecordingUpdates:
    """An `Update` as in a plain training loop, which keeps each loss and the norms of the gradients."""

    def __init__(self, trainer: StarGAN) -> None:
        self.trainer, self.losses, self.norms = trainer, list[float](), dict[str, float]()

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        self.losses.append(loss.item())
        torch.autograd.backward(loss)
        network = getattr(self.trainer, name)
        self.norms |= {f"{name}/{key}": x.grad.norm().item() for key, x in network.named_parameters()}
        self.trainer.optimizers[name].step()
        self.trainer.optimizers[name].zero_grad()

    def accumulate(self, name: str, loss: Tensor) -> None:
        raise AssertionError("a StarGAN step has one loss for each update")


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Return a list of what the gradient penalty draws."""
    drawn: list[Tensor] = []
    monkeypatch.setattr(losses.adversarial.torch, "rand", lambda *args, **kwargs: drawn.pop(0))
    return drawn


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("train_stargan", {"attributes": "a,b,c", "domains": 3, "ngf": 8, "ndf": 8}),
        ("train_stargan_rafd", {"domains": 4, "ngf": 6, "ndf": 6}),
    ],
)
def test_three_steps(real_data: Path, name: str, settings: dict[str, Any], shares: list[Tensor]) -> None:
    tensors, metadata = load(real_data / "reference" / f"{name}.safetensors")
    expected = {key: json.loads(metadata[key]) for key in ("losses", "backward_values", "grad_norms")}
    config = StarGANConfig(image_size=32, blocks=2, d_layers=3, d_steps=1, **settings)
    trainer = StarGAN(config).double()
    networks = {"G": trainer.g, "D": trainer.d}
    ours = {}
    for theirs, network in networks.items():
        before = select(tensors, f"before/{theirs}/")
        load_reference(network, before)
        ours |= {f"{theirs}/{k}": v for k, v in rename_keys(network, list(before)).items()}

    for step in range(3):
        x = select(tensors, f"input/{step}/")
        labels = x["label_org"] if config.attributes else torch.eye(config.domains)[x["label_org"].long()]
        trainer.draw_targets = lambda labels, order=x["perm"]: labels[order]  # type: ignore[method-assign]
        shares.append(1 - x["alpha"])
        update = RecordingUpdates(trainer)
        found = trainer.step({"photo": x["x"], "label": labels}, update, StepProgress())
        assert not shares
        logged = expected["losses"][step]
        assert update.losses == pytest.approx(expected["backward_values"][step], rel=1e-10)
        assert found["d"].item() == pytest.approx(logged["D/loss_real"] + logged["D/loss_fake"], abs=1e-12)
        assert {key: found[key].item() for key in LOSSES.values()} == pytest.approx(
            {key: logged[theirs] for theirs, key in LOSSES.items()}, rel=1e-10
        )
        for key, norm in expected["grad_norms"][step].items():
            if norm > 1e-6:
                assert update.norms[f"{key[0].lower()}/{ours[key]}"] == pytest.approx(norm, rel=1e-7), key

    for theirs, network in networks.items():
        after, weights = select(tensors, f"after/{theirs}/"), dict(network.named_parameters())
        for key, our_key in rename_keys(network, list(after)).items():
            assert (weights[our_key] - after[key]).abs().max() <= 1e-9, key
