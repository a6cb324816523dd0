"""Graphs of forward passes: which shapes are captured, how many are kept, and what a failure does."""

from __future__ import annotations

import logging
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor
from torch.backends import cudnn

from tests.unit.inference.making import StandInGraph
from translate.inference.runtime.graphs import (
    CAPTURE_AFTER,
    MAX_GRAPH_VALUES,
    MAX_GRAPHS,
    RECENT,
    Forward,
    GraphedForwards,
)


class Recorder:
    """Captures forward passes; knows the width of each input, and which graphs still exist."""

    def __init__(self) -> None:
        self.widths: list[int] = []
        self.graphs: weakref.WeakSet[StandInGraph] = weakref.WeakSet()

    def __call__(self, forward: Forward, x: Tensor) -> Forward:
        graph = StandInGraph(forward, x)
        self.widths.append(x.shape[-1])
        self.graphs.add(graph)
        return graph


@pytest.fixture
def recorder() -> Recorder:
    """Return a recorder that has captured nothing yet."""
    return Recorder()


def run(graphs: GraphedForwards, width: int, times: int = 1) -> None:
    """Run an input of a width so often; check each output."""
    for _ in range(times):
        x = torch.rand(1, 3, 2, width)
        assert torch.equal(graphs("negative", torch.neg, x), -x)


def test_a_shape_is_captured_once_it_recurs(recorder: Recorder) -> None:
    graphs = GraphedForwards(recorder)
    run(graphs, 1, CAPTURE_AFTER - 1)
    assert not recorder.widths
    run(graphs, 1, 3 * RECENT)
    assert recorder.widths == [1]


def test_images_of_all_different_sizes_and_large_ones_run_without_graphs(recorder: Recorder) -> None:
    graphs = GraphedForwards(recorder)
    for repeat in range(3):
        for width in range(1, RECENT):
            run(graphs, width + repeat)
    large = torch.zeros(1, 1, 1, 1).expand(1, 1, 1, MAX_GRAPH_VALUES + 1)
    for _ in range(2 * CAPTURE_AFTER):
        graphs("negative", torch.neg, large)
    assert not recorder.widths


def test_few_graphs_are_kept_and_sizes_that_take_turns_do_not_push_each_other_out(recorder: Recorder) -> None:
    graphs = GraphedForwards(recorder)
    for _ in range(3 * RECENT):
        for width in range(1, MAX_GRAPHS + 2):
            run(graphs, width)
    assert len(recorder.widths) == MAX_GRAPHS
    run(graphs, 99, RECENT + 1)  # By now, the other sizes are out of use.
    assert recorder.widths[MAX_GRAPHS:] == [99]
    assert len(recorder.graphs) == MAX_GRAPHS


def test_functions_and_types_have_graphs_of_their_own(recorder: Recorder) -> None:
    graphs = GraphedForwards(recorder)
    for _ in range(CAPTURE_AFTER + 1):
        for x in (torch.ones(1, 3, 2, 2), torch.ones(1, 3, 2, 2, dtype=torch.uint8)):
            assert torch.equal(graphs("double", lambda x: 2 * x, x), 2 * x)
            assert torch.equal(graphs("triple", lambda x: 3 * x, x), 3 * x)
    assert len(recorder.widths) == 4


def test_an_output_stays_as_it_is_when_the_graph_runs_again(recorder: Recorder) -> None:
    graphs = GraphedForwards(recorder)
    run(graphs, 5, CAPTURE_AFTER)
    inputs = [torch.full((1, 3, 2, 5), float(n)) for n in range(3)]
    outputs = [graphs("negative", torch.neg, x) for x in inputs]
    assert all(torch.equal(y, -x) for x, y in zip(inputs, outputs, strict=True))


def test_after_a_failed_capture_networks_run_without_graphs_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(forward: Forward, x: Tensor) -> Forward:
        raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors ...")

    caplog.set_level(logging.INFO)
    graphs = GraphedForwards(fail)
    for width in (1, 2):
        run(graphs, width, 2 * CAPTURE_AFTER)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "without CUDA graphs: operation not permitted" in line
    assert "\n" not in line


def test_a_forward_pass_runs_under_settings_that_repeat_its_output(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(x: Tensor) -> Tensor:
        assert cudnn.deterministic
        assert not cudnn.benchmark
        with torch.autocast("cpu", torch.bfloat16):
            assert not torch.is_autocast_cache_enabled()
        return -x

    monkeypatch.setattr(cudnn, "benchmark", True)
    graphs = GraphedForwards(recorder)
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(graphs, "check", check, torch.zeros(1, 3, 2, 2)) for _ in range(40)]:
            future.result()
    assert not cudnn.deterministic
    assert cudnn.benchmark
    assert torch.is_autocast_cache_enabled()


def test_threads_take_turns_with_a_graph(recorder: Recorder) -> None:
    graphs = GraphedForwards(recorder)
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(run, graphs, 3 + n % 2, 50) for n in range(4)]:
            future.result()
    assert sorted(recorder.widths) == [3, 4]
