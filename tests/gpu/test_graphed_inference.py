"""Networks on a GPU give an image the same output to the bit: alone, in company, eagerly and as a graph."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.unit.inference.making import StandInGraph, load, multi_domain_model, noise, random_model, scene
from tests.unit.inference.predictors.test_generation import model as noise_model
from translate.images import Frame
from translate.inference import Predictor, Sampler
from translate.inference.predictors import generation
from translate.inference.runtime import runner
from translate.inference.runtime.fixed_batches import TRIAL_AFTER
from translate.inference.runtime.graphs import CAPTURE_AFTER
from translate.models import Model

pytestmark = pytest.mark.gpu
COUNT = 2 * TRIAL_AFTER + 3
MODELS: dict[str, Callable[[], Model]] = {
    "instance norm": lambda: random_model(depth=2),
    "batch norm": lambda: random_model("unet", depth=5, norm="batch", statistics="running"),
    "batch norm by image": lambda: random_model("unet", depth=5, norm="batch"),
    "several domains": multi_domain_model,
    "antialiased": lambda: random_model(depth=1, downsample="blur", upsample="blur"),
}


@pytest.fixture(autouse=True)
def every_capture_succeeds(
    gpu: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Check that no capture fails; let a CPU stand in for a GPU."""
    caplog.set_level(logging.INFO)
    if gpu == "cpu":
        for module in (runner, generation):
            monkeypatch.setattr(module, "find_capture", lambda device: StandInGraph)
    yield
    assert "without CUDA graphs" not in caplog.text


def load_model(name: str, **options: str) -> Predictor:
    """Return a predictor of one of `MODELS`, with a target if it has several domains."""
    return load(MODELS[name](), to="striped" if name == "several domains" else None, **options)


def compare_company(make: Callable[[], Predictor], shape: tuple[int, int], dtype: type) -> None:
    """Compare images alone with images in company, before and after their shape is captured."""
    scale = np.iinfo(dtype).max // 255
    images = [noise(*shape, seed=n).astype(dtype) * dtype(scale) for n in range(COUNT)]
    alone = [make()(image) for image in images[:3]]
    predictor = make()
    for _ in range(2):
        for order in (images, images[::-1], images[:2]):
            outputs = [frame.pixels for frame in predictor.predict_batch([Frame(pixels=x) for x in order])]
            for image, expected in zip(images[:3], alone, strict=True):
                places = [n for n, x in enumerate(order) if x is image]
                assert all(np.array_equal(outputs[n], expected) for n in places)
        assert np.array_equal(predictor(images[0]), alone[0])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("shape", [(64, 64), (200, 256), (70, 50)])
def test_an_image_is_the_same_whatever_its_company(
    name: str, precision: str, shape: tuple[int, int], gpu: str
) -> None:
    def make() -> Predictor:
        return load_model(name, device=gpu, precision=precision)

    compare_company(make, shape, np.uint8)


def test_a_16_bit_image_is_the_same_whatever_its_company(gpu: str) -> None:
    compare_company(lambda: load(random_model(depth=1), device=gpu, precision="bf16"), (64, 80), np.uint16)


def test_a_compiled_network_gives_the_same_output_whatever_the_company(cuda: str) -> None:
    predictor = load(random_model(depth=1), device=cuda, precision="bf16", compile=True)
    images = [Frame(pixels=noise(64, 64, seed=n)) for n in range(COUNT)]
    alone = predictor(images[0].pixels)
    for order in (images, images[::-1], images[:2], images):
        outputs = predictor.predict_batch(order)
        (output,) = [y.pixels for x, y in zip(order, outputs, strict=True) if x is images[0]]
        assert np.array_equal(output, alone)


def test_threads_that_share_a_predictor_get_the_outputs_of_one_thread(gpu: str) -> None:
    predictor = load(random_model(depth=1), device=gpu, precision="auto")
    images = [noise(32 * (1 + n % 3), 64, seed=n) for n in range(4)]
    expected = [load(random_model(depth=1), device=gpu, precision="auto")(image) for image in images]

    def run(number: int) -> list[np.ndarray]:
        return [predictor(images[number]) for _ in range(4 * CAPTURE_AFTER)]

    with ThreadPoolExecutor(4) as pool:
        for number, outputs in enumerate(pool.map(run, range(4))):
            assert all(np.array_equal(y, expected[number]) for y in outputs)


def test_tiles_in_batches_agree_with_one_piece(gpu: str) -> None:
    image = scene(400, 500)
    whole, tiled = (
        load(random_model(depth=2), device=gpu, tile=tile)(image).astype(int) for tile in ("off", 64)
    )
    assert np.abs(whole - tiled).max() <= 2


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_near_those_on_the_cpu(name: str, gpu: str) -> None:
    image = scene(128, 96)
    on_gpu, on_cpu = (load_model(name, device=device)(image).astype(int) for device in (gpu, "cpu"))
    assert np.abs(on_gpu - on_cpu).max() <= 1


def test_samples_are_the_same_one_by_one_and_as_a_graph(gpu: str) -> None:
    sampler: Any = Sampler(noise_model(), device=gpu)
    inputs = sampler.draw(2 * CAPTURE_AFTER)
    alone = [Sampler(noise_model(), device=gpu)(x[None])[0] for x in inputs]
    assert all(map(np.array_equal, sampler(inputs), alone))
