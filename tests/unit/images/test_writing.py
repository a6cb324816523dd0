"""Writing image files: atomically, and encoded as the original was."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageChops, JpegImagePlugin
from PIL import ImageFile as PillowImageFile

from tests.unit.images.image_samples import (
    array_to_pil,
    color_gradient,
    frame_array,
    noise,
    round_trip,
    save_image,
)
from translate.errors import DataError
from translate.images import FORMATS, SUFFIXES, Frame, ImageFile, read, read_rgb, write, write_rgb

LOSSY = (".jpg", ".jpe", ".jpeg", ".jfif", ".mpo", ".webp", ".gif")


def image_file(
    image_format: str = "PNG", *, alpha: bool = False, pixels: np.ndarray | None = None
) -> ImageFile:
    pixels = color_gradient() if pixels is None else pixels
    return ImageFile(
        format=image_format, frames=[Frame(pixels=pixels, alpha=pixels[..., 0] if alpha else None)]
    )


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_every_suffix_is_written_in_its_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "sub" / ("a" + suffix.upper())
    write_rgb(color_gradient(), path)
    with Image.open(path) as image:
        assert image.format == FORMATS[suffix]
    difference = np.abs(read_rgb(path).astype(int) - color_gradient())
    assert difference.mean() < (8 if suffix in LOSSY else 1e-9)


def test_every_suffix_that_can_be_read_can_be_written() -> None:
    assert set(FORMATS) == SUFFIXES


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.heic"])
def test_an_unknown_suffix_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"use \.apng, \.bmp, "):
        write_rgb(color_gradient(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".xyz", ""])
def test_the_format_of_the_file_decides_not_the_suffix(suffix: str, tmp_path: Path) -> None:
    write(image_file("PNG"), tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize("image_format", ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_each_format_holds_gray_and_rgb_with_and_without_alpha(
    channels: int, image_format: str, tmp_path: Path
) -> None:
    pixels = color_gradient()[..., : 1 if channels < 3 else 3]
    file = image_file(image_format, alpha=channels in (2, 4), pixels=pixels)
    write(file, tmp_path / "a")
    copy = read(tmp_path / "a")
    assert copy.format == image_format
    assert copy.frames[0].size == (60, 40)
    holds_alpha = image_format in ("BMP", "GIF", "PNG", "TIFF", "WEBP")
    assert (copy.frames[0].alpha is not None) == (holds_alpha and channels in (2, 4))
    if image_format in ("BMP", "PNG", "TIFF"):
        assert np.array_equal(copy.frames[0].rgb(), file.frames[0].rgb())
    if image_format in ("BMP", "PNG", "TIFF", "WEBP") and channels in (2, 4):
        assert np.array_equal(copy.frames[0].alpha, file.frames[0].alpha)
    if image_format in ("PNG", "TIFF", "JPEG", "PPM"):
        assert copy.mode == ("L" if channels < 3 else "RGB")


@pytest.mark.parametrize("image_format", ["JPEG", "PPM"])
def test_transparent_pixels_become_white_in_a_format_without_alpha(image_format: str, tmp_path: Path) -> None:
    frame = Frame(pixels=np.zeros((16, 16, 3), np.uint8), alpha=np.zeros((16, 16), np.uint8))
    write(ImageFile(format=image_format, frames=[frame]), tmp_path / "a")
    assert (read(tmp_path / "a").frames[0].pixels == 255).all()


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.bmp"])
def test_alpha_and_the_colours_of_transparent_pixels_are_kept_bit_for_bit(name: str, tmp_path: Path) -> None:
    array = noise(40, 60, 4)
    array[:20, :, 3] = 0
    path = tmp_path / name
    if name == "a.bmp":
        path.write_bytes(cv2.imencode(".bmp", array[..., [2, 1, 0, 3]])[1].tobytes())
    else:
        options = {"lossless": True, "exact": True} if name == "a.webp" else {}
        save_image(Image.fromarray(array), path, **options)
    for result in round_trip(path)[:2]:
        assert np.array_equal(frame_array(result), array)


def write_jpeg_with_opencv(path: Path, pixels: np.ndarray, quality: int, *settings: int) -> Path:
    """Write a JPEG with OpenCV instead of Pillow."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, *settings]
    path.write_bytes(cv2.imencode(".jpg", pixels[..., ::-1], options)[1].tobytes())
    return path


def photo_texture(height: int = 240, width: int = 320) -> np.ndarray:
    """Return an image like a photo: smooth, with a little noise."""
    grain = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    return (
        (np.tile(color_gradient(), (6, 6, 1))[:height, :width] / 2 + 60 + grain).clip(0, 255).astype(np.uint8)
    )


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [20, 75, 92, 100])
def test_a_jpeg_keeps_its_quality_subsampling_and_file_size(
    quality: int, subsampling: int, optimize: bool, progressive: bool, tmp_path: Path
) -> None:
    image = Image.fromarray(photo_texture())
    options = {"subsampling": subsampling, "optimize": optimize, "progressive": progressive}
    path = save_image(image, tmp_path / "a.jpg", quality=quality, **options)
    _, _, out = round_trip(path)
    with Image.open(path) as before, Image.open(out) as after:
        assert after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == subsampling
        assert bool(after.info.get("progressive")) == progressive
        loss = np.abs(np.asarray(after).astype(int) - np.asarray(before)).mean()
    assert loss < 1.5
    assert abs(out.stat().st_size / path.stat().st_size - 1) < 0.1


def test_a_gray_jpeg_keeps_its_quality(tmp_path: Path) -> None:
    path = save_image(Image.fromarray(photo_texture()[..., 0]), tmp_path / "a.jpg", quality=60)
    _, copy, out = round_trip(path)
    with Image.open(path) as before, Image.open(out) as after:
        assert after.mode == "L"
        assert after.quantization == before.quantization
    assert copy.mode == "L"
    assert abs(out.stat().st_size / path.stat().st_size - 1) < 0.1


def test_colours_predicted_for_a_gray_jpeg_can_be_written(tmp_path: Path) -> None:
    file = read(save_image(Image.fromarray(photo_texture()[..., 0]), tmp_path / "a.jpg", quality=90))
    write(replace(file, frames=[Frame(pixels=photo_texture())]), tmp_path / "b.jpg")
    assert np.abs(read_rgb(tmp_path / "b.jpg").astype(int) - photo_texture()).mean() < 6


def test_gray_predicted_for_a_colour_jpeg_can_be_written(tmp_path: Path) -> None:
    file = read(save_image(Image.fromarray(photo_texture()), tmp_path / "a.jpg", quality=90))
    gray = photo_texture()[..., :1]
    write(replace(file, frames=[Frame(pixels=gray)]), tmp_path / "b.jpg")
    copy = read(tmp_path / "b.jpg")
    assert copy.mode == "L"
    assert np.abs(frame_array(copy).astype(int) - gray).mean() < 6


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_of_noise_at_quality_100_can_be_written(progressive: int, tmp_path: Path) -> None:
    settings = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    huffman = (cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_OPTIMIZE, 1)
    path = write_jpeg_with_opencv(tmp_path / "a.jpg", noise(400, 400), 100, *settings, *huffman)
    file, copy, out = round_trip(path)
    assert np.abs(frame_array(file).astype(int) - frame_array(copy)).mean() < 1
    assert abs(out.stat().st_size / path.stat().st_size - 1) < 0.1
    assert PillowImageFile.MAXBLOCK == 65536


def test_the_huffman_tables_of_a_thumbnail_are_ignored(tmp_path: Path) -> None:
    """The thumbnail in the EXIF is a JPEG with Huffman tables of its own."""
    thumbnail = save_image(Image.fromarray(color_gradient()), tmp_path / "thumbnail.jpg").read_bytes()
    exif = b"Exif\0\0II*\0" + struct.pack("<IHI", 8, 0, 0) + thumbnail
    path = save_image(
        Image.fromarray(photo_texture()), tmp_path / "a.jpg", quality=95, optimize=True, exif=exif
    )
    plain = save_image(Image.fromarray(photo_texture()), tmp_path / "b.jpg", quality=95, optimize=True)
    file, _, out = round_trip(path)
    assert file.encoder_settings["optimize"]
    assert abs(out.stat().st_size / plain.stat().st_size - 1) < 0.05


def test_real_jpegs_keep_their_quality_and_file_size(real_data: Path, tmp_path: Path) -> None:
    for source in sorted((real_data / "monet2photo" / "testB").iterdir())[:5]:
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes())
        _, _, out = round_trip(path)
        with Image.open(path) as before, Image.open(out) as after:
            assert after.quantization == before.quantization
        assert abs(out.stat().st_size / path.stat().st_size - 1) < 0.1


@pytest.mark.parametrize("profile", [b"", b"p" * 10_000, b"p" * 10_001])
@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_webp_stays_lossless_or_lossy(
    channels: int, lossless: bool, profile: bytes, tmp_path: Path
) -> None:
    array = np.dstack([color_gradient(), color_gradient()[..., :1]])[..., :channels]
    options = {"lossless": lossless, "icc_profile": profile, "exact": True}
    file, copy, _ = round_trip(save_image(Image.fromarray(array), tmp_path / "a.webp", **options))
    for result in (file, copy):
        assert result.encoder_settings["lossless"] == lossless
        assert np.array_equal(frame_array(result), array) == lossless
        assert result.icc == (profile or None)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiff_keeps_its_compression(channels: int, compression: str, tmp_path: Path) -> None:
    image = array_to_pil(photo_texture()[..., :channels])
    options = {"quality": 95} if compression == "jpeg" else {}
    path = save_image(image, tmp_path / "a.tif", compression=compression, **options)
    file, copy, out = round_trip(path)
    with Image.open(out) as written:
        assert written.info["compression"] == compression
    difference = np.abs(frame_array(file).astype(int) - frame_array(copy)).mean()
    assert difference < 3 if compression == "jpeg" else difference == 0


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_black_and_white_tiff_gets_a_compression_for_gray(compression: str, tmp_path: Path) -> None:
    image = Image.fromarray(color_gradient()[..., 0]).convert("1")
    file, copy, out = round_trip(save_image(image, tmp_path / "a.tif", compression=compression))
    assert np.array_equal(frame_array(file)[..., 0], np.asarray(image.convert("L")))
    assert np.array_equal(frame_array(copy), frame_array(file))
    with Image.open(out) as written:
        assert written.info["compression"] == "tiff_adobe_deflate"


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGB", "RGBA"])
def test_a_png_of_any_mode_looks_as_it_did(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(noise(40, 60, 4)).convert("RGB" if mode == "P" else mode).convert(mode)
    _, _, out = round_trip(save_image(image, tmp_path / "a.png"))
    with Image.open(out) as written:
        pair = [version.convert("RGBA") for version in (image, written)]
    assert not ImageChops.difference(*pair).getbbox(alpha_only=False)


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    for image_format in ("PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM"):
        write(image_file(image_format), tmp_path / "a")
        write(image_file(image_format), tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Make writes fail that would make a file longer than `size` bytes, as on a full disk."""
    resource = pytest.importorskip("resource")  # Windows does not have it.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("image_format", "dtype"),
    [
        ("BMP", np.uint8),
        ("GIF", np.uint8),
        ("JPEG", np.uint8),
        ("PNG", np.uint8),
        ("PNG", np.uint16),
        ("PPM", np.uint8),
        ("PPM", np.uint16),
        ("TIFF", np.uint8),
        ("TIFF", np.uint16),
        ("WEBP", np.uint8),
    ],
)
def test_a_failed_write_leaves_the_earlier_file_unchanged(
    image_format: str, dtype: type, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    write(image_file(image_format), path)
    before = path.read_bytes()
    with file_size_limit(1000), pytest.raises(DataError, match="a: cannot be written: ") as excinfo:
        write(image_file(image_format, pixels=noise(100, 100).astype(dtype)), path)
    assert "\n" not in str(excinfo.value)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match=r"a\.png: cannot be written: No space left on device$"):
        write(image_file(), tmp_path / "a.png", before_rename=fail)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_the_file_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(DataError, match=r"a\.png: cannot be written"):
        write(image_file(), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_memory_error_is_not_reported_as_a_bad_image(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        write(image_file(), tmp_path / "a.png", before_rename=fail)
    assert list(tmp_path.iterdir()) == []


def test_before_rename_gets_the_complete_file(tmp_path: Path) -> None:
    contents = []

    def read_part(part: Path) -> None:
        assert not (tmp_path / "a.png").exists()
        contents.append(part.read_bytes())

    write(image_file(), tmp_path / "a.png", before_rename=read_part)
    assert contents == [(tmp_path / "a.png").read_bytes()]


def test_a_file_in_place_of_the_folder_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        write(image_file(), tmp_path / "out" / "a.png")


@pytest.mark.parametrize("image_format", ["WEBP", "JPEG", "GIF"])
def test_an_image_too_long_for_its_format_is_a_data_error(image_format: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written") as excinfo:
        write(image_file(image_format, pixels=np.zeros((1, 65536, 3), np.uint8)), tmp_path / "a")
    assert "\n" not in str(excinfo.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ü–字.png", "a\nb.png", "x" * 251 + ".png", ".png", "-"])
def test_any_name_can_be_written(name: str, tmp_path: Path) -> None:
    write(image_file(), tmp_path / name)
    assert np.array_equal(read(tmp_path / name).frames[0].pixels, color_gradient())


def test_every_odd_image_is_unchanged(real_data: Path, tmp_path: Path) -> None:
    """A round trip keeps the pixels of lossless formats exactly, and those of lossy formats nearly."""
    for source in sorted((real_data / "odd").iterdir()):
        if source.stat().st_size > 200_000:
            continue  # Skip photos, which take long.
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes())
        try:
            file, copy, _ = round_trip(path)
        except DataError:
            continue
        assert (copy.format, copy.icc) == (file.format, file.icc)
        assert len(copy.frames) == len(file.frames), source.name
        for number, (frame, frame_copy) in enumerate(zip(file.frames, copy.frames, strict=True)):
            assert frame_array(file, number).dtype == frame_array(copy, number).dtype, source.name
            assert frame_array(file, number).shape == frame_array(copy, number).shape, source.name
            visible = np.ones(frame.pixels.shape[:2], bool) if frame.alpha is None else frame.alpha > 0
            difference = np.abs(frame.pixels.astype(float) - frame_copy.pixels)[visible]
            tolerance = 3 if file.format in ("JPEG", "WEBP") else 8 if file.mode == "LAB" else 0
            assert difference.sum() <= tolerance * difference.size, source.name
