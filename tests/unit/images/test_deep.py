"""Images of 16 bits and of floats come out as they went in: every level, every channel."""

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

from tests.unit.images.making import (
    ORIENTATION,
    STORED,
    chunk,
    deep_png,
    noise,
    planes_of,
    ramps,
    saved,
    through,
)
from translate.errors import DataError
from translate.images import Frame, ImageFile, read, write

OPENCV_LZW = [cv2.IMWRITE_TIFF_COMPRESSION, 5]


def tiff(path: Path, planes: np.ndarray, **settings: Any) -> Path:
    """Write (H, W, C); of 2 and 4 channels the last is alpha."""
    channels = planes.shape[2]
    alpha = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    settings = {
        "photometric": "rgb" if channels > 2 else "minisblack",
        "planarconfig": "contig",
        "metadata": None,
        **alpha,
        **settings,
    }
    if channels == 1:
        planes, settings["planarconfig"] = planes[..., 0], None
    elif settings["planarconfig"] == "separate":
        planes = np.moveaxis(planes, -1, 0)
    tifffile.imwrite(path, planes, **settings)
    return path


def stored(path: Path) -> np.ndarray:
    """(H, W, C) as another program reads it."""
    pixels = tifffile.imread(path)
    return pixels.reshape(*pixels.shape[:2], -1)


def check_unchanged(path: Path, planes: np.ndarray) -> Path:
    """That a file holds these planes, and still does after it is read and written."""
    file, again, out = through(path)
    for one in (file, again):
        assert planes_of(one).dtype == planes.dtype
        assert np.array_equal(planes_of(one), planes)
        assert one.mode == ("L" if planes.shape[2] < 3 else "RGB")
    return out


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_keeps_all_65536_levels_of_each_channel(channels: int, tmp_path: Path) -> None:
    path = deep_png(tmp_path / "a.png", ramps(channels))
    out = check_unchanged(path, ramps(channels))
    header = slice(16, 29)  # size, depth, colour type
    assert out.read_bytes()[header] == path.read_bytes()[header]


def test_a_png_of_noise_is_smaller_than_its_pixels(tmp_path: Path) -> None:
    planes = ramps(2) // 7
    _, _, out = through(deep_png(tmp_path / "a.png", planes))
    assert out.stat().st_size < planes.nbytes / 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_may_be_narrow(channels: int, shape: tuple[int, int], tmp_path: Path) -> None:
    planes = ramps(channels)[: shape[0], : shape[1]]
    check_unchanged(deep_png(tmp_path / "a.png", planes), planes)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_colour_of_a_png_becomes_alpha(channels: int, tmp_path: Path) -> None:
    planes = ramps(channels)[:8, :8]
    transparent = planes[2, 5].tolist()
    named = chunk(b"tRNS", struct.pack(f">{channels}H", *transparent))
    file, again, _ = through(deep_png(tmp_path / "a.png", planes, named))
    expected = np.full((8, 8), 65535)
    expected[2, 5] = 0
    for one in (file, again):
        assert np.array_equal(one.frames[0].alpha, expected)
        assert np.array_equal(one.frames[0].pixels, planes)


@pytest.mark.parametrize("end", [0.3, 0.7, 0.999])
def test_a_png_that_is_cut_off_is_refused(end: float, tmp_path: Path) -> None:
    path = deep_png(tmp_path / "a.png", ramps(3))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * end)])
    with pytest.raises(DataError, match=r"a\.png: the file is damaged"):
        read(path)


def test_an_animation_of_16_bits_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(ramps(1)[..., 0]), Image.fromarray(ramps(1)[::-1, :, 0].copy())]
    path = saved(frames[0], tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(DataError, match=r"an animation of 16 bits a channel: convert it to 8$"):
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
    planes = ramps(channels)
    path = tiff(tmp_path / "a.tif", planes, **settings)
    out = check_unchanged(path, planes)
    assert np.array_equal(stored(out), planes)
    with tifffile.TiffFile(out) as written:
        assert (written.pages[0].compression != 1) == ("compression" in settings)
        assert written.pages[0].predictor == (2 if "compression" in settings else 1)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_gray_tiff_of_pillows_keeps_its_levels(compression: str, tmp_path: Path) -> None:
    image = Image.fromarray(ramps(1)[..., 0])
    check_unchanged(saved(image, tmp_path / "a.tif", compression=compression), ramps(1))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_tiff_with_lzw_keeps_its_levels(channels: int, tmp_path: Path) -> None:
    swapped = ramps(channels)[..., [2, 1, 0, 3][:channels]]
    path = tmp_path / "a.tif"
    path.write_bytes(cv2.imencode(".tif", swapped, OPENCV_LZW)[1].tobytes())
    check_unchanged(path, ramps(channels))


def test_each_page_of_a_tiff_with_lzw_is_its_own(tmp_path: Path) -> None:
    pages = [ramps(1)[: 10 * n, :50, 0] + n for n in (1, 2, 3)]
    images = [Image.fromarray(page) for page in pages]
    path = saved(
        images[0], tmp_path / "a.tif", save_all=True, append_images=images[1:], compression="tiff_lzw"
    )
    for one in through(path)[:2]:
        assert [frame.pixels[..., 0].tolist() for frame in one.frames] == [page.tolist() for page in pages]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("channels", [1, 2])
def test_white_may_be_zero_and_alpha_is_not_concerned(
    channels: int, compression: str, tmp_path: Path
) -> None:
    planes = ramps(channels)
    inverted = planes.copy()
    inverted[..., 0] = 65535 - planes[..., 0]
    if channels == 2:
        path = tiff(tmp_path / "a.tif", inverted, photometric="miniswhite")
    else:
        tags = {262: 0}
        image = Image.fromarray(inverted[..., 0])
        path = saved(image, tmp_path / "a.tif", compression=compression, tiffinfo=tags)
    check_unchanged(path, planes)


@pytest.mark.parametrize("white", [65535, 1.0])
def test_colours_that_were_multiplied_by_alpha_are_divided(white: float, tmp_path: Path) -> None:
    kind = np.float32 if white == 1 else np.uint16
    alpha = np.array([[0, 0.2, 0.6, 1]]) * white
    stored = np.dstack([alpha * part for part in (1, 0.5, 0)] + [alpha]).astype(kind)
    path = tiff(tmp_path / "a.tif", stored, extrasamples=["assocalpha"])
    (frame,) = read(path).frames
    assert frame.alpha is not None
    assert frame.alpha[0] == pytest.approx(alpha[0], abs=1e-6)
    for pixel in frame.pixels[0, 1:]:
        assert pixel / white == pytest.approx([1, 0.5, 0], abs=1e-4)
    assert planes_of(through(path)[1]) == pytest.approx(planes_of(read(path)), abs=1)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_floats_keep_their_scale(channels: int, white: float, tmp_path: Path) -> None:
    planes = (ramps(channels) / 65535).astype(np.float32)
    path = tiff(tmp_path / "a.tif", planes * np.float32(white))
    file, again, out = through(path)
    assert planes_of(file).dtype == np.float32
    assert (planes_of(file).min(), planes_of(file).max()) == (0, 1)
    assert np.abs(planes_of(again) - planes).max() < 1e-7
    assert stored(out).dtype == np.float32
    assert np.abs(stored(out) - planes * white).max() <= white * 1e-7


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_floats_of_any_width_are_read(kind: type, tmp_path: Path) -> None:
    planes = np.linspace(0, 1, 30).reshape(5, 6, 1).astype(kind)
    assert planes_of(through(tiff(tmp_path / "a.tif", planes))[1]) == pytest.approx(planes, abs=1e-7)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("predictor", [1, 2, 3])
def test_floats_may_be_compressed(compression: str, predictor: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6, 8), np.float32)
    tags = {317: predictor}
    path = saved(Image.fromarray(values), tmp_path / "a.tif", compression=compression, tiffinfo=tags)
    check_unchanged(path, values[..., None])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0, np.nan], r"float pixels from nan to nan: scale them to 0\.\.1"),
        ([-0.1, 1], r"float pixels from -0\.1 to 1: scale them to 0\.\.1"),
        ([0, np.inf], r"float pixels from 0 to inf: scale them to 0\.\.1"),
        ([0, 70000], r"float pixels from 0 to 70000: scale them to 0\.\.1"),
    ],
)
def test_floats_without_an_agreed_range_are_refused(values: list[float], reason: str, tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", np.array(values, np.float32).reshape(1, 2, 1))
    with pytest.raises(DataError, match=rf"a\.tif: {reason}$"):
        read(path)


@pytest.mark.parametrize(("kind", "value"), [(np.int16, -1), (np.uint32, 65536), (np.int32, -7)])
def test_whole_numbers_beyond_16_bits_are_refused(kind: type, value: int, tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", np.array([[[5], [value]]], kind))
    with pytest.raises(DataError, match=r"convert the file to 16 bits$"):
        read(path)


@pytest.mark.parametrize("kind", [np.int16, np.uint32])
def test_wider_numbers_that_fit_are_read_as_16_bits(kind: type, tmp_path: Path) -> None:
    values = np.array([[[0], [32767]]], kind)
    check_unchanged(tiff(tmp_path / "a.tif", values), values.astype(np.uint16))


@pytest.mark.parametrize(("photometric", "channels"), [("separated", 4), ("cielab", 3)])
def test_deep_images_of_other_colours_are_refused(photometric: str, channels: int, tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", ramps(channels), photometric=photometric, extrasamples=())
    with pytest.raises(DataError, match=rf"a deep TIFF of {photometric.upper()} colours: convert it to RGB"):
        read(path)


def test_more_channels_than_colours_and_alpha_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    planes = np.zeros((4, 4, 5), np.uint16)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="contig", metadata=None)
    with pytest.raises(DataError, match="a TIFF of 5 channels"):
        read(path)


def turned_png(path: Path, planes: np.ndarray, orientation: int) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return deep_png(path, planes, chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))


def turned_tiff(path: Path, planes: np.ndarray, orientation: int) -> Path:
    return tiff(path, planes, extratags=[(ORIENTATION, 3, 1, orientation, True)])


def turned_lzw(path: Path, planes: np.ndarray, orientation: int) -> Path:
    image = Image.fromarray(planes[..., 0])
    return saved(image, path, compression="tiff_lzw", tiffinfo={ORIENTATION: orientation})


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("turned", "channels"),
    [(turned_png, 1), (turned_png, 2), (turned_png, 4), (turned_tiff, 1), (turned_tiff, 4), (turned_lzw, 1)],
)
def test_a_deep_image_is_turned_upright_once(
    turned: Callable[[Path, np.ndarray, int], Path], channels: int, orientation: int, tmp_path: Path
) -> None:
    planes = ramps(channels)[:5, :7]
    path = tmp_path / ("a.png" if turned is turned_png else "a.tif")
    out = check_unchanged(turned(path, STORED[orientation](planes).copy(), orientation), planes)
    if turned is not turned_png:
        with tifffile.TiffFile(out) as written:
            assert ORIENTATION not in written.pages[0].tags


def test_pages_of_any_size_and_depth_stay_so(tmp_path: Path) -> None:
    gray, colors = ramps(1)[:9, :5], ramps(4)[:7, :30]
    floats = (colors[..., :3] / 65535 * 255).astype(np.float32)
    floats[0, 0] = 255
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for page in (gray[..., 0], noise(), floats, np.array([[True, False] * 8])):
            kind = "rgb" if page.ndim == 3 else "minisblack"
            out.write(page, photometric=kind, metadata=None, contiguous=False)
        out.write(colors, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    file, again, written = through(tmp_path / "a.tif")
    for one in (file, again):
        first, second, third, fourth, fifth = (planes_of(one, number) for number in range(5))
        assert np.array_equal(first, gray)
        assert np.array_equal(second, noise())
        assert third * 255 == pytest.approx(floats, rel=1e-6)
        assert fourth[..., 0].tolist() == [[255, 0] * 8]
        assert np.array_equal(fifth, colors)
    with tifffile.TiffFile(written) as pages:
        depths = [page.dtype for page in pages.pages]
    assert depths == [np.uint16, np.uint8, np.float32, np.uint8, np.uint16]


def test_uncompressed_pages_of_one_size_stay_apart(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for number in range(3):
            out.write(ramps(1)[:8, :8, 0] + number, metadata=None, contiguous=False)
    assert [len(one.frames) for one in through(tmp_path / "a.tif")[:2]] == [3, 3]


def test_of_pages_the_first_alone_is_decoded_if_asked(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        out.write(ramps(1)[..., 0], metadata=None)
        out.write(np.full((4, 4), np.nan, np.float32), metadata=None)
    assert len(read(tmp_path / "a.tif", first_only=True).frames) == 1
    with pytest.raises(DataError, match="nan"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize(("channels", "suffix"), [(1, "pgm"), (3, "ppm")])
def test_a_pgm_or_ppm_keeps_all_65536_levels(channels: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    kind = {1: b"P5", 3: b"P6"}[channels]
    path.write_bytes(kind + b"\n# a remark\n256 256\n65535\n" + ramps(channels).astype(">u2").tobytes())
    out = check_unchanged(path, ramps(channels))
    assert out.stat().st_size == len(kind + b"\n256 256\n65535\n") + ramps(channels).nbytes


def test_a_pgm_of_fewer_levels_is_scaled(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 3 1 1023\n" + np.array([0, 511, 1023], ">u2").tobytes())
    assert read(path).frames[0].pixels.ravel().tolist() == [0, round(511 * 65535 / 1023), 65535]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_format_of_8_bits_gets_8(channels: int, kind: str, tmp_path: Path) -> None:
    planes = ramps(channels)[::16, ::16] // 16 + 20000
    file = replace(read(deep_png(tmp_path / "a.png", planes)), format=kind)
    write(file, tmp_path / "out")
    again = read(tmp_path / "out").frames[0]
    assert not again.deep
    assert (again.alpha is not None) == (kind not in ("JPEG",) and channels in (2, 4))
    if channels == 3 and kind != "GIF":
        assert np.abs(again.pixels * 257.0 - planes).mean() < 1000


@pytest.mark.parametrize("kind", ["PNG", "PPM"])
def test_floats_become_16_bits_where_there_are_none(kind: str, tmp_path: Path) -> None:
    planes = ramps(3)
    path = tiff(tmp_path / "a.tif", (planes / 65535).astype(np.float32))
    write(replace(read(path), format=kind), tmp_path / "out")
    again = read(tmp_path / "out")
    assert again.format == kind
    assert np.array_equal(again.frames[0].pixels, planes)


def test_pixels_of_ones_own_are_written_as_they_are(tmp_path: Path) -> None:
    for kind, white in ((np.uint16, 65535), (np.float32, 1)):
        pixels = (ramps(3) / 65535 * white).astype(kind)
        write(ImageFile(format="TIFF", frames=[Frame(pixels=pixels)]), tmp_path / "a.tif")
        assert np.array_equal(stored(tmp_path / "a.tif"), pixels)


@pytest.mark.parametrize("name", ["pillow_tiff_tiled_planar_16bit_RGB.tiff", "pillow_16bit.MM.cropped.tif"])
def test_real_files_keep_their_pixels(name: str, real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes((real_data / "odd" / name).read_bytes())
    file, again, out = through(path)
    assert file.frames[0].pixels.dtype == np.uint16
    assert np.array_equal(planes_of(file), planes_of(again))
    assert np.array_equal(stored(out), planes_of(file))
