"""How a loss moves weights: rates, flags, accumulation, clipping."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from translate.methods.gan.rmsprop import RMSprop
from translate.methods.registry import find_method
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.training.step.stepper import Stepper

OPTIMIZERS = {
    "adam": lambda weights: torch.optim.Adam(weights, lr=0.1, fused=True),
    "rmsprop": lambda weights: RMSprop(weights, lr=0.1, momentum=0.9),
    "sgd": lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9),
}


class Line(Trainer):
    """Fits w x to the batch's y; `flags` says at which steps it may move."""

    def __init__(self, optimizer: str, flags: list[bool]) -> None:
        super().__init__()
        self.w = torch.nn.Linear(3, 1)
        self.flags = flags
        self.optimizers = {"w": OPTIMIZERS[optimizer](self.w.parameters())}
        self.generators = {}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        loss = (self.w(batch["x"]) - batch["y"]).square().mean()
        update("w", loss, when=torch.tensor(self.flags[progress.step]))
        return {"loss": loss}


def fit(optimizer: str, flags: list[bool], **settings: Any) -> dict[str, Tensor]:
    torch.manual_seed(0)
    c = find_method("pix2pix").config_class()(device="cpu", precision="fp32", batch_size=4, ema=0, **settings)
    stepper = Stepper(Line(optimizer, flags), c)
    for step in range(len(flags)):
        random = torch.Generator().manual_seed(7)  # the same batch each time
        x, y = torch.rand(4, 3, generator=random), torch.rand(4, 1, generator=random)
        stepper.step({"x": x, "y": y}, step=step)
    state = stepper.trainer.optimizers["w"].state_dict()["state"]
    moments = {f"{n}.{k}": v for n, values in state.items() for k, v in values.items() if v is not None}
    return stepper.trainer.state_dict() | moments


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_under_a_false_flag_leaves_no_trace(optimizer: str, accumulate: int) -> None:
    two = fit(optimizer, [True, True], accumulate=accumulate)
    with_pauses = fit(optimizer, [False, True, False, True, False], accumulate=accumulate)
    assert two.keys() == with_pauses.keys()
    for name, value in two.items():
        torch.testing.assert_close(with_pauses[name], value, rtol=0, atol=0)
    assert not torch.equal(fit(optimizer, [True])["w.weight"], two["w.weight"])


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_rmsprop_is_torchs(momentum: float) -> None:
    ends = []
    for kind in (RMSprop, torch.optim.RMSprop):
        torch.manual_seed(0)
        network = torch.nn.Linear(5, 3)
        optimizer = kind(network.parameters(), lr=1e-2, alpha=0.9, momentum=momentum)
        for _ in range(5):
            network(torch.rand(4, 5)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        ends.append(network.weight.detach())
    torch.testing.assert_close(*ends, **({} if momentum else {"rtol": 0, "atol": 0}))


def test_generators_and_discriminators_move_at_rates_of_their_own() -> None:
    def moved(**rates: float) -> tuple[bool, bool]:
        method = find_method("pix2pix")
        c = method.config_class()(image_size=32, ngf=4, ndf=4, d_layers=2, device="cpu", **rates)
        stepper = Stepper(method.load_task().trainer(c), c)
        before = {name: value.clone() for name, value in stepper.trainer.named_parameters()}
        batch = {name: torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8) for name in ("a", "b")}
        stepper.step(batch)
        changed = {
            name[0] for name, value in stepper.trainer.named_parameters() if not value.equal(before[name])
        }
        return "g" in changed, "d" in changed

    assert moved() == (True, True)
    assert moved(lr_g=0) == (False, True)
    assert moved(lr_d=0) == (True, False)
    assert moved(lr=0, lr_d=1e-3) == (False, True)


def test_the_rate_reaches_the_optimizer() -> None:
    method = find_method("dcgan")
    c = method.config_class()(image_size=16, ngf=4, ndf=4, channels=3, device="cpu", lr=1e-3)
    stepper = Stepper(method.load_task().trainer(c), c)
    before = {name: value.clone() for name, value in stepper.trainer.named_parameters()}
    batch = {"image": torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8)}
    stepper.step(batch, rate=0.0)
    assert all(value.equal(before[name]) for name, value in stepper.trainer.named_parameters())
    stepper.step(batch, rate=1.0)
    assert not all(value.equal(before[name]) for name, value in stepper.trainer.named_parameters())


class Two(Trainer):
    """Moves g by a loss that goes through d, then d; `spared` freezes d for the first."""

    def __init__(self, spared: bool) -> None:
        super().__init__()
        self.g, self.d = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
        self.spared = spared
        self.optimizers = {n: torch.optim.SGD(getattr(self, n).parameters(), lr=0.1) for n in ("g", "d")}
        self.generators = {}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        with freeze_weights(*[self.d] * self.spared):
            loss = self.d(self.g(batch["x"])).mean()
        update("g", loss)
        update("d", self.d(batch["x"]).square().mean())
        return {"loss": loss}


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}, {"clip_grad": 100.0}])
def test_a_loss_moves_the_weights_of_its_optimizer_only(settings: dict[str, Any]) -> None:
    ends = []
    for spared in (True, False):
        torch.manual_seed(0)
        c = find_method("pix2pix").config_class()(device="cpu", precision="fp32", batch_size=4, **settings)
        stepper = Stepper(Two(spared), c)
        for _ in range(3):
            stepper.step({"x": torch.rand(4, 3, generator=torch.Generator().manual_seed(7))})
        ends.append(stepper.trainer.state_dict())
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, rtol=0, atol=0)


def test_frozen_networks_get_back_the_flags_they_had() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    network[0].requires_grad_(False)
    with freeze_weights(network):
        assert not any(weight.requires_grad for weight in network.parameters())
    assert [weight.requires_grad for weight in network.parameters()] == [False, False, True, True]
