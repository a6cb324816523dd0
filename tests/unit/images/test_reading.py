"""Reading image files: in sRGB and at their full bit depth; errors have one line."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from tests.images import noise as noise_file
from tests.unit.images.image_samples import array_to_pil, noise, png_chunk, save_image
from translate.errors import DataError
from translate.images import Frame, count_pixels, image_file_from_pil, read, read_rgb, write
from translate.images.codecs.metadata import ORIENTATION
from translate.images.frame import from_pil, to_pil
from translate.images.left_out import UNREADABLE_SUFFIXES


def test_rgb_is_read_unchanged(tmp_path: Path) -> None:
    file = read(save_image(Image.fromarray(noise()), tmp_path / "a.png"))
    (frame,) = file.frames
    assert (file.format, file.mode, file.icc, file.damage) == ("PNG", "RGB", None, "")
    assert np.array_equal(frame.pixels, noise())
    assert frame.pixels.dtype == np.uint8
    assert frame.alpha is None
    assert frame.size == (9, 6)
    assert not frame.high_bit_depth


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "pgm"])
@pytest.mark.parametrize("mode", ["L", "1"])
def test_gray_has_one_channel(mode: str, suffix: str, tmp_path: Path) -> None:
    image = Image.fromarray(noise()[..., 0]).convert(mode)
    file = read(save_image(image, tmp_path / f"a.{suffix}"))
    (frame,) = file.frames
    assert np.array_equal(frame.pixels[..., 0], np.asarray(image.convert("L")))
    assert frame.pixels.shape == (6, 9, 1)
    assert frame.alpha is None
    assert file.mode == "L"


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_separated_from_the_colours(channels: int, suffix: str, tmp_path: Path) -> None:
    array = noise(channels=channels)
    (frame,) = read(save_image(Image.fromarray(array), tmp_path / f"a.{suffix}")).frames
    assert np.array_equal(frame.alpha, array[..., -1])
    assert np.array_equal(frame.pixels, array[..., :-1])


def palette_image() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    return image


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "gif"])
def test_a_palette_is_converted_to_rgb(suffix: str, tmp_path: Path) -> None:
    file = read(save_image(palette_image(), tmp_path / f"a.{suffix}"))
    assert file.frames[0].pixels.tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert file.frames[0].alpha is None
    assert file.mode == "RGB"


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_the_transparent_colour_of_a_palette_becomes_alpha(suffix: str, tmp_path: Path) -> None:
    (frame,) = read(save_image(palette_image(), tmp_path / f"a.{suffix}", transparency=1)).frames
    assert frame.alpha is not None
    assert frame.alpha.tolist() == [[255, 0]]
    assert frame.pixels[0, 0].tolist() == [255, 0, 0]


def test_a_palette_may_have_an_alpha_for_each_colour(tmp_path: Path) -> None:
    (frame,) = read(save_image(palette_image(), tmp_path / "a.png", transparency=b"\x11\x99")).frames
    assert frame.alpha is not None
    assert frame.alpha.tolist() == [[0x11, 0x99]]
    assert frame.pixels.tolist() == [[[255, 0, 0], [0, 0, 255]]]


@pytest.mark.parametrize(("mode", "transparent"), [("L", 255), ("1", 1)])
def test_a_transparent_gray_stays_gray(mode: str, transparent: int, tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 255]], np.uint8)).convert(mode)
    (frame,) = read(save_image(image, tmp_path / "a.png", transparency=transparent)).frames
    assert frame.pixels.tolist() == [[[0], [255]]]
    assert frame.alpha is not None
    assert frame.alpha.tolist() == [[255, 0]]


def test_a_transparent_colour_becomes_alpha(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    (frame,) = read(save_image(image, tmp_path / "a.png", transparency=(4, 5, 6))).frames
    assert frame.pixels.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert frame.alpha is not None
    assert frame.alpha.tolist() == [[255, 0]]


@pytest.mark.parametrize(("name", "quality"), [("a.jpg", {"quality": 100}), ("a.tif", {})])
def test_cmyk_is_converted_to_rgb(name: str, quality: dict[str, int], tmp_path: Path) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    file = read(save_image(image, tmp_path / name, **quality))
    assert np.abs(file.frames[0].pixels.astype(int) - [255, 0, 0]).max() <= 3
    assert file.mode == "CMYK"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp", ".gif", ".ppm"])
def test_the_format_is_detected_by_content_not_by_suffix(suffix: str, tmp_path: Path) -> None:
    file = read(save_image(Image.fromarray(noise()), tmp_path / f"a{suffix}", format="PNG"))
    assert file.format == "PNG"
    assert np.array_equal(file.frames[0].pixels, noise())


def test_read_rgb_reads_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    path = save_image(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_rgb(path)[0, 0].tolist() == [255, 0, 0]
    assert len(read(path, first_only=True).frames) == 1
    assert len(read(path).frames) == 2


def test_read_rgb_blends_transparent_pixels_onto_white(tmp_path: Path) -> None:
    pixels = np.dstack([np.full((1, 3, 3), 100, np.uint8), np.array([[[0], [255], [51]]], np.uint8)])
    path = save_image(Image.fromarray(pixels), tmp_path / "a.png")
    assert read_rgb(path)[0, :, 0].tolist() == [255, 100, 224]


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_read_rgb_scales_16_bits_to_8(suffix: str, tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 128 * 257, 65535 - 129, 65535]], dtype=np.uint16)
    rgb = read_rgb(save_image(Image.fromarray(values), tmp_path / f"a.{suffix}"))
    assert rgb.dtype == np.uint8
    assert rgb[0].tolist() == [[gray] * 3 for gray in (0, 0, 1, 1, 128, 254, 255)]


def test_count_pixels_reads_the_header_only(tmp_path: Path) -> None:
    path = noise_file(tmp_path / "a.png", 20, 30)
    assert count_pixels(path) == 600
    path.write_bytes(path.read_bytes()[:60])
    assert count_pixels(path) == 600
    path.write_bytes(b"")
    assert count_pixels(path) == 0
    assert count_pixels(tmp_path / "none.png") == 0


@pytest.mark.parametrize("name", ["short.jpg", "line\nbreak.jpg"])
@pytest.mark.parametrize("size", [0, 20, 500])
def test_a_truncated_file_raises_an_error_of_one_line(size: int, name: str, tmp_path: Path) -> None:
    path = noise_file(tmp_path / "intact.jpg", 64, 64)
    damaged = tmp_path / name
    damaged.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError) as excinfo:
        read(damaged)
    assert str(excinfo.value).startswith(str(damaged).replace("\n", "\\n") + ": ")
    assert "\n" not in str(excinfo.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"just words\n", "not an image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image of a known format"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 40, ""),
        (b"GIF89a" + b"\xff" * 9, ""),
        (b"P6 99999 99999 255\n", "99999x99999 has 9999.8 megapixels, more than the limit of 250"),
        (b"P6 9 9 65535\n", "the file is damaged"),
        (b"II*\x00\xff\xff\xff\xff", ""),
        (b"II*\x00\x08\x00\x00\x00\x00\x00", ""),
        (b"RIFF\xff\xff\xff\xffWEBPVP8 ", ""),
    ],
)
def test_a_file_that_is_not_an_image_is_named_in_the_error(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as excinfo:
        read(path)
    assert str(excinfo.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(excinfo.value)


@pytest.mark.parametrize("suffix", [".heic", ".avif", ".psd"])
def test_an_unsupported_format_is_refused_with_a_remedy(suffix: str, tmp_path: Path) -> None:
    assert suffix in UNREADABLE_SUFFIXES
    path = tmp_path / f"a{suffix.upper()}"
    path.write_bytes(b"whatever it holds")
    with pytest.raises(
        DataError, match=rf"{suffix} is not supported: convert the file to JPEG, PNG or TIFF$"
    ):
        read(path)


def test_other_formats_of_pillow_are_refused(tmp_path: Path) -> None:
    path = save_image(Image.fromarray(noise()), tmp_path / "a.png", format="TGA")
    with pytest.raises(DataError, match="not an image of a known format"):
        read(path)


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png: No such file or directory$"):
        read(tmp_path / "none.png")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Is a directory"):
        read(tmp_path)


def test_an_icc_profile_that_cannot_be_decompressed_is_ignored(tmp_path: Path) -> None:
    path = save_image(Image.fromarray(noise()), tmp_path / "a.png")
    content = path.read_bytes()
    path.write_bytes(content[:33] + png_chunk(b"iCCP", b"icc\0\0not compressed") + content[33:])
    file = read(path)
    assert file.icc is None
    assert np.array_equal(file.frames[0].pixels, noise())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_a_pil_image_of_any_mode_is_converted(mode: str) -> None:
    rgb = Image.fromarray(noise())
    image = Image.fromarray(noise()[..., 0].astype(np.uint16)) if mode == "I;16" else rgb.convert(mode)
    file = image_file_from_pil(image)
    (frame,) = file.frames
    assert frame.size == (9, 6)
    assert frame.pixels.shape[2] == (1 if mode in ("1", "L", "LA", "I;16") else 3)
    assert (frame.alpha is not None) == (mode in ("LA", "RGBA"))
    assert file.format == "PNG"


@pytest.mark.parametrize("image_format", ["JPEG", "MPO", "TGA", "PNG"])
def test_a_pil_image_opened_from_a_file_keeps_its_format(image_format: str, tmp_path: Path) -> None:
    second = {"save_all": True, "append_images": [Image.fromarray(noise())]} if image_format == "MPO" else {}
    with Image.open(
        save_image(Image.fromarray(noise()), tmp_path / "a", format=image_format, **second)
    ) as image:
        file = image_file_from_pil(image)
    assert file.format == (image_format if image_format in ("JPEG", "PNG") else "PNG")
    write(file, tmp_path / "b")
    assert read(tmp_path / "b").format == file.format


def test_a_pil_image_of_unknown_range_is_refused() -> None:
    with pytest.raises(DataError, match="32-bit float pixels"):
        image_file_from_pil(Image.fromarray(np.zeros((2, 2), np.float32)))
    with pytest.raises(DataError, match=r"outside 0\.\.65535"):
        image_file_from_pil(Image.fromarray(np.full((2, 2), 65536, np.int32)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_pixels_of_a_pil_image_are_copied(channels: int) -> None:
    array = noise(channels=channels)
    image = array_to_pil(array)
    from_pil(image).pixels[:] = 0
    image_file_from_pil(image).frames[0].pixels[:] = 0
    assert np.array_equal(np.asarray(image).reshape(array.shape), array)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_from_pil_inverts_to_pil(channels: int) -> None:
    array = noise(channels=channels)
    frame = from_pil(to_pil(from_pil(array_to_pil(array))))
    assert np.array_equal(frame.pixels, array[..., : channels - (channels in (2, 4))])
    assert (frame.alpha is None) == (channels in (1, 3))


def test_bit_depth_conversion_is_invertible() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    frame = Frame(pixels=levels, alpha=levels[..., 0]).to_bit_depth(np.uint16)
    assert (frame.pixels.min(), frame.pixels.max()) == (0, 65535)
    assert frame.alpha is not None
    assert frame.alpha.dtype == np.uint16
    assert np.array_equal(frame.to_bit_depth(np.uint8).pixels, levels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_flattening_black_of_one_fifth_opacity_on_white_gives_light_gray(dtype: type) -> None:
    white = {np.uint8: 255, np.uint16: 65535, np.float32: 1}[dtype]
    alpha = np.full((1, 1), white / 5, dtype)
    blended = Frame(pixels=np.zeros((1, 1, 3), dtype), alpha=alpha).flatten_on_white()
    assert blended.alpha is None
    assert blended.pixels.dtype == dtype
    assert blended.pixels[0, 0] == pytest.approx([white * 0.8] * 3, rel=1e-4)


def test_every_odd_image_is_read_or_refused_in_one_line(real_data: Path) -> None:
    refused = {}
    for path in sorted((real_data / "odd").iterdir()):
        try:
            file = read(path)
        except DataError as error:
            refused[path.name] = str(error)
            continue
        assert all(frame.pixels.ndim == 3 for frame in file.frames)
    assert all(reason.startswith(f"{real_data / 'odd' / name}: ") for name, reason in refused.items())
    assert not any("\n" in reason for reason in refused.values())
    manifest = (real_data / "odd" / "MANIFEST.tsv").read_text().splitlines()
    expected = [line.split("\t")[0] for line in manifest if line.split("\t")[1] == "refused"]
    # Pillow reduces these to 8 bits; OpenCV, which keeps 16, decodes their planes to noise.
    planar = [f"pillow_tiff_{layout}_planar_16bit_RGB.tiff" for layout in ("strip", "tiled")]
    assert sorted(refused) == sorted([*expected, *planar, "MANIFEST.tsv"])


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: not a regular file"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_at_reduced_size_by_draft_mode(tmp_path: Path, orientation: int) -> None:
    photo = Image.fromarray(data.chelsea())  # 451 x 300
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / "cat.jpg"
    photo.save(path, quality=95, exif=exif)
    full = read_rgb(path)
    assert read_rgb(path, min_size=(200, 151)).shape == full.shape
    half = read_rgb(path, min_size=(150, 150))
    assert half.shape[:2] == tuple((side + 1) // 2 for side in full.shape[:2])
    mean = cv2.resize(full, half.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(half.astype(float) - mean).mean() < 3
    photo.save(tmp_path / "cat.png")
    assert read_rgb(tmp_path / "cat.png", min_size=(8, 8)).shape == (300, 451, 3)
