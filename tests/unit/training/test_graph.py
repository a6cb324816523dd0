"""Capturing the steps of a run: variants, sizes, failures, restored checkpoints, and compiling later."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.recorder import NoHostReads, RecordingCapturer
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.gan.config import DCGANConfig
from translate.methods.gan.trainer import GAN
from translate.methods.trainer import StepProgress, Trainer, Update
from translate.models import Precision
from translate.training import break_even
from translate.training.break_even import FIRST_STEPS, MEASURED_SECONDS, BreakEven
from translate.training.schedule import TrainingBudget, TrainingProgress
from translate.training.step.graph import MAX_SIZES, WARM_UP_STEPS
from translate.training.step.stepper import Stepper

DCGAN = DCGANConfig(
    image_size=8, channels=3, ngf=4, ndf=4, batch_size=4, device="cpu", precision="fp32", compile="off"
)


def images(step: int, side: int = 8, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    return torch.randint(256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


def new_stepper(trainer_class: Callable[[Any], Trainer] = GAN, c: Any = DCGAN) -> tuple[Stepper, list[str]]:
    """Return a stepper that captures its steps, and the list of the lines that it logs."""
    torch.manual_seed(0)
    lines: list[str] = []
    capturer = RecordingCapturer()
    stepper = Stepper(trainer_class(c), c, log=lines.append, capturer=capturer)
    capturer.state = stepper.state
    stepper.update.step_in_backward = False
    torch.manual_seed(1)
    return stepper, lines


def take_steps(
    stepper: Stepper, steps: range, batch: Callable[[int], dict[str, Tensor]] | None = None
) -> None:
    for step in steps:
        stepper.step(batch(step) if batch else {"image": images(step)}, steps_done=step)


def weights(stepper: Stepper) -> list[Tensor]:
    return [value.clone() for value in (*stepper.trainer.parameters(), *stepper.ema.parameters())]


def eager_weights(steps: int, trainer_class: Callable[[Any], Trainer] = GAN) -> list[Tensor]:
    torch.manual_seed(0)
    stepper = Stepper(trainer_class(DCGAN), DCGAN)
    torch.manual_seed(1)
    take_steps(stepper, range(steps))
    return weights(stepper)


def equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(a.equal(b) for a, b in zip(first, second, strict=True))


class LazyGAN(GAN):
    """A GAN whose every fourth step also pulls the weights of `d` towards 0."""

    def variant(self, progress: StepProgress) -> bool:
        return progress.step % 4 == 0

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        losses = super().step(batch, update, progress)
        if self.variant(progress):
            penalty = sum(weight.square().sum() for weight in self.d.parameters())
            update("d", penalty * progress.step_tensor)
        return losses


def test_each_variant_of_a_step_has_a_graph_of_its_own() -> None:
    stepper, lines = new_stepper(LazyGAN)
    take_steps(stepper, range(24))
    assert stepper.graph.capturer.captured == 2
    assert equal(weights(stepper), eager_weights(24, LazyGAN))
    assert lines == []


class UncapturableGAN(GAN):
    """A GAN with a step that cannot be captured, which shows when half of it has run."""

    steps = 0

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        losses = super().step(batch, update, progress)
        self.steps += 1
        if self.steps == WARM_UP_STEPS + 1:
            update.accumulate("g", losses["g"].detach() * next(self.g.parameters()).sum())
            self.last_loss = weakref.ref(losses["g"])
            raise RuntimeError("operation not permitted when stream is capturing\nCompile with ...")
        return losses


def test_a_step_that_cannot_be_captured_runs_eagerly_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def capture(self: RecordingCapturer, run: Callable[[], Tensor]) -> Any:
        before = self.state.snapshot()  # While it is captured, a CUDA graph does not change anything.
        try:
            run()
        finally:
            self.state.restore_snapshot(before)

    monkeypatch.setattr(RecordingCapturer, "capture", capture)
    stepper, lines = new_stepper(UncapturableGAN)
    gc.collect()
    gc.disable()
    try:
        take_steps(stepper, range(8))
        assert stepper.trainer.last_loss() is None  # Nothing keeps the step that failed.
    finally:
        gc.enable()
    assert lines == [
        "no CUDA graph (operation not permitted when stream is capturing): training continues in eager mode"
    ]
    assert equal(weights(stepper), eager_weights(8))


def test_images_of_many_sizes_are_not_captured() -> None:
    c = CycleGANConfig(
        image_size=32, ngf=4, ndf=4, blocks=1, d_layers=1, preprocess="none", device="cpu", precision="fp32"
    )
    stepper, lines = new_stepper(CycleGAN, c)

    def batch(step: int) -> dict[str, Tensor]:
        side = 32 + 4 * (step % (MAX_SIZES + 1))
        return {"a": images(step, side, 1), "b": images(step + 1, side, 1)}

    take_steps(stepper, range(2 * MAX_SIZES), batch)
    assert lines == [
        f"no CUDA graph (the images have more than {MAX_SIZES} sizes): training continues in eager mode"
    ]


def test_sizes_that_follow_each_other_are_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("translate.training.step.graph.SIZE_STEPS", 10)
    stepper, lines = new_stepper()
    stages = 2 * MAX_SIZES  # Batches of 2, 3, 4, ... images, as if their size grew.
    take_steps(stepper, range(6 * stages), lambda step: {"image": images(step, count=2 + step // 6)})
    assert lines == []
    assert stepper.graph.capturer.captured == stages
    assert len(stepper.graph.steps) <= MAX_SIZES


def test_a_captured_step_goes_on_from_a_restored_checkpoint() -> None:
    stepper, _ = new_stepper()
    take_steps(stepper, range(6))
    middle = stepper.state.to_dict()
    checkpoint = stepper.state.snapshot() | {"others": []}
    assert checkpoint.keys() <= middle.keys()
    take_steps(stepper, range(6, 12))
    expected = weights(stepper)
    stepper.state.restore(checkpoint)
    take_steps(stepper, range(6, 12))
    assert equal(weights(stepper), expected)
    assert stepper.graph.capturer.captured == 1


def test_a_stepper_set_back_to_its_start_takes_the_same_steps() -> None:
    stepper, _ = new_stepper()
    start = stepper.state.snapshot()
    take_steps(stepper, range(6))
    expected = weights(stepper)
    stepper.state.restore_snapshot(start)
    take_steps(stepper, range(6))
    assert equal(weights(stepper), expected)


def test_losses_that_were_returned_do_not_change_with_the_next_step() -> None:
    stepper, _ = new_stepper()
    take_steps(stepper, range(WARM_UP_STEPS + 1))
    losses = stepper.step({"image": images(10)}, steps_done=10)
    before = {name: float(loss) for name, loss in losses.items()}
    take_steps(stepper, range(11, 14))
    assert {name: float(loss) for name, loss in losses.items()} == before


@pytest.fixture
def compiled_networks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the compiler by one that leaves networks as they are; return the list of those compiled."""
    names: list[str] = []
    monkeypatch.setattr(
        "translate.training.step.stepper.compile_networks", lambda trainer: names.extend(trainer.networks)
    )
    return names


def test_compiling_later_captures_the_step_anew(compiled_networks: list[str]) -> None:
    stepper, _ = new_stepper()
    take_steps(stepper, range(6))
    stepper.start_compiling()
    assert stepper.memory_format == torch.channels_last
    take_steps(stepper, range(6, 12))
    assert stepper.graph.capturer.captured == 2
    for optimizer in stepper.trainer.optimizers.values():
        for weight, moments in optimizer.state.items():
            assert moments["exp_avg"].stride() == weight.stride()
    expected = eager_weights(12)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(weights(stepper), expected, strict=True))


@pytest.mark.parametrize("pays", [True, False])
def test_compiling_is_decided_once_by_the_measured_speed(
    pays: bool, compiled_networks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def pays_off(trainer: Trainer, seconds_left: float) -> tuple[bool, str]:
        asked.append(seconds_left)
        return pays, "the line"

    monkeypatch.setattr(break_even, "pays_off", pays_off)
    stepper, lines = new_stepper()
    stepper.compiles_later = True  # As on a GPU.
    c = DCGAN.replace(steps=1000)
    decision = BreakEven(stepper, TrainingBudget(c, 10), TrainingProgress(100, 500.0))
    seconds_a_step = MEASURED_SECONDS / 20
    for step in range(101, 200):
        # The first steps take long; they are not measured.
        decision.after_step(TrainingProgress(step, 530 + step * seconds_a_step))
    assert asked == [pytest.approx((1000 - 100 - FIRST_STEPS - 20) * seconds_a_step)]
    assert lines == ["the line"]
    assert stepper.is_compiled == pays
    assert bool(compiled_networks) == pays


@pytest.mark.parametrize("settings", [{}, {"clip_grad": 0.1}])
def test_loss_scaling_of_float16_is_captured(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Precision(torch.device("cpu"), torch.float16)
    monkeypatch.setattr("translate.training.step.stepper.pick_precision", lambda name, device: half)
    c = DCGAN.replace(networks="mlp", d_norm="none", **settings)
    torch.manual_seed(0)
    eager = Stepper(GAN(c), c)
    torch.manual_seed(1)
    take_steps(eager, range(12))
    captured, lines = new_stepper(GAN, c)
    with NoHostReads():
        take_steps(captured, range(WARM_UP_STEPS))
    take_steps(captured, range(WARM_UP_STEPS, 12))
    assert captured.graph.capturer.captured == 1
    assert equal(weights(captured), weights(eager))
    assert captured.scaler.state_dict() == eager.scaler.state_dict()
    assert lines == []
