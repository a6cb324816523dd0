"""The limit on the pixels of an image file, which is checked before they are decoded."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.unit.images.image_samples import (
    array_to_pil,
    noise,
    png_chunk,
    ramps_16bit,
    save_image,
    write_16bit_png,
)
from translate.errors import DataError
from translate.images import MAX_PIXELS, count_pixels, image_file_from_pil, read, read_rgb


def test_the_limit_is_250_megapixels_whatever_pillows_limit_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_PIXELS == 250_000_000
    path = save_image(Image.fromarray(noise(20, 20)), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read(path).frames[0].size == (20, 20)
    assert read_rgb(path).shape == (20, 20, 3)
    assert count_pixels(path) == 400
    assert Image.MAX_IMAGE_PIXELS == 100


def write_huge_png(path: Path, depth: int) -> Path:
    """Write the header of a PNG of 20000 x 20000 pixels, with next to no data behind it."""
    header = struct.pack(">IIBBBBB", 20000, 20000, depth, 2, 0, 0, 0)
    content = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize("depth", [8, 16])
def test_the_message_has_the_size_the_limit_and_the_remedy(depth: int, tmp_path: Path) -> None:
    path = write_huge_png(tmp_path / "a.png", depth)
    with pytest.raises(
        DataError, match=r"a\.png: 20000x20000 has 400\.0 megapixels.* 250: reduce the image$"
    ):
        read(path)
    with pytest.raises(DataError, match=r"20000x20000 .* 250: allow it with --max-megapixels 400$"):
        read(path, limit_flag="--max-megapixels")


@pytest.mark.parametrize(("limit", "fits"), [(600, True), (599, False)])
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "bmp", "gif", "ppm"])
def test_an_image_of_exactly_the_limit_is_allowed(
    suffix: str, limit: int, fits: bool, tmp_path: Path
) -> None:
    path = save_image(Image.fromarray(noise(20, 30)), tmp_path / f"a.{suffix}")
    if fits:
        assert read(path, max_pixels=limit).frames[0].size == (30, 20)
    else:
        with pytest.raises(DataError, match=r"30x20 has 0\.0 megapixels"):
            read(path, max_pixels=limit)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16bit_images_have_the_same_limit(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        write_16bit_png(path, ramps_16bit(3))
    else:
        tifffile.imwrite(path, ramps_16bit(3), photometric="rgb")
    assert read(path, max_pixels=65536).frames[0].size == (256, 256)
    with pytest.raises(DataError, match="256x256"):
        read(path, max_pixels=65535)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_limit_counts_the_pixels_of_all_frames(image_format: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(10, 20, seed=seed)) for seed in range(5)]
    path = save_image(frames[0], tmp_path / "a", format=image_format, save_all=True, append_images=frames[1:])
    assert len(read(path, max_pixels=1000).frames) == 5
    with pytest.raises(DataError, match=r"5 frames of up to 20x10 have 0\.0 megapixels"):
        read(path, max_pixels=999)
    assert len(read(path, max_pixels=200, first_only=True).frames) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("sizes", [[(4, 4), (30, 20), (5, 5)], [(30, 20), (5, 5), (4, 4)]])
def test_each_page_counts_by_its_own_size(sizes: list[tuple[int, int]], dtype: type, tmp_path: Path) -> None:
    pages = [np.zeros(size, dtype) for size in sizes]
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for page in pages:
            out.write(page, metadata=None, contiguous=False)
    assert len(read(tmp_path / "a.tif", max_pixels=641).frames) == 3
    with pytest.raises(DataError, match=r"3 frames of up to 20x30 have"):
        read(tmp_path / "a.tif", max_pixels=640)


def test_checking_the_sizes_of_pages_does_not_mix_up_their_profiles(tmp_path: Path) -> None:
    pages = [array_to_pil(noise(5, 7)), array_to_pil(noise(9, 4))]
    pages[0].encoderinfo = {"icc_profile": None}
    path = save_image(
        pages[0], tmp_path / "a.tif", save_all=True, append_images=pages[1:], icc_profile=b"second"
    )
    file = read(path)
    assert file.icc is None
    assert [frame.size for frame in file.frames] == [(7, 5), (4, 9)]


def write_growing_gif(path: Path, side: int) -> Path:
    """Write a GIF of 4 x 4 pixels by its header, whose second frame is `side` pixels wide and high."""
    palette = bytes(6)
    pixels = b"\x02\x02\x4c\x01\x00"
    frames = b"".join(b"," + struct.pack("<HHHHB", 0, 0, size, size, 0) + pixels for size in (1, side))
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x80, 0, 0) + palette + frames + b";")
    return path


def test_a_gif_with_a_later_frame_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = write_growing_gif(tmp_path / "a.gif", 60000)
    with pytest.raises(DataError, match=r"2 frames of up to 60000x60000 have 3600\.0 megapixels"):
        read(path)


def test_a_pil_image_in_memory_has_no_limit() -> None:
    assert image_file_from_pil(Image.fromarray(noise(20, 30))).frames[0].size == (30, 20)


@pytest.mark.parametrize(("height", "raised"), [(2001, 3), (2000, 2)])
def test_the_limit_that_the_message_names_is_enough(height: int, raised: int, tmp_path: Path) -> None:
    path = save_image(Image.new("1", (1000, height)), tmp_path / "a.png")
    with pytest.raises(DataError, match=rf"--max-megapixels {raised}$"):
        read(path, max_pixels=1_000_000, limit_flag="--max-megapixels")
    assert read(path, max_pixels=raised * 1_000_000).frames[0].size == (1000, height)
