"""A predictor answers as ever, whatever other threads do with it, or with others, meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier, Event

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.unit.inference.making import lively, load, scene
from translate.config import ModelConfig
from translate.inference.predictors.statistics import trace_norms
from translate.inference.runtime.tracing import trace_program
from translate.networks import Generator
from translate.networks.blocks import InstanceNorm

ROUNDS = 8


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_threads_that_share_a_predictor_get_the_answers_of_one(precision: str) -> None:
    images = [scene(100, 120, seed=0), scene(90, 140, seed=1).astype(np.uint16) * 257]
    serial = [load(lively(), precision=precision, tile=32)(image) for image in images]
    shared, start = load(lively(), precision=precision, tile=32), Barrier(3)

    def answer(number: int) -> list[np.ndarray]:
        start.wait()
        return [shared(images[number]) for _ in range(ROUNDS)]

    def load_others() -> list[np.ndarray]:
        start.wait()
        return [load(lively(), precision=precision, tile=32)(images[0]) for _ in range(ROUNDS)]

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(answer, 0), pool.submit(answer, 1), pool.submit(load_others)]
        answers = [future.result() for future in futures]
    for found, expected in zip(answers, (*serial, serial[0]), strict=True):
        assert all(np.array_equal(one, expected) for one in found)


class Waiting(Generator):
    """A network that waits in its forward, where it is told to, until something else is done."""

    reached, go_on = Event(), Event()  # not its own: a copy of it waits as well
    waits = False

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = InstanceNorm(3)

    def forward(self, x: Tensor) -> Tensor:
        if Waiting.waits:
            Waiting.waits = False
            Waiting.reached.set()
            assert Waiting.go_on.wait(60)
        return self.norm(self.first(x))


@pytest.fixture
def network() -> Iterator[Waiting]:
    """A network whose next forward waits."""
    torch.manual_seed(0)
    Waiting.reached.clear()
    Waiting.go_on.clear()
    Waiting.waits = True
    yield Waiting().requires_grad_(False).eval()
    Waiting.waits = False


def test_networks_can_be_called_while_their_norms_are_traced(network: Waiting) -> None:
    x, other = torch.rand(1, 3, 16, 16), lively().generator()
    with ThreadPoolExecutor(1) as pool:
        graph = pool.submit(trace_norms, network)
        try:
            assert Waiting.reached.wait(60)
            found = network(x), other(x)
        finally:
            Waiting.go_on.set()
        assert graph.result() is not None
    assert all(map(torch.equal, found, (network(x), other(x))))


@pytest.mark.parametrize("tile", ["off", 32])
def test_answers_are_to_the_bit_what_they_are_while_a_network_is_exported(
    tile: str | int, network: Waiting
) -> None:
    """torch.export runs without oneDNN, in all threads."""
    x, predictor = 2 * torch.rand(3, 60, 60) - 1, load(lively(), tile=tile)
    expected = predictor(x)
    with ThreadPoolExecutor(2) as pool:
        program = pool.submit(trace_program, network, ModelConfig(size_multiple=4))
        try:
            assert Waiting.reached.wait(60)
            answer = pool.submit(predictor, x)
            wait([answer], timeout=0.5)
        finally:
            Waiting.go_on.set()
        assert program.result()
        assert torch.equal(answer.result(), expected)
    assert torch.equal(predictor(x), expected)


def test_a_predictor_leaves_its_model_where_it_is() -> None:
    """Weights on `meta` stand for those of a GPU: the model may be in use there."""
    model = lively()
    elsewhere = model.generator().to("meta")
    with pytest.raises(NotImplementedError):  # a copy, whose weights cannot be brought here
        load(model)
    assert all(weight.is_meta for weight in elsewhere.state_dict().values())
