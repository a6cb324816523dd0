"""The networks see sRGB; a file keeps its own colours and its profile."""

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

from tests.unit.images.making import (
    deep_png,
    gamma,
    gray_profile,
    image_of,
    noise,
    parametric,
    profile,
    profile_chunk,
    ramps,
    sampled,
    saved,
    smooth,
    through,
)
from translate.images import Frame, ImageFile, image_file_from_pil, image_file_to_pil, read, read_rgb, write
from translate.images.color.profiles import deep_from_srgb, deep_to_srgb

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# Rec. 2020 and ProPhoto RGB, under D50.
REC2020 = ((0.67348, 0.27904, -0.00194), (0.16567, 0.67535, 0.02997), (0.12505, 0.04561, 0.79685))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))
CURVES = {
    "linear": b"curv" + bytes(8),
    "gamma": gamma(2.2),
    "samples": sampled(np.linspace(0, 1, 1024) ** 1.8),
    "power": parametric(0, 2.2),
    "offset": parametric(1, 2.2, 1.1, -0.1),
    "offset and step": parametric(2, 2.2, 1.1, -0.1, 0.0),
    "line and power": parametric(3, *SRGB_CURVE),
    "all": parametric(4, *SRGB_CURVE, 0.0, 0.0),
}
PROFILES = {
    **{name: profile(curve) for name, curve in CURVES.items()},
    "Rec. 2020": profile(gamma(2.4), REC2020),
    "ProPhoto": profile(gamma(1.8), PROPHOTO),
}
WIDE = PROFILES["gamma"]
GRAY = gray_profile(gamma(1.8))
HOLD_ICC = ("a.jpg", "a.png", "a.tif", "a.webp")
# Of the wrong kind of colours, cut off, empty, and with curves that lead nowhere.
USELESS = {
    "words": b"profile",
    "zeros": bytes(500),
    "cut off": WIDE[:200],
    "gray": GRAY,
    "no matrix": profile(gamma(2.2), ((0.5, 0.5, 0.5),) * 3),
    "unknown curve": profile(b"what" + bytes(8)),
    "unknown parameters": profile(parametric(9, 1.0)),
    "short curve": profile(b"curv" + bytes(4) + b"\0\0\xff\xff"),
    "division by zero": profile(parametric(1, 2.0, 0.0, 0.5)),
    "negative power": profile(parametric(0, -2.0)),
}

BELIEVED = ("no matrix", "division by zero", "negative power")  # by LittleCMS, that is


def by_littlecms(rgb: np.ndarray, icc: bytes, *, back: bool = False) -> np.ndarray:
    """What Pillow's ImageCms makes of 8-bit colours."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    mode = {1: "L", 3: "RGB"}[rgb.shape[2]]
    ends = (SRGB, own, "RGB", mode) if back else (own, SRGB, mode, "RGB")
    converted = ImageCms.applyTransform(image_of(rgb), ImageCms.buildTransform(*ends))
    return np.asarray(converted).reshape(*rgb.shape[:2], -1)


def cube() -> np.ndarray:
    """(64, 64, 3) uint8: colours from all over the cube."""
    levels = np.linspace(0, 255, 16).astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(64, 64, 3)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).max())


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_colours_of_8_bits_become_srgb(icc: bytes, name: str, tmp_path: Path) -> None:
    file = read(saved(Image.fromarray(cube()), tmp_path / name, icc_profile=icc))
    assert file.icc == icc
    assert difference(file.frames[0].pixels, by_littlecms(cube(), icc)) == 0
    assert np.array_equal(read_rgb(tmp_path / name), file.frames[0].pixels)


def test_a_wide_profile_makes_colours_stronger_and_gray_stays_gray(tmp_path: Path) -> None:
    pixels = np.array([[[120, 160, 120], [128, 128, 128]]], np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / "a.png", icc_profile=WIDE)
    green, gray = read(path).frames[0].pixels[0].astype(int)
    assert green[1] - green[0] > 50
    assert np.ptp(gray) <= 1


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_colours_that_srgb_has_come_back_with_their_profile(name: str, channels: int, tmp_path: Path) -> None:
    inside = by_littlecms(smooth() // 2 + 64, WIDE, back=True)
    planes = np.dstack([inside, noise(40, 60)[..., 0]])[..., :channels]
    file, again, out = through(saved(Image.fromarray(planes), tmp_path / name, icc_profile=WIDE))
    with Image.open(out) as written:
        assert written.info["icc_profile"] == file.icc == again.icc == WIDE
        assert difference(np.asarray(written)[..., :3], inside) <= 2
    if channels == 4:
        assert np.array_equal(again.frames[0].alpha, planes[..., 3])


@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_deep_colours_become_what_littlecms_makes_of_8_bits(icc: bytes) -> None:
    deep = deep_to_srgb(cube().astype(np.uint16) * 257, icc)
    assert deep.dtype == np.float32
    assert difference(deep * 255, by_littlecms(cube(), icc)) <= 1.5
    floats = deep_to_srgb((cube() / 255).astype(np.float32), icc)
    assert difference(floats, deep) < 1e-6


@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_deep_srgb_becomes_what_littlecms_makes_of_8_bits(icc: bytes) -> None:
    back = deep_from_srgb(cube().astype(np.uint16) * 257, icc)
    # In the dark a straight line of 8 bits is far from a power.
    bright = cube().min(axis=2) > 50
    assert difference((back * 255)[bright], by_littlecms(cube(), icc, back=True)[bright]) <= 1.5


@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_deep_colours_that_srgb_has_come_back_to_the_last_bit(icc: bytes) -> None:
    rng = np.random.default_rng(0)
    inside = deep_from_srgb(rng.random((200, 200, 3), np.float32) * 0.98 + 0.01, icc)
    deep = np.rint(inside * 65535).astype(np.uint16)
    again = np.rint(deep_from_srgb(deep_to_srgb(deep, icc), icc) * 65535)
    assert difference(again, deep) == 0


def tiff(path: Path, planes: np.ndarray, icc: bytes) -> Path:
    settings: dict[str, Any] = {"photometric": "minisblack" if planes.shape[2] == 1 else "rgb"}
    if planes.shape[2] == 4:
        settings["extrasamples"] = ["unassalpha"]
    pixels = planes if planes.shape[2] > 1 else planes[..., 0]
    tifffile.imwrite(path, pixels, iccprofile=icc, metadata=None, **settings)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_deep_file_keeps_its_numbers_its_alpha_and_its_profile(name: str, tmp_path: Path) -> None:
    gray = np.repeat(ramps(1)[:, :-1], 3, axis=2) * 0.9 + 1000
    planes = np.dstack([gray.astype(np.uint16), ramps(4)[:, :-1, 3]])
    path = tmp_path / name
    if name == "a.png":
        deep_png(path, planes, profile_chunk(WIDE))
    else:
        tiff(path, planes, WIDE)
    file, again, out = through(path)
    assert file.frames[0].deep
    assert file.frames[0].alpha is not None
    assert difference(file.frames[0].alpha * 65535, planes[..., 3]) < 0.01
    assert file.icc == again.icc == WIDE
    numbers = tifffile.imread(out) if name == "a.tif" else raw_png(out)
    assert np.array_equal(numbers, planes)


def raw_png(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]


def test_a_deep_float_file_keeps_its_numbers(tmp_path: Path) -> None:
    planes = (np.repeat(ramps(1), 3, axis=2) * 0.9 / 65535 + 0.01).astype(np.float32)
    _, _, out = through(tiff(tmp_path / "a.tif", planes, WIDE))
    numbers = tifffile.imread(out)
    assert numbers.dtype == np.float32
    assert difference(numbers, planes) < 1e-6


@pytest.mark.parametrize("name", HOLD_ICC)
def test_an_srgb_profile_changes_no_pixel_and_is_kept(name: str, tmp_path: Path) -> None:
    icc = SRGB.tobytes()
    options = {"lossless": True} if name == "a.webp" else {"quality": 95}
    plain = read(saved(Image.fromarray(smooth()), tmp_path / name, **options))
    file, again, out = through(saved(Image.fromarray(smooth()), tmp_path / name, **options, icc_profile=icc))
    assert file.icc == again.icc == icc
    assert np.array_equal(file.frames[0].pixels, plain.frames[0].pixels)
    with Image.open(out) as written:
        assert written.info["icc_profile"] == icc
    deep, again, _ = through(deep_png(tmp_path / "deep.png", ramps(3), profile_chunk(icc)))
    assert np.array_equal(deep.frames[0].pixels, ramps(3))
    assert np.array_equal(again.frames[0].pixels, ramps(3))
    assert again.icc == icc


@pytest.mark.parametrize("icc", [USELESS[name] for name in USELESS if name not in BELIEVED])
@pytest.mark.parametrize("name", HOLD_ICC)
def test_a_profile_that_is_of_no_use_is_carried_and_changes_nothing(
    name: str, icc: bytes, tmp_path: Path
) -> None:
    options = {"lossless": True} if name == "a.webp" else {}
    plain = read(saved(Image.fromarray(smooth()), tmp_path / name, **options)).frames[0].pixels
    file, again, _ = through(saved(Image.fromarray(smooth()), tmp_path / name, **options, icc_profile=icc))
    assert file.icc == again.icc == icc
    assert np.array_equal(file.frames[0].pixels, plain)
    if name in ("a.png", "a.tif", "a.webp"):
        assert np.array_equal(again.frames[0].pixels, plain)


@pytest.mark.parametrize("icc", USELESS.values(), ids=USELESS)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_deep_file_carries_such_a_profile_too(suffix: str, icc: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        deep_png(path, ramps(3), profile_chunk(icc))
    else:
        tiff(path, ramps(3), icc)
    for one in through(path)[:2]:
        assert one.icc == icc
        assert np.array_equal(one.frames[0].pixels, ramps(3))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_gray_of_8_bits_has_a_profile_too(name: str, tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    image = saved(image_of(levels), tmp_path / name, icc_profile=GRAY)
    with Image.open(image) as opened:
        decoded = np.asarray(opened)[..., None]
    file, again, out = through(image)
    assert file.mode == again.mode == "L"
    assert file.icc == again.icc == GRAY
    assert difference(file.frames[0].pixels, by_littlecms(decoded, GRAY)[..., :1]) <= 1
    with Image.open(out) as written:
        assert difference(np.asarray(written)[..., None], decoded) <= 6


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_deep_gray_keeps_its_numbers_and_its_profile(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        deep_png(path, ramps(1), profile_chunk(GRAY))
    else:
        tiff(path, ramps(1), GRAY)
    file, again, out = through(path)
    assert file.mode == again.mode == "L"
    assert file.icc == again.icc == GRAY
    as_srgb = by_littlecms((ramps(1) // 257).astype(np.uint8), GRAY)[..., :1]
    assert difference(file.frames[0].pixels * 255, as_srgb) <= 3
    assert file.frames[0].pixels.mean() > ramps(1).mean() / 65535 + 0.01
    with Image.open(out) as written:
        assert difference(np.asarray(written)[..., None], ramps(1)) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_that_changed_its_kind_loses_the_profile(channels: int, tmp_path: Path) -> None:
    """A network may make gray of colours, or colours of gray: the profile fits no more."""
    other = 4 - channels
    for deep in (False, True):
        icc = {1: GRAY, 3: WIDE}[channels]
        if deep:
            file = read(deep_png(tmp_path / "a.png", ramps(channels), profile_chunk(icc)))
            pixels = ramps(other)
        else:
            planes = noise(channels=channels)
            file = read(saved(image_of(planes), tmp_path / "a.png", icc_profile=icc))
            pixels = noise(channels=other)
        write(replace(file, frames=[Frame(pixels=pixels)]), tmp_path / "b.png")
        again = read(tmp_path / "b.png")
        assert again.icc is None
        assert np.array_equal(again.frames[0].pixels, pixels)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
@pytest.mark.parametrize("icc", [None, b"of an unknown kind", WIDE])
def test_cmyk_stays_cmyk(icc: bytes | None, name: str, tmp_path: Path) -> None:
    image = Image.fromarray(smooth()).convert("CMYK")
    options = {"quality": 95} if name == "a.jpg" else {}
    file, again, out = through(saved(image, tmp_path / name, icc_profile=icc, **options))
    assert file.mode == again.mode == "CMYK"
    assert file.icc == again.icc == icc
    with Image.open(out) as written:
        assert written.mode == "CMYK"
    limit = 0 if name == "a.tif" else 6
    assert difference(file.frames[0].pixels, smooth()) <= limit * 3
    assert np.abs(again.frames[0].pixels.astype(int) - file.frames[0].pixels).mean() <= limit


def test_a_real_cmyk_image_keeps_its_profile_and_looks(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes((real_data / "odd" / "pillow_pil_sample_cmyk.jpg").read_bytes())
    file, again, _ = through(path)
    assert file.mode == again.mode == "CMYK"
    assert file.icc == again.icc
    assert np.abs(again.frames[0].pixels.astype(int) - file.frames[0].pixels).mean() < 2


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_cmyk_becomes_rgb_where_there_is_none(suffix: str, tmp_path: Path) -> None:
    path = saved(Image.fromarray(smooth()).convert("CMYK"), tmp_path / "a.tif", icc_profile=b"of inks")
    write(replace(read(path), format=suffix.upper()), tmp_path / f"b.{suffix}")
    again = read(tmp_path / f"b.{suffix}")
    assert (again.mode, again.icc) == ("RGB", None)


@pytest.mark.parametrize("icc", [None, WIDE])
def test_lab_stays_lab(icc: bytes | None, tmp_path: Path) -> None:
    to_lab = ImageCms.buildTransform(SRGB, ImageCms.createProfile("LAB"), "RGB", "LAB")
    image = ImageCms.applyTransform(Image.fromarray(smooth() // 2 + 60), to_lab)
    assert image is not None
    image.info.clear()
    options = {"icc_profile": icc} if icc else {}
    file, again, out = through(saved(image, tmp_path / "a.tif", **options))
    assert file.mode == again.mode == "LAB"
    assert file.icc == again.icc == icc
    assert np.abs(file.frames[0].pixels.astype(int) - (smooth() // 2 + 60)).mean() < 2
    with Image.open(out) as written:
        assert written.mode == "LAB"
        wrapped = (np.asarray(written).astype(int) - np.asarray(image) + 128) % 256 - 128
        assert np.abs(wrapped).mean() < 0.5


def test_an_image_comes_back_in_its_own_colours() -> None:
    inside = by_littlecms(smooth() // 2 + 64, WIDE, back=True)
    image = Image.fromarray(inside)
    image.info["icc_profile"] = WIDE
    back = image_file_to_pil(image_file_from_pil(image))
    assert back.info["icc_profile"] == WIDE
    assert difference(np.asarray(back), inside) <= 2
    assert "icc_profile" not in image_file_to_pil(image_file_from_pil(Image.fromarray(inside))).info


def test_an_image_of_cmyk_comes_back_as_cmyk() -> None:
    back = image_file_to_pil(image_file_from_pil(Image.fromarray(smooth()).convert("CMYK")))
    assert back.mode == "CMYK"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_no_profile_is_invented(kind: str, tmp_path: Path) -> None:
    write(ImageFile(format=kind, frames=[Frame(pixels=smooth())]), tmp_path / "a")
    with Image.open(tmp_path / "a") as written:
        assert "icc_profile" not in written.info
