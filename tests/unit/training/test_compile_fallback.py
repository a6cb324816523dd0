"""What cannot be compiled runs uncompiled, on the same weights, and is logged once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

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
COMPILE = nn.Module.compile
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    compiling._log_once.cache_clear()
    yield
    torch._dynamo.reset()


@pytest.fixture
def compile_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Let networks be compiled by another backend than a machine without a C++ compiler has."""

    def use(backend: Any) -> None:
        torch._dynamo.reset()
        monkeypatch.setattr(
            nn.Module, "compile", lambda self, **settings: COMPILE(self, backend=backend, **settings)
        )

    return use


def stepped(name: str, count: int = 3, **settings: Any) -> tuple[dict[str, Tensor], list[str]]:
    """The state after some steps, and what was logged."""
    method = find_method(name)
    c = method.config_class()(**{**SMALL, **settings})
    torch.manual_seed(0)
    lines: list[str] = []
    stepper = Stepper(method.load_task().trainer(c), c, log=lines.append)
    torch.manual_seed(1)
    for step in range(count):
        images = torch.randint(256, (4 * c.batches_per_step, 3, 16, 16), dtype=torch.uint8)
        stepper.step({"image": images}, step=step)
    return stepper.trainer.state_dict() | stepper.ema.state_dict(), lines


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert [name for name, value in one.items() if not value.equal(other[name])] == []


def fails_to_compile(graph: torch.fx.GraphModule, inputs: Any) -> Any:
    raise ValueError("expected size 512==512, stride 16==1")


class FailingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise AssertionError("expected size 512==512, stride 16==1")


def fails_in_backward(graph: torch.fx.GraphModule, inputs: Any) -> Any:
    return lambda *arguments: [FailingBackward.apply(out) for out in graph(*arguments)]


@pytest.mark.parametrize("compile", ["on", "auto"])
@pytest.mark.parametrize("backend", [fails_to_compile, fails_in_backward])
def test_a_step_that_fails_compiled_is_taken_again_eager(
    backend: Any, compile: str, compile_by: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translate.training.step.compile.against_compiling", lambda c, device: "")
    compile_by(lambda graph, inputs: graph.forward)
    eager, lines = stepped("dcgan", compile=compile)
    assert lines == []
    compile_by(backend)
    compiled, lines = stepped("dcgan", compile=compile)
    (line,) = lines
    assert "torch.compile" in line
    assert "512==512" in line
    assert_equal(compiled, eager)


def test_a_gradient_penalty_runs_uncompiled_and_the_rest_compiled(
    compile_by: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def aot_eager(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        calls.append(graph)
        return torch._dynamo.backends.debugging.aot_eager(graph, inputs)

    compile_by(aot_eager)
    with caplog.at_level(logging.INFO, "translate"):
        _, lines = stepped("wgan-gp", compile="on", d_steps=2)
    assert calls
    assert lines == []
    assert [record.message for record in caplog.records if "gradient penalty" in record.message] == [
        "the gradient penalty, which torch.compile cannot differentiate: runs uncompiled"
    ]


def test_layers_computed_again_are_compiled_and_count_a_batch_once(
    compile_by: Callable[[Any], None],
) -> None:
    compile_by(torch._dynamo.backends.debugging.aot_eager)
    whole, _ = stepped("dcgan", compile="off")
    again, lines = stepped("dcgan", compile="on", recompute=True)
    assert lines == []
    counts = [name for name in whole if name.endswith("num_batches_tracked")]
    assert counts
    assert [name for name in counts if not whole[name].equal(again[name])] == []
