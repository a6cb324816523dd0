"""Folders on a GPU: a file comes out the same alone, first, last, and beside any others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import translate
from tests.images import noise
from tests.unit.inference.making import random_model, scene
from translate.images import read_rgb, write_rgb

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu-model") / "model"
    random_model(depth=2).save_pretrained(folder)
    return folder


def write_noise(folder: Path, sizes: list[tuple[int, int]]) -> list[Path]:
    return [noise(folder / f"{number:02}.png", *size, seed=number) for number, size in enumerate(sizes)]


SIZES: dict[str, list[tuple[int, int]]] = {
    "one size": [(64, 64)] * 21,
    "all different": [(48 + 4 * number, 64) for number in range(9)],
    "some sizes": [(64, 64), (80, 60), (64, 64)] * 7,
    "large": [(256, 256)] * 5,
}


@pytest.mark.parametrize("options", [{}, {"precision": "fp32"}, {"tile": "32"}], ids=str)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_a_file_is_the_same_alone_and_in_a_folder(
    sizes: list[tuple[int, int]], options: dict[str, Any], gpu: str, model: Path, tmp_path: Path
) -> None:
    paths = write_noise(tmp_path / "in", sizes)
    options = {"device": gpu, "engine": "torch", **options}
    outcomes = translate.load(model, **options).folder(tmp_path / "in", tmp_path / "all")
    assert [outcome.failure for outcome in outcomes] == [""] * len(paths)
    for path in (paths[0], paths[len(paths) // 2], paths[-1]):
        translate.load(model, **options).folder(path, tmp_path / "alone")
        expected = (tmp_path / "alone" / path.name).read_bytes()
        assert (tmp_path / "all" / path.name).read_bytes() == expected
        image = translate.load(model, **options)(path)
        assert np.array_equal(np.asarray(image), read_rgb(tmp_path / "alone" / path.name))


@pytest.mark.parametrize("name", ["colorize", "inpaint"])
def test_an_installed_model_gives_nearly_what_it_gives_on_the_cpu(
    name: str, gpu: str, tmp_path: Path
) -> None:
    for number in range(3):
        write_rgb(scene(96, 128, seed=number), tmp_path / "in" / f"{number}.png")
    mask = np.zeros((96, 128), np.uint8)
    mask[30:60, 40:80] = 255
    options = {"precision": "fp32", "engine": "torch"}
    on_gpu, on_cpu = (translate.load(name, device=device, **options) for device in (gpu, "cpu"))
    for path in sorted((tmp_path / "in").iterdir()):
        arguments = (path, mask) if name == "inpaint" else (path,)
        first, second = (np.asarray(model(*arguments)).astype(int) for model in (on_gpu, on_cpu))
        assert np.abs(first - second).max() <= 2


@pytest.mark.usefixtures("little_memory")
def test_an_image_that_does_not_fit_into_memory_is_named_with_the_remedy(
    gpu: str, model: Path, tmp_path: Path
) -> None:
    write_noise(tmp_path / "in", [(64, 64), (1500, 1500), (64, 64)])
    translator = translate.load(model, device=gpu, engine="torch", precision="fp32", tile="off")
    first, large, last = translator.folder(tmp_path / "in", tmp_path / "out")
    assert (first.failure, last.failure) == ("", "")
    assert "01.png: does not fit into memory: " in large.failure
    assert "--tile" in large.failure
