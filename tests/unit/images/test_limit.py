"""An image of too many pixels is refused by its header, and told what to do."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.unit.images.making import chunk, deep_png, image_of, noise, ramps, saved
from translate.errors import DataError
from translate.images import MAX_PIXELS, count_pixels, image_file_from_pil, read, read_rgb
from translate.images.codecs.limit import check_size


def test_the_limit_is_250_megapixels_whatever_pillow_thinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_PIXELS == 250_000_000
    path = saved(Image.fromarray(noise(20, 20)), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read(path).frames[0].size == (20, 20)
    assert read_rgb(path).shape == (20, 20, 3)
    assert count_pixels(path) == 400
    assert Image.MAX_IMAGE_PIXELS == 100


def huge_png(path: Path, depth: int) -> Path:
    """A header that promises 20000 x 20000 pixels, and hardly anything behind it."""
    header = struct.pack(">IIBBBBB", 20000, 20000, depth, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize("depth", [8, 16])
def test_the_size_the_limit_and_the_remedy_are_told(depth: int, tmp_path: Path) -> None:
    path = huge_png(tmp_path / "a.png", depth)
    told = r"20000x20000 are 400\.0 megapixels, over the limit of 250: raise it with --max-megapixels 400"
    with pytest.raises(DataError, match=rf"a\.png: {told}$"):
        read(path)


@pytest.mark.parametrize(("limit", "fits"), [(600, True), (599, False)])
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "bmp", "gif", "ppm"])
def test_the_limit_itself_is_allowed(suffix: str, limit: int, fits: bool, tmp_path: Path) -> None:
    path = saved(Image.fromarray(noise(20, 30)), tmp_path / f"a.{suffix}")
    if fits:
        assert read(path, max_pixels=limit).frames[0].size == (30, 20)
    else:
        with pytest.raises(DataError, match=r"30x20 are 0\.0 megapixels"):
            read(path, max_pixels=limit)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_deep_images_have_the_same_limit(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        deep_png(path, ramps(3))
    else:
        tifffile.imwrite(path, ramps(3), photometric="rgb")
    assert read(path, max_pixels=65536).frames[0].size == (256, 256)
    with pytest.raises(DataError, match="256x256"):
        read(path, max_pixels=65535)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_all_frames_count_together(kind: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(10, 20, seed=seed)) for seed in range(5)]
    path = saved(frames[0], tmp_path / "a", format=kind, save_all=True, append_images=frames[1:])
    assert len(read(path, max_pixels=1000).frames) == 5
    with pytest.raises(DataError, match=r"20x10, 5 frames are 0\.0 megapixels"):
        read(path, max_pixels=999)
    assert len(read(path, max_pixels=200, first_only=True).frames) == 1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("sizes", [[(4, 4), (30, 20), (5, 5)], [(30, 20), (5, 5), (4, 4)]])
def test_each_page_counts_by_its_own_size(sizes: list[tuple[int, int]], kind: type, tmp_path: Path) -> None:
    pages = [np.zeros(size, kind) for size in sizes]
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for page in pages:
            out.write(page, metadata=None, contiguous=False)
    assert len(read(tmp_path / "a.tif", max_pixels=641).frames) == 3
    with pytest.raises(DataError, match=r"20x30, 3 frames are"):
        read(tmp_path / "a.tif", max_pixels=640)


def test_looking_at_the_pages_does_not_mix_up_their_profiles(tmp_path: Path) -> None:
    pages = [image_of(noise(5, 7)), image_of(noise(9, 4))]
    pages[0].encoderinfo = {"icc_profile": None}
    path = saved(
        pages[0], tmp_path / "a.tif", save_all=True, append_images=pages[1:], icc_profile=b"of the second"
    )
    file = read(path)
    assert file.icc is None
    assert [frame.size for frame in file.frames] == [(7, 5), (4, 9)]


def growing_gif(path: Path, side: int) -> Path:
    """Of 4 x 4 pixels by its header and its first frame; the second frame has `side`."""
    palette = bytes(6)
    pixels = b"\x02\x02\x4c\x01\x00"
    frames = b"".join(b"," + struct.pack("<HHHHB", 0, 0, size, size, 0) + pixels for size in (1, side))
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x80, 0, 0) + palette + frames + b";")
    return path


def test_a_gif_that_grows_is_refused_when_it_does(tmp_path: Path) -> None:
    path = growing_gif(tmp_path / "a.gif", 60000)
    with pytest.raises(DataError, match=r"60000x60000, 2 frames are 3600\.0 megapixels"):
        read(path)


def test_an_image_that_is_there_already_has_no_limit() -> None:
    assert image_file_from_pil(Image.fromarray(noise(20, 30))).frames[0].size == (30, 20)


@pytest.mark.parametrize(("limit", "raised"), [(1_000_000, 2), (1_999_999, 2), (500_000, 2)])
def test_the_limit_that_is_told_is_enough(limit: int, raised: int) -> None:
    with pytest.raises(DataError, match=rf"--max-megapixels {raised}$"):
        check_size([(1000, 2000)], limit)
    check_size([(1000, 2000)], raised * 1_000_000)
