"""Inpaint and colorize photos given as paths, PIL images, arrays, tensors, and files of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch import Tensor, nn

from tests import images
from tests.unit.images.image_samples import (
    color_gradient,
    gamma_curve,
    gray_profile,
    icc_chunk,
    ramps_16bit,
    rgb_profile,
    save_image,
    write_16bit_png,
)
from tests.unit.inference.making import Negative, load, noise, predictor_of, scene
from translate.config import ColorizationModelConfig, GeneratorSpec, ModelConfig
from translate.errors import DataError, UsageError
from translate.images import Frame, Hole, read
from translate.inference import Predictor, load_predictor, translate_folder
from translate.models import Model
from translate.networks import Generator, create_generator

WIDE, GRAY = rgb_profile(gamma_curve(2.2)), gray_profile(gamma_curve(1.8))


def inpainting_model() -> Model:
    """Return a small inpainting model whose output is far from gray."""
    spec = GeneratorSpec(name="inpainter", args={"width": 4})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_generator(spec)
        nn.init.normal_(network.last.bias, std=20)
    config = ModelConfig(kind="inpainting", generator=spec, in_channels=4, size_multiple=32)
    return Model(config, {"AtoB": network})


def colorization_model(**settings: Any) -> Model:
    """Return a small colorization model whose output is far from gray."""
    spec = GeneratorSpec(name="colorizer", args={"width": 8})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_generator(spec)
        nn.init.normal_(network.classes.weight, std=20)
    return Model(colorization_config(generator=spec, **settings), {"AtoB": network})


def colorization_config(**settings: Any) -> ColorizationModelConfig:
    return ColorizationModelConfig(
        kind="colorization", color="Lab", in_channels=1, out_channels=2, size_multiple=32, **settings
    )


@pytest.fixture(scope="module")
def inpainter() -> Predictor:
    return load(inpainting_model())


@pytest.fixture(scope="module")
def colorizer() -> Predictor:
    return load(colorization_model())


def box(height: int = 20, width: int = 30) -> Hole:
    """Return a hole that fits into images of 20x30 and larger."""
    hole = np.zeros((height, width), bool)
    hole[5:15, 8:25] = True
    return hole


def mask_image(hole: Hole) -> Image.Image:
    return Image.fromarray(255 * hole.astype(np.uint8))


def lightness(rgb: np.ndarray) -> np.ndarray:
    return rgb2lab(rgb / np.iinfo(rgb.dtype).max)[..., 0]


# Inpainting


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_array_changes_in_its_hole_only(channels: int, dtype: type, inpainter: Predictor) -> None:
    photo = noise(20, 30, channels).astype(dtype) * (np.iinfo(dtype).max // 255)
    out = inpainter(photo, box())
    assert out.shape == photo.shape
    assert out.dtype == dtype
    assert np.array_equal(out[~box()], photo[~box()])
    assert (out[box()] != photo[box()]).any(axis=1).mean() > 0.9
    if channels in (2, 4):
        assert (out[box()][:, -1] == np.iinfo(dtype).max).all()


def test_an_array_without_channels_is_returned_without_channels(inpainter: Predictor) -> None:
    gray = noise()[..., 0]
    out = inpainter(gray, box())
    assert out.shape == gray.shape
    assert np.array_equal(out[~box()], gray[~box()])


@pytest.mark.parametrize("size", [(1, 2), (33, 31), (100, 600)])
def test_a_photo_of_any_size_is_inpainted(size: tuple[int, int], inpainter: Predictor) -> None:
    hole = np.zeros(size, bool)
    hole[0, 0] = True
    out = inpainter(noise(*size), hole)
    assert out.shape == (*size, 3)
    assert np.array_equal(out[~hole], noise(*size)[~hole])


def test_a_mask_may_be_a_path_an_image_or_an_array(inpainter: Predictor, tmp_path: Path) -> None:
    hole, path = box(), save_image(mask_image(box()), tmp_path / "m.png")
    expected = inpainter(noise(), hole)
    for mask in (
        path,
        str(path),
        mask_image(hole),
        mask_image(hole).convert("1"),
        255 * hole.astype(np.uint8),
        255 * hole.astype(np.uint8)[..., None],
        65535 * hole.astype(np.uint16),
        np.dstack([255 * hole.astype(np.uint8)] * 3),
        hole[..., None],
        hole.astype(np.uint8),
        hole.astype(np.uint16),
        hole.astype(np.int64),
        255 * hole.astype(np.int32),
        hole.astype(np.float32),
        255 * hole.astype(np.float64),
        2 * torch.from_numpy(hole)[None].float() - 1,
        torch.from_numpy(hole),
        mask_image(hole).convert("P"),
        mask_image(hole).convert("LA"),
        mask_image(hole).convert("RGBA"),
        Image.fromarray(hole.astype(np.int32)),
        Image.fromarray(hole.astype(np.float32)),
        Image.fromarray(np.dstack([hole * 0, hole]).astype(np.uint8) * 255),  # black strokes on a layer
    ):
        assert np.array_equal(inpainter(noise(), mask), expected)


def test_a_path_or_a_pil_image_returns_a_pil_image(inpainter: Predictor, tmp_path: Path) -> None:
    path = images.noise(tmp_path / "a.png", 20, 30)
    pixels = np.asarray(Image.open(path))
    for photo in (path, str(path), Image.fromarray(pixels)):
        out = inpainter(photo, box())
        assert (out.mode, out.size) == ("RGB", (30, 20))
        assert np.array_equal(np.asarray(out)[~box()], pixels[~box()])
        assert np.array_equal(np.asarray(out), inpainter(pixels, box()))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"])
def test_a_pil_image_of_any_mode_is_inpainted(mode: str, inpainter: Predictor) -> None:
    if mode == "I;16":
        image = Image.fromarray(noise()[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(noise()).convert(mode)
    out = inpainter(image, box())
    assert out.mode == {"P": "RGB", "1": "L"}.get(mode, mode)
    before, after = (np.asarray(i.convert(out.mode)) for i in (image, out))
    assert np.array_equal(before[~box()], after[~box()])


def test_transparent_pixels_are_filled_without_a_mask(inpainter: Predictor) -> None:
    photo = noise(channels=4) | 1
    photo[..., 3][box()] = 0
    out = inpainter(photo)
    assert np.array_equal(out, inpainter(photo, box()))
    assert (out[box()][:, 3] == 255).all()
    assert np.array_equal(np.asarray(inpainter(Image.fromarray(photo))), out)


@pytest.mark.parametrize("shape", [(3, 20, 30), (1, 20, 30), (1, 3, 20, 30), (4, 3, 20, 30), (2, 1, 20, 30)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tensor_is_inpainted(shape: tuple[int, ...], dtype: torch.dtype, inpainter: Predictor) -> None:
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)
    out = inpainter(x, box())
    assert out.dtype == dtype
    assert out.shape == x.shape
    assert out.abs().max() <= 1
    known = torch.from_numpy(~box())
    assert (out - x)[..., known].abs().max() < 1e-6
    assert (out - x)[..., ~known].abs().mean() > 0.1


def test_each_image_of_a_tensor_batch_is_inpainted_as_alone(inpainter: Predictor) -> None:
    x = torch.rand(3, 3, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(inpainter(x, box()), torch.stack([inpainter(image, box()) for image in x]))


def test_a_tensor_gives_the_output_of_the_array(inpainter: Predictor) -> None:
    array = inpainter(noise(), box())
    tensor = inpainter(torch.from_numpy(noise()).permute(2, 0, 1) / 127.5 - 1, box())
    again = ((tensor.permute(1, 2, 0) + 1) * 127.5).round().numpy()
    assert np.abs(again - array).max() <= 1


@pytest.mark.parametrize(
    "photo", [noise(), noise(channels=4) | 1, torch.zeros(3, 8, 8), Image.new("L", (8, 8))]
)
def test_an_opaque_photo_without_a_mask_is_refused(photo: Any, inpainter: Predictor) -> None:
    with pytest.raises(UsageError, match="needs a mask"):
        inpainter(photo)


def test_an_unusable_mask_is_refused(inpainter: Predictor, tmp_path: Path) -> None:
    for mask, reason in (
        (np.ones((20, 30), bool), "the mask covers the whole image"),
        (np.zeros((20, 30), bool), "the mask marks nothing"),
        (np.arange(600).reshape(20, 30) // 150, "0 .150 pixels.*3 .150 pixels"),
        (np.full((20, 30), np.nan), "NaN"),
        (np.ones((2, 20, 30, 1)), r"\(2, 20, 30, 1\)"),
        (np.zeros((21, 30), bool), "the mask is 30x21 and the image 30x20"),
        (np.zeros((20, 30, 7), np.uint8), r"\(20, 30, 7\)"),
        (tmp_path / "none.png", "none.png: No such file"),
    ):
        with pytest.raises((DataError, UsageError), match=reason) as refusal:
            inpainter(noise(), mask)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("photo", [noise(), torch.zeros(3, 8, 8), Image.new("L", (8, 8)), "a.png"])
def test_models_of_other_kinds_take_no_mask(photo: Any, colorizer: Predictor) -> None:
    for predictor in (predictor_of(Negative()), colorizer):
        with pytest.raises(UsageError, match="without a mask"):
            predictor(photo, box())


@pytest.mark.parametrize("icc", [WIDE, b"of an unknown dtype"])
def test_a_pil_image_keeps_its_icc_profile_and_the_values_in_its_colours(
    icc: bytes, inpainter: Predictor
) -> None:
    image = Image.fromarray(noise())
    image.info["icc_profile"] = icc
    out = inpainter(image, box())
    assert out.info["icc_profile"] == icc
    assert np.array_equal(np.asarray(out), inpainter(noise(), box()))


# Inpainting files


def inpaint_file(predictor: Predictor, path: Path, **options: Any) -> Path:
    """Inpaint a file, and return the path of the output."""
    with Image.open(path) as image:
        hole = box(image.height, image.width)
    mask = save_image(mask_image(hole), path.parent / "mask.png")
    (outcome,) = translate_folder(predictor, [path], path.parent / "out", mask=str(mask), **options)
    assert not outcome.failure
    return outcome.target


@pytest.mark.parametrize(("channels", "icc"), [(1, GRAY), (3, WIDE), (4, WIDE)])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_a_file_with_an_icc_profile_stays_the_same_outside_of_the_hole_to_the_bit(
    name: str, channels: int, icc: bytes, inpainter: Predictor, tmp_path: Path
) -> None:
    if name == "a.webp" and channels == 1:
        channels, icc = 3, WIDE
    planes = noise(40, 50, channels)
    options = {"lossless": True, "exact": True} if name == "a.webp" else {}
    image = Image.fromarray(planes[..., 0] if channels == 1 else planes)
    path = save_image(image, tmp_path / name, icc_profile=icc, **options)
    with Image.open(inpaint_file(inpainter, path)) as out:
        assert out.info["icc_profile"] == icc
        after = np.asarray(out).reshape(planes.shape)
    hole = box(40, 50)
    assert np.array_equal(after[~hole], planes[~hole])
    assert (after[hole] != planes[hole]).any(axis=1).mean() > 0.9


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_16_bit_file_stays_the_same_outside_of_the_hole_to_the_bit(
    channels: int, inpainter: Predictor, tmp_path: Path
) -> None:
    icc = GRAY if channels == 1 else WIDE
    planes = ramps_16bit(channels)[:60, :50]
    path = write_16bit_png(tmp_path / "a.png", planes, icc_chunk(icc))
    (before,) = read(path, keep_profile_colors=True).frames
    (after,) = read(inpaint_file(inpainter, path), keep_profile_colors=True).frames
    hole = box(60, 50)
    assert np.array_equal(before.pixels, planes[..., : before.pixels.shape[2]])
    assert np.array_equal(after.pixels[~hole], before.pixels[~hole])
    assert not np.array_equal(after.pixels[hole], before.pixels[hole])
    if channels == 4:
        assert np.array_equal(after.alpha, np.where(hole, 65535, planes[..., 3]))


@pytest.mark.parametrize("quality", [60, 92])
def test_an_inpainted_jpeg_keeps_its_quality_and_its_profile(
    quality: int, inpainter: Predictor, tmp_path: Path
) -> None:
    pixels = color_gradient(64, 80)
    path = save_image(Image.fromarray(pixels), tmp_path / "a.jpg", quality=quality, icc_profile=WIDE)
    hole = box(64, 80)
    with Image.open(path) as before, Image.open(inpaint_file(inpainter, path)) as after:
        assert after.quantization == before.quantization
        assert after.info["icc_profile"] == WIDE
        change = np.abs(np.asarray(after).astype(int) - np.asarray(before))
    far = np.ones((64, 80), bool)
    far[:32, :40] = False  # the JPEG blocks that contain pixels of the hole
    assert change[far].mean() < 1
    assert change[hole].mean() > 10


def test_a_cmyk_photo_is_inpainted(inpainter: Predictor, tmp_path: Path) -> None:
    path = save_image(Image.fromarray(color_gradient()).convert("CMYK"), tmp_path / "a.tif")
    with Image.open(path) as before, Image.open(inpaint_file(inpainter, path)) as after:
        assert after.mode == "CMYK"
        change = np.abs(np.asarray(after.convert("RGB")).astype(int) - np.asarray(before.convert("RGB")))
    assert change[~box(40, 60)].max() <= 2


# Colorization


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_array_is_colorized(channels: int, dtype: type, colorizer: Predictor) -> None:
    white = np.iinfo(dtype).max
    planes = np.dstack([scene(40, 50), noise(40, 50, 1)]).astype(dtype) * (white // 255)
    chosen = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    out = colorizer(planes[..., chosen])
    assert out.dtype == dtype
    assert out.shape == (40, 50, 4 if channels in (2, 4) else 3)
    assert channels not in (2, 4) or np.array_equal(out[..., 3], planes[..., 3])
    rgb = planes[..., [0, 0, 0] if channels in (1, 2) else [0, 1, 2]]
    alpha = planes[..., 3] if channels in (2, 4) else None
    on_white = (Frame(pixels=pixels, alpha=alpha).flatten_on_white().pixels for pixels in (out[..., :3], rgb))
    difference = np.abs(np.subtract(*map(lightness, on_white)))
    in_range = ((out[..., :3] > 0) & (out[..., :3] < white)).all(axis=2)  # Elsewhere the alpha is the limit.
    assert difference[in_range].max() < 0.7
    assert np.ptp(out[..., :3].astype(int), axis=2).max() > 0.05 * white


def test_an_array_without_channels_is_colorized(colorizer: Predictor) -> None:
    gray = scene(40, 50)[..., 0]
    assert np.array_equal(colorizer(gray), colorizer(gray[..., None]))


@pytest.mark.parametrize("shape", [(3, 20, 30), (1, 20, 30), (1, 3, 20, 30), (2, 1, 20, 30)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tensor_is_colorized(shape: tuple[int, ...], dtype: torch.dtype, colorizer: Predictor) -> None:
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)
    out = colorizer(x)
    assert out.dtype == dtype
    assert out.shape == (*shape[:-3], 3, 20, 30)
    assert out.abs().max() <= 1
    if x.ndim == 4:
        assert torch.equal(out, torch.stack([colorizer(image) for image in x]))


def test_a_path_or_a_pil_image_is_colorized(colorizer: Predictor, tmp_path: Path) -> None:
    gray = scene(40, 50)[..., 0]
    path = save_image(Image.fromarray(gray), tmp_path / "a.png")
    expected = colorizer(gray)
    for photo in (path, str(path), Image.fromarray(gray)):
        out = colorizer(photo)
        assert out.mode == "RGB"
        assert np.array_equal(np.asarray(out), expected)


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (257, 51)])
def test_a_photo_of_any_size_is_colorized(size: tuple[int, int], colorizer: Predictor) -> None:
    assert colorizer(noise(*size)).shape == (*size, 3)


def test_a_photo_is_colorized_the_same_alone_and_among_others(colorizer: Predictor) -> None:
    assert colorizer.max_batch_size((50, 40)) == 1
    photos = [scene(40, 50, seed) for seed in range(3)]
    expected = [load(colorization_model())(photo) for photo in photos]
    assert all(map(np.array_equal, map(colorizer, photos), expected))


def test_saturation_is_a_factor_of_the_chroma() -> None:
    photo = scene(40, 50)

    def chroma(saturation: float) -> float:
        out = load(colorization_model(), saturation=saturation)(photo)
        return float(np.hypot(*np.moveaxis(rgb2lab(out)[..., 1:], -1, 0)).mean())

    assert chroma(0) < 0.6
    assert chroma(0.2) > 3
    assert chroma(0.4) == pytest.approx(2 * chroma(0.2), rel=0.1)


class RecordingGenerator(Generator):
    """A network that outputs gray, and records the shapes of its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.input_shapes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.input_shapes.append(tuple(x.shape))
        return x.new_zeros(len(x), 2, *x.shape[2:])


@pytest.mark.parametrize(("working", "input_size"), [(256, (256, 288)), (64, (64, 96))])
def test_the_network_sees_the_photo_at_its_working_size(working: int, input_size: tuple[int, int]) -> None:
    network, config = RecordingGenerator(), colorization_config(working_size=working)
    load(Model(config, {"AtoB": network}))(scene(260, 280))
    assert network.input_shapes[:2] == 2 * [(1, 1, *input_size)]


def test_a_gray_file_becomes_an_rgb_file_without_its_gray_profile(
    colorizer: Predictor, tmp_path: Path
) -> None:
    gray = scene(40, 50)[..., 0]
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "b.png", "c.tif"):
        save_image(Image.fromarray(gray), tmp_path / "in" / name, icc_profile=GRAY)
    outcomes = list(translate_folder(colorizer, [tmp_path / "in"], tmp_path / "out"))
    assert not any(outcome.failure for outcome in outcomes)
    for name in ("a.jpg", "b.png", "c.tif"):
        with Image.open(tmp_path / "out" / name) as out:
            assert out.mode == "RGB"
            assert "icc_profile" not in out.info
            assert np.ptp(np.asarray(out).astype(int), axis=2).max() > 10


def test_another_saturation_colorizes_a_folder_again(tmp_path: Path) -> None:
    images.noise(tmp_path / "in" / "a.png")
    for saturation, skipped in ((1.0, ""), (1.0, "done before"), (0.5, ""), (0.5, "done before")):
        predictor = load(colorization_model(), saturation=saturation)
        (outcome,) = translate_folder(predictor, [tmp_path / "in"], tmp_path / "out")
        assert outcome.skipped == skipped


def test_photos_of_a_folder_are_colorized_as_alone(colorizer: Predictor, tmp_path: Path) -> None:
    for number in range(4):
        images.noise(tmp_path / "in" / f"{number}.png", seed=number)
    list(translate_folder(colorizer, [tmp_path / "in"], tmp_path / "out"))
    for number in range(4):
        with Image.open(tmp_path / "out" / f"{number}.png") as out:
            assert np.array_equal(np.asarray(out), np.asarray(colorizer(tmp_path / "in" / f"{number}.png")))


@pytest.mark.parametrize("saturation", [-1, 11, float("nan"), float("inf"), "much", None])
def test_a_saturation_out_of_range_is_refused(saturation: Any) -> None:
    with pytest.raises(UsageError, match="saturation"):
        load_predictor(Model.from_pretrained("colorize"), device="cpu", saturation=saturation)


def test_other_models_than_colorization_take_no_saturation() -> None:
    with pytest.raises(UsageError, match="leave --saturation out"):
        load_predictor(Model.from_pretrained("inpaint"), device="cpu", saturation=0.5)
