"""Threads that share a translator, or trace and export others meanwhile, get the outputs of one thread."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import translate
from tests.unit.inference.making import load, random_model, scene
from translate.config import GeneratorSpec, ModelConfig
from translate.inference.predictors.statistics import trace_norms
from translate.inference.runtime.export import export
from translate.models import Model
from translate.networks import GENERATORS, Generator
from translate.networks.blocks import InstanceNorm

ROUNDS = 8
EXACT = {"device": "cpu", "precision": "fp32", "engine": "torch"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a small model with instance norms."""
    random_model().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_threads_that_share_a_translator_get_the_same_outputs_as_one_thread(
    precision: str, folder: Path
) -> None:
    def load_translator() -> translate.Translator:
        return translate.load(folder, **{**EXACT, "precision": precision, "tile": "32"})

    images = [scene(100, 120, seed=0), scene(90, 140, seed=1).astype(np.uint16) * 257]
    expected = [load_translator()(image) for image in images]
    shared, start = load_translator(), Barrier(3)

    def run_shared(number: int) -> list[np.ndarray]:
        start.wait()
        return [shared(images[number]) for _ in range(ROUNDS)]

    def load_and_run() -> list[np.ndarray]:
        start.wait()
        return [load_translator()(images[0]) for _ in range(ROUNDS)]

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(run_shared, 0), pool.submit(run_shared, 1), pool.submit(load_and_run)]
        outputs = [future.result() for future in futures]
    for results, reference in zip(outputs, (*expected, expected[0]), strict=True):
        assert all(np.array_equal(result, reference) for result in results)


class Pausing(Generator):
    """A network that pauses in its next forward, until the test lets it proceed."""

    # Of the class, because torch.export traces a copy of the network.
    reached, proceed = Event(), Event()
    pauses = False

    def __init__(self, in_channels: int = 3, out_channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = InstanceNorm(3)

    def forward(self, x: Tensor) -> Tensor:
        state = type(self)
        if state.pauses:
            state.pauses = False
            state.reached.set()
            assert state.proceed.wait(60)
        return self.norm(self.conv(x))


class PausingToo(Pausing):
    """A second network that pauses on its own."""

    reached, proceed = Event(), Event()


@pytest.fixture
def pausing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[type[Pausing], Path]]:
    """Return the folders of two models whose networks can pause."""
    folders = {}
    for kind in (Pausing, PausingToo):
        name = kind.__name__.lower()
        monkeypatch.setitem(GENERATORS, name, kind)
        torch.manual_seed(0)
        config = ModelConfig(generator=GeneratorSpec(name=name), size_multiple=4)
        folders[kind] = tmp_path / name
        Model(config, {"AtoB": kind()}).save_pretrained(folders[kind])
        kind.reached.clear()
        kind.proceed.clear()
    yield folders
    Pausing.pauses = PausingToo.pauses = False


def test_networks_run_in_other_threads_while_one_is_traced_for_tiling(
    folder: Path, pausing: dict[type[Pausing], Path]
) -> None:
    traced, other = translate.load(pausing[Pausing], tile="32", **EXACT), translate.load(folder, **EXACT)
    small, large = scene(16, 16), scene(100, 120)
    expected: list[Any] = [traced(small), other(small)]
    Pausing.pauses = True
    with ThreadPoolExecutor(1) as pool:
        tiled = pool.submit(traced, large)
        try:
            assert Pausing.reached.wait(60)
            outputs = [traced(small), other(small)]
        finally:
            Pausing.proceed.set()
        assert np.array_equal(tiled.result(), traced(large))
    assert all(map(np.array_equal, outputs, expected))


def test_networks_that_are_traced_at_the_same_time_run_as_before(pausing: dict[type[Pausing], Path]) -> None:
    """While it traces, torch.fx patches all modules; patches that overlap would stay behind."""
    first, second = (Model.from_pretrained(path).generator() for path in pausing.values())
    x = 2 * torch.rand(1, 3, 16, 16) - 1
    expected = first(x)
    Pausing.pauses = PausingToo.pauses = True
    with ThreadPoolExecutor(1) as thread, ThreadPoolExecutor(1) as other_thread:
        try:
            graph = thread.submit(trace_norms, first)
            assert Pausing.reached.wait(60)
            other_graph = other_thread.submit(trace_norms, second)
            PausingToo.reached.wait(0.5)  # Without a lock, the second trace starts within the first.
            Pausing.proceed.set()
            assert graph.result() is not None
        finally:
            Pausing.proceed.set()
            PausingToo.proceed.set()
        assert other_graph.result() is not None
        assert torch.equal(thread.submit(first, x).result(), expected)


@pytest.mark.parametrize("tile", ["off", "32"])
def test_outputs_stay_the_same_to_the_bit_while_a_model_is_exported(
    tile: str, folder: Path, pausing: dict[type[Pausing], Path], tmp_path: Path
) -> None:
    """torch.export turns off oneDNN for all threads, which rounds differently."""
    translator, x = translate.load(folder, tile=tile, **EXACT), 2 * torch.rand(3, 60, 60) - 1
    expected = translator(x)
    model = Model.from_pretrained(pausing[Pausing])
    Pausing.pauses = True
    with ThreadPoolExecutor(2) as pool:
        exported = pool.submit(export, model, tmp_path / "model.pt2")
        try:
            assert Pausing.reached.wait(60)
            output = pool.submit(translator, x)
            wait([output], timeout=0.5)
        finally:
            Pausing.proceed.set()
        assert exported.result().path.is_file()
        assert torch.equal(output.result(), expected)
    assert torch.equal(translator(x), expected)


def test_a_predictor_does_not_move_the_weights_of_its_model() -> None:
    """Another predictor may be using them on another device, for which `meta` stands here."""
    model = random_model()
    generator = model.generator().to("meta")
    with pytest.raises(
        NotImplementedError
    ):  # A copy is made, but weights on `meta` cannot be copied to the CPU.
        load(model)
    assert all(weight.is_meta for weight in generator.state_dict().values())


def test_a_signal_after_another_thread_has_freed_an_openvino_model_is_handled() -> None:
    """The signal stack that OpenVINO sets must not be left behind; a crash would end this test run, too."""
    pytest.importorskip("openvino")
    translators = [load(random_model(), engine="openvino")]
    thread = Thread(target=translators.clear)
    thread.start()
    thread.join()
    numbers: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: numbers.append(number))
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert numbers == [signal.SIGINT]
