"""The networks and the training step of 3D-GAN give the numbers of a reference implementation in float64."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.updates import Updates
from translate.methods.gan3d.config import GAN3DConfig
from translate.methods.gan3d.trainer import GAN3D
from translate.methods.trainer import StepProgress

LAYERS, MODULES = 4, 3  # Layers but the last; convolution, norm and activation of each.


@pytest.fixture
def path(real_data: Path) -> Path:
    return real_data / "reference" / "gan3d.safetensors"


@pytest.fixture
def golden(path: Path) -> dict[str, Tensor]:
    return load_file(path)


@pytest.fixture
def facts(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return {name: json.loads(file.metadata()[name]) for name in ("options", "train", "train_G")}


class ReplayedGAN3D(GAN3D):
    """A trainer that takes its noise from the golden file."""

    z: Tensor

    def noise(self, like: Tensor) -> Tensor:
        return self.z


@pytest.fixture
def trainer(golden: dict[str, Tensor], facts: dict[str, Any]) -> ReplayedGAN3D:
    width, latent = facts["options"]["width"], facts["options"]["z_size"]
    trainer = ReplayedGAN3D(GAN3DConfig(ngf=width, ndf=width, latent=latent))
    trainer.z = golden["input/z"]
    for network, name in ((trainer.g, "G"), (trainer.d, "D")):
        network.load_state_dict(select(golden, f"state_dict/{name}/"))
    return trainer.double()


def select(golden: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors of the reference's layers (`layer2.0.weight`) by our names (`body.3.weight`)."""
    tensors = {}
    for key in golden:
        if key.startswith(prefix):
            layer, module, name = key.removeprefix(f"{prefix}layer").split(".")
            tensors[f"body.{MODULES * (int(layer) - 1) + int(module)}.{name}"] = golden[key]
    return tensors


def check(value: Tensor, expected: Tensor, rtol: float = 1e-9) -> None:
    assert value.shape == expected.shape
    assert (value - expected).abs().max() <= rtol * expected.abs().max() + 1e-12


def layer_means(network: nn.Sequential, run: Callable[[], Tensor]) -> list[Tensor]:
    """Return the mean of each channel after the activation of each layer but the last, (N, C)."""
    means: list[Tensor] = []
    hooks = [
        network[number].register_forward_hook(lambda module, args, out: means.append(out.mean((2, 3, 4))))
        for number in range(MODULES - 1, LAYERS * MODULES, MODULES)
    ]
    run()
    for hook in hooks:
        hook.remove()
    return means


@torch.no_grad()
def test_the_outputs_of_both_networks(trainer: ReplayedGAN3D, golden: dict[str, Tensor]) -> None:
    g, d = trainer.g.eval(), trainer.d.eval()
    volumes = g(golden["input/z"])
    check(volumes[:, :, ::4, ::4, ::4], golden["output/G_eval"])
    check(volumes[:1], golden["output/G_eval_full"].double(), rtol=1e-7)
    check(volumes.mean((1, 2, 3, 4)), golden["output/G_eval_mean"])
    check(d(volumes).sigmoid(), golden["output/D_eval_on_G"])
    real = golden["input/voxels"].double()
    check(d(real).sigmoid(), golden["output/D_eval"])
    inputs = {"G": (g, golden["input/z"]), "D": (d, real)}
    for name, (network, x) in inputs.items():
        means = layer_means(network.body, lambda network=network, x=x: network(x))
        assert len(means) == LAYERS
        for number, mean in enumerate(means, start=1):
            check(mean, golden[f"output/{name}_eval_layer{number}_mean"])


def test_the_losses_the_gradients_and_the_statistics_of_a_step(
    trainer: ReplayedGAN3D, golden: dict[str, Tensor], facts: dict[str, Any]
) -> None:
    gradients: dict[str, dict[str, Tensor]] = {}
    buffers: dict[str, Tensor] = {}

    def handle(name: str, loss: Tensor, step: bool) -> None:
        network = getattr(trainer, name)
        weights = dict(network.named_parameters())
        gradients[name] = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
        if name == "d":
            buffers.update({key: value.clone() for key, value in trainer.named_buffers()})

    losses = trainer.step({"volume": golden["input/voxels"].bool()}, Updates(handle), StepProgress())
    train = facts["train"]
    assert losses["d"].item() == pytest.approx(train["d_real_loss"] + train["d_fake_loss"], rel=1e-9)
    assert losses["g"].item() == pytest.approx(facts["train_G"]["g_loss"], rel=1e-9)
    assert losses["d_accuracy"].item() == train["d_accuracy"]
    for name, prefix in (("d", "train/D"), ("g", "train_G/G")):
        expected = select(golden, f"output/{prefix}_param_grad/")
        assert gradients[name].keys() == expected.keys()
        for key, gradient in gradients[name].items():
            check(gradient, expected[key], rtol=1e-7)
    for name in ("g", "d"):
        for key, value in select(golden, f"output/train/buffers/{name.upper()}/").items():
            check(buffers[f"{name}.{key}"], value)
