"""An image is written whole or not at all, and encoded as it was."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import psutil
import pytest
from PIL import Image, ImageChops, JpegImagePlugin
from PIL import ImageFile as PillowImageFile

from tests.unit.images.making import image_of, noise, planes_of, saved, smooth, through
from translate.errors import DataError
from translate.images import FORMATS, SUFFIXES, Frame, ImageFile, read, read_rgb, write, write_rgb
from translate.images.codecs.writing import remove_stale_parts

LOSSY = (".jpg", ".jpeg", ".jfif", ".webp", ".gif")


def picture_file(kind: str = "PNG", *, alpha: bool = False, pixels: np.ndarray | None = None) -> ImageFile:
    pixels = smooth() if pixels is None else pixels
    return ImageFile(format=kind, frames=[Frame(pixels=pixels, alpha=pixels[..., 0] if alpha else None)])


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_every_suffix_is_written_in_its_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "sub" / ("a" + suffix.upper())
    write_rgb(smooth(), path)
    with Image.open(path) as image:
        assert image.format == FORMATS[suffix]
    difference = np.abs(read_rgb(path).astype(int) - smooth())
    assert difference.mean() < (8 if suffix in LOSSY else 1e-9)


def test_what_can_be_read_can_be_written() -> None:
    assert set(FORMATS) == SUFFIXES


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.heic"])
def test_a_suffix_of_no_known_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write this format: use \.bmp, "):
        write_rgb(smooth(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".xyz", ""])
def test_a_file_is_written_in_its_own_format_whatever_its_name(suffix: str, tmp_path: Path) -> None:
    write(picture_file("PNG"), tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_each_format_takes_gray_and_colours_with_alpha_and_without(
    channels: int, kind: str, tmp_path: Path
) -> None:
    pixels = smooth()[..., : 1 if channels < 3 else 3]
    file = picture_file(kind, alpha=channels in (2, 4), pixels=pixels)
    write(file, tmp_path / "a")
    again = read(tmp_path / "a")
    assert again.format == kind
    assert again.frames[0].size == (60, 40)
    holds = kind in ("BMP", "GIF", "PNG", "TIFF", "WEBP")
    assert (again.frames[0].alpha is not None) == (holds and channels in (2, 4))
    if kind in ("BMP", "PNG", "TIFF"):
        assert np.array_equal(again.frames[0].rgb(), file.frames[0].rgb())
    if kind in ("BMP", "PNG", "TIFF", "WEBP") and channels in (2, 4):
        assert np.array_equal(again.frames[0].alpha, file.frames[0].alpha)
    if kind in ("PNG", "TIFF", "JPEG", "PPM"):
        assert again.mode == ("L" if channels < 3 else "RGB")


@pytest.mark.parametrize("kind", ["JPEG", "PPM"])
def test_what_is_transparent_is_white_where_there_is_no_alpha(kind: str, tmp_path: Path) -> None:
    frame = Frame(pixels=np.zeros((16, 16, 3), np.uint8), alpha=np.zeros((16, 16), np.uint8))
    write(ImageFile(format=kind, frames=[frame]), tmp_path / "a")
    assert (read(tmp_path / "a").frames[0].pixels == 255).all()


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.bmp"])
def test_alpha_and_the_colours_below_it_are_kept_to_the_bit(name: str, tmp_path: Path) -> None:
    planes = noise(40, 60, 4)
    planes[:20, :, 3] = 0
    path = tmp_path / name
    if name == "a.bmp":
        path.write_bytes(cv2.imencode(".bmp", planes[..., [2, 1, 0, 3]])[1].tobytes())
    else:
        options = {"lossless": True, "exact": True} if name == "a.webp" else {}
        saved(Image.fromarray(planes), path, **options)
    for one in through(path)[:2]:
        assert np.array_equal(planes_of(one), planes)


def by_opencv(path: Path, pixels: np.ndarray, quality: int, *settings: int) -> Path:
    """A JPEG that Pillow did not make."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, *settings]
    path.write_bytes(cv2.imencode(".jpg", pixels[..., ::-1], options)[1].tobytes())
    return path


def texture(height: int = 240, width: int = 320) -> np.ndarray:
    """Something like a photo: smooth, with a little noise."""
    grain = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    return (np.tile(smooth(), (6, 6, 1))[:height, :width] / 2 + 60 + grain).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [20, 75, 92, 100])
def test_a_jpeg_keeps_its_quality_its_sampling_and_its_size(
    quality: int, subsampling: int, optimize: bool, progressive: bool, tmp_path: Path
) -> None:
    image = Image.fromarray(texture())
    options = {"subsampling": subsampling, "optimize": optimize, "progressive": progressive}
    path = saved(image, tmp_path / "a.jpg", quality=quality, **options)
    _, _, out = through(path)
    with Image.open(path) as before, Image.open(out) as after:
        assert after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == subsampling
        assert bool(after.info.get("progressive")) == progressive
        loss = np.abs(np.asarray(after).astype(int) - np.asarray(before)).mean()
    assert loss < 1.5
    assert abs(out.stat().st_size / path.stat().st_size - 1) < 0.1


def test_a_jpeg_of_gray_keeps_its_quality(tmp_path: Path) -> None:
    path = saved(Image.fromarray(texture()[..., 0]), tmp_path / "a.jpg", quality=60)
    _, again, out = through(path)
    with Image.open(path) as before, Image.open(out) as after:
        assert after.mode == "L"
        assert after.quantization == before.quantization
    assert again.mode == "L"
    assert abs(out.stat().st_size / path.stat().st_size - 1) < 0.1


def test_colours_made_of_a_gray_jpeg_are_written(tmp_path: Path) -> None:
    file = read(saved(Image.fromarray(texture()[..., 0]), tmp_path / "a.jpg", quality=90))
    write(replace(file, frames=[Frame(pixels=texture())]), tmp_path / "b.jpg")
    assert np.abs(read_rgb(tmp_path / "b.jpg").astype(int) - texture()).mean() < 6


def test_gray_made_of_a_jpeg_of_colours_is_written(tmp_path: Path) -> None:
    file = read(saved(Image.fromarray(texture()), tmp_path / "a.jpg", quality=90))
    gray = texture()[..., :1]
    write(replace(file, frames=[Frame(pixels=gray)]), tmp_path / "b.jpg")
    again = read(tmp_path / "b.jpg")
    assert again.mode == "L"
    assert np.abs(planes_of(again).astype(int) - gray).mean() < 6


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_of_pure_noise_at_the_best_quality_is_written(progressive: int, tmp_path: Path) -> None:
    settings = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    optimized = (cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_OPTIMIZE, 1)
    path = by_opencv(tmp_path / "a.jpg", noise(400, 400), 100, *settings, *optimized)
    file, again, out = through(path)
    assert np.abs(planes_of(file).astype(int) - planes_of(again)).mean() < 1
    assert abs(out.stat().st_size / path.stat().st_size - 1) < 0.1
    assert PillowImageFile.MAXBLOCK == 65536


def test_the_codes_of_a_small_image_inside_do_not_count(tmp_path: Path) -> None:
    """A preview in the EXIF is a JPEG of its own, with codes of its own."""
    preview = saved(Image.fromarray(smooth()), tmp_path / "preview.jpg").read_bytes()
    exif = b"Exif\0\0II*\0" + struct.pack("<IHI", 8, 0, 0) + preview
    path = saved(Image.fromarray(texture()), tmp_path / "a.jpg", quality=95, optimize=True, exif=exif)
    bare = saved(Image.fromarray(texture()), tmp_path / "b.jpg", quality=95, optimize=True)
    file, _, out = through(path)
    assert file.settings["optimize"]
    assert abs(out.stat().st_size / bare.stat().st_size - 1) < 0.05


def test_real_jpegs_keep_their_quality_and_their_size(real_data: Path, tmp_path: Path) -> None:
    for source in sorted((real_data / "monet2photo" / "testB").iterdir())[:5]:
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes())
        _, _, out = through(path)
        with Image.open(path) as before, Image.open(out) as after:
            assert after.quantization == before.quantization
        assert abs(out.stat().st_size / path.stat().st_size - 1) < 0.1


@pytest.mark.parametrize("profile", [b"", b"p" * 10_000, b"p" * 10_001])
@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_lossless_webp_stays_so_and_a_lossy_one_too(
    channels: int, lossless: bool, profile: bytes, tmp_path: Path
) -> None:
    planes = np.dstack([smooth(), smooth()[..., :1]])[..., :channels]
    options = {"lossless": lossless, "icc_profile": profile, "exact": True}
    file, again, _ = through(saved(Image.fromarray(planes), tmp_path / "a.webp", **options))
    for one in (file, again):
        assert one.settings["lossless"] == lossless
        assert np.array_equal(planes_of(one), planes) == lossless
        assert one.icc == (profile or None)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiff_keeps_its_compression(channels: int, compression: str, tmp_path: Path) -> None:
    image = image_of(texture()[..., :channels])
    options = {"quality": 95} if compression == "jpeg" else {}
    path = saved(image, tmp_path / "a.tif", compression=compression, **options)
    file, again, out = through(path)
    with Image.open(out) as written:
        assert written.info["compression"] == compression
    difference = np.abs(planes_of(file).astype(int) - planes_of(again)).mean()
    assert difference < 3 if compression == "jpeg" else difference == 0


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_tiff_of_black_and_white_gets_a_compression_that_holds_gray(
    compression: str, tmp_path: Path
) -> None:
    image = Image.fromarray(smooth()[..., 0]).convert("1")
    file, again, out = through(saved(image, tmp_path / "a.tif", compression=compression))
    assert np.array_equal(planes_of(file)[..., 0], np.asarray(image.convert("L")))
    assert np.array_equal(planes_of(again), planes_of(file))
    with Image.open(out) as written:
        assert written.info["compression"] == "tiff_adobe_deflate"


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGB", "RGBA"])
def test_a_png_of_any_mode_looks_as_it_did(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(noise(40, 60, 4)).convert("RGB" if mode == "P" else mode).convert(mode)
    _, _, out = through(saved(image, tmp_path / "a.png"))
    with Image.open(out) as written:
        pair = [one.convert("RGBA") for one in (image, written)]
    assert not ImageChops.difference(*pair).getbbox(alpha_only=False)


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM"):
        write(picture_file(kind), tmp_path / "a")
        write(picture_file(kind), tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def half(_: Image.Image, stream: IO[bytes], **__: object) -> None:
    stream.write(b"half")
    full()


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("kind", "call", "failing"), [(Image.Image, "save", half), (Path, "replace", full)])
def test_a_full_disk_leaves_the_earlier_file_whole(
    kind: type, call: str, failing: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write(picture_file(), path)
    before = path.read_bytes()
    monkeypatch.setattr(kind, call, failing)
    with pytest.raises(DataError, match=r"a\.png: cannot be written: No space left on device$"):
        write(picture_file(pixels=noise()), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_memory_that_runs_out_is_not_taken_for_a_bad_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(MemoryError):
        write(picture_file(), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_the_whole_file_is_shown_before_it_has_its_name(tmp_path: Path) -> None:
    seen = []

    def look(part: Path) -> None:
        assert not (tmp_path / "a.png").exists()
        seen.append(part.read_bytes())

    write(picture_file(), tmp_path / "a.png", finished=look)
    assert seen == [(tmp_path / "a.png").read_bytes()]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        write(picture_file(), tmp_path / "out" / "a.png")


@pytest.mark.parametrize("kind", ["WEBP", "JPEG", "GIF"])
def test_an_image_too_long_for_its_format_is_told(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written") as refusal:
        write(picture_file(kind, pixels=np.zeros((1, 65536, 3), np.uint8)), tmp_path / "a")
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ü–字.png", "a\nb.png", "x" * 251 + ".png", ".png", "-"])
def test_any_name_can_be_written(name: str, tmp_path: Path) -> None:
    write(picture_file(), tmp_path / name)
    assert np.array_equal(read(tmp_path / name).frames[0].pixels, smooth())


def test_what_dead_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    dead = next(pid for pid in range(2**22 - 1, 0, -1) if not psutil.pid_exists(pid))
    names = [f".translate-{dead}-7.part", f".translate-{os.getpid()}-7.part", ".translate-x-7.part", "a.part"]
    for name in names:
        (tmp_path / name).touch()
    remove_stale_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_every_odd_image_is_as_it_was(real_data: Path, tmp_path: Path) -> None:
    """Read and written unchanged: the same pixels where the format has no loss, near ones elsewhere."""
    for source in sorted((real_data / "odd").iterdir()):
        if source.stat().st_size > 200_000:
            continue  # photos, which take long
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes())
        try:
            file, again, _ = through(path)
        except DataError:
            continue
        assert (again.format, again.icc) == (file.format, file.icc)
        assert len(again.frames) == len(file.frames), source.name
        for number, (one, other) in enumerate(zip(file.frames, again.frames, strict=True)):
            assert planes_of(file, number).dtype == planes_of(again, number).dtype, source.name
            assert planes_of(file, number).shape == planes_of(again, number).shape, source.name
            seen = np.ones(one.pixels.shape[:2], bool) if one.alpha is None else one.alpha > 0
            difference = np.abs(one.pixels.astype(float) - other.pixels)[seen]
            near = 3 if file.format in ("JPEG", "WEBP") else 8 if file.mode == "LAB" else 0
            assert difference.sum() <= near * difference.size, source.name
