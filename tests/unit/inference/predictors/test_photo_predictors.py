"""One photo coloured or repaired, given and taken as whatever it is."""

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
from tests.unit.images.making import (
    deep_png,
    gamma,
    gray_profile,
    profile,
    profile_chunk,
    ramps,
    saved,
    smooth,
)
from tests.unit.inference.making import Negative, load, noise, predictor_of, scene
from translate.config import ColorizationModelConfig, GeneratorSpec, ModelConfig
from translate.errors import DataError, UsageError
from translate.images import Hole, read
from translate.inference import Predictor, load_predictor, translate_folder
from translate.inference.batch.masks import Masks
from translate.models import Model
from translate.networks import Generator, create_generator

WIDE, GRAY = profile(gamma(2.2)), gray_profile(gamma(1.8))


def inpainting_model() -> Model:
    """A small model that repairs, whose answer is lively."""
    spec = GeneratorSpec(name="inpainter", args={"width": 4})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_generator(spec)
        nn.init.normal_(network.last.bias, std=20)
    config = ModelConfig(kind="inpainting", generator=spec, in_channels=4, size_multiple=32)
    return Model(config, {"AtoB": network})


def colorization_model(**settings: Any) -> Model:
    """A small model that colours, whose answer is lively."""
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
def repair() -> Predictor:
    return load(inpainting_model())


@pytest.fixture(scope="module")
def colorize() -> Predictor:
    return load(colorization_model())


def box(height: int = 20, width: int = 30) -> Hole:
    """A hole that is there in images of 20x30 and more."""
    hole = np.zeros((height, width), bool)
    hole[5:15, 8:25] = True
    return hole


def holed(hole: Hole) -> Image.Image:
    return Image.fromarray(255 * hole.astype(np.uint8))


def lightness(rgb: np.ndarray) -> np.ndarray:
    return rgb2lab(rgb / np.iinfo(rgb.dtype).max)[..., 0]


# Repairing


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_array_is_repaired_in_its_hole_alone(channels: int, kind: type, repair: Predictor) -> None:
    photo = noise(20, 30, channels).astype(kind) * (np.iinfo(kind).max // 255)
    out = repair(photo, box())
    assert out.shape == photo.shape
    assert out.dtype == kind
    assert np.array_equal(out[~box()], photo[~box()])
    assert (out[box()] != photo[box()]).any(axis=1).mean() > 0.9
    if channels in (2, 4):
        assert (out[box()][:, -1] == np.iinfo(kind).max).all()


def test_an_array_without_channels_comes_back_as_one(repair: Predictor) -> None:
    gray = noise()[..., 0]
    out = repair(gray, box())
    assert out.shape == gray.shape
    assert np.array_equal(out[~box()], gray[~box()])


@pytest.mark.parametrize("size", [(1, 2), (33, 31), (100, 600)])
def test_a_photo_of_any_size_is_repaired(size: tuple[int, int], repair: Predictor) -> None:
    hole = np.zeros(size, bool)
    hole[0, 0] = True
    out = repair(noise(*size), hole)
    assert out.shape == (*size, 3)
    assert np.array_equal(out[~hole], noise(*size)[~hole])


def test_a_mask_may_be_a_path_an_image_or_an_array(repair: Predictor, tmp_path: Path) -> None:
    hole, path = box(), saved(holed(box()), tmp_path / "m.png")
    expected = repair(noise(), hole)
    for mask in (
        path,
        str(path),
        holed(hole),
        holed(hole).convert("1"),
        255 * hole.astype(np.uint8),
        255 * hole.astype(np.uint8)[..., None],
        65535 * hole.astype(np.uint16),
        np.dstack([255 * hole.astype(np.uint8)] * 3),
        hole[..., None],
    ):
        assert np.array_equal(repair(noise(), mask), expected)


def test_a_path_or_an_image_comes_back_as_an_image(repair: Predictor, tmp_path: Path) -> None:
    path = images.noise(tmp_path / "a.png", 20, 30)
    pixels = np.asarray(Image.open(path))
    for photo in (path, str(path), Image.fromarray(pixels)):
        out = repair(photo, box())
        assert (out.mode, out.size) == ("RGB", (30, 20))
        assert np.array_equal(np.asarray(out)[~box()], pixels[~box()])
        assert np.array_equal(np.asarray(out), repair(pixels, box()))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"])
def test_an_image_of_any_mode_is_repaired(mode: str, repair: Predictor) -> None:
    if mode == "I;16":
        image = Image.fromarray(noise()[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(noise()).convert(mode)
    out = repair(image, box())
    assert out.mode == {"P": "RGB", "1": "L"}.get(mode, mode)
    before, after = (np.asarray(one.convert(out.mode)) for one in (image, out))
    assert np.array_equal(before[~box()], after[~box()])


def test_what_is_transparent_is_repaired_without_a_mask(repair: Predictor) -> None:
    photo = noise(channels=4) | 1
    photo[..., 3][box()] = 0
    out = repair(photo)
    assert np.array_equal(out, repair(photo, box()))
    assert (out[box()][:, 3] == 255).all()
    assert np.array_equal(np.asarray(repair(Image.fromarray(photo))), out)


@pytest.mark.parametrize("shape", [(3, 20, 30), (1, 20, 30), (1, 3, 20, 30), (4, 3, 20, 30), (2, 1, 20, 30)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tensor_is_repaired(shape: tuple[int, ...], dtype: torch.dtype, repair: Predictor) -> None:
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)
    out = repair(x, box())
    assert out.dtype == dtype
    assert out.shape == x.shape
    assert out.abs().max() <= 1
    known = torch.from_numpy(~box())
    assert (out - x)[..., known].abs().max() < 1e-6
    assert (out - x)[..., ~known].abs().mean() > 0.1


def test_each_image_of_a_tensor_is_repaired_as_alone(repair: Predictor) -> None:
    x = torch.rand(3, 3, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(repair(x, box()), torch.stack([repair(one, box()) for one in x]))


def test_the_same_photo_is_repaired_alike_as_array_image_and_tensor(repair: Predictor) -> None:
    array = repair(noise(), box())
    tensor = repair(torch.from_numpy(noise()).permute(2, 0, 1) / 127.5 - 1, box())
    again = ((tensor.permute(1, 2, 0) + 1) * 127.5).round().numpy()
    assert np.abs(again - array).max() <= 1


@pytest.mark.parametrize(
    "photo", [noise(), noise(channels=4) | 1, torch.zeros(3, 8, 8), Image.new("L", (8, 8))]
)
def test_without_a_mask_and_with_nothing_transparent_it_is_refused(photo: Any, repair: Predictor) -> None:
    with pytest.raises(UsageError, match="this model fills holes: give a mask, white where"):
        repair(photo)


def test_a_mask_that_cannot_be_used_is_refused(repair: Predictor, tmp_path: Path) -> None:
    for mask, reason in (
        (np.ones((20, 30), bool), "all of the image is hole"),
        (np.zeros((21, 30), bool), "a mask of 30x21 for an image of 30x20"),
        (np.zeros((20, 30, 7), np.uint8), r"\(20, 30, 7\)"),
        (tmp_path / "none.png", "none.png: No such file"),
    ):
        with pytest.raises((DataError, UsageError), match=reason) as refusal:
            repair(noise(), mask)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("photo", [noise(), torch.zeros(3, 8, 8), Image.new("L", (8, 8)), "a.png"])
def test_a_model_of_another_task_takes_no_mask(photo: Any, colorize: Predictor) -> None:
    for predictor in (predictor_of(Negative()), colorize):
        with pytest.raises(UsageError, match="this model fills no holes"):
            predictor(photo, box())


@pytest.mark.parametrize("icc", [WIDE, b"of an unknown kind"])
def test_an_image_of_other_colours_keeps_their_numbers_and_their_profile(
    icc: bytes, repair: Predictor
) -> None:
    image = Image.fromarray(noise())
    image.info["icc_profile"] = icc
    out = repair(image, box())
    assert out.info["icc_profile"] == icc
    assert np.array_equal(np.asarray(out), repair(noise(), box()))


# Repaired files


def repaired(predictor: Predictor, path: Path, **options: Any) -> Path:
    """The file that comes of one, with its hole in the mask beside it."""
    with Image.open(path) as image:
        hole = box(image.height, image.width)
    mask = saved(holed(hole), path.parent / "mask-of-it.png")
    (outcome,) = translate_folder(predictor, [path], path.parent / "out", masks=Masks(mask), **options)
    assert not outcome.failure
    return outcome.target


@pytest.mark.parametrize(("channels", "icc"), [(1, GRAY), (3, WIDE), (4, WIDE)])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_a_file_of_other_colours_is_its_own_to_the_bit_outside(
    name: str, channels: int, icc: bytes, repair: Predictor, tmp_path: Path
) -> None:
    if name == "a.webp" and channels == 1:
        channels, icc = 3, WIDE
    planes = noise(40, 50, channels)
    options = {"lossless": True, "exact": True} if name == "a.webp" else {}
    image = Image.fromarray(planes[..., 0] if channels == 1 else planes)
    path = saved(image, tmp_path / name, icc_profile=icc, **options)
    with Image.open(repaired(repair, path)) as out:
        assert out.info["icc_profile"] == icc
        after = np.asarray(out).reshape(planes.shape)
    hole = box(40, 50)
    assert np.array_equal(after[~hole], planes[~hole])
    assert (after[hole] != planes[hole]).any(axis=1).mean() > 0.9


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_so_is_a_deep_one(channels: int, repair: Predictor, tmp_path: Path) -> None:
    icc = GRAY if channels == 1 else WIDE
    planes = ramps(channels)[:60, :50]
    path = deep_png(tmp_path / "a.png", planes, profile_chunk(icc))
    (before,), (after,) = (read(one, native=True).frames for one in (path, repaired(repair, path)))
    hole = box(60, 50)
    assert np.array_equal(before.pixels, planes[..., : before.pixels.shape[2]])
    assert np.array_equal(after.pixels[~hole], before.pixels[~hole])
    assert not np.array_equal(after.pixels[hole], before.pixels[hole])
    if channels == 4:
        assert np.array_equal(after.alpha, np.where(hole, 65535, planes[..., 3]))


@pytest.mark.parametrize("quality", [60, 92])
def test_a_jpeg_keeps_its_quality_and_its_profile(quality: int, repair: Predictor, tmp_path: Path) -> None:
    pixels = smooth(64, 80)
    path = saved(Image.fromarray(pixels), tmp_path / "a.jpg", quality=quality, icc_profile=WIDE)
    hole = box(64, 80)
    with Image.open(path) as before, Image.open(repaired(repair, path)) as after:
        assert after.quantization == before.quantization
        assert after.info["icc_profile"] == WIDE
        change = np.abs(np.asarray(after).astype(int) - np.asarray(before))
    far = np.ones((64, 80), bool)
    far[:32, :40] = False  # the blocks that the hole touches, with their chroma
    assert change[far].mean() < 1
    assert change[hole].mean() > 10


def test_a_cmyk_photo_is_repaired(repair: Predictor, tmp_path: Path) -> None:
    path = saved(Image.fromarray(smooth()).convert("CMYK"), tmp_path / "a.tif")
    with Image.open(path) as before, Image.open(repaired(repair, path)) as after:
        assert after.mode == "CMYK"
        change = np.abs(np.asarray(after.convert("RGB")).astype(int) - np.asarray(before.convert("RGB")))
    assert change[~box(40, 60)].max() <= 2


# Colouring


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_array_is_coloured(channels: int, kind: type, colorize: Predictor) -> None:
    white = np.iinfo(kind).max
    planes = np.dstack([scene(40, 50), noise(40, 50, 1)]).astype(kind) * (white // 255)
    chosen = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    out = colorize(planes[..., chosen])
    assert out.dtype == kind
    assert out.shape == (40, 50, 4 if channels in (2, 4) else 3)
    assert channels not in (2, 4) or np.array_equal(out[..., 3], planes[..., 3])
    rgb = planes[..., [0, 0, 0] if channels in (1, 2) else [0, 1, 2]]
    assert np.abs(lightness(out[..., :3]) - lightness(rgb)).max() < 0.5
    assert np.ptp(out[..., :3].astype(int), axis=2).max() > 0.05 * white


def test_an_array_without_channels_becomes_one_in_colour(colorize: Predictor) -> None:
    gray = scene(40, 50)[..., 0]
    assert np.array_equal(colorize(gray), colorize(gray[..., None]))


@pytest.mark.parametrize("shape", [(3, 20, 30), (1, 20, 30), (1, 3, 20, 30), (2, 1, 20, 30)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tensor_is_coloured(shape: tuple[int, ...], dtype: torch.dtype, colorize: Predictor) -> None:
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)
    out = colorize(x)
    assert out.dtype == dtype
    assert out.shape == (*shape[:-3], 3, 20, 30)
    assert out.abs().max() <= 1
    if x.ndim == 4:
        assert torch.equal(out, torch.stack([colorize(one) for one in x]))


def test_a_path_or_an_image_comes_back_in_colour(colorize: Predictor, tmp_path: Path) -> None:
    gray = scene(40, 50)[..., 0]
    path = saved(Image.fromarray(gray), tmp_path / "a.png")
    expected = colorize(gray)
    for photo in (path, str(path), Image.fromarray(gray)):
        out = colorize(photo)
        assert out.mode == "RGB"
        assert np.array_equal(np.asarray(out), expected)


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (257, 51)])
def test_a_photo_of_any_size_is_coloured(size: tuple[int, int], colorize: Predictor) -> None:
    assert colorize(noise(*size)).shape == (*size, 3)


def test_a_photo_is_coloured_alike_alone_and_among_others(colorize: Predictor) -> None:
    assert colorize.max_batch_size((50, 40)) == 1
    many = [scene(40, 50, seed) for seed in range(3)]
    alone = [load(colorization_model())(photo) for photo in many]
    assert all(np.array_equal(colorize(photo), one) for photo, one in zip(many, alone, strict=True))


def test_saturation_is_a_factor_of_the_chroma() -> None:
    photo = scene(40, 50)

    def chroma(saturation: float) -> float:
        out = load(colorization_model(), saturation=saturation)(photo)
        return float(np.hypot(*np.moveaxis(rgb2lab(out)[..., 1:], -1, 0)).mean())

    assert chroma(0) < 0.6
    assert chroma(0.2) > 3
    assert chroma(0.4) == pytest.approx(2 * chroma(0.2), rel=0.1)


class Sizes(Generator):
    """Gray for all, and what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape))
        return x.new_zeros(len(x), 2, *x.shape[2:])


@pytest.mark.parametrize(("working", "shown"), [(256, (256, 288)), (64, (64, 96))])
def test_the_network_sees_the_photo_at_its_working_size(working: int, shown: tuple[int, int]) -> None:
    network, config = Sizes(), colorization_config(working_size=working)
    load(Model(config, {"AtoB": network}))(scene(260, 280))
    assert network.seen[:2] == 2 * [(1, 1, *shown)]


def test_a_gray_file_becomes_one_in_colour(colorize: Predictor, tmp_path: Path) -> None:
    gray = scene(40, 50)[..., 0]
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "b.png", "c.tif"):
        saved(Image.fromarray(gray), tmp_path / "in" / name, icc_profile=GRAY)
    outcomes = list(translate_folder(colorize, [tmp_path / "in"], tmp_path / "out"))
    assert not any(outcome.failure for outcome in outcomes)
    for name in ("a.jpg", "b.png", "c.tif"):
        with Image.open(tmp_path / "out" / name) as out:
            assert out.mode == "RGB"
            assert "icc_profile" not in out.info  # that of gray fits no more
            assert np.ptp(np.asarray(out).astype(int), axis=2).max() > 10


def test_another_saturation_colours_anew(tmp_path: Path) -> None:
    images.noise(tmp_path / "in" / "a.png")
    for saturation, skipped in ((1.0, ""), (1.0, "done before"), (0.5, ""), (0.5, "done before")):
        predictor = load(colorization_model(), saturation=saturation)
        (outcome,) = translate_folder(predictor, [tmp_path / "in"], tmp_path / "out")
        assert outcome.skipped == skipped


def test_photos_of_a_folder_are_coloured_as_alone(colorize: Predictor, tmp_path: Path) -> None:
    for number in range(4):
        images.noise(tmp_path / "in" / f"{number}.png", seed=number)
    list(translate_folder(colorize, [tmp_path / "in"], tmp_path / "out"))
    for number in range(4):
        with Image.open(tmp_path / "out" / f"{number}.png") as out:
            assert np.array_equal(np.asarray(out), np.asarray(colorize(tmp_path / "in" / f"{number}.png")))


@pytest.mark.parametrize("saturation", [-1, 11, float("nan"), float("inf"), "much", None])
def test_a_saturation_that_is_none_is_refused(saturation: Any) -> None:
    with pytest.raises(UsageError, match=r"saturation is .*, but must be a number from 0 to 10"):
        load_predictor(Model.from_pretrained("colorize"), saturation=saturation)


def test_a_model_that_does_not_colour_has_no_saturation() -> None:
    with pytest.raises(UsageError, match="does not colour: leave saturation out"):
        load_predictor(Model.from_pretrained("inpaint"), saturation=0.5)
