"""Equal parts of networks are compiled once, and the compiled programs are kept in the cache folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from translate.compiling import CACHE_VARIABLE, compile_network
from translate.methods.registry import find_method
from translate.networks import DCGANGenerator, ResNet
from translate.training.step.stepper import Stepper

COMPILE = torch.compile
SMALL: dict[str, Any] = {"ngf": 4, "ndf": 4, "device": "cpu", "precision": "fp32"}
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.fx.GraphModule]]:
    """Return the graphs that are compiled, by a backend that needs no compiler."""
    compiled: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", lambda f, **settings: COMPILE(f, backend=backend, **settings))
    yield compiled
    torch._dynamo.reset()


def train(method: str, size: int = 24, steps: int = 1, **settings: Any) -> dict[str, Tensor]:
    """Return the weights after some steps from a fixed seed."""
    recipe = find_method(method)
    c = recipe.config_class()(**{**SMALL, "image_size": size, **settings})
    torch.manual_seed(0)
    stepper = Stepper(recipe.load_task().trainer(c), c)
    torch.manual_seed(1)
    shape = c.batch_size * c.batches_per_step, 3, size, size
    for step in range(steps):
        batch = {name: torch.randint(256, shape, dtype=torch.uint8) for name in ("a", "b")}
        stepper.step(batch, steps_done=step)
    return dict(stepper.trainer.state_dict())


def test_blocks_and_networks_that_are_equal_are_compiled_once(graphs: list[torch.fx.GraphModule]) -> None:
    compiled = train("cyclegan", compile="on", blocks=2)
    count = len(graphs)
    torch._dynamo.reset()
    graphs.clear()
    train("cyclegan", compile="on", blocks=5)
    assert len(graphs) == count
    with torch.compiler.set_stance("force_eager"):
        eager = train("cyclegan", compile="on", blocks=2)
    assert [name for name, value in compiled.items() if not value.equal(eager[name])] == []


def test_every_image_size_is_compiled(graphs: list[torch.fx.GraphModule]) -> None:
    network = ResNet(width=4, depth=1)
    compile_network(network)
    for size in range(8, 24, 4):  # More sizes than torch compiles a function for by default.
        before = len(graphs)
        network(torch.randn(1, 3, size, size))
        assert len(graphs) > before


def test_no_compiled_layer_takes_a_single_pixel_of_noise(graphs: list[torch.fx.GraphModule]) -> None:
    network = DCGANGenerator(in_channels=5, width=4, depth=2)
    compile_network(network)
    network(torch.randn(2, 5)).sum().backward()
    convolutions = [node for graph in graphs for node in graph.graph.nodes if "conv" in str(node.target)]
    sizes = [node.args[0].meta["example_value"].shape[2:] for node in convolutions]
    assert sizes
    assert (1, 1) not in sizes


def test_compiled_programs_are_kept_in_the_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    compile_network(nn.Linear(1, 1))
    assert Path(os.environ[CACHE_VARIABLE]).parent == tmp_path


def test_a_folder_that_the_user_chose_for_compiled_programs_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    compile_network(nn.Linear(1, 1))
    assert os.environ[CACHE_VARIABLE] == str(tmp_path)
