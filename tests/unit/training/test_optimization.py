"""Weight updates: learning rates, conditional updates, gradient accumulation, gradient clipping, freezing."""

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


def config(**settings: Any) -> Any:
    c = find_method("pix2pix").config_class()
    return c(**{"device": "cpu", "precision": "fp32", "batch_size": 4, "ema": 0, **settings})


def fixed_batch() -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(7)
    return {"x": torch.rand(4, 3, generator=random), "y": torch.rand(4, 1, generator=random)}


class LinearRegression(Trainer):
    """A trainer that fits w x to the batch's y; `flags` has the `when` of each step."""

    def __init__(self, optimizer: str, flags: list[bool], scale: float = 1.0) -> None:
        super().__init__()
        self.w = torch.nn.Linear(3, 1)
        self.flags, self.scale = flags, scale
        self.optimizers = {"w": OPTIMIZERS[optimizer](self.w.parameters())}
        self.generators = {}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        loss = self.scale * (self.w(batch["x"]) - batch["y"]).square().mean()
        update("w", loss, when=torch.tensor(self.flags[progress.step]))
        return {"loss": loss}


def fit(optimizer: str, flags: list[bool], **settings: Any) -> dict[str, Tensor]:
    """Return weights and optimizer state after a step for each flag, from a fixed seed."""
    torch.manual_seed(0)
    stepper = Stepper(LinearRegression(optimizer, flags), config(**settings))
    for step in range(len(flags)):
        stepper.step(fixed_batch(), steps_done=step)
    state = stepper.trainer.optimizers["w"].state_dict()["state"]
    moments = {f"{n}.{k}": v for n, values in state.items() for k, v in values.items() if v is not None}
    return stepper.trainer.state_dict() | moments


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_update_whose_condition_is_false_changes_nothing(optimizer: str, accumulate: int) -> None:
    two_updates = fit(optimizer, [True, True], accumulate=accumulate)
    with_pauses = fit(optimizer, [False, True, False, True, False], accumulate=accumulate)
    assert two_updates.keys() == with_pauses.keys()
    for name, value in two_updates.items():
        torch.testing.assert_close(with_pauses[name], value, rtol=0, atol=0)
    assert not torch.equal(fit(optimizer, [True])["w.weight"], two_updates["w.weight"])


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_rmsprop_equals_torchs(momentum: float) -> None:
    weights = []
    for optimizer_class in (RMSprop, torch.optim.RMSprop):
        torch.manual_seed(0)
        network = torch.nn.Linear(5, 3)
        optimizer = optimizer_class(network.parameters(), lr=1e-2, alpha=0.9, momentum=momentum)
        for _ in range(5):
            network(torch.rand(4, 5)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        weights.append(network.weight.detach())
    torch.testing.assert_close(*weights, **({} if momentum else {"rtol": 0, "atol": 0}))


@pytest.mark.parametrize(
    ("learning_rates", "generator_changes", "discriminator_changes"),
    [
        ({}, True, True),
        ({"lr_g": 0}, False, True),
        ({"lr_d": 0}, True, False),
        ({"lr": 0, "lr_d": 1e-3}, False, True),
    ],
)
def test_generators_and_discriminators_have_their_own_learning_rates(
    learning_rates: dict[str, float], generator_changes: bool, discriminator_changes: bool
) -> None:
    method = find_method("pix2pix")
    c = method.config_class()(image_size=32, ngf=4, ndf=4, d_layers=2, device="cpu", **learning_rates)
    stepper = Stepper(method.load_task().trainer(c), c)
    before = {name: value.clone() for name, value in stepper.trainer.named_parameters()}
    stepper.step({name: torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8) for name in ("a", "b")})
    changed = {
        name.partition(".")[0]
        for name, value in stepper.trainer.named_parameters()
        if not value.equal(before[name])
    }
    assert ("g" in changed) == generator_changes
    assert ("d" in changed) == discriminator_changes


@pytest.mark.parametrize("method", ["dcgan", "wgan"])
def test_the_learning_rate_schedule_reaches_the_optimizers(method: str) -> None:
    recipe = find_method(method)
    c = recipe.config_class()(
        image_size=16, ngf=4, ndf=4, channels=3, device="cpu", lr=1e-3, d_steps=1, batch_size=4
    )
    changes = []
    for factor in (0.0, 0.1, 1.0):
        torch.manual_seed(0)
        stepper = Stepper(recipe.load_task().trainer(c), c)
        weight = next(stepper.trainer.generators["sample"].parameters())
        before = weight.detach().clone()
        images = torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8)
        stepper.step({"image": images}, learning_rate_factor=factor)
        changes.append(float((weight.detach() - before).norm()))
    assert changes[0] == 0
    # The first step of Adam and RMSprop is proportional to the learning rate, up to epsilon.
    assert changes[1] == pytest.approx(0.1 * changes[2], rel=0.1)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_gradient_clipping_bounds_the_step(accumulate: int) -> None:
    def change(scale: float, clip_grad: float | None) -> Tensor:
        """Return the change of the weights in one step of SGD, whose learning rate is 0.1."""
        torch.manual_seed(0)
        trainer = LinearRegression("sgd", [True], scale)
        before = torch.cat([weight.detach().flatten() for weight in trainer.parameters()])
        Stepper(trainer, config(clip_grad=clip_grad, accumulate=accumulate)).step(fixed_batch())
        return torch.cat([weight.detach().flatten() for weight in trainer.parameters()]) - before

    huge = change(1e6, None)
    assert float(huge.norm()) > 1e3
    clipped = change(1e6, 0.5)
    assert float(clipped.norm()) == pytest.approx(0.1 * 0.5, rel=1e-4)
    assert float(torch.cosine_similarity(clipped, huge, dim=0)) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(change(1.0, 100.0), change(1.0, None))


class TwoNetworks(Trainer):
    """A trainer that updates g on a loss through d, then d; `freeze` freezes d for the first loss."""

    def __init__(self, freeze: bool) -> None:
        super().__init__()
        self.g, self.d = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
        self.freeze = freeze
        self.optimizers = {n: torch.optim.SGD(getattr(self, n).parameters(), lr=0.1) for n in ("g", "d")}
        self.generators = {}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        with freeze_weights(*[self.d] * self.freeze):
            loss = self.d(self.g(batch["x"])).mean()
        update("g", loss)
        update("d", self.d(batch["x"]).square().mean())
        return {"loss": loss}


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}, {"clip_grad": 100.0}])
def test_a_loss_updates_only_the_weights_of_its_optimizer(settings: dict[str, Any]) -> None:
    states = []
    for freeze in (True, False):
        torch.manual_seed(0)
        stepper = Stepper(TwoNetworks(freeze), config(**settings))
        for _ in range(3):
            stepper.step({"x": fixed_batch()["x"]})
        states.append(stepper.trainer.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=0, atol=0)


class SeveralDiscriminatorSteps(TwoNetworks):
    """A trainer that adds to g's gradient, updates d twice, and then updates g."""

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        for _ in range(2):
            update("d", (self.d(self.g(batch["x"]).detach()) - 1).square().mean())
        update.accumulate("g", self.g(batch["x"]).square().mean())
        loss = self.d(self.g(batch["x"])).mean()
        update("g", loss)
        return {"loss": loss}


@pytest.mark.parametrize(
    ("trainer_class", "settings"),
    [
        (TwoNetworks, {"accumulate": 2}),
        (TwoNetworks, {"accumulate": 2, "clip_grad": 0.1}),
        (TwoNetworks, {"clip_grad": 0.1}),
        (SeveralDiscriminatorSteps, {}),
        (SeveralDiscriminatorSteps, {"accumulate": 2}),
    ],
)
def test_loss_scaling_does_not_change_the_weights(
    trainer_class: type[TwoNetworks], settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(scaler: torch.amp.GradScaler) -> dict[str, Tensor]:
        monkeypatch.setattr(torch.amp, "GradScaler", lambda device, enabled: scaler)
        torch.manual_seed(0)
        stepper = Stepper(trainer_class(freeze=True), config(**settings))
        for _ in range(3):
            stepper.step({"x": fixed_batch()["x"]})
        return stepper.trainer.state_dict()

    # The scale doubles at each `scaler.update()`, so an optimizer that steps after it is unscaled wrongly.
    scaler = torch.amp.GradScaler("cpu", growth_interval=1)
    start = 2.0**16
    scaled = train(scaler)
    assert scaler.get_scale() >= 2**3 * start
    if trainer_class is TwoNetworks:
        assert scaler.get_scale() == 2**3 * start
    plain = train(torch.amp.GradScaler("cpu", enabled=False))
    for name, value in plain.items():
        torch.testing.assert_close(scaled[name], value, rtol=1e-6, atol=1e-7)


def test_freezing_restores_the_flags_of_the_weights() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    network[0].requires_grad_(False)
    with freeze_weights(network):
        assert not any(weight.requires_grad for weight in network.parameters())
    assert [weight.requires_grad for weight in network.parameters()] == [False, False, True, True]
