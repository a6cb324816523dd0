"""The relativistic loss with R1 and R2 gives the values and gradients of R3GAN's authors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from translate.config import AdversarialConfig
from translate.methods.adversary import Adversary
from translate.methods.trainer import StepProgress

PROGRESS = StepProgress(step=5)  # R3GAN has both penalties in every step.


@pytest.fixture
def path(real_data: Path) -> Path:
    return real_data / "reference" / "r3gan_loss.safetensors"


@pytest.fixture
def golden(path: Path) -> dict[str, Tensor]:
    return load_file(path)


@pytest.fixture
def facts(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return {name: json.loads(file.metadata()[name]) for name in ("D", "G", "options")}


class ReferenceCritic(nn.Module):
    """The discriminator of the golden file; it returns (N, 1) logits."""

    def __init__(self, golden: dict[str, Tensor]) -> None:
        super().__init__()
        a, b = len(golden["state_dict/D/conv1.bias"]), len(golden["state_dict/D/conv2.bias"])
        self.conv1 = nn.Conv2d(3, a, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(a, b, 3, stride=2, padding=1)
        self.fc = nn.Linear(golden["state_dict/D/fc.weight"].shape[1], 1)
        prefix = "state_dict/D/"
        self.double().load_state_dict(
            {name.removeprefix(prefix): value for name, value in golden.items() if name.startswith(prefix)}
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = nn.functional.leaky_relu(self.conv1(x), 0.2)
        hidden = nn.functional.leaky_relu(self.conv2(hidden), 0.2)
        scores: Tensor = self.fc(hidden.flatten(1))
        return scores


def new_adversary(golden: dict[str, Tensor], **weights: float) -> Adversary:
    c = AdversarialConfig(gan_loss="relativistic", **weights)
    return Adversary(c, ReferenceCritic(golden), nn.Identity())


def check_gradients(adversary: Adversary, golden: dict[str, Tensor], prefix: str, scale: float = 1) -> None:
    for name, weight in adversary.d.named_parameters():
        expected = scale * golden[f"{prefix}/{name}"]
        gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad
        assert (gradient - expected).abs().max() <= 1e-10, name


def test_the_loss_of_the_discriminator_with_both_penalties(
    golden: dict[str, Tensor], facts: dict[str, Any]
) -> None:
    options, gamma = facts["options"], facts["options"]["gamma"]
    adversary = new_adversary(golden, lambda_r1=gamma, lambda_r2=gamma)
    images = {"real": golden["input/real"], "fake": golden["input/fake"]}
    adversarial = adversary.discriminator_loss(**images)
    assert adversarial.item() == pytest.approx(facts["D"]["adversarial"], abs=1e-12)
    loss = adversarial + adversary.penalty(PROGRESS, **images)
    assert loss.item() == pytest.approx(facts["D"]["loss"], abs=1e-12)
    (options["scale"] * loss).backward()
    check_gradients(adversary, golden, "output/D/param_grad")


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_each_penalty_by_itself(golden: dict[str, Tensor], name: str) -> None:
    adversary = new_adversary(golden, **{"lambda_r1": 0, "lambda_r2": 0, f"lambda_{name}": 2})
    penalty = adversary.penalty(PROGRESS, real=golden["input/real"], fake=golden["input/fake"])
    assert isinstance(penalty, Tensor)
    assert penalty.item() == pytest.approx(golden[f"output/D_{name}_only/penalty"].mean().item(), abs=1e-12)
    penalty.backward()
    check_gradients(adversary, golden, f"output/D_{name}_only/param_grad")


def test_the_loss_of_the_generator(golden: dict[str, Tensor], facts: dict[str, Any]) -> None:
    fake = golden["input/fake"].requires_grad_()
    loss = new_adversary(golden).generator_loss(fake, real=golden["input/real"])
    assert loss.item() == pytest.approx(facts["G"]["adversarial"], abs=1e-12)
    loss.backward()
    assert (fake.grad - golden["output/G/grad_fake"]).abs().max() <= 1e-10
