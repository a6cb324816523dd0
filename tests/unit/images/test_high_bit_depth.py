"""Images of high bit depth (16-bit and float): every level of every channel is read and written again."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.unit.images.image_samples import (
    ORIENTATION,
    STORED_BY_ORIENTATION,
    frame_array,
    noise,
    png_chunk,
    ramps_16bit,
    round_trip,
    save_image,
    write_16bit_png,
)
from translate.errors import DataError
from translate.images import Frame, ImageFile, read, write

OPENCV_LZW = [cv2.IMWRITE_TIFF_COMPRESSION, 5]


def write_tiff(path: Path, array: np.ndarray, **settings: Any) -> Path:
    """Write (H, W, C) as a TIFF; the last of 2 or 4 channels is alpha."""
    channels = array.shape[2]
    alpha = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    settings = {
        "photometric": "rgb" if channels > 2 else "minisblack",
        "planarconfig": "contig",
        "metadata": None,
        **alpha,
        **settings,
    }
    if channels == 1:
        array, settings["planarconfig"] = array[..., 0], None
    elif settings["planarconfig"] == "separate":
        array = np.moveaxis(array, -1, 0)
    tifffile.imwrite(path, array, **settings)
    return path


def read_tiff(path: Path) -> np.ndarray:
    """Read (H, W, C) with tifffile."""
    pixels = tifffile.imread(path)
    return pixels.reshape(*pixels.shape[:2], -1)


def check_unchanged(path: Path, array: np.ndarray) -> Path:
    """Assert that a file holds these pixels, and still does after it is read and written."""
    file, copy, out = round_trip(path)
    for result in (file, copy):
        assert frame_array(result).dtype == array.dtype
        assert np.array_equal(frame_array(result), array)
        assert result.mode == ("L" if array.shape[2] < 3 else "RGB")
    return out


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_keeps_all_65536_levels_of_each_channel(channels: int, tmp_path: Path) -> None:
    path = write_16bit_png(tmp_path / "a.png", ramps_16bit(channels))
    out = check_unchanged(path, ramps_16bit(channels))
    header = slice(16, 29)  # Size, bit depth and colour type.
    assert out.read_bytes()[header] == path.read_bytes()[header]


def test_a_16bit_png_is_compressed(tmp_path: Path) -> None:
    array = ramps_16bit(2) // 7
    _, _, out = round_trip(write_16bit_png(tmp_path / "a.png", array))
    assert out.stat().st_size < array.nbytes / 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_may_be_one_pixel_wide_or_high(channels: int, shape: tuple[int, int], tmp_path: Path) -> None:
    array = ramps_16bit(channels)[: shape[0], : shape[1]]
    check_unchanged(write_16bit_png(tmp_path / "a.png", array), array)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_colour_of_a_png_becomes_alpha(channels: int, tmp_path: Path) -> None:
    array = ramps_16bit(channels)[:8, :8]
    transparent = array[2, 5].tolist()
    named = png_chunk(b"tRNS", struct.pack(f">{channels}H", *transparent))
    file, copy, _ = round_trip(write_16bit_png(tmp_path / "a.png", array, named))
    expected = np.full((8, 8), 65535)
    expected[2, 5] = 0
    for result in (file, copy):
        assert np.array_equal(result.frames[0].alpha, expected)
        assert np.array_equal(result.frames[0].pixels, array)


@pytest.mark.parametrize("end", [0.3, 0.7, 0.999])
def test_a_truncated_16bit_png_is_refused(end: float, tmp_path: Path) -> None:
    path = write_16bit_png(tmp_path / "a.png", ramps_16bit(3))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * end)])
    with pytest.raises(DataError, match=r"a\.png: the file is damaged"):
        read(path)


def test_a_16bit_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(ramps_16bit(1)[..., 0]), Image.fromarray(ramps_16bit(1)[::-1, :, 0].copy())]
    path = save_image(frames[0], tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(DataError, match=r"an animation of 16 bits per channel.*: convert it to 8 bits$"):
        read(path)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"compression": "adobe_deflate"},
        {"compression": "adobe_deflate", "predictor": True},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"tile": (64, 64)},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "compression": "adobe_deflate", "rowsperstrip": 10},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_tiff_keeps_all_65536_levels_of_each_channel(
    channels: int, settings: dict[str, Any], tmp_path: Path
) -> None:
    array = ramps_16bit(channels)
    path = write_tiff(tmp_path / "a.tif", array, **settings)
    out = check_unchanged(path, array)
    assert np.array_equal(read_tiff(out), array)
    with tifffile.TiffFile(out) as written:
        assert (written.pages[0].compression != 1) == ("compression" in settings)
        assert written.pages[0].predictor == (2 if "compression" in settings else 1)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_gray_tiff_written_by_pillow_keeps_its_levels(compression: str, tmp_path: Path) -> None:
    image = Image.fromarray(ramps_16bit(1)[..., 0])
    check_unchanged(save_image(image, tmp_path / "a.tif", compression=compression), ramps_16bit(1))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_tiff_with_lzw_keeps_its_levels(channels: int, tmp_path: Path) -> None:
    swapped = ramps_16bit(channels)[..., [2, 1, 0, 3][:channels]]
    path = tmp_path / "a.tif"
    path.write_bytes(cv2.imencode(".tif", swapped, OPENCV_LZW)[1].tobytes())
    check_unchanged(path, ramps_16bit(channels))


def test_each_page_of_a_tiff_with_lzw_is_decoded(tmp_path: Path) -> None:
    pages = [ramps_16bit(1)[: 10 * n, :50, 0] + n for n in (1, 2, 3)]
    images = [Image.fromarray(page) for page in pages]
    path = save_image(
        images[0], tmp_path / "a.tif", save_all=True, append_images=images[1:], compression="tiff_lzw"
    )
    for result in round_trip(path)[:2]:
        assert [frame.pixels[..., 0].tolist() for frame in result.frames] == [page.tolist() for page in pages]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("channels", [1, 2])
def test_miniswhite_inverts_gray_but_not_alpha(channels: int, compression: str, tmp_path: Path) -> None:
    array = ramps_16bit(channels)
    inverted = array.copy()
    inverted[..., 0] = 65535 - array[..., 0]
    if channels == 2:
        path = write_tiff(tmp_path / "a.tif", inverted, photometric="miniswhite")
    else:
        tags = {262: 0}
        image = Image.fromarray(inverted[..., 0])
        path = save_image(image, tmp_path / "a.tif", compression=compression, tiffinfo=tags)
    check_unchanged(path, array)


@pytest.mark.parametrize("white", [65535, 1.0])
def test_premultiplied_alpha_is_divided_out(white: float, tmp_path: Path) -> None:
    dtype = np.float32 if white == 1 else np.uint16
    alpha = np.array([[0, 0.2, 0.6, 1]]) * white
    stored = np.dstack([alpha * color for color in (1, 0.5, 0)] + [alpha]).astype(dtype)
    path = write_tiff(tmp_path / "a.tif", stored, extrasamples=["assocalpha"])
    (frame,) = read(path).frames
    assert frame.alpha is not None
    assert frame.alpha[0] == pytest.approx(alpha[0], abs=1e-6)
    for pixel in frame.pixels[0, 1:]:
        assert pixel / white == pytest.approx([1, 0.5, 0], abs=1e-4)
    assert frame_array(round_trip(path)[1]) == pytest.approx(frame_array(read(path)), abs=1)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_floats_keep_their_value_of_white(channels: int, white: float, tmp_path: Path) -> None:
    array = (ramps_16bit(channels) / 65535).astype(np.float32)
    path = write_tiff(tmp_path / "a.tif", array * np.float32(white))
    file, copy, out = round_trip(path)
    assert frame_array(file).dtype == np.float32
    assert (frame_array(file).min(), frame_array(file).max()) == (0, 1)
    assert np.abs(frame_array(copy) - array).max() < 1e-7
    assert read_tiff(out).dtype == np.float32
    assert np.abs(read_tiff(out) - array * white).max() <= white * 1e-7


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_float16_and_float64_are_read(dtype: type, tmp_path: Path) -> None:
    array = np.linspace(0, 1, 30).reshape(5, 6, 1).astype(dtype)
    assert frame_array(round_trip(write_tiff(tmp_path / "a.tif", array))[1]) == pytest.approx(array, abs=1e-7)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("predictor", [1, 2, 3])
def test_compressed_floats_are_read(compression: str, predictor: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6, 8), np.float32)
    tags = {317: predictor}
    path = save_image(Image.fromarray(values), tmp_path / "a.tif", compression=compression, tiffinfo=tags)
    check_unchanged(path, values[..., None])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0, np.nan], r"float pixels .*nan to nan.*: scale them to 0\.\.1"),
        ([-0.1, 1], r"float pixels .*-0\.1 to 1,.*: scale them to 0\.\.1"),
        ([0, np.inf], r"float pixels .*0 to inf,.*: scale them to 0\.\.1"),
        ([0, 70000], r"float pixels .*0 to 70000,.*: scale them to 0\.\.1"),
    ],
)
def test_floats_outside_a_known_range_are_refused(values: list[float], reason: str, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", np.array(values, np.float32).reshape(1, 2, 1))
    with pytest.raises(DataError, match=rf"a\.tif: {reason}$"):
        read(path)


@pytest.mark.parametrize(("dtype", "value"), [(np.int16, -1), (np.uint32, 65536), (np.int32, -7)])
def test_integers_outside_16_bits_are_refused(dtype: type, value: int, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", np.array([[[5], [value]]], dtype))
    with pytest.raises(DataError, match="convert the file to unsigned 16 bits"):
        read(path)


@pytest.mark.parametrize("dtype", [np.int16, np.uint32])
def test_wider_integers_that_fit_are_read_as_16_bits(dtype: type, tmp_path: Path) -> None:
    values = np.array([[[0], [32767]]], dtype)
    check_unchanged(write_tiff(tmp_path / "a.tif", values), values.astype(np.uint16))


@pytest.mark.parametrize(("photometric", "channels"), [("separated", 4), ("cielab", 3)])
def test_high_bit_depth_cmyk_and_lab_are_refused(photometric: str, channels: int, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", ramps_16bit(channels), photometric=photometric, extrasamples=())
    with pytest.raises(DataError, match=rf"{photometric.upper()} colours .*: convert it to RGB"):
        read(path)


@pytest.mark.parametrize("layout", ["strip", "tiled"])
def test_channels_in_planes_that_opencv_decodes_to_noise_are_refused(layout: str, real_data: Path) -> None:
    with pytest.raises(DataError, match="LZW compression is not supported"):
        read(real_data / "odd" / f"pillow_tiff_{layout}_planar_16bit_RGB.tiff")


def test_more_than_four_channels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    array = np.zeros((4, 4, 5), np.uint16)
    tifffile.imwrite(path, array, photometric="rgb", planarconfig="contig", metadata=None)
    with pytest.raises(DataError, match="a TIFF of 5 channels"):
        read(path)


def save_turned_png(path: Path, array: np.ndarray, orientation: int) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return write_16bit_png(path, array, png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))


def save_turned_tiff(path: Path, array: np.ndarray, orientation: int) -> Path:
    return write_tiff(path, array, extratags=[(ORIENTATION, 3, 1, orientation, True)])


def save_turned_lzw(path: Path, array: np.ndarray, orientation: int) -> Path:
    image = Image.fromarray(array[..., 0])
    return save_image(image, path, compression="tiff_lzw", tiffinfo={ORIENTATION: orientation})


@pytest.mark.parametrize("orientation", STORED_BY_ORIENTATION)
@pytest.mark.parametrize(
    ("save_turned", "channels"),
    [
        (save_turned_png, 1),
        (save_turned_png, 2),
        (save_turned_png, 4),
        (save_turned_tiff, 1),
        (save_turned_tiff, 4),
        (save_turned_lzw, 1),
    ],
)
def test_a_16bit_image_is_turned_upright_once(
    save_turned: Callable[[Path, np.ndarray, int], Path], channels: int, orientation: int, tmp_path: Path
) -> None:
    array = ramps_16bit(channels)[:5, :7]
    path = tmp_path / ("a.png" if save_turned is save_turned_png else "a.tif")
    out = check_unchanged(
        save_turned(path, STORED_BY_ORIENTATION[orientation](array).copy(), orientation), array
    )
    if save_turned is not save_turned_png:
        with tifffile.TiffFile(out) as written:
            assert ORIENTATION not in written.pages[0].tags


def test_pages_keep_their_sizes_and_bit_depths(tmp_path: Path) -> None:
    gray, colors = ramps_16bit(1)[:9, :5], ramps_16bit(4)[:7, :30]
    floats = (colors[..., :3] / 65535 * 255).astype(np.float32)
    floats[0, 0] = 255
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for page in (gray[..., 0], noise(), floats, np.array([[True, False] * 8])):
            photometric = "rgb" if page.ndim == 3 else "minisblack"
            out.write(page, photometric=photometric, metadata=None, contiguous=False)
        out.write(colors, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    file, copy, written = round_trip(tmp_path / "a.tif")
    for result in (file, copy):
        first, second, third, fourth, fifth = (frame_array(result, number) for number in range(5))
        assert np.array_equal(first, gray)
        assert np.array_equal(second, noise())
        assert third * 255 == pytest.approx(floats, rel=1e-6)
        assert fourth[..., 0].tolist() == [[255, 0] * 8]
        assert np.array_equal(fifth, colors)
    with tifffile.TiffFile(written) as pages:
        depths = [page.dtype for page in pages.pages]
    assert depths == [np.uint16, np.uint8, np.float32, np.uint8, np.uint16]


def test_uncompressed_pages_of_one_size_stay_separate_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for number in range(3):
            out.write(ramps_16bit(1)[:8, :8, 0] + number, metadata=None, contiguous=False)
    assert [len(result.frames) for result in round_trip(tmp_path / "a.tif")[:2]] == [3, 3]


def test_first_only_decodes_the_first_page_only(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        out.write(ramps_16bit(1)[..., 0], metadata=None)
        out.write(np.full((4, 4), np.nan, np.float32), metadata=None)
    assert len(read(tmp_path / "a.tif", first_only=True).frames) == 1
    with pytest.raises(DataError, match="nan"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize(("channels", "suffix"), [(1, "pgm"), (3, "ppm")])
def test_a_pgm_or_ppm_keeps_all_65536_levels(channels: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    magic = {1: b"P5", 3: b"P6"}[channels]
    path.write_bytes(
        magic + b"\n# a comment\n256 256\n65535\n" + ramps_16bit(channels).astype(">u2").tobytes()
    )
    out = check_unchanged(path, ramps_16bit(channels))
    assert out.stat().st_size == len(magic + b"\n256 256\n65535\n") + ramps_16bit(channels).nbytes


def test_a_pgm_with_a_smaller_white_is_scaled_to_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 3 1 1023\n" + np.array([0, 511, 1023], ">u2").tobytes())
    assert read(path).frames[0].pixels.ravel().tolist() == [0, round(511 * 65535 / 1023), 65535]


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_8bit_format_gets_8_bits(channels: int, image_format: str, tmp_path: Path) -> None:
    array = ramps_16bit(channels)[::16, ::16] // 16 + 20000
    file = replace(read(write_16bit_png(tmp_path / "a.png", array)), format=image_format)
    write(file, tmp_path / "out")
    copy = read(tmp_path / "out").frames[0]
    assert not copy.high_bit_depth
    assert (copy.alpha is not None) == (image_format not in ("JPEG",) and channels in (2, 4))
    if channels == 3 and image_format != "GIF":
        assert np.abs(copy.pixels * 257.0 - array).mean() < 1000


@pytest.mark.parametrize("image_format", ["PNG", "PPM"])
def test_floats_become_16_bits_in_a_format_without_floats(image_format: str, tmp_path: Path) -> None:
    array = ramps_16bit(3)
    path = write_tiff(tmp_path / "a.tif", (array / 65535).astype(np.float32))
    write(replace(read(path), format=image_format), tmp_path / "out")
    copy = read(tmp_path / "out")
    assert copy.format == image_format
    assert np.array_equal(copy.frames[0].pixels, array)


def test_a_new_high_bit_depth_image_is_written_unchanged(tmp_path: Path) -> None:
    for dtype, white in ((np.uint16, 65535), (np.float32, 1)):
        pixels = (ramps_16bit(3) / 65535 * white).astype(dtype)
        write(ImageFile(format="TIFF", frames=[Frame(pixels=pixels)]), tmp_path / "a.tif")
        assert np.array_equal(read_tiff(tmp_path / "a.tif"), pixels)


def test_a_real_16bit_file_keeps_its_pixels(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes((real_data / "odd" / "pillow_16bit.MM.cropped.tif").read_bytes())
    file, copy, out = round_trip(path)
    assert file.frames[0].pixels.dtype == np.uint16
    assert np.array_equal(frame_array(file), frame_array(copy))
    assert np.array_equal(read_tiff(out), frame_array(file))
