"""A predictor returns an image of the size and type of its input, whatever else it has translated."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import fx, nn

from tests import images
from tests.unit.inference.making import (
    BatchDependent,
    Negative,
    RecordingIdentity,
    load,
    noise,
    predictor_of,
    random_model,
)
from translate.config import ColorizationModelConfig, ModelConfig
from translate.errors import DataError, UsageError
from translate.images import Frame
from translate.inference import load_predictor, translate_folder
from translate.inference.predictors.padding import PaddedImage
from translate.inference.predictors.translation import MAX_BATCH_PIXELS
from translate.inference.runtime.engines import MAX_BATCH_SIZE
from translate.models import Model
from translate.networks.generators.identity import Identity

Make = Callable[..., Model]
SIDES = st.integers(1, 70)
MODELS: dict[str, dict[str, Any]] = {
    "resnet": {"depth": 1},
    "unet": {"name": "unet", "depth": 5, "norm": "batch", "statistics": "running"},
}
PREDICTORS = {name: load(random_model(**spec)) for name, spec in MODELS.items()}


@pytest.mark.parametrize("name", PREDICTORS)
@given(height=SIDES, width=SIDES)
@example(height=1, width=1)
@example(height=257, width=511)
@settings(max_examples=15)
def test_the_output_has_the_size_of_the_input(name: str, height: int, width: int) -> None:
    out = PREDICTORS[name](noise(height, width))
    assert out.shape == (height, width, 3)
    assert out.dtype == np.uint8


@given(
    height=SIDES, width=SIDES, multiple=st.sampled_from([1, 3, 4, 32, 64]), channels=st.sampled_from([1, 3])
)
@settings(max_examples=30)
def test_an_image_is_padded_to_the_next_multiple_by_mirroring(
    height: int, width: int, multiple: int, channels: int
) -> None:
    frame = noise(height, width, channels)
    image = PaddedImage(Frame(pixels=frame), multiple, channels)
    for side, padded_side in ((height, image.height), (width, image.width)):
        assert padded_side % multiple == 0
        assert 0 <= padded_side - max(side, 8) < multiple
    padding = [(0, image.height - height), (0, image.width - width), (0, 0)]
    expected = np.pad(frame, padding, mode="symmetric").transpose(2, 0, 1)[None]
    assert np.array_equal(np.rint((image.to_tensor().numpy() + 1) * 127.5), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_gray_network_gets_the_luminance_of_a_colour_image(dtype: type) -> None:
    white = np.iinfo(dtype).max
    frame = np.array([[[white, 0, 0], [0, white, 0], [0, 0, white], [white, white, white]]], dtype)
    out = predictor_of(Identity(), channels=1)(frame)
    assert out.shape == (1, 4, 1)
    assert np.abs(out[0, :, 0] / white - [0.299, 0.587, 0.114, 1]).max() < 0.002


def test_a_colour_network_gets_a_gray_image_as_rgb() -> None:
    gray = noise(9, 10, 1)
    assert np.array_equal(predictor_of(Negative())(gray), 255 - np.repeat(gray, 3, axis=2))


@pytest.mark.parametrize("name", PREDICTORS)
def test_the_output_does_not_depend_on_the_images_before(name: str) -> None:
    arrays = [noise(20 + 8 * n, 33, seed=n) for n in range(3)]
    expected = [load(random_model(**MODELS[name]))(array) for array in arrays]
    reverse_order = [PREDICTORS[name](array) for array in reversed(arrays)]
    assert all(map(np.array_equal, expected, reversed(reverse_order)))


def pixels(frames: list[Frame]) -> list[np.ndarray]:
    return [frame.pixels for frame in frames]


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_images_of_a_batch_are_translated_as_alone(name: str, precision: str) -> None:
    predictor = load(random_model(**MODELS[name]), precision=precision)
    assert predictor.runner.max_batch_size == {"resnet": 1, "unet": MAX_BATCH_SIZE}[name]
    frames = [Frame(pixels=noise(40, 50, seed=n)) for n in range(2 * MAX_BATCH_SIZE + 3)]
    expected = [predictor.predict(frame).pixels for frame in frames]
    assert all(map(np.array_equal, pixels(predictor.predict_batch(frames)), expected))
    assert all(map(np.array_equal, pixels(predictor.predict_batch(frames[::-1])), expected[::-1]))


def test_small_images_of_one_size_run_as_a_batch() -> None:
    network = RecordingIdentity()
    frames = [Frame(pixels=noise(seed=n)) for n in range(MAX_BATCH_SIZE + 3)]
    outputs = predictor_of(network).predict_batch(frames)
    assert max(network.batch_sizes) == MAX_BATCH_SIZE > 1
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, outputs, strict=True))


def test_large_and_16_bit_images_and_images_of_different_sizes_run_one_by_one() -> None:
    network = RecordingIdentity()
    predictor = predictor_of(network)
    deep = Frame(pixels=noise().astype(np.uint16))
    large = Frame(pixels=np.zeros((MAX_BATCH_PIXELS // 1000 + 1, 1000, 3), np.uint8))
    small = Frame(pixels=noise(30, 20))
    outputs = predictor.predict_batch([deep, deep, large, large, small, deep])
    assert len(outputs) == 6
    assert set(network.batch_sizes) == {1}
    assert predictor.max_batch_size((1000, MAX_BATCH_PIXELS // 1000 + 1)) == 1
    assert predictor.max_batch_size((1, 1)) == MAX_BATCH_SIZE


def test_alpha_stays_with_its_image_in_a_batch() -> None:
    frames = [Frame(pixels=noise(seed=n), alpha=noise(seed=n)[..., 1] if n % 2 else None) for n in range(4)]
    for frame, out in zip(frames, predictor_of(Identity()).apply(frames), strict=True):
        assert np.array_equal(out.pixels, frame.pixels)
        assert out.alpha is frame.alpha


def test_a_network_that_depends_on_the_batch_runs_images_one_by_one() -> None:
    predictor = predictor_of(BatchDependent())
    assert predictor.runner.max_batch_size > 1
    frames = [Frame(pixels=noise(seed=n) // (n + 1)) for n in range(MAX_BATCH_SIZE + 1)]
    expected = [predictor.predict(frame).pixels for frame in frames]
    for _ in range(2):
        assert all(map(np.array_equal, pixels(predictor.predict_batch(frames)), expected))


def test_a_network_that_depends_on_the_batch_is_recognized_by_black_images_too() -> None:
    predictor = predictor_of(BatchDependent())
    predictor.predict_batch([Frame(pixels=np.zeros((20, 30, 3), np.uint8))] * MAX_BATCH_SIZE)
    frames = [Frame(pixels=noise(seed=n) // (n + 1)) for n in range(MAX_BATCH_SIZE)]
    expected = [predictor.predict(frame).pixels for frame in frames]
    assert all(map(np.array_equal, pixels(predictor.predict_batch(frames)), expected))


@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_dropout_is_off_and_running_statistics_do_not_change(name: str, tiny_model: Make) -> None:
    model = tiny_model(name).train()
    predictor = load(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert np.array_equal(predictor(noise()), predictor(noise()))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_bf16_is_near_fp32_and_leaves_the_model_in_fp32(tiny_model: Make) -> None:
    model = tiny_model()
    full, half = (load(model, precision=precision)(noise()) for precision in ("fp32", "bf16"))
    assert np.abs(full.astype(int) - half).mean() < 3
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_16_bit_images_are_computed_in_float32_whatever_the_precision() -> None:
    deep = noise().astype(np.uint16) * 251
    full, half = (load(random_model(), precision=precision)(deep) for precision in ("fp32", "bf16"))
    assert np.array_equal(full, half)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_array_returns_an_array_of_its_bit_depth(dtype: type, channels: int) -> None:
    white = np.iinfo(dtype).max
    planes = noise(9, 10, channels).astype(dtype) * (white // 255)
    out = predictor_of(Negative())(planes)
    assert out.dtype == dtype
    has_alpha = channels in (2, 4)
    assert out.shape == (9, 10, 3 + has_alpha)
    opaque = planes[..., -1] == white if has_alpha else np.full((9, 10), True)
    negative = np.broadcast_to(white - planes[..., : channels - has_alpha], (9, 10, 3))
    assert np.array_equal(out[opaque, :3], negative[opaque])
    assert not has_alpha or np.array_equal(out[..., 3], planes[..., -1])


def test_an_array_without_channels_is_gray() -> None:
    gray = noise()[..., 0]
    assert np.array_equal(predictor_of(Negative())(gray), 255 - np.dstack([gray] * 3))


def test_arrays_may_have_any_strides_and_be_read_only() -> None:
    flipped = noise()[::-1, ::-1]
    assert np.array_equal(predictor_of(Identity())(flipped), flipped)
    read_only = noise()
    read_only.setflags(write=False)
    assert np.array_equal(predictor_of(Identity())(read_only), read_only)


@pytest.mark.parametrize("shape", [(3, 9, 10), (1, 3, 9, 10), (4, 3, 9, 10), (1, 9, 10), (2, 1, 9, 10)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_tensor_returns_a_tensor_of_its_dtype_and_shape(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)
    out = predictor_of(Negative())(x)
    assert out.dtype == dtype
    assert out.shape == (*shape[:-3], 3, 9, 10)
    assert (out + x).abs().max() < 1e-6
    assert x.abs().max() > 0.5


def test_the_output_of_a_tensor_has_no_gradient() -> None:
    x = torch.zeros(3, 8, 8, requires_grad=True)
    out = predictor_of(Negative())(x)
    assert not out.requires_grad


def test_each_image_of_a_tensor_batch_is_translated_as_alone() -> None:
    x = torch.rand(3, 3, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for predictor in (predictor_of(BatchDependent()), *PREDICTORS.values()):
        assert torch.equal(predictor(x), torch.stack([predictor(image) for image in x]))


def test_a_path_or_a_pil_image_returns_a_pil_image(tmp_path: Path) -> None:
    predictor = predictor_of(Negative())
    path = images.noise(tmp_path / "a.png", 20, 30)
    image = Image.fromarray(noise(seed=0))
    for source in (image, path, str(path)):
        out = predictor(source)
        assert isinstance(out, Image.Image)
        assert (out.mode, out.size) == ("RGB", (30, 20))
    assert np.array_equal(np.asarray(predictor(image)), 255 - noise(seed=0))


@pytest.mark.parametrize(
    ("mode", "output_mode"),
    {"L": "RGB", "P": "RGB", "1": "RGB", "LA": "RGBA", "RGBA": "RGBA", "CMYK": "CMYK", "I;16": "RGB"}.items(),
)
def test_a_pil_image_of_any_mode_is_translated(mode: str, output_mode: str) -> None:
    color = (255, 254, 253) if mode == "RGBA" else None
    image = Image.new("RGB", (5, 4), color or "white").convert(mode) if mode != "I;16" else deep_white()
    out = predictor_of(Identity())(image)
    assert out.mode == output_mode
    assert np.asarray(out.convert("RGB")).min() >= 250


def deep_white() -> Image.Image:
    return Image.fromarray(np.full((4, 5), 65535, np.uint16))


def test_a_gray_network_returns_gray_images() -> None:
    predictor = predictor_of(Negative(), channels=1)
    gray = noise()[..., 0]
    assert np.array_equal(np.asarray(predictor(Image.fromarray(gray))), 255 - gray)
    assert predictor(Image.fromarray(noise())).mode == "L"


def test_alpha_is_kept_and_the_exif_orientation_is_applied() -> None:
    rgba = Image.fromarray(noise(6, 9, 4))
    rgba.getexif()[0x0112] = 6
    out = predictor_of(Identity())(rgba)
    assert np.array_equal(np.asarray(out), np.rot90(noise(6, 9, 4), -1))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(8, np.uint8),
        np.zeros((8, 8, 5), np.uint8),
        np.zeros((8, 8, 0), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.int16),
        np.zeros((8, 8), bool),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8, 3), ">u2"),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_an_array_of_another_shape_or_dtype_is_refused_in_one_line(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=rf"^an array of {re.escape(str(array.shape))} {array.dtype}[^\n]*$"):
        predictor_of(Identity())(array)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (torch.zeros(8, 8), r"a tensor of \(8, 8\) torch.float32: give"),
        (torch.zeros(2, 8, 8), r"a tensor of \(2, 8, 8\)"),
        (torch.zeros(8, 8, 3), r"a tensor of \(8, 8, 3\)"),
        (torch.zeros(0, 3, 8, 8), r"a tensor of \(0, 3, 8, 8\)"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "torch.uint8: give"),
        (torch.full((3, 8, 8), 255.0), r"from 255 to 255: .*\[-1, 1\]"),
        (torch.full((3, 8, 8), -1.5), "from -1.5 to -1.5"),
        (torch.full((3, 8, 8), torch.nan), "from nan to nan"),
    ],
    ids=str,
)
def test_a_tensor_of_another_shape_dtype_or_range_is_refused_in_one_line(
    x: torch.Tensor, reason: str
) -> None:
    with pytest.raises(DataError, match=reason) as refusal:
        predictor_of(Identity())(x)
    assert "\n" not in str(refusal.value)


def test_unreadable_files_and_unusable_pil_images_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    for source, reason in (
        (tmp_path / "none.png", r"none\.png: No such file"),
        (str(tmp_path / "text.png"), r"text\.png: not an image"),
        (Image.new("F", (4, 4)), "32-bit float"),
    ):
        with pytest.raises(DataError, match=reason) as refusal:
            predictor_of(Identity())(source)
        assert "\n" not in str(refusal.value)


def test_folders_and_other_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(str(tmp_path))):
        predictor_of(Identity())(tmp_path)
    with pytest.raises(UsageError, match="NoneType"):
        predictor_of(Identity())(None)  # type: ignore[call-overload]


@pytest.mark.parametrize("tile", [0, 31, -64, "64px", "", "all", 64.5])
def test_an_invalid_tile_is_refused(tile: Any) -> None:
    with pytest.raises(UsageError, match="tile"):
        predictor_of(Identity(), tile=tile)


@pytest.mark.parametrize("tile", [32, "64", "auto", "off"])
def test_a_tile_may_be_a_string_or_a_number(tile: Any) -> None:
    assert np.array_equal(predictor_of(Negative(), tile=tile)(noise(70, 99)), 255 - noise(70, 99))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (ModelConfig(in_channels=4), "maps 4 to 3 channels"),
        (ModelConfig(out_channels=2), "maps 3 to 2 channels"),
        (ColorizationModelConfig(kind="colorization", color="Lab"), "maps 3 to 3 channels.*Lab"),
        (ModelConfig(kind="inpainting"), "RGB and a mask"),
    ],
)
def test_a_model_whose_channels_do_not_fit_its_kind_is_refused(config: ModelConfig, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load(Model(config, {"AtoB": Identity()}))


def test_an_image_too_large_for_the_memory_is_tiled_and_a_smaller_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    little = SimpleNamespace(total=40 * 2**20, available=20 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    network = RecordingIdentity()
    predictor = predictor_of(network)
    assert np.array_equal(predictor(noise(200, 200)), noise(200, 200))
    assert len(network.batch_sizes) == 1
    assert np.array_equal(predictor(noise(800, 800)), noise(800, 800))
    assert len(network.batch_sizes) > 4


def test_a_network_that_cannot_be_compiled_runs_uncompiled_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def fail(program: fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        raise ValueError("no C++ compiler")

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=fail))
    caplog.set_level(logging.INFO)
    predictor = predictor_of(Negative(), compile=True)
    for _ in range(2):
        assert np.array_equal(predictor(noise()), 255 - noise())
    (line,) = [record.getMessage() for record in caplog.records if "not compiled" in record.getMessage()]
    assert "no C++ compiler" in line


def test_the_direction_chooses_the_generator(tiny_model: Make) -> None:
    model = tiny_model(directions=("AtoB", "BtoA"))
    nn.init.zeros_(model.generators["BtoA"].decoder[-1].weight)
    nn.init.zeros_(model.generators["BtoA"].decoder[-1].bias)
    gray = load(model, direction="BtoA")(noise())
    assert (gray == 128).all()
    assert not np.array_equal(load(model)(noise()), gray)
    with pytest.raises(UsageError, match="direction 'CtoD'"):
        load(model, direction="CtoD")


def test_files_and_folders_are_translated_together(tmp_path: Path) -> None:
    for name in ("in/a.png", "in/sub/b.png", "c.png"):
        images.noise(tmp_path / name)
    (tmp_path / "in" / "text.png").write_text("no image")
    predictor = predictor_of(Negative())
    inputs = [tmp_path / "in", tmp_path / "c.png"]
    outcomes = list(translate_folder(predictor, inputs, tmp_path / "out", workers=0))
    assert [outcome.source.name for outcome in outcomes] == ["a.png", "b.png", "text.png", "c.png"]
    assert [bool(outcome.failure) for outcome in outcomes] == [False, False, True, False]
    assert outcomes[0].target == tmp_path / "out" / "a.png"
    assert outcomes[0].size == (32, 24)
    again = translate_folder(predictor, [tmp_path / "in"], tmp_path / "out")
    assert [outcome.skipped for outcome in again] == ["done before", "done before", ""]
    with pytest.raises(UsageError, match="bmp"):
        translate_folder(predictor, [tmp_path / "in"], tmp_path / "out", format="bmp")


def test_a_predictor_knows_its_engine_and_its_direction() -> None:
    predictor = load_predictor(random_model(), device="cpu", precision="fp32", engine="torch")
    assert predictor.runner.engine == "torch"
    assert predictor.direction == "AtoB"


def test_a_gray_model_keeps_16_bit_gray_images_to_the_bit() -> None:
    predictor = predictor_of(Identity(), channels=1, size_multiple=1, precision="auto")
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    image = predictor(Image.fromarray(ramp))
    assert image.mode == "I;16"
    assert np.array_equal(np.asarray(image), ramp)
    assert np.array_equal(predictor(ramp), ramp)


def test_progress_is_reported_after_each_frame_and_can_end_the_work(tiny_model: Callable[..., Model]) -> None:
    class TooLateError(Exception):
        pass

    predictor, fractions = load(tiny_model()), []
    frames = [Frame(pixels=noise(8, 8 + 4 * number)) for number in range(4)]

    def report(fraction: float) -> None:
        fractions.append(fraction)
        if fraction == 0.5:
            raise TooLateError

    predictor.apply(frames, fractions.append)
    assert fractions == [0.25, 0.5, 0.75, 1]
    with pytest.raises(TooLateError):
        predictor.apply(frames, report)
