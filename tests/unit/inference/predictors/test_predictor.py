"""One image in, one image of the same size and kind out, whatever else is translated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from tests import images
from tests.unit.inference.making import Company, Negative, lively, load, noise, predictor_of
from translate.config import ColorizationModelConfig, ModelConfig
from translate.errors import DataError, UsageError
from translate.images import Frame
from translate.inference import load_predictor, translate_folder
from translate.inference.predictors.canvas import Canvas
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
PREDICTORS = {name: load(lively(**spec)) for name, spec in MODELS.items()}


@pytest.mark.parametrize("name", PREDICTORS)
@given(height=SIDES, width=SIDES)
@example(height=1, width=1)
@example(height=257, width=511)
@settings(max_examples=15)
def test_the_output_has_the_inputs_size(name: str, height: int, width: int) -> None:
    out = PREDICTORS[name](noise(height, width))
    assert out.shape == (height, width, 3)
    assert out.dtype == np.uint8


@given(
    height=SIDES, width=SIDES, multiple=st.sampled_from([1, 3, 4, 32, 64]), channels=st.sampled_from([1, 3])
)
@settings(max_examples=30)
def test_a_canvas_reaches_the_next_multiple_and_repeats_the_image_mirrored(
    height: int, width: int, multiple: int, channels: int
) -> None:
    frame = noise(height, width, channels)
    canvas = Canvas(Frame(pixels=frame), multiple, channels)
    whole = canvas.whole()
    for side, longer in ((height, canvas.height), (width, canvas.width)):
        assert longer % multiple == 0
        assert 0 <= longer - max(side, 8) < multiple
    more = [(0, canvas.height - height), (0, canvas.width - width), (0, 0)]
    expected = np.pad(frame, more, mode="symmetric").transpose(2, 0, 1)[None]
    assert np.array_equal(np.rint((whole.numpy() + 1) * 127.5), expected)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_colour_image_is_gray_to_a_gray_network(kind: type) -> None:
    white = np.iinfo(kind).max
    frame = np.array([[[white, 0, 0], [0, white, 0], [0, 0, white], [white, white, white]]], kind)
    out = predictor_of(Identity(), channels=1)(frame)
    assert out.shape == (1, 4, 1)
    assert np.abs(out[0, :, 0] / white - [0.299, 0.587, 0.114, 1]).max() < 0.002


def test_a_gray_image_is_colour_to_a_colour_network() -> None:
    gray = noise(9, 10, 1)
    assert np.array_equal(predictor_of(Negative())(gray), 255 - np.repeat(gray, 3, axis=2))


@pytest.mark.parametrize("name", PREDICTORS)
def test_an_image_is_translated_alike_alone_and_among_others(name: str) -> None:
    many = [noise(20 + 8 * n, 33, seed=n) for n in range(3)]
    alone = [load(lively(**MODELS[name]))(frame) for frame in many]
    backwards = [PREDICTORS[name](frame) for frame in reversed(many)]
    assert all(map(np.array_equal, alone, reversed(backwards)))


def pixels(translated: list[Frame]) -> list[np.ndarray]:
    return [frame.pixels for frame in translated]


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_images_given_together_come_out_as_alone(name: str, precision: str) -> None:
    predictor = load(lively(**MODELS[name]), precision=precision)
    assert predictor.runner.max_batch_size == {"resnet": 1, "unet": MAX_BATCH_SIZE}[name]
    many = [Frame(pixels=noise(40, 50, seed=n)) for n in range(2 * MAX_BATCH_SIZE + 3)]
    together = pixels(predictor.predict_batch(many))
    alone = [predictor.predict(frame).pixels for frame in many]
    assert all(map(np.array_equal, together, alone))
    assert all(map(np.array_equal, pixels(predictor.predict_batch(many[::-1])), alone[::-1]))


class Counting(Identity):
    """Gives the input back, and remembers how many images came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(x))
        return x


def test_small_images_of_one_size_go_through_the_network_together() -> None:
    network, many = Counting(), [Frame(pixels=noise(seed=n)) for n in range(MAX_BATCH_SIZE + 3)]
    out = predictor_of(network).predict_batch(many)
    # Each size of a group is tried once: noise in one forward, and its first and its last image alone.
    assert network.seen == [MAX_BATCH_SIZE, 1, 1, MAX_BATCH_SIZE, 3, 1, 1, 3]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(many, out, strict=True))


def test_others_go_alone() -> None:
    network = Counting()
    predictor = predictor_of(network)
    deep = Frame(pixels=noise().astype(np.uint16))
    large = Frame(pixels=np.zeros((MAX_BATCH_PIXELS // 1000 + 1, 1000, 3), np.uint8))
    small = Frame(pixels=noise(30, 20))
    predictor.predict_batch([deep, deep, large, large, small, deep])
    assert network.seen == [1] * 6
    assert predictor.max_batch_size((1000, MAX_BATCH_PIXELS // 1000 + 1)) == 1
    assert predictor.max_batch_size((1, 1)) == MAX_BATCH_SIZE


def test_alpha_stays_with_its_image_in_a_group() -> None:
    many = [Frame(pixels=noise(seed=n), alpha=noise(seed=n)[..., 1] if n % 2 else None) for n in range(4)]
    for frame, out in zip(many, predictor_of(Negative()).predict_batch(many), strict=True):
        assert np.array_equal(out.pixels, 255 - frame.pixels)
        assert out.alpha is frame.alpha


def test_a_network_whose_answer_depends_on_company_runs_images_alone() -> None:
    predictor = predictor_of(Company())
    assert predictor.runner.max_batch_size > 1
    many = [Frame(pixels=noise(seed=n) // (n + 1)) for n in range(MAX_BATCH_SIZE + 1)]
    alone = [predictor.predict(frame).pixels for frame in many]
    for _ in range(2):
        assert all(map(np.array_equal, pixels(predictor.predict_batch(many)), alone))


def test_so_it_does_after_images_that_come_out_alike_in_any_company() -> None:
    predictor = predictor_of(Company())
    predictor.predict_batch([Frame(pixels=np.zeros((20, 30, 3), np.uint8))] * MAX_BATCH_SIZE)
    many = [Frame(pixels=noise(seed=n) // (n + 1)) for n in range(MAX_BATCH_SIZE)]
    alone = [predictor.predict(frame).pixels for frame in many]
    assert all(map(np.array_equal, pixels(predictor.predict_batch(many)), alone))


@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_the_generators_dropout_and_statistics_rest(name: str, tiny_model: Make) -> None:
    model = tiny_model(name).train()
    translate = load(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert np.array_equal(translate(noise()), translate(noise()))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_bf16_is_near_fp32_and_leaves_the_model_in_fp32(tiny_model: Make) -> None:
    model = tiny_model()
    full, half = (load(model, precision=precision)(noise()) for precision in ("fp32", "bf16"))
    assert np.abs(full.astype(int) - half).mean() < 3
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_deep_images_are_computed_in_float32_whatever_the_precision() -> None:
    deep = noise().astype(np.uint16) * 251
    full, half = (load(lively(), precision=precision)(deep) for precision in ("fp32", "bf16"))
    assert np.array_equal(full, half)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_array_comes_back_as_an_array_of_its_depth(kind: type, channels: int) -> None:
    white = np.iinfo(kind).max
    planes = noise(9, 10, channels).astype(kind) * (white // 255)
    out = predictor_of(Negative())(planes)
    assert out.dtype == kind
    has_alpha = channels in (2, 4)
    assert out.shape == (9, 10, 3 + has_alpha)
    assert np.array_equal(
        out[..., :3], np.broadcast_to(white - planes[..., : channels - has_alpha], (9, 10, 3))
    )
    assert not has_alpha or np.array_equal(out[..., 3], planes[..., -1])


def test_an_array_without_channels_is_gray() -> None:
    gray = noise()[..., 0]
    assert np.array_equal(predictor_of(Negative())(gray), 255 - np.dstack([gray] * 3))


def test_arrays_with_any_strides_will_do() -> None:
    flipped = noise()[::-1, ::-1]
    assert np.array_equal(predictor_of(Identity())(flipped), flipped)
    read_only = noise()
    read_only.setflags(write=False)
    assert np.array_equal(predictor_of(Identity())(read_only), read_only)


@pytest.mark.parametrize("shape", [(3, 9, 10), (1, 3, 9, 10), (4, 3, 9, 10), (1, 9, 10), (2, 1, 9, 10)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_tensor_comes_back_as_a_tensor_of_its_kind(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)
    out = predictor_of(Negative())(x)
    assert out.dtype == dtype
    assert out.shape == (*shape[:-3], 3, 9, 10)
    assert (out + x).abs().max() < 1e-6
    assert x.abs().max() > 0.5


def test_a_tensor_that_is_being_trained_on_will_do() -> None:
    x = torch.zeros(3, 8, 8, requires_grad=True)
    out = predictor_of(Negative())(x)
    assert not out.requires_grad


def test_each_image_of_a_tensor_is_translated_as_alone() -> None:
    x = torch.rand(3, 3, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for predictor in (predictor_of(Company()), *PREDICTORS.values()):
        assert torch.equal(predictor(x), torch.stack([predictor(one) for one in x]))


def test_a_path_or_a_pil_image_comes_back_as_a_pil_image(tmp_path: Path) -> None:
    translate = predictor_of(Negative())
    path = images.noise(tmp_path / "a.png", 20, 30)
    image = Image.fromarray(noise(seed=0))
    for source in (image, path, str(path)):
        out = translate(source)
        assert isinstance(out, Image.Image)
        assert (out.mode, out.size) == ("RGB", (30, 20))
    assert np.array_equal(np.asarray(translate(image)), 255 - noise(seed=0))


@pytest.mark.parametrize(
    ("mode", "answer"),
    {"L": "RGB", "P": "RGB", "1": "RGB", "LA": "RGBA", "RGBA": "RGBA", "CMYK": "CMYK", "I;16": "RGB"}.items(),
)
def test_a_pil_image_of_any_mode_will_do(mode: str, answer: str) -> None:
    color = (255, 254, 253) if mode == "RGBA" else None
    image = Image.new("RGB", (5, 4), color or "white").convert(mode) if mode != "I;16" else deep_white()
    out = predictor_of(Identity())(image)
    assert out.mode == answer
    assert np.asarray(out.convert("RGB")).min() >= 250


def deep_white() -> Image.Image:
    return Image.fromarray(np.full((4, 5), 65535, np.uint16))


def test_a_gray_network_gives_gray_images() -> None:
    translate = predictor_of(Negative(), channels=1)
    gray = noise()[..., 0]
    assert np.array_equal(np.asarray(translate(Image.fromarray(gray))), 255 - gray)
    assert translate(Image.fromarray(noise())).mode == "L"


def test_alpha_profile_and_orientation_of_an_image_come_along() -> None:
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
def test_an_array_of_another_kind_is_refused_in_a_line(array: np.ndarray) -> None:
    with pytest.raises(
        DataError, match=r"^an array of \(.*\) [>a-z0-9]+: give \(H, W\) or \(H, W, 1 to 4\) uint8 or uint16$"
    ):
        predictor_of(Identity())(array)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (torch.zeros(8, 8), r"a tensor of \(8, 8\) torch.float32: give"),
        (torch.zeros(2, 8, 8), r"a tensor of \(2, 8, 8\)"),
        (torch.zeros(8, 8, 3), r"a tensor of \(8, 8, 3\)"),
        (torch.zeros(0, 3, 8, 8), r"a tensor of \(0, 3, 8, 8\)"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "torch.uint8: give"),
        (torch.full((3, 8, 8), 255.0), r"from 255 to 255: its values must lie in \[-1, 1\]"),
        (torch.full((3, 8, 8), -1.5), "from -1.5 to -1.5"),
        (torch.full((3, 8, 8), torch.nan), "from nan to nan"),
    ],
    ids=str,
)
def test_a_tensor_of_another_kind_is_refused_in_a_line(x: torch.Tensor, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as refusal:
        predictor_of(Identity())(x)
    assert "\n" not in str(refusal.value)


def test_a_file_or_an_image_that_cannot_be_used_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    for source, reason in (
        (tmp_path / "none.png", r"none\.png: No such file"),
        (str(tmp_path / "text.png"), r"text\.png: not an image"),
        (Image.new("F", (4, 4)), "32-bit float pixels have no agreed range"),
    ):
        with pytest.raises(DataError, match=reason) as refusal:
            predictor_of(Identity())(source)
        assert "\n" not in str(refusal.value)


def test_what_is_no_image_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a folder: translate it by \.folder\("):
        predictor_of(Identity())(tmp_path)
    with pytest.raises(UsageError, match="an array or a tensor, not a NoneType"):
        predictor_of(Identity())(None)  # type: ignore[call-overload]


@pytest.mark.parametrize("tile", [0, 31, -64, "64px", "", "all", 64.5])
def test_a_tile_of_no_size_is_refused(tile: Any) -> None:
    with pytest.raises(UsageError, match="must be auto, off, or a side of at least 32 pixels"):
        predictor_of(Identity(), tile=tile)


@pytest.mark.parametrize("tile", [32, "64", "auto", "off"])
def test_a_tile_may_be_text_or_a_number(tile: Any) -> None:
    assert np.array_equal(predictor_of(Negative(), tile=tile)(noise(70, 99)), 255 - noise(70, 99))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (ModelConfig(in_channels=4), "takes 4 and gives 3 channels: images"),
        (ModelConfig(out_channels=2), "takes 3 and gives 2 channels: images"),
        (ColorizationModelConfig(kind="colorization", color="Lab"), "a model in Lab takes lightness"),
        (ModelConfig(kind="inpainting"), "RGB and the mask"),
    ],
)
def test_a_model_of_other_channels_is_refused(config: ModelConfig, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load(Model(config, {"AtoB": Identity()}))


def test_an_image_too_large_for_one_piece_is_cut_and_one_that_fits_is_not() -> None:
    network = Counting()
    predictor = predictor_of(network)
    predictor._limits = 300 * 300 * 80.0, 300 * 300 * 80.0
    assert np.array_equal(predictor(noise(200, 200)), noise(200, 200))
    assert len(network.seen) == 1
    assert np.array_equal(predictor(noise(400, 400)), noise(400, 400))
    assert len(network.seen) > 4


def test_the_direction_chooses_the_generator(tiny_model: Make) -> None:
    model = tiny_model(directions=("AtoB", "BtoA"))
    nn.init.zeros_(model.generators["BtoA"].decoder[-1].weight)
    nn.init.zeros_(model.generators["BtoA"].decoder[-1].bias)
    gray = load(model, direction="BtoA")(noise())
    assert (gray == 128).all()
    assert not np.array_equal(load(model)(noise()), gray)
    with pytest.raises(UsageError, match="direction 'CtoD'"):
        load(model, direction="CtoD")


def test_folders_can_be_translated_too(tmp_path: Path) -> None:
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
    with pytest.raises(UsageError, match=r"format 'bmp': there is keep, jpg, png, webp"):
        translate_folder(predictor, [tmp_path / "in"], tmp_path / "out", format="bmp")


def test_a_translator_is_made_of_a_model_and_names_its_engine() -> None:
    predictor = load_predictor(lively(), device="cpu", precision="fp32", engine="torch")
    assert predictor.runner.engine == "torch"
    assert predictor.direction == "AtoB"


def test_a_gray_model_keeps_gray_images_as_they_are_made() -> None:
    predictor = predictor_of(Identity(), channels=1, size_multiple=1, precision="auto")
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    image = predictor(Image.fromarray(ramp))
    assert image.mode == "I;16"
    assert np.array_equal(np.asarray(image), ramp)
    assert np.array_equal(predictor(ramp), ramp)
