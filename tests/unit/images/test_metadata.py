"""What a file says beside its pixels: its orientation is obeyed, the place is told only if asked."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageOps

from tests.unit.images.making import (
    ORIENTATION,
    STORED,
    chunk,
    deep_png,
    image_of,
    noise,
    planes_of,
    ramps,
    saved,
    smooth,
    through,
)
from translate.images import image_file_from_pil, read, read_rgb, write
from translate.images.codecs.metadata import add_directories

MAKER, MODEL, ARTIST, SOFTWARE, THUMBNAIL = 0x010F, 0x0110, 0x013B, 0x0131, 0x0201
EXPOSURE, SERIAL = 0x829A, 0xA431
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:creator="A. B."/>'
    b"</x:xmpmeta>"
)
KINDS = {
    "JPEG": {"quality": 95},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "TIFF, deflate": {"compression": "tiff_adobe_deflate"},
    "TIFF, LZW": {"compression": "tiff_lzw"},
}


def exif_of(**tags: Any) -> Image.Exif:
    """A camera's EXIF, with a place."""
    exif = Image.Exif()
    exif[MAKER], exif[MODEL], exif[ARTIST] = "Maker", "Model 7", "A. Photographer"
    exif.get_ifd(ExifTags.IFD.Exif).update({EXPOSURE: (1, 250), SERIAL: "12345"})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0)})
    exif.update({code: exif.get_ifd(code) for code in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)})
    exif.update({getattr(ExifTags.Base, name).value: value for name, value in tags.items()})
    return exif


def file_of(kind: str, folder: Path, planes: np.ndarray, exif: Image.Exif | bytes, **more: Any) -> Path:
    options = {"format": kind.partition(",")[0], **KINDS[kind], **more}
    path = folder / f"a.{options['format'].lower()}"
    if not kind.startswith("TIFF"):
        return saved(image_of(planes), path, exif=exif, **options)
    assert isinstance(exif, Image.Exif)
    inner = {code: exif.get_ifd(code) for code in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)}
    tags = {code: value for code, value in exif.items() if code not in inner}
    saved(image_of(planes), path, tiffinfo=tags, **options)
    with path.open("r+b") as file:  # of which Pillow writes none into a compressed TIFF
        add_directories(file, inner)
    return path


def written_exif(path: Path) -> Image.Exif:
    with Image.open(path) as image:
        exif = image.getexif()
        for code in ExifTags.IFD:
            with suppress(KeyError):  # Pillow 12, of a directory that is not there
                exif.get_ifd(code)  # while the file is open
        return exif


def deep_file(suffix: str, folder: Path, exif: Image.Exif, xmp: bytes = b"") -> Path:
    """An image of 16 bits a channel with EXIF."""
    if suffix == "png":
        chunks = [chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))]
        if xmp:
            chunks.append(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
        return deep_png(folder / "a.png", ramps(3)[:9, :8], *chunks)
    if xmp:
        exif[700] = xmp
    return saved(Image.fromarray(ramps(1)[:9, :8, 0]), folder / "a.tif", exif=exif)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_turned_upright_once(channels: int, kind: str, orientation: int, tmp_path: Path) -> None:
    upright = smooth(16, 32)[..., :channels]
    exif = exif_of(Orientation=orientation)
    file, again, out = through(file_of(kind, tmp_path, STORED[orientation](upright).copy(), exif))
    for one in (file, again):
        difference = np.abs(planes_of(one).astype(int) - upright)
        assert difference.mean() < 5 if kind == "JPEG" else not difference.any()
    assert written_exif(out).get(ORIENTATION, 1) == 1
    with Image.open(out) as image:
        seen = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(seen, again.frames[0].rgb())
    assert np.array_equal(read_rgb(out), seen)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK"])
def test_a_tiff_of_any_mode_is_turned_upright(
    mode: str, compression: str, orientation: int, tmp_path: Path
) -> None:
    upright = image_of(noise(8, 24, 4)).convert("RGB" if mode == "P" else mode).convert(mode)
    stored = STORED[orientation](np.asarray(upright)).copy()
    image = Image.fromarray(stored) if mode == "1" else Image.new(mode, stored.shape[1::-1])
    if mode != "1":
        image.frombytes(stored.tobytes())
    if mode == "P":
        image.putpalette(upright.getpalette() or [])
    tags = {ORIENTATION: orientation}
    (frame,) = read(saved(image, tmp_path / "a.tif", compression=compression, tiffinfo=tags)).frames
    (expected,) = image_file_from_pil(upright).frames
    assert np.array_equal(frame.pixels, expected.pixels)
    if expected.alpha is not None:
        assert np.array_equal(frame.alpha, expected.alpha)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF, LZW"])
@pytest.mark.parametrize("loaded", [True, False])
def test_a_pil_image_is_turned_upright_once(
    loaded: bool, kind: str, orientation: int, tmp_path: Path
) -> None:
    upright = smooth(16, 32)
    exif = exif_of(Orientation=orientation)
    with Image.open(file_of(kind, tmp_path, STORED[orientation](upright).copy(), exif)) as image:
        if loaded:
            image.load()
        (frame,) = image_file_from_pil(image).frames
    assert frame.pixels.shape == upright.shape
    assert np.abs(frame.pixels.astype(int) - upright).mean() < 5


def test_real_photos_are_as_pillow_turns_them(real_data: Path) -> None:
    for path in sorted((real_data / "odd").glob("*orientation_*")):
        with Image.open(path) as image:
            turned = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert np.array_equal(read_rgb(path), turned)


def test_the_orientation_may_be_told_by_xmp_alone(tmp_path: Path) -> None:
    path = saved(Image.fromarray(smooth(10, 20)), tmp_path / "a.jpg", xmp=XMP)
    file, _, out = through(path, keep_metadata=True)
    assert file.frames[0].size == (10, 20)
    assert b'tiff:Orientation="1"' in file.metadata["xmp"]
    with Image.open(out) as image:
        assert ImageOps.exif_transpose(image).size == (10, 20)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_of_no_meaning_is_none(value: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    path = saved(Image.fromarray(noise()), tmp_path / "a.png", exif=exif)
    assert np.array_equal(read(path).frames[0].pixels, noise())


@pytest.mark.parametrize("kind", KINDS)
def test_artist_and_camera_are_kept_and_the_place_is_not(kind: str, tmp_path: Path) -> None:
    _, _, out = through(file_of(kind, tmp_path, smooth(), exif_of()))
    check_exif(out, place=False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_place_is_kept_if_asked(kind: str, tmp_path: Path) -> None:
    path = file_of(kind, tmp_path, smooth(), exif_of())
    check_exif(path, place=True)
    _, _, out = through(path, keep_metadata=True)
    check_exif(out, place=True)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("place", [True, False])
def test_a_deep_image_keeps_as_much(place: bool, suffix: str, tmp_path: Path) -> None:
    _, again, out = through(deep_file(suffix, tmp_path, exif_of()), keep_metadata=place)
    assert again.frames[0].deep
    check_exif(out, place=place)


def check_exif(path: Path, *, place: bool) -> None:
    exif = written_exif(path)
    assert (exif[MAKER], exif[MODEL], exif[ARTIST]) == ("Maker", "Model 7", "A. Photographer")
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    assert (camera[EXPOSURE], camera[SERIAL]) == ((1, 250), "12345")
    where = exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert dict(where) == ({1: "N", 2: (52.0, 31.0, 12.0)} if place else {})


@pytest.mark.parametrize("kind", KINDS)
def test_letters_beyond_ascii_are_kept(kind: str, tmp_path: Path) -> None:
    name = "Jürgen Groß"
    for coding in ("utf-8", "latin-1"):
        exif = Image.Exif()
        exif[ARTIST] = name.encode(coding)
        _, _, out = through(file_of(kind, tmp_path, smooth(), exif))
        assert written_exif(out)[ARTIST].encode("latin-1").decode(coding) == name


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_letters_beyond_ascii_are_kept_in_deep_images(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ARTIST] = "Jürgen Groß".encode()
    _, _, out = through(deep_file(suffix, tmp_path, exif))
    assert written_exif(out)[ARTIST].encode("latin-1").decode() == "Jürgen Groß"


@pytest.mark.parametrize("kind", KINDS)
def test_xmp_is_kept_if_asked_and_does_not_turn_the_image(kind: str, tmp_path: Path) -> None:
    if kind == "PNG":
        path = file_of(kind, tmp_path, smooth(), exif_of(Orientation=6))
        content = path.read_bytes()
        text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
        path.write_bytes(content[:33] + text + content[33:])
    elif kind.startswith("TIFF"):
        exif = exif_of(Orientation=6)
        exif[700] = XMP
        path = file_of(kind, tmp_path, smooth(), exif)
    else:
        path = file_of(kind, tmp_path, smooth(), exif_of(Orientation=6), xmp=XMP)
    check_xmp(path)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_xmp_of_a_deep_image_is_kept_if_asked(suffix: str, tmp_path: Path) -> None:
    check_xmp(deep_file(suffix, tmp_path, exif_of(Orientation=6), XMP))


def check_xmp(path: Path) -> None:
    _, again, out = through(path, keep_metadata=True)
    assert again.metadata["xmp"] == XMP.replace(b'"6"', b'"1"')
    with Image.open(out) as image:
        assert ImageOps.exif_transpose(image).size == image.size
    _, again, out = through(path)
    assert "xmp" not in again.metadata
    assert b"xmpmeta" not in out.read_bytes()


def with_thumbnail(small: bytes) -> bytes:
    """An EXIF block of an artist and of a second directory with a small image."""
    artist = struct.pack("<HHHI4sI", 1, ARTIST, 2, 4, b"A.B\0", 26)
    second = struct.pack("<HHHIIHHIII", 2, THUMBNAIL, 4, 1, 56, THUMBNAIL + 1, 4, 1, len(small), 0)
    return b"Exif\0\0" + b"II*\0\x08\0\0\0" + artist + second + small


@pytest.mark.parametrize("everything", [True, False])
def test_the_small_image_of_the_original_is_not_kept(everything: bool, tmp_path: Path) -> None:
    small = b"\xff\xd8\xff what the original looked like \xff\xd9"
    exif = with_thumbnail(small)
    path = saved(Image.fromarray(smooth()), tmp_path / "a.jpg", exif=exif)
    with Image.open(path) as image:
        assert THUMBNAIL in image.getexif().get_ifd(ExifTags.IFD.IFD1)
    _, _, out = through(path, keep_metadata=everything)
    assert written_exif(out)[ARTIST] == "A.B"
    assert not written_exif(out).get_ifd(ExifTags.IFD.IFD1)
    assert small not in out.read_bytes()


def test_a_directory_within_the_cameras_is_not_lost(tmp_path: Path) -> None:
    exif = exif_of()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: "R98"}
    for kind in KINDS:
        _, _, out = through(file_of(kind, tmp_path, smooth(), exif))
        assert written_exif(out).get_ifd(ExifTags.IFD.Interop) == {1: "R98"}


@pytest.mark.parametrize("kind", [*(kind for kind in KINDS if kind != "WEBP"), "BMP"])
@pytest.mark.parametrize("dpi", [(300, 300), (72, 96)])
def test_the_resolution_is_kept(dpi: tuple[int, int], kind: str, tmp_path: Path) -> None:
    name = kind.partition(",")[0]
    options = {"format": name, "dpi": dpi, **KINDS.get(kind, {})}
    _, _, out = through(saved(Image.fromarray(smooth()), tmp_path / f"a.{name.lower()}", **options))
    with Image.open(out) as image:
        assert image.info["dpi"] == pytest.approx(dpi, abs=0.02)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_the_resolution_of_a_deep_image_is_kept(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        deep_png(path, ramps(1)[:9], chunk(b"pHYs", struct.pack(">IIB", 11811, 3780, 1)))
    else:
        tifffile.imwrite(path, ramps(1)[..., 0], resolution=(300, 96), resolutionunit="inch")
    _, _, out = through(path)
    with Image.open(out) as image:
        assert image.info["dpi"] == pytest.approx((300, 96), abs=0.02)


@pytest.mark.parametrize("resolution", [None, (72, 72)])
def test_a_resolution_of_no_unit_is_none(resolution: tuple[int, int] | None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ramps(1)[..., 0], resolution=resolution, resolutionunit="none")
    for one in through(tmp_path / "a.tif")[:2]:
        assert "dpi" not in one.metadata


@pytest.mark.parametrize("block", [b"", b"garbage", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*" + b"\xff" * 20])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Possibly corrupt EXIF", "ignore:Truncated")
def test_damaged_exif_does_not_matter(kind: str, block: bytes, tmp_path: Path) -> None:
    path = file_of(kind, tmp_path, smooth(), b"Exif\0\0" + block)
    file, again, _ = through(path)
    assert np.abs(planes_of(file).astype(int) - smooth()).mean() < 5
    assert again.frames[0].size == file.frames[0].size


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_metadata_goes_with_an_image_into_another_format(suffix: str, tmp_path: Path) -> None:
    file = read(deep_file(suffix, tmp_path, exif_of(), XMP), keep_metadata=True)
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        write(replace(file, format=kind), tmp_path / "out")
        check_exif(tmp_path / "out", place=True)
        assert read(tmp_path / "out", keep_metadata=True).metadata["xmp"] == XMP.replace(b'"6"', b'"1"')


def test_what_is_too_long_for_a_jpeg_is_left_behind(tmp_path: Path) -> None:
    exif = exif_of(ImageDescription="long " * 20000)
    file = read(file_of("PNG", tmp_path, smooth(), exif, dpi=(300, 300)))
    write(replace(file, format="JPEG"), tmp_path / "out")
    again = read(tmp_path / "out")
    assert "exif" not in again.metadata
    assert again.metadata["dpi"] == (300, 300)


def test_an_image_without_metadata_gets_none(tmp_path: Path) -> None:
    for kind, options in KINDS.items():
        name = kind.partition(",")[0]
        _, again, out = through(
            saved(Image.fromarray(smooth()), tmp_path / f"a.{name.lower()}", format=name, **options)
        )
        assert again.metadata == {}
        assert not written_exif(out).get(SOFTWARE)
