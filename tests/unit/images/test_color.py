"""Colour management: frames are converted to sRGB, and a file keeps its own colours and its ICC profile."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from tests.unit.images.image_samples import (
    array_to_pil,
    color_gradient,
    gamma_curve,
    gray_profile,
    icc_chunk,
    noise,
    parametric_curve,
    ramps_16bit,
    rgb_profile,
    round_trip,
    sampled_curve,
    save_image,
    write_16bit_png,
)
from translate.images import Frame, ImageFile, image_file_from_pil, image_file_to_pil, read, read_rgb, write
from translate.images.color.profiles import high_bit_depth_from_srgb, high_bit_depth_to_srgb

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# Rec. 2020 and ProPhoto RGB, under D50.
REC2020 = ((0.67348, 0.27904, -0.00194), (0.16567, 0.67535, 0.02997), (0.12505, 0.04561, 0.79685))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))
CURVES = {
    "linear": b"curv" + bytes(8),
    "gamma": gamma_curve(2.2),
    "samples": sampled_curve(np.linspace(0, 1, 1024) ** 1.8),
    "power": parametric_curve(0, 2.2),
    "offset": parametric_curve(1, 2.2, 1.1, -0.1),
    "offset and step": parametric_curve(2, 2.2, 1.1, -0.1, 0.0),
    "line and power": parametric_curve(3, *SRGB_CURVE),
    "all": parametric_curve(4, *SRGB_CURVE, 0.0, 0.0),
}
PROFILES = {
    **{name: rgb_profile(curve) for name, curve in CURVES.items()},
    "Rec. 2020": rgb_profile(gamma_curve(2.4), REC2020),
    "ProPhoto": rgb_profile(gamma_curve(1.8), PROPHOTO),
}
WIDE = PROFILES["gamma"]
GRAY = gray_profile(gamma_curve(1.8))
ICC_NAMES = ("a.jpg", "a.png", "a.tif", "a.webp")
# Profiles for other colours, truncated, empty, and with curves that cannot be inverted.
UNUSABLE = {
    "no profile": b"text",
    "zeros": bytes(500),
    "truncated": WIDE[:200],
    "gray": GRAY,
    "no matrix": rgb_profile(gamma_curve(2.2), ((0.5, 0.5, 0.5),) * 3),
    "unknown curve": rgb_profile(b"what" + bytes(8)),
    "unknown parameters": rgb_profile(parametric_curve(9, 1.0)),
    "short curve": rgb_profile(b"curv" + bytes(4) + b"\0\0\xff\xff"),
    "division by zero": rgb_profile(parametric_curve(1, 2.0, 0.0, 0.5)),
    "negative power": rgb_profile(parametric_curve(0, -2.0)),
}

ACCEPTED_BY_LITTLECMS = ("no matrix", "division by zero", "negative power")


def convert_with_littlecms(rgb: np.ndarray, icc: bytes, *, inverse: bool = False) -> np.ndarray:
    """Convert 8-bit colours from a profile to sRGB with Pillow's ImageCms, or the inverse."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    mode = {1: "L", 3: "RGB"}[rgb.shape[2]]
    ends = (SRGB, profile, "RGB", mode) if inverse else (profile, SRGB, mode, "RGB")
    converted = ImageCms.applyTransform(array_to_pil(rgb), ImageCms.buildTransform(*ends))
    return np.asarray(converted).reshape(*rgb.shape[:2], -1)


def color_grid() -> np.ndarray:
    """Return (64, 64, 3) uint8: a grid over all RGB colours."""
    levels = np.linspace(0, 255, 16).astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(64, 64, 3)


def difference(actual: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest absolute difference."""
    return float(np.abs(actual.astype(float) - expected).max())


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_8bit_colours_are_converted_to_srgb(icc: bytes, name: str, tmp_path: Path) -> None:
    file = read(save_image(Image.fromarray(color_grid()), tmp_path / name, icc_profile=icc))
    assert file.icc == icc
    assert difference(file.frames[0].pixels, convert_with_littlecms(color_grid(), icc)) == 0
    assert np.array_equal(read_rgb(tmp_path / name), file.frames[0].pixels)


def test_a_wide_gamut_profile_makes_colours_more_saturated_and_keeps_gray(tmp_path: Path) -> None:
    pixels = np.array([[[120, 160, 120], [128, 128, 128]]], np.uint8)
    path = save_image(Image.fromarray(pixels), tmp_path / "a.png", icc_profile=WIDE)
    green, gray = read(path).frames[0].pixels[0].astype(int)
    assert green[1] - green[0] > 50
    assert np.ptp(gray) <= 1


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_colours_inside_srgb_are_restored_with_their_profile(
    name: str, channels: int, tmp_path: Path
) -> None:
    in_gamut = convert_with_littlecms(color_gradient() // 2 + 64, WIDE, inverse=True)
    array = np.dstack([in_gamut, noise(40, 60)[..., 0]])[..., :channels]
    file, copy, out = round_trip(save_image(Image.fromarray(array), tmp_path / name, icc_profile=WIDE))
    with Image.open(out) as written:
        assert written.info["icc_profile"] == file.icc == copy.icc == WIDE
        assert difference(np.asarray(written)[..., :3], in_gamut) <= 2
    if channels == 4:
        assert np.array_equal(copy.frames[0].alpha, array[..., 3])


@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_high_bit_depth_to_srgb_agrees_with_littlecms_at_8_bits(icc: bytes) -> None:
    pixels_16bit = high_bit_depth_to_srgb(color_grid().astype(np.uint16) * 257, icc)
    assert pixels_16bit.dtype == np.float32
    assert difference(pixels_16bit * 255, convert_with_littlecms(color_grid(), icc)) <= 1.5
    floats = high_bit_depth_to_srgb((color_grid() / 255).astype(np.float32), icc)
    assert difference(floats, pixels_16bit) < 1e-6


@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_high_bit_depth_from_srgb_agrees_with_littlecms_at_8_bits(icc: bytes) -> None:
    back = high_bit_depth_from_srgb(color_grid().astype(np.uint16) * 257, icc)
    # LittleCMS rounds dark colours to 8 bits, where the curves are steep, so compare bright colours only.
    bright = color_grid().min(axis=2) > 50
    assert (
        difference((back * 255)[bright], convert_with_littlecms(color_grid(), icc, inverse=True)[bright])
        <= 1.5
    )


@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_16bit_colours_inside_srgb_are_restored_to_the_last_bit(icc: bytes) -> None:
    rng = np.random.default_rng(0)
    in_gamut = high_bit_depth_from_srgb(rng.random((200, 200, 3), np.float32) * 0.98 + 0.01, icc)
    pixels_16bit = np.rint(in_gamut * 65535).astype(np.uint16)
    copy = np.rint(high_bit_depth_from_srgb(high_bit_depth_to_srgb(pixels_16bit, icc), icc) * 65535)
    assert difference(copy, pixels_16bit) == 0


def write_tiff(path: Path, array: np.ndarray, icc: bytes) -> Path:
    settings: dict[str, Any] = {"photometric": "minisblack" if array.shape[2] == 1 else "rgb"}
    if array.shape[2] == 4:
        settings["extrasamples"] = ["unassalpha"]
    pixels = array if array.shape[2] > 1 else array[..., 0]
    tifffile.imwrite(path, pixels, iccprofile=icc, metadata=None, **settings)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_16bit_file_keeps_its_pixels_alpha_and_icc_profile(name: str, tmp_path: Path) -> None:
    gray = np.repeat(ramps_16bit(1)[:, :-1], 3, axis=2) * 0.9 + 1000
    array = np.dstack([gray.astype(np.uint16), ramps_16bit(4)[:, :-1, 3]])
    path = tmp_path / name
    if name == "a.png":
        write_16bit_png(path, array, icc_chunk(WIDE))
    else:
        write_tiff(path, array, WIDE)
    file, copy, out = round_trip(path)
    assert file.frames[0].high_bit_depth
    assert file.frames[0].alpha is not None
    assert difference(file.frames[0].alpha * 65535, array[..., 3]) < 0.01
    assert file.icc == copy.icc == WIDE
    stored = tifffile.imread(out) if name == "a.tif" else read_stored_png(out)
    assert np.array_equal(stored, array)


def read_stored_png(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]


def test_a_float_tiff_keeps_its_pixels(tmp_path: Path) -> None:
    array = (np.repeat(ramps_16bit(1), 3, axis=2) * 0.9 / 65535 + 0.01).astype(np.float32)
    _, _, out = round_trip(write_tiff(tmp_path / "a.tif", array, WIDE))
    stored = tifffile.imread(out)
    assert stored.dtype == np.float32
    assert difference(stored, array) < 1e-6


@pytest.mark.parametrize("name", ICC_NAMES)
def test_an_srgb_profile_changes_no_pixel_and_is_kept(name: str, tmp_path: Path) -> None:
    icc = SRGB.tobytes()
    options = {"lossless": True} if name == "a.webp" else {"quality": 95}
    plain = read(save_image(Image.fromarray(color_gradient()), tmp_path / name, **options))
    file, copy, out = round_trip(
        save_image(Image.fromarray(color_gradient()), tmp_path / name, **options, icc_profile=icc)
    )
    assert file.icc == copy.icc == icc
    assert np.array_equal(file.frames[0].pixels, plain.frames[0].pixels)
    with Image.open(out) as written:
        assert written.info["icc_profile"] == icc
    file, copy, _ = round_trip(write_16bit_png(tmp_path / "16bit.png", ramps_16bit(3), icc_chunk(icc)))
    assert np.array_equal(file.frames[0].pixels, ramps_16bit(3))
    assert np.array_equal(copy.frames[0].pixels, ramps_16bit(3))
    assert copy.icc == icc


@pytest.mark.parametrize("icc", [UNUSABLE[name] for name in UNUSABLE if name not in ACCEPTED_BY_LITTLECMS])
@pytest.mark.parametrize("name", ICC_NAMES)
def test_an_unusable_icc_profile_is_kept_and_changes_no_pixel(name: str, icc: bytes, tmp_path: Path) -> None:
    options = {"lossless": True} if name == "a.webp" else {}
    plain = read(save_image(Image.fromarray(color_gradient()), tmp_path / name, **options)).frames[0].pixels
    file, copy, _ = round_trip(
        save_image(Image.fromarray(color_gradient()), tmp_path / name, **options, icc_profile=icc)
    )
    assert file.icc == copy.icc == icc
    assert np.array_equal(file.frames[0].pixels, plain)
    if name in ("a.png", "a.tif", "a.webp"):
        assert np.array_equal(copy.frames[0].pixels, plain)


@pytest.mark.parametrize("icc", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_an_unusable_icc_profile_is_kept_in_a_16bit_file(suffix: str, icc: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        write_16bit_png(path, ramps_16bit(3), icc_chunk(icc))
    else:
        write_tiff(path, ramps_16bit(3), icc)
    for result in round_trip(path)[:2]:
        assert result.icc == icc
        assert np.array_equal(result.frames[0].pixels, ramps_16bit(3))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_8bit_gray_is_converted_by_its_gray_profile(name: str, tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    image = save_image(array_to_pil(levels), tmp_path / name, icc_profile=GRAY)
    with Image.open(image) as opened:
        decoded = np.asarray(opened)[..., None]
    file, copy, out = round_trip(image)
    assert file.mode == copy.mode == "L"
    assert file.icc == copy.icc == GRAY
    assert difference(file.frames[0].pixels, convert_with_littlecms(decoded, GRAY)[..., :1]) <= 1
    with Image.open(out) as written:
        assert difference(np.asarray(written)[..., None], decoded) <= 6


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16bit_gray_keeps_its_pixels_and_its_profile(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        write_16bit_png(path, ramps_16bit(1), icc_chunk(GRAY))
    else:
        write_tiff(path, ramps_16bit(1), GRAY)
    file, copy, out = round_trip(path)
    assert file.mode == copy.mode == "L"
    assert file.icc == copy.icc == GRAY
    as_srgb = convert_with_littlecms((ramps_16bit(1) // 257).astype(np.uint8), GRAY)[..., :1]
    assert difference(file.frames[0].pixels * 255, as_srgb) <= 3
    assert file.frames[0].pixels.mean() > ramps_16bit(1).mean() / 65535 + 0.01
    with Image.open(out) as written:
        assert difference(np.asarray(written)[..., None], ramps_16bit(1)) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_the_profile_is_dropped_if_gray_became_colour_or_colour_gray(channels: int, tmp_path: Path) -> None:
    """A network may convert gray to colour or colour to gray; the profile does not apply to the result."""
    new_channels = 4 - channels
    for high_bit_depth in (False, True):
        icc = {1: GRAY, 3: WIDE}[channels]
        if high_bit_depth:
            file = read(write_16bit_png(tmp_path / "a.png", ramps_16bit(channels), icc_chunk(icc)))
            pixels = ramps_16bit(new_channels)
        else:
            array = noise(channels=channels)
            file = read(save_image(array_to_pil(array), tmp_path / "a.png", icc_profile=icc))
            pixels = noise(channels=new_channels)
        write(replace(file, frames=[Frame(pixels=pixels)]), tmp_path / "b.png")
        copy = read(tmp_path / "b.png")
        assert copy.icc is None
        assert np.array_equal(copy.frames[0].pixels, pixels)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
@pytest.mark.parametrize("icc", [None, b"unknown", WIDE])
def test_cmyk_stays_cmyk(icc: bytes | None, name: str, tmp_path: Path) -> None:
    image = Image.fromarray(color_gradient()).convert("CMYK")
    options = {"quality": 95} if name == "a.jpg" else {}
    file, copy, out = round_trip(save_image(image, tmp_path / name, icc_profile=icc, **options))
    assert file.mode == copy.mode == "CMYK"
    assert file.icc == copy.icc == icc
    with Image.open(out) as written:
        assert written.mode == "CMYK"
    limit = 0 if name == "a.tif" else 6
    assert difference(file.frames[0].pixels, color_gradient()) <= limit * 3
    assert np.abs(copy.frames[0].pixels.astype(int) - file.frames[0].pixels).mean() <= limit


def test_a_real_cmyk_jpeg_keeps_its_profile_and_its_colours(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes((real_data / "odd" / "pillow_pil_sample_cmyk.jpg").read_bytes())
    file, copy, _ = round_trip(path)
    assert file.mode == copy.mode == "CMYK"
    assert file.icc == copy.icc
    assert np.abs(copy.frames[0].pixels.astype(int) - file.frames[0].pixels).mean() < 2


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_cmyk_becomes_rgb_in_a_format_without_cmyk(suffix: str, tmp_path: Path) -> None:
    path = save_image(
        Image.fromarray(color_gradient()).convert("CMYK"), tmp_path / "a.tif", icc_profile=b"cmyk"
    )
    write(replace(read(path), format=suffix.upper()), tmp_path / f"b.{suffix}")
    copy = read(tmp_path / f"b.{suffix}")
    assert (copy.mode, copy.icc) == ("RGB", None)


@pytest.mark.parametrize("icc", [None, WIDE])
def test_lab_stays_lab(icc: bytes | None, tmp_path: Path) -> None:
    to_lab = ImageCms.buildTransform(SRGB, ImageCms.createProfile("LAB"), "RGB", "LAB")
    image = ImageCms.applyTransform(Image.fromarray(color_gradient() // 2 + 60), to_lab)
    assert image is not None
    image.info.clear()
    options = {"icc_profile": icc} if icc else {}
    file, copy, out = round_trip(save_image(image, tmp_path / "a.tif", **options))
    assert file.mode == copy.mode == "LAB"
    assert file.icc == copy.icc == icc
    assert np.abs(file.frames[0].pixels.astype(int) - (color_gradient() // 2 + 60)).mean() < 2
    with Image.open(out) as written:
        assert written.mode == "LAB"
        wrapped = (np.asarray(written).astype(int) - np.asarray(image) + 128) % 256 - 128
        assert np.abs(wrapped).mean() < 0.5


def test_a_pil_image_is_returned_in_the_colours_of_its_profile() -> None:
    in_gamut = convert_with_littlecms(color_gradient() // 2 + 64, WIDE, inverse=True)
    image = Image.fromarray(in_gamut)
    image.info["icc_profile"] = WIDE
    back = image_file_to_pil(image_file_from_pil(image))
    assert back.info["icc_profile"] == WIDE
    assert difference(np.asarray(back), in_gamut) <= 2
    assert "icc_profile" not in image_file_to_pil(image_file_from_pil(Image.fromarray(in_gamut))).info


def test_a_cmyk_pil_image_is_returned_as_cmyk() -> None:
    back = image_file_to_pil(image_file_from_pil(Image.fromarray(color_gradient()).convert("CMYK")))
    assert back.mode == "CMYK"


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_no_profile_is_written_if_there_was_none(image_format: str, tmp_path: Path) -> None:
    write(ImageFile(format=image_format, frames=[Frame(pixels=color_gradient())]), tmp_path / "a")
    with Image.open(tmp_path / "a") as written:
        assert "icc_profile" not in written.info
