"""Padded batches of a fixed size, as on a GPU: an image's output is the same to the bit whatever its company.

A GPU is not needed: the CPU stands in for it, and a graph stands in that calls the recorded function.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests import images
from tests.unit.inference.making import (
    BatchDependent,
    Negative,
    StandInGraph,
    load,
    noise,
    predictor_of,
    random_model,
    scene,
)
from translate.images import Frame, read_rgb, to_pixels
from translate.images.tensors import quantize
from translate.inference import Predictor, translate_folder
from translate.inference.runtime import runner
from translate.inference.runtime.fixed_batches import TRIAL_AFTER, batch_pixels, fixed_batch_size
from translate.inference.runtime.graphs import CAPTURE_AFTER, Forward
from translate.networks.generators.identity import Identity

PREDICTORS: dict[str, Callable[[], Predictor]] = {
    "resnet": lambda: load(random_model(depth=1)),
    "unet in bfloat16": lambda: load(
        random_model("unet", norm="batch", statistics="running"), precision="bf16"
    ),
    "dependent on the batch": lambda: predictor_of(BatchDependent()),
}


class RecordingNegative(Negative):
    """A network that inverts images, and records the shapes of its batches and what they contain."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(x.clone())
        return super().forward(x)


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Let the CPU stand in for a GPU; return the shapes that are captured."""
    shapes: list[torch.Size] = []

    def capture(forward: Forward, x: Tensor) -> Forward:
        shapes.append(x.shape)
        return StandInGraph(forward, x)

    monkeypatch.setattr(runner, "find_capture", lambda device: capture)
    return shapes


@pytest.mark.parametrize("name", PREDICTORS)
def test_an_image_is_the_same_alone_first_last_and_in_any_company(
    name: str, captures: list[torch.Size]
) -> None:
    predictor = PREDICTORS[name]()
    frames = [Frame(pixels=noise(16, 24, seed=n)) for n in range(2 * TRIAL_AFTER + 3)]
    alone = [PREDICTORS[name]()(frame.pixels) for frame in frames]
    for _ in range(2):  # In the second pass, the shape has been captured.
        for count in (len(frames), 2):  # The last batch is ragged.
            outputs = predictor.predict_batch(frames[:count][::-1])[::-1]
            assert all(np.array_equal(y.pixels, a) for y, a in zip(outputs, alone, strict=False))
        assert np.array_equal(predictor(frames[1].pixels), alone[1])
    assert len(captures) == 1


def test_outputs_are_those_of_the_network_and_padding_is_none_of_them(captures: list[torch.Size]) -> None:
    network = RecordingNegative()
    predictor = predictor_of(network)
    for count in (1, 2, 9, 20, 21):
        frames = [Frame(pixels=noise(seed=n)) for n in range(count)]
        outputs = predictor.predict_batch(frames)
        assert len(outputs) == count
        assert all(np.array_equal(y.pixels, 255 - x.pixels) for x, y in zip(frames, outputs, strict=True))
    assert {len(batch) for batch in network.batches} == {8}
    assert any((batch[1:] == -1).all() for batch in network.batches)  # An image beside padding alone.


def test_a_folder_gives_the_files_that_each_image_gives_alone(
    captures: list[torch.Size], tmp_path: Path
) -> None:
    for number in range(2 * CAPTURE_AFTER):
        images.noise(tmp_path / "in" / f"{number:02}.png", 16, 24, seed=number)
    images.noise(tmp_path / "in" / "05b.png", 13, 24, seed=99)
    predictor = PREDICTORS["resnet"]()
    for outcome in translate_folder(predictor, [tmp_path / "in"], tmp_path / "out", workers=0):
        alone = PREDICTORS["resnet"]()(np.asarray(read_rgb(outcome.source)))
        assert np.array_equal(read_rgb(outcome.target), alone)


def test_sizes_that_occur_once_are_neither_tried_nor_captured(captures: list[torch.Size]) -> None:
    network = RecordingNegative()
    predictor = predictor_of(network)
    frames = [Frame(pixels=noise(20 + 4 * n, 30)) for n in range(2 * CAPTURE_AFTER)]
    predictor.predict_batch([frame for frame in frames for _ in range(2)])
    assert len(network.batches) == 2 * len(frames)
    assert not captures


def test_a_16_bit_image_runs_in_float32_and_is_captured_too(captures: list[torch.Size]) -> None:
    deep = noise().astype(np.uint16) * 251
    predictor = load(random_model(), precision="bf16")
    outputs = [predictor(deep) for _ in range(CAPTURE_AFTER + 2)]
    outputs += [frame.pixels for frame in predictor.predict_batch([Frame(pixels=deep), Frame(pixels=deep)])]
    assert len(captures) == 1
    assert all(np.array_equal(y, load(random_model())(deep)) for y in outputs)


@pytest.mark.parametrize("tile", [32, 200])
def test_tiles_share_padded_batches(tile: int, captures: list[torch.Size]) -> None:
    network = RecordingNegative()
    for image in (noise(150, 333), noise(150, 333).astype(np.uint16) * 251):
        white = np.iinfo(image.dtype).max
        assert np.array_equal(predictor_of(network, tile=tile)(image), white - image)
    sizes = {len(batch) for batch in network.batches}
    assert sizes == ({8} if tile == 32 else {2})
    model = random_model(depth=1)
    whole, tiled = (load(model, tile=t)(scene(100, 250)).astype(int) for t in ("off", tile))
    assert np.abs(whole - tiled).max() <= 2


@pytest.mark.parametrize(
    ("side", "count", "compiled_count"),
    [(1, 8, 8), (128, 8, 8), (200, 2, 8), (256, 2, 8), (300, 1, 4), (512, 1, 2), (4000, 1, 1)],
)
def test_the_size_of_a_batch_follows_from_the_size_of_the_image(
    side: int, count: int, compiled_count: int
) -> None:
    cpu = torch.device("cpu")
    counts = [fixed_batch_size(side**2, batch_pixels(cpu, compiled=compiled)) for compiled in (False, True)]
    assert counts == [count, compiled_count]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_images_are_rounded_on_the_device_as_on_the_host(memory_format: torch.memory_format) -> None:
    x = 2.4 * torch.rand(2, 3, 40, 50, generator=torch.Generator().manual_seed(0)) - 1.2
    y = quantize(x.to(memory_format=memory_format)).numpy()
    assert all(map(np.array_equal, y, map(to_pixels, x)))


def test_the_outputs_are_those_without_fixed_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    image: Any = noise(40, 48)
    before = predictor_of(Identity())(image)
    monkeypatch.setattr(runner, "find_capture", lambda device: StandInGraph)
    assert np.array_equal(predictor_of(Identity())(image), before)
