"""A step that torch.compile cannot compile runs in eager mode, to the same bits, and that is logged once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from translate import compiling
from translate.methods.registry import find_method
from translate.training.step.stepper import Stepper

SMALL: dict[str, Any] = {
    "image_size": 16,
    "ngf": 4,
    "ndf": 4,
    "channels": 3,
    "batch_size": 4,
    "device": "cpu",
    "precision": "fp32",
}
COMPILE = torch.compile
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Iterator[None]:
    """Forget what other tests have compiled, and which messages have been logged."""
    torch._dynamo.reset()
    compiling._log_once.cache_clear()
    yield
    torch._dynamo.reset()


@pytest.fixture
def compile_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return a function that sets the backend of torch.compile, because the default one needs a compiler."""

    def use(backend: Any) -> None:
        torch._dynamo.reset()
        monkeypatch.setattr(
            torch, "compile", lambda function, **settings: COMPILE(function, backend=backend, **settings)
        )

    return use


def train(name: str, steps: int = 3, **settings: Any) -> tuple[dict[str, Tensor], list[str]]:
    """Return the state after some steps from a fixed seed, and the lines that were logged."""
    method = find_method(name)
    c = method.config_class()(**{**SMALL, **settings})
    torch.manual_seed(0)
    lines: list[str] = []
    stepper = Stepper(method.load_task().trainer(c), c, log=lines.append)
    torch.manual_seed(1)
    for step in range(steps):
        images = torch.randint(256, (4 * c.batches_per_step, 3, 16, 16), dtype=torch.uint8)
        stepper.step({"image": images}, steps_done=step)
    return stepper.trainer.state_dict() | stepper.ema.state_dict(), lines


def fail_to_compile(graph: torch.fx.GraphModule, inputs: Any) -> Any:
    raise ValueError("expected size 512==512, stride 16==1")


class FailingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise AssertionError("expected size 512==512, stride 16==1")


def fail_in_backward(graph: torch.fx.GraphModule, inputs: Any) -> Any:
    return lambda *arguments: [FailingBackward.apply(out) for out in graph(*arguments)]


@pytest.mark.parametrize("compile", ["on", "auto"])
@pytest.mark.parametrize("backend", [fail_to_compile, fail_in_backward])
def test_a_step_that_fails_to_compile_is_repeated_in_eager_mode(
    backend: Any, compile: str, compile_by: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translate.training.step.compile.reason_against_compiling", lambda c, device: "")
    eager, lines = train("dcgan", compile="off")
    assert lines == []
    compile_by(backend)
    compiled, lines = train("dcgan", compile=compile)
    (line,) = lines
    assert "torch.compile" in line
    assert "512==512" in line
    assert [name for name, value in compiled.items() if not value.equal(eager[name])] == []


def test_only_the_gradient_penalty_runs_in_eager_mode(
    compile_by: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    graphs = []

    def aot_eager(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        graphs.append(graph)
        return torch._dynamo.backends.debugging.aot_eager(graph, inputs)

    compile_by(aot_eager)
    with caplog.at_level(logging.INFO, "translate"):
        _, lines = train("wgan-gp", compile="on", d_steps=2)
    assert graphs
    assert lines == []
    assert sum("gradient penalty" in record.message for record in caplog.records) == 1


def test_compiled_gradient_checkpointing_counts_each_batch_once(
    compile_by: Callable[[Any], None],
) -> None:
    compile_by(torch._dynamo.backends.debugging.aot_eager)
    plain, _ = train("dcgan", compile="off")
    recomputed, lines = train("dcgan", compile="on", recompute=True)
    assert lines == []
    counts = [name for name in plain if name.endswith("num_batches_tracked")]
    assert counts
    assert [name for name in counts if not plain[name].equal(recomputed[name])] == []
