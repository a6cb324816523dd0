"""Norms see the whole image, though the network sees windows of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.unit.inference.making import lively
from translate.inference.predictors.statistics import (
    Core,
    StatisticsInterpreter,
    pool_statistics,
    spread,
    trace_norms,
)
from translate.inference.predictors.tiles import Span, cut
from translate.networks.blocks import BatchNorm, InstanceNorm, per_image_norms

HEIGHT, WIDTH = 160, 192
KINDS: dict[str, dict[str, Any]] = {
    "instance": {"norm": "instance"},
    "affine": {"norm": "instance-affine", "upsample": "resize"},
    "batch": {"norm": "batch"},
    "U-Net": {"name": "unet", "norm": "batch"},
}


@pytest.fixture(params=KINDS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    made = lively(**KINDS[request.param]).requires_grad_(False).generator()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for norm in per_image_norms(made):
            if norm.weight is not None:
                nn.init.uniform_(norm.weight, 0.5, 2)
                nn.init.normal_(norm.bias)
    return made


@pytest.fixture
def frame() -> Tensor:
    """(1, 3, H, W): noise that grows brighter downwards."""
    draw = torch.Generator().manual_seed(0)
    return torch.randn(1, 3, HEIGHT, WIDTH, generator=draw) * 0.2 + torch.linspace(-0.8, 0.8, HEIGHT)[:, None]


def cells(core: int) -> list[Core]:
    rows, columns = (cut(side, core, 64, 8) for side in (HEIGHT, WIDTH))
    return [(row, column) for row in rows for column in columns]


def windows(frame: Tensor, cores: list[Core]) -> list[Tensor]:
    return [frame[..., row.start : row.stop, column.start : column.stop] for row, column in cores]


WHOLE = [(Span(0, HEIGHT, 0, HEIGHT), Span(0, WIDTH, 0, WIDTH))]


def run_by(network: nn.Module, windows: list[Tensor], cores: list[Core]) -> Callable[[Tensor], Tensor]:
    """The network with the statistics of these windows."""
    graph = trace_norms(network)
    assert graph is not None
    return StatisticsInterpreter(network, graph, pool_statistics(network, graph, windows, cores)).run


def test_the_statistics_of_the_whole_are_those_that_its_norms_use(network: nn.Module, frame: Tensor) -> None:
    run = run_by(network, [frame], WHOLE)
    assert (run(frame) - network(frame)).abs().max() < 1e-5


def test_windows_that_cover_the_image_have_its_statistics(network: nn.Module, frame: Tensor) -> None:
    graph = trace_norms(network)
    assert graph is not None
    whole = pool_statistics(network, graph, [frame], WHOLE)
    parts = pool_statistics(network, graph, windows(frame, cells(48)), cells(48))
    norms = per_image_norms(network)
    names = {name for name, module in network.named_modules() if any(module is norm for norm in norms)}
    assert whole.keys() == parts.keys() == names
    for norm in whole:
        (mean, variance), (pooled_mean, pooled_variance) = whole[norm], parts[norm]
        assert ((mean - pooled_mean).abs() / variance.sqrt()).max() < 2e-3
        assert (pooled_variance / variance - 1).abs().max() < 5e-3


def test_a_window_is_translated_as_its_part_of_the_whole(network: nn.Module, frame: Tensor) -> None:
    expected, cores = network(frame), cells(48)
    run = run_by(network, windows(frame, cores), cores)
    for row, column in cores:
        part = run(frame[..., row.start : row.stop, column.start : column.stop])
        inner = part[
            ...,
            row.core_start - row.start : row.core_stop - row.start,
            column.core_start - column.start : column.core_stop - column.start,
        ]
        there = expected[..., row.core_start : row.core_stop, column.core_start : column.core_stop]
        assert (inner - there).abs().max() < 0.01


def test_the_network_stays_as_it_is(network: nn.Module, frame: Tensor) -> None:
    before, state = network(frame), {name: value.clone() for name, value in network.state_dict().items()}
    run = run_by(network, windows(frame, cells(48)), cells(48))
    assert not torch.equal(run(frame[..., :64]), network(frame[..., :64]))
    assert torch.equal(network(frame), before)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


def test_the_network_is_as_it_was_after_an_error_too(network: nn.Module, frame: Tensor) -> None:
    before = network(frame)
    with pytest.raises(RuntimeError):
        run_by(network, [frame, torch.zeros(1, 3, 4, 4)], WHOLE * 2)
    assert torch.equal(network(frame), before)


class Untraceable(nn.Module):
    """Looks at the values: no graph can be made of it."""

    def __init__(self, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm = norm(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x) if x.sum() > 0 else x


def test_a_network_without_norms_of_an_images_own_is_not_traced() -> None:
    assert trace_norms(Untraceable(BatchNorm).eval()) is None
    with pytest.raises(torch.fx.proxy.TraceError):
        trace_norms(Untraceable(InstanceNorm))


SIDES = st.integers(1, 30)


@given(rows=SIDES, columns=SIDES, most=st.integers(1, 200))
def test_a_sample_has_as_many_windows_as_it_may_each_once(rows: int, columns: int, most: int) -> None:
    down, across = cut(rows * 8, 8, 8, 8), cut(columns * 8, 8, 8, 8)
    sample = spread(down, across, most)
    assert len(set(sample)) == len(sample) == min(most, rows * columns)
    assert {row for row, _ in sample} <= set(down)
    assert {column for _, column in sample} <= set(across)


@given(rows=st.integers(6, 30), columns=st.integers(6, 30), share=st.integers(2, 4))
def test_a_sample_is_strewn_evenly_over_the_image(rows: int, columns: int, share: int) -> None:
    down, across = cut(rows * 8, 8, 8, 8), cut(columns * 8, 8, 8, 8)
    sample = spread(down, across, rows * columns // share)
    middle, center = (
        sum(span.core_start + span.core_stop for span in axis) / (2 * len(sample))
        for axis in zip(*sample, strict=True)
    )
    assert abs(middle - rows * 4) < 0.1 * rows * 8
    assert abs(center - columns * 4) < 0.1 * columns * 8


def test_the_only_window_of_a_sample_is_in_the_middle() -> None:
    ((row, column),) = spread(cut(40, 8, 8, 8), cut(56, 8, 8, 8), 1)
    assert (row.core_start, column.core_start) == (16, 24)
