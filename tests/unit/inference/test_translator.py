"""One picture in, one picture of the same size out, whatever else is translated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from tests.pictures import noise
from translate.config import GeneratorSpec, ModelConfig
from translate.errors import DataError, UsageError
from translate.images import Picture
from translate.inference import Translator
from translate.inference.translator import pad
from translate.models import Model
from translate.networks import create_generator

Make = Callable[..., Model]
SIDES = st.integers(1, 70)


def pixels(height: int = 20, width: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def of(network: nn.Module, size_multiple: int = 4) -> Translator:
    config = ModelConfig(size_multiple=size_multiple)
    return Translator(Model(config, {"AtoB": network}), device="cpu", precision="fp32")


def translator(name: str) -> Translator:
    spec = GeneratorSpec(name=name, width=4, depth={"resnet": 1, "unet": 5}[name])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return of(create_generator(spec), {"resnet": 4, "unet": 32}[name])


TRANSLATORS = {name: translator(name) for name in ("resnet", "unet")}


@pytest.mark.parametrize("name", TRANSLATORS)
@given(height=SIDES, width=SIDES)
@example(height=1, width=1)
@example(height=257, width=511)
@settings(max_examples=15)
def test_the_output_has_the_inputs_size(name: str, height: int, width: int) -> None:
    out = TRANSLATORS[name](pixels(height, width))
    assert out.shape == (height, width, 3)
    assert out.dtype == np.uint8


@given(height=SIDES, width=SIDES, multiple=st.sampled_from([1, 3, 4, 32, 64]))
@settings(max_examples=30)
def test_padding_reaches_the_next_multiple_and_keeps_the_picture(
    height: int, width: int, multiple: int
) -> None:
    picture = pixels(height, width)
    padded = pad(picture, multiple)
    assert np.array_equal(padded[:height, :width], picture)
    for side, longer in zip((height, width), padded.shape, strict=False):
        least = max(8, multiple)
        assert longer >= least
        assert longer == least or (longer % multiple == 0 and longer - side < multiple)


def test_padding_mirrors_the_right_and_the_lower_edge() -> None:
    picture = pixels(9, 10)
    padded = pad(picture, 4)
    assert np.array_equal(padded[9:, :10], picture[:5:-1])
    assert np.array_equal(padded[:9, 10:], picture[:, :7:-1])


def test_a_network_that_changes_nothing_gives_the_picture_back() -> None:
    picture = pixels(21, 35)
    assert np.array_equal(of(nn.Identity())(picture), picture)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_picture_is_translated_alike_alone_and_among_others(name: str) -> None:
    pictures = [pixels(20 + 8 * n, 33, seed=n) for n in range(3)]
    alone = [translator(name)(picture) for picture in pictures]
    backwards = [TRANSLATORS[name](picture) for picture in reversed(pictures)]
    assert all(map(np.array_equal, alone, reversed(backwards)))


@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_the_generators_dropout_and_statistics_rest(name: str, tiny_model: Make) -> None:
    model = tiny_model(name).train()
    translate = Translator(model, device="cpu", precision="fp32")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert np.array_equal(translate(pixels()), translate(pixels()))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_bf16_is_near_fp32(tiny_model: Make) -> None:
    full, half = (Translator(tiny_model(), device="cpu", precision=p)(pixels()) for p in ("fp32", "bf16"))
    assert np.abs(full.astype(int) - half).mean() < 3


def test_what_comes_in_comes_out(tmp_path: Path) -> None:
    translate = of(nn.Identity())
    path = noise(tmp_path / "a.png", 20, 30, seed=0)
    image = Image.fromarray(pixels())
    assert isinstance(translate(pixels()), np.ndarray)
    for source in (image, path, str(path)):
        out = translate(source)
        assert isinstance(out, Image.Image)
        assert (out.mode, out.size) == ("RGB", (30, 20))
    assert np.array_equal(np.asarray(translate(image)), pixels())


def test_a_pil_image_of_any_mode_will_do() -> None:
    translate = of(nn.Identity())
    for mode, out in {"L": "RGB", "P": "RGB", "LA": "RGBA", "RGBA": "RGBA", "CMYK": "RGB"}.items():
        assert translate(Image.new(mode, (5, 4))).mode == out


def test_alpha_and_profile_come_along() -> None:
    alpha = pixels()[..., 1]
    out = of(nn.Identity()).picture(Picture(rgb=pixels(), alpha=alpha, icc=b"profile"))
    assert np.array_equal(out.alpha, alpha)
    assert out.icc == b"profile"


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_an_array_of_another_kind_is_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"give \(H, W, 3\) uint8"):
        of(nn.Identity())(array)


def test_arrays_with_any_strides_will_do() -> None:
    flipped = pixels()[::-1, ::-1]
    assert np.array_equal(of(nn.Identity())(flipped), flipped)
    read_only = pixels()
    read_only.setflags(write=False)
    assert np.array_equal(of(nn.Identity())(read_only), read_only)


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png: No such file"):
        of(nn.Identity())(tmp_path / "none.png")


def test_the_direction_chooses_the_generator(tiny_model: Make) -> None:
    model = tiny_model(directions=("AtoB", "BtoA"))
    nn.init.zeros_(model.generators["BtoA"].decoder[-1].weight)
    nn.init.zeros_(model.generators["BtoA"].decoder[-1].bias)
    gray = Translator(model, direction="BtoA", device="cpu")(pixels())
    assert (gray == 128).all()
    assert not np.array_equal(Translator(model, device="cpu")(pixels()), gray)
    with pytest.raises(UsageError, match="direction 'CtoD'"):
        Translator(model, direction="CtoD")
