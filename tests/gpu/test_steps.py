"""Steps on a GPU are those on the CPU, and those of a CUDA graph are those without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.gpu.steps import STEPS, HostRandom, distance, moments, take_steps, weights
from tests.recorder import NoHostReads, RecordingCapturer
from tests.unit.methods.test_graph import DEFAULTS, OPTIONS, new_stepper
from tests.unit.training.test_graph import DCGAN, images
from translate.methods.gan.trainer import GAN
from translate.methods.registry import METHODS
from translate.methods.trainer import StepProgress
from translate.training.step.graph import WARM_UP_STEPS
from translate.training.step.stepper import Stepper

pytestmark = pytest.mark.gpu
COMPARED = (WARM_UP_STEPS + 1, 10, STEPS - 2)  # The last one has R1, where every third step has.


@pytest.fixture(autouse=True)
def deterministic_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let cuDNN use deterministic algorithms, because Adam makes a step of a rounding error near 0."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


@pytest.mark.parametrize("name", METHODS)
def test_the_losses_of_three_steps_are_those_on_the_cpu(name: str, gpu: str, data: Path) -> None:
    with HostRandom():
        on_cpu, on_gpu = (
            take_steps(*new_stepper(name, data, {"device": device, "graph": "off"}), range(3))
            for device in ("cpu", gpu)
        )
    for number, (expected, losses) in enumerate(zip(on_cpu, on_gpu, strict=True)):
        assert losses.keys() == expected.keys()
        # Adam divides by the size of a gradient, so that rounding errors grow from step to step.
        tolerance = (1e-3, 1e-2, 3e-2)[number]
        assert losses == pytest.approx(expected, rel=tolerance, abs=tolerance / 10)


def stand_in(gpu: str) -> RecordingCapturer | None:
    """Return what captures steps on a CPU; None on a GPU, where CUDA does."""
    return RecordingCapturer() if gpu == "cpu" else None


def compare_replay(stepper: Stepper, batch: Callable[[int], dict[str, Tensor]], step: int) -> None:
    """Take a captured step, and then the same one in eager mode from the same state; compare them."""
    before, start = stepper.state.snapshot(), weights(stepper)
    (replayed,) = take_steps(stepper, batch, range(step, step + 1))
    reached, averages = weights(stepper), moments(stepper.state.snapshot()["optimizers"])
    stepper.state.restore_snapshot(before)
    graph, stepper.graph = stepper.graph, None
    (losses,) = take_steps(stepper, batch, range(step, step + 1))
    stepper.graph = graph
    assert replayed == pytest.approx(losses, rel=5e-3, abs=5e-4)
    assert distance(averages, moments(stepper.state.snapshot()["optimizers"])) < 0.1
    assert distance(reached, weights(stepper), start) < 0.5


@pytest.mark.parametrize(("name", "settings"), [*DEFAULTS, *OPTIONS])
def test_a_step_in_a_cuda_graph_is_the_one_without(
    name: str, settings: dict[str, Any], gpu: str, data: Path
) -> None:
    stepper, batch = new_stepper(name, data, {**settings, "device": gpu}, stand_in(gpu))
    for step in range(STEPS):
        # Runs that differ by rounding errors drift apart, so each step is compared by itself.
        if step in COMPARED:
            compare_replay(stepper, batch, step)
        else:
            take_steps(stepper, batch, range(step, step + 1))
        assert stepper.graph is not None, stepper.description
    variants = {stepper.trainer.variant(StepProgress(step, 0, step / STEPS)) for step in range(STEPS)}
    assert [step.graph is not None for step in stepper.graph.steps.values()] == len(variants) * [True]


class HostReadingGAN(GAN):
    """A GAN whose step reads a loss on the host, which cannot be captured."""

    def step(self, *arguments: Any) -> dict[str, Tensor]:
        losses = super().step(*arguments)
        assert losses["g"].item() < 1e6
        return losses


class StrictCapturer(RecordingCapturer):
    """A capturer for the CPU that fails where a CUDA graph fails."""

    def capture(self, run: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        before = self.state.snapshot()
        try:
            with NoHostReads():
                return super().capture(run)
        finally:
            self.state.restore_snapshot(before)


def test_a_step_that_cannot_be_captured_continues_in_eager_mode(gpu: str) -> None:
    reached = []
    for trainer in (GAN, HostReadingGAN):
        c = DCGAN.replace(device=gpu, graph="off" if trainer is GAN else "auto")
        capturer = StrictCapturer() if gpu == "cpu" and trainer is HostReadingGAN else None
        torch.manual_seed(0)
        lines: list[str] = []
        stepper = Stepper(trainer(c), c, log=lines.append, capturer=capturer)
        if capturer:
            capturer.state = stepper.state
        start = weights(stepper)
        torch.manual_seed(1)
        take_steps(stepper, lambda step: {"image": images(step)}, range(WARM_UP_STEPS + 5))
        reached.append(weights(stepper))
    (line,) = lines
    assert line.startswith("no CUDA graph (")
    assert line.endswith("training continues in eager mode")
    assert distance(reached[1], reached[0], start) < 0.05


def test_a_graph_goes_on_from_a_restored_checkpoint(gpu: str, data: Path) -> None:
    stepper, batch = new_stepper("cyclegan", data, {"device": gpu}, stand_in(gpu))
    take_steps(stepper, batch, range(8))
    checkpoint, start = {**stepper.state.snapshot(), "others": []}, weights(stepper)
    expected = take_steps(stepper, batch, range(8, 14))
    reached = weights(stepper)
    stepper.state.restore(checkpoint)
    assert distance(weights(stepper), start, reached) == 0
    (losses,) = take_steps(stepper, batch, range(8, 9))
    assert losses == pytest.approx(expected[0], rel=1e-3, abs=1e-4)
    assert [step.graph is not None for step in stepper.graph.steps.values()] == [True]
