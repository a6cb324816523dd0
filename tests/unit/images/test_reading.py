"""Every kind of picture becomes upright 8-bit RGB; what is none is told in one line."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import noise
from translate.errors import DataError
from translate.images import read, read_rgb
from translate.images.picture import from_pil

ORIENTATION = 0x0112
Flip = Image.Transpose
# How a camera that notes this orientation has stored an upright picture.
STORED = {
    1: [],
    2: [Flip.FLIP_LEFT_RIGHT],
    3: [Flip.ROTATE_180],
    4: [Flip.FLIP_TOP_BOTTOM],
    5: [Flip.TRANSPOSE],
    6: [Flip.ROTATE_90],
    7: [Flip.TRANSVERSE],
    8: [Flip.ROTATE_270],
}


def rgb(height: int = 6, width: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image: Image.Image, path: Path, **settings) -> Path:
    image.save(path, **settings)
    return path


def test_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    picture = read(saved(Image.fromarray(rgb()), tmp_path / "a.png"))
    assert np.array_equal(picture.rgb, rgb())
    assert picture.rgb.dtype == np.uint8
    assert picture.alpha is None
    assert picture.icc is None


@pytest.mark.parametrize("mode", ["L", "1"])
def test_gray_is_the_same_in_each_channel(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(rgb()[..., 0]).convert(mode)
    picture = read(saved(image, tmp_path / "a.png"))
    gray = np.asarray(image.convert("L"))
    assert np.array_equal(picture.rgb, np.dstack([gray] * 3))
    assert picture.alpha is None


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_kept_apart(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(rgb()).convert(mode)
    alpha = rgb(seed=1)[..., 0]
    image.putalpha(Image.fromarray(alpha))
    picture = read(saved(image, tmp_path / "a.png"))
    assert np.array_equal(picture.alpha, alpha)
    assert np.array_equal(picture.rgb, np.asarray(image.convert("RGBA"))[..., :3])


def palette() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    return image


def test_a_palette_becomes_colours(tmp_path: Path) -> None:
    picture = read(saved(palette(), tmp_path / "a.png"))
    assert picture.rgb.tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert picture.alpha is None


def test_a_palettes_transparent_colour_becomes_alpha(tmp_path: Path) -> None:
    picture = read(saved(palette(), tmp_path / "a.png", transparency=1))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0]]
    assert picture.rgb[0, 0].tolist() == [255, 0, 0]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    picture = read(saved(image, tmp_path / "a.jpg", quality=100))
    assert np.abs(picture.rgb.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_and_not_clipped(suffix: str, tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 128 * 257, 65535 - 129, 65535]], dtype=np.uint16)
    picture = read(saved(Image.fromarray(values), tmp_path / f"a.{suffix}"))
    assert picture.rgb[0].tolist() == [[gray] * 3 for gray in (0, 0, 1, 1, 128, 254, 255)]


def test_a_range_that_nobody_agreed_on_is_refused(tmp_path: Path) -> None:
    path = saved(Image.fromarray(np.zeros((2, 2), np.float32)), tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: 32-bit float pixels have no agreed range"):
        read(path)


def test_the_first_of_several_frames_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    path = saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_rgb(path)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16", "P"])
def test_a_picture_is_turned_upright(mode: str, orientation: int, tmp_path: Path) -> None:
    gray = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    upright = Image.fromarray(gray.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(gray)
    stored = upright if mode == "I;16" else upright.convert(mode)
    for turn in STORED[orientation]:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert np.array_equal(read(saved(stored, tmp_path / "a.png", exif=exif)).rgb[..., 0], gray)


def test_a_jpeg_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = saved(Image.new("RGB", (20, 10)), tmp_path / "a.jpg", exif=exif)
    assert read(path).rgb.shape == (20, 10, 3)


def test_the_colour_profile_comes_along_where_it_fits(tmp_path: Path) -> None:
    assert read(saved(Image.fromarray(rgb()), tmp_path / "a.png", icc_profile=b"profile")).icc == b"profile"
    gray = Image.fromarray(rgb()[..., 0])
    assert read(saved(gray, tmp_path / "b.png", icc_profile=b"gray")).icc is None


def test_what_is_transparent_is_white_in_training(tmp_path: Path) -> None:
    pixels = np.dstack([np.full((1, 3, 3), 100, np.uint8), np.array([[[0], [255], [51]]], np.uint8)])
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    assert read_rgb(path)[0, :, 0].tolist() == [255, 100, 224]


@pytest.mark.parametrize("name", ["short.jpg", "line\nbreak.jpg"])
@pytest.mark.parametrize("size", [0, 20, 500])
def test_a_cut_off_file_is_told_in_one_line(size: int, name: str, tmp_path: Path) -> None:
    path = noise(tmp_path / "whole.jpg", 64, 64)
    damaged = tmp_path / name
    damaged.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError) as refusal:
        read(damaged)
    assert str(refusal.value).startswith(str(damaged).replace("\n", "\\n") + ": ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"just words\n", "not a picture of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture of a known format"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 40, ""),
        (b"GIF89a" + b"\xff" * 9, ""),
        (b"P6 99999 99999 255\n", ""),
        (b"II*\x00\xff\xff\xff\xff", ""),
    ],
)
def test_a_file_that_is_no_picture_is_told_by_name(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError) as refusal:
            read(path)
    assert str(refusal.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png: No such file or directory$"):
        read(tmp_path / "none.png")


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Is a directory"):
        read(tmp_path)


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = noise(tmp_path / "a.png", 20, 20)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"a\.png: .*400 pixels"):
        read(path)


def test_a_pil_image_is_not_changed() -> None:
    image = Image.fromarray(rgb())
    from_pil(image).rgb[:] = 0
    assert np.array_equal(np.asarray(image), rgb())
