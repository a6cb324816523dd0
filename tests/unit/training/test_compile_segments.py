"""Equal parts of networks are compiled once, and the compiled programs are kept in the cache folder."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from translate.compiling import CACHE_VARIABLE, compile_network
from translate.networks import DCGANGenerator, ResNet

COMPILE = torch.compile
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


def run(*networks: ResNet, size: int = 24) -> list[Tensor]:
    """Return the gradients of the networks, for two batch sizes."""
    torch.manual_seed(1)
    for network in networks:
        for count in (1, 2):
            network(torch.randn(count, 3, size, size)).square().sum().backward()
    return [weight.grad for network in networks for weight in network.parameters() if weight.grad is not None]


def test_blocks_and_networks_that_are_equal_are_compiled_once(graphs: list[torch.fx.GraphModule]) -> None:
    eager = [ResNet(width=4, depth=3, norm="batch", dropout=True) for _ in range(2)]
    compiled = copy.deepcopy(eager)
    for network in compiled:
        network.compile_segments(dynamic=False)
    gradients = run(*compiled)
    assert len(graphs) == 2 * 3  # For two batch sizes: the encoder, a block and the decoder.
    assert len(gradients) == len(list(nn.ModuleList(eager).parameters()))
    for gradient, expected in zip(gradients, run(*eager), strict=True):
        assert gradient.equal(expected)
    for buffer, expected in zip(compiled[0].buffers(), eager[0].buffers(), strict=True):
        assert buffer.equal(expected)


def test_more_programs_are_compiled_than_torch_allows_by_default(graphs: list[torch.fx.GraphModule]) -> None:
    network = ResNet(width=4, depth=1)
    network.compile_segments(dynamic=False)
    for size in range(8, 24, 4):
        before = len(graphs)
        network(torch.randn(1, 3, size, size))
        assert len(graphs) == before + 3


def test_no_compiled_layer_takes_a_single_pixel_of_noise(graphs: list[torch.fx.GraphModule]) -> None:
    network = DCGANGenerator(in_channels=5, width=4, depth=2)
    network.compile_segments(dynamic=False)
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


def test_compiled_programs_of_a_cache_folder_that_cannot_be_written_are_kept_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    folder = tmp_path / "compiled"
    if sys.platform == "linux":
        folder.symlink_to("/proc/self")  # Nobody can write there, not even root.
    else:
        folder.mkdir(mode=0o500)
    compile_network(nn.Linear(1, 1))
    assert not os.environ.get(CACHE_VARIABLE, "").startswith(str(tmp_path))
