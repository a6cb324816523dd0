"""Instance norm statistics over the whole image, for a network that is run tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.unit.inference.making import random_model
from translate.inference.predictors.statistics import (
    StatisticsInterpreter,
    choose_statistics_tiles,
    pool_statistics,
    trace_norms,
)
from translate.inference.predictors.tile_blending import Tile, Window, choose_windows
from translate.networks.blocks import BatchNorm, InstanceNorm, per_image_norms

HEIGHT, WIDTH = 160, 192
NETWORKS: dict[str, dict[str, Any]] = {
    "instance": {"norm": "instance"},
    "affine": {"norm": "instance-affine", "upsample": "resize"},
    "batch": {"norm": "batch"},
    "U-Net": {"name": "unet", "norm": "batch"},
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    generator = random_model(**NETWORKS[request.param]).requires_grad_(False).generator()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for norm in per_image_norms(generator):
            if norm.weight is not None:
                nn.init.uniform_(norm.weight, 0.5, 2)
                nn.init.normal_(norm.bias)
    return generator


@pytest.fixture
def image() -> Tensor:
    """Noise that grows brighter downwards, (1, 3, H, W): its parts have other statistics than the whole."""
    random = torch.Generator().manual_seed(0)
    values = torch.randn(1, 3, HEIGHT, WIDTH, generator=random)
    return values * 0.2 + torch.linspace(-0.8, 0.8, HEIGHT)[:, None]


def tiles_of(core: int) -> list[Tile]:
    """Return tiles that cover the image."""
    rows, columns = (choose_windows(side, core, 64, 8) for side in (HEIGHT, WIDTH))
    return [(row, column) for row in rows for column in columns]


def crops(image: Tensor, tiles: list[Tile]) -> list[Tensor]:
    return [image[..., row.start : row.stop, column.start : column.stop] for row, column in tiles]


WHOLE_IMAGE = [(Window(0, HEIGHT, 0, HEIGHT), Window(0, WIDTH, 0, WIDTH))]


def with_statistics(
    network: nn.Module, inputs: list[Tensor], tiles: list[Tile]
) -> Callable[[Tensor], Tensor]:
    """Return the network with the norm statistics of these tiles."""
    graph = trace_norms(network)
    assert graph is not None
    return StatisticsInterpreter(network, graph, pool_statistics(network, graph, inputs, tiles)).run


def test_statistics_of_the_whole_image_are_those_of_the_norms(network: nn.Module, image: Tensor) -> None:
    run = with_statistics(network, [image], WHOLE_IMAGE)
    assert (run(image) - network(image)).abs().max() < 1e-5


def test_tiles_that_cover_the_image_have_its_statistics(network: nn.Module, image: Tensor) -> None:
    graph = trace_norms(network)
    assert graph is not None
    whole = pool_statistics(network, graph, [image], WHOLE_IMAGE)
    tiled = pool_statistics(network, graph, crops(image, tiles_of(48)), tiles_of(48))
    norms = per_image_norms(network)
    names = {name for name, module in network.named_modules() if any(module is norm for norm in norms)}
    assert whole.keys() == tiled.keys() == names
    for name in whole:
        (mean, variance), (tiled_mean, tiled_variance) = whole[name], tiled[name]
        assert ((mean - tiled_mean).abs() / variance.sqrt()).max() < 2e-3
        assert (tiled_variance / variance - 1).abs().max() < 5e-3


def test_the_core_of_a_tile_equals_that_part_of_the_whole_output(network: nn.Module, image: Tensor) -> None:
    expected, tiles = network(image), tiles_of(48)
    run = with_statistics(network, crops(image, tiles), tiles)
    for row, column in tiles:
        output = run(image[..., row.start : row.stop, column.start : column.stop])
        core = output[
            ...,
            row.core_start - row.start : row.core_stop - row.start,
            column.core_start - column.start : column.core_stop - column.start,
        ]
        part = expected[..., row.core_start : row.core_stop, column.core_start : column.core_stop]
        assert (core - part).abs().max() < 0.01


def test_the_network_does_not_change(network: nn.Module, image: Tensor) -> None:
    before, state = network(image), {name: value.clone() for name, value in network.state_dict().items()}
    run = with_statistics(network, crops(image, tiles_of(48)), tiles_of(48))
    assert not torch.equal(run(image[..., :64]), network(image[..., :64]))
    assert torch.equal(network(image), before)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


def test_the_network_does_not_change_after_an_error(network: nn.Module, image: Tensor) -> None:
    before = network(image)
    with pytest.raises(RuntimeError):
        with_statistics(network, [image, torch.zeros(1, 3, 4, 4)], WHOLE_IMAGE * 2)
    assert torch.equal(network(image), before)


class Untraceable(nn.Module):
    """A network that branches on the values of a tensor, so that it has no graph."""

    def __init__(self, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm = norm(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x) if x.sum() > 0 else x


def test_a_network_without_per_image_norms_is_not_traced() -> None:
    assert trace_norms(Untraceable(BatchNorm).eval()) is None
    with pytest.raises(torch.fx.proxy.TraceError):
        trace_norms(Untraceable(InstanceNorm))


SIDES = st.integers(1, 30)


@given(rows=SIDES, columns=SIDES, max_count=st.integers(1, 200))
def test_a_sample_has_the_maximum_of_tiles_each_once(rows: int, columns: int, max_count: int) -> None:
    row_windows, column_windows = choose_windows(rows * 8, 8, 8, 8), choose_windows(columns * 8, 8, 8, 8)
    sample = choose_statistics_tiles(row_windows, column_windows, max_count)
    assert len(set(sample)) == len(sample) == min(max_count, rows * columns)
    assert {row for row, _ in sample} <= set(row_windows)
    assert {column for _, column in sample} <= set(column_windows)


@given(rows=st.integers(6, 30), columns=st.integers(6, 30), divisor=st.integers(2, 4))
def test_a_sample_is_spread_evenly_over_the_image(rows: int, columns: int, divisor: int) -> None:
    row_windows, column_windows = choose_windows(rows * 8, 8, 8, 8), choose_windows(columns * 8, 8, 8, 8)
    sample = choose_statistics_tiles(row_windows, column_windows, rows * columns // divisor)
    mean_y, mean_x = (
        sum(window.core_start + window.core_stop for window in axis) / (2 * len(sample))
        for axis in zip(*sample, strict=True)
    )
    assert abs(mean_y - rows * 4) < 0.1 * rows * 8
    assert abs(mean_x - columns * 4) < 0.1 * columns * 8


def test_a_sample_of_one_tile_is_the_middle_one() -> None:
    ((row, column),) = choose_statistics_tiles(choose_windows(40, 8, 8, 8), choose_windows(56, 8, 8, 8), 1)
    assert (row.core_start, column.core_start) == (16, 24)
