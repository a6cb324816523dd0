"""Metadata: the EXIF orientation is applied, and GPS is kept only with `keep_metadata`."""

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

from tests.unit.images.image_samples import (
    ORIENTATION,
    STORED_BY_ORIENTATION,
    array_to_pil,
    color_gradient,
    frame_array,
    noise,
    png_chunk,
    ramps_16bit,
    round_trip,
    save_image,
    write_16bit_png,
)
from translate.images import image_file_from_pil, read, read_rgb, write
from translate.images.codecs.metadata import add_ifds

MAKER, MODEL, ARTIST, SOFTWARE, THUMBNAIL = 0x010F, 0x0110, 0x013B, 0x0131, 0x0201
EXPOSURE, SERIAL = 0x829A, 0xA431
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:creator="A. B."/>'
    b"</x:xmpmeta>"
)
SAVE_OPTIONS = {
    "JPEG": {"quality": 95},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "TIFF, deflate": {"compression": "tiff_adobe_deflate"},
    "TIFF, LZW": {"compression": "tiff_lzw"},
}


def camera_exif(**tags: Any) -> Image.Exif:
    """Return the EXIF of a camera, with GPS."""
    exif = Image.Exif()
    exif[MAKER], exif[MODEL], exif[ARTIST] = "Maker", "Model 7", "A. Photographer"
    exif.get_ifd(ExifTags.IFD.Exif).update({EXPOSURE: (1, 250), SERIAL: "12345"})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0)})
    exif.update({code: exif.get_ifd(code) for code in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)})
    exif.update({getattr(ExifTags.Base, name).value: value for name, value in tags.items()})
    return exif


def save_with_exif(
    case: str, folder: Path, array: np.ndarray, exif: Image.Exif | bytes, **overrides: Any
) -> Path:
    """Write an image with EXIF; `case` is a key of SAVE_OPTIONS."""
    options = {"format": case.partition(",")[0], **SAVE_OPTIONS[case], **overrides}
    path = folder / f"a.{options['format'].lower()}"
    if not case.startswith("TIFF"):
        return save_image(array_to_pil(array), path, exif=exif, **options)
    assert isinstance(exif, Image.Exif)
    ifds = {code: exif.get_ifd(code) for code in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)}
    tags = {code: value for code, value in exif.items() if code not in ifds}
    save_image(array_to_pil(array), path, tiffinfo=tags, **options)
    with path.open("r+b") as file:  # Pillow writes no inner IFDs into a compressed TIFF.
        add_ifds(file, ifds)
    return path


def read_exif(path: Path) -> Image.Exif:
    with Image.open(path) as image:
        exif = image.getexif()
        for code in ExifTags.IFD:
            with suppress(KeyError):  # Pillow 12 raises it for an IFD that is missing.
                exif.get_ifd(code)  # Load it while the file is open.
        return exif


def save_16bit(suffix: str, folder: Path, exif: Image.Exif, xmp: bytes = b"") -> Path:
    """Write a 16-bit PNG or TIFF with EXIF."""
    if suffix == "png":
        chunks = [png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))]
        if xmp:
            chunks.append(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
        return write_16bit_png(folder / "a.png", ramps_16bit(3)[:9, :8], *chunks)
    if xmp:
        exif[700] = xmp
    return save_image(Image.fromarray(ramps_16bit(1)[:9, :8, 0]), folder / "a.tif", exif=exif)


@pytest.mark.parametrize("orientation", STORED_BY_ORIENTATION)
@pytest.mark.parametrize("case", SAVE_OPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_turned_upright_once(channels: int, case: str, orientation: int, tmp_path: Path) -> None:
    upright = color_gradient(16, 32)[..., :channels]
    exif = camera_exif(Orientation=orientation)
    file, copy, out = round_trip(
        save_with_exif(case, tmp_path, STORED_BY_ORIENTATION[orientation](upright).copy(), exif)
    )
    for result in (file, copy):
        difference = np.abs(frame_array(result).astype(int) - upright)
        assert difference.mean() < 5 if case == "JPEG" else not difference.any()
    assert read_exif(out).get(ORIENTATION, 1) == 1
    with Image.open(out) as image:
        upright_copy = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(upright_copy, copy.frames[0].rgb())
    assert np.array_equal(read_rgb(out), upright_copy)


@pytest.mark.parametrize("orientation", STORED_BY_ORIENTATION)
@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK"])
def test_a_tiff_of_any_mode_is_turned_upright(
    mode: str, compression: str, orientation: int, tmp_path: Path
) -> None:
    upright = array_to_pil(noise(8, 24, 4)).convert("RGB" if mode == "P" else mode).convert(mode)
    stored = STORED_BY_ORIENTATION[orientation](np.asarray(upright)).copy()
    image = Image.fromarray(stored) if mode == "1" else Image.new(mode, stored.shape[1::-1])
    if mode != "1":
        image.frombytes(stored.tobytes())
    if mode == "P":
        image.putpalette(upright.getpalette() or [])
    tags = {ORIENTATION: orientation}
    (frame,) = read(save_image(image, tmp_path / "a.tif", compression=compression, tiffinfo=tags)).frames
    (expected,) = image_file_from_pil(upright).frames
    assert np.array_equal(frame.pixels, expected.pixels)
    if expected.alpha is not None:
        assert np.array_equal(frame.alpha, expected.alpha)


@pytest.mark.parametrize("orientation", STORED_BY_ORIENTATION)
@pytest.mark.parametrize("case", ["JPEG", "PNG", "TIFF, LZW"])
@pytest.mark.parametrize("loaded", [True, False])
def test_a_pil_image_is_turned_upright_once(
    loaded: bool, case: str, orientation: int, tmp_path: Path
) -> None:
    upright = color_gradient(16, 32)
    exif = camera_exif(Orientation=orientation)
    with Image.open(
        save_with_exif(case, tmp_path, STORED_BY_ORIENTATION[orientation](upright).copy(), exif)
    ) as image:
        if loaded:
            image.load()
        (frame,) = image_file_from_pil(image).frames
    assert frame.pixels.shape == upright.shape
    assert np.abs(frame.pixels.astype(int) - upright).mean() < 5


def test_real_photos_are_turned_as_pillow_turns_them(real_data: Path) -> None:
    for path in sorted((real_data / "odd").glob("*orientation_*")):
        with Image.open(path) as image:
            turned = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert np.array_equal(read_rgb(path), turned)


def test_an_orientation_in_xmp_only_is_applied(tmp_path: Path) -> None:
    path = save_image(Image.fromarray(color_gradient(10, 20)), tmp_path / "a.jpg", xmp=XMP)
    file, _, out = round_trip(path, keep_metadata=True)
    assert file.frames[0].size == (10, 20)
    assert b'tiff:Orientation="1"' in file.metadata["xmp"]
    with Image.open(out) as image:
        assert ImageOps.exif_transpose(image).size == (10, 20)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_invalid_orientation_is_ignored(value: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    path = save_image(Image.fromarray(noise()), tmp_path / "a.png", exif=exif)
    assert np.array_equal(read(path).frames[0].pixels, noise())


@pytest.mark.parametrize("case", SAVE_OPTIONS)
def test_artist_and_camera_are_kept_and_gps_is_dropped(case: str, tmp_path: Path) -> None:
    _, _, out = round_trip(save_with_exif(case, tmp_path, color_gradient(), camera_exif()))
    check_exif(out, gps=False)


@pytest.mark.parametrize("case", SAVE_OPTIONS)
def test_gps_is_kept_with_keep_metadata(case: str, tmp_path: Path) -> None:
    path = save_with_exif(case, tmp_path, color_gradient(), camera_exif())
    check_exif(path, gps=True)
    _, _, out = round_trip(path, keep_metadata=True)
    check_exif(out, gps=True)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("gps", [True, False])
def test_a_16bit_image_keeps_the_same_exif(gps: bool, suffix: str, tmp_path: Path) -> None:
    _, copy, out = round_trip(save_16bit(suffix, tmp_path, camera_exif()), keep_metadata=gps)
    assert copy.frames[0].high_bit_depth
    check_exif(out, gps=gps)


def check_exif(path: Path, *, gps: bool) -> None:
    exif = read_exif(path)
    assert (exif[MAKER], exif[MODEL], exif[ARTIST]) == ("Maker", "Model 7", "A. Photographer")
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    assert (camera[EXPOSURE], camera[SERIAL]) == ((1, 250), "12345")
    position = exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert dict(position) == ({1: "N", 2: (52.0, 31.0, 12.0)} if gps else {})


@pytest.mark.parametrize("case", SAVE_OPTIONS)
def test_non_ascii_letters_are_kept(case: str, tmp_path: Path) -> None:
    name = "Jürgen Groß"
    for coding in ("utf-8", "latin-1"):
        exif = Image.Exif()
        exif[ARTIST] = name.encode(coding)
        _, _, out = round_trip(save_with_exif(case, tmp_path, color_gradient(), exif))
        assert read_exif(out)[ARTIST].encode("latin-1").decode(coding) == name


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_non_ascii_letters_are_kept_in_16bit_images(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ARTIST] = "Jürgen Groß".encode()
    _, _, out = round_trip(save_16bit(suffix, tmp_path, exif))
    assert read_exif(out)[ARTIST].encode("latin-1").decode() == "Jürgen Groß"


@pytest.mark.parametrize("case", SAVE_OPTIONS)
def test_xmp_is_kept_with_keep_metadata_and_does_not_turn_the_image(case: str, tmp_path: Path) -> None:
    if case == "PNG":
        path = save_with_exif(case, tmp_path, color_gradient(), camera_exif(Orientation=6))
        content = path.read_bytes()
        text = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
        path.write_bytes(content[:33] + text + content[33:])
    elif case.startswith("TIFF"):
        exif = camera_exif(Orientation=6)
        exif[700] = XMP
        path = save_with_exif(case, tmp_path, color_gradient(), exif)
    else:
        path = save_with_exif(case, tmp_path, color_gradient(), camera_exif(Orientation=6), xmp=XMP)
    check_xmp(path)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_xmp_of_a_16bit_image_is_kept_with_keep_metadata(suffix: str, tmp_path: Path) -> None:
    check_xmp(save_16bit(suffix, tmp_path, camera_exif(Orientation=6), XMP))


def check_xmp(path: Path) -> None:
    _, copy, out = round_trip(path, keep_metadata=True)
    assert copy.metadata["xmp"] == XMP.replace(b'"6"', b'"1"')
    with Image.open(out) as image:
        assert ImageOps.exif_transpose(image).size == image.size
    _, copy, out = round_trip(path)
    assert "xmp" not in copy.metadata
    assert b"xmpmeta" not in out.read_bytes()


def exif_with_thumbnail(thumbnail: bytes) -> bytes:
    """Return an EXIF block with an artist, and a second IFD with a thumbnail."""
    artist = struct.pack("<HHHI4sI", 1, ARTIST, 2, 4, b"A.B\0", 26)
    second = struct.pack("<HHHIIHHIII", 2, THUMBNAIL, 4, 1, 56, THUMBNAIL + 1, 4, 1, len(thumbnail), 0)
    return b"Exif\0\0" + b"II*\0\x08\0\0\0" + artist + second + thumbnail


@pytest.mark.parametrize("keep_metadata", [True, False])
def test_the_exif_thumbnail_is_dropped(keep_metadata: bool, tmp_path: Path) -> None:
    thumbnail = b"\xff\xd8\xff the thumbnail \xff\xd9"
    exif = exif_with_thumbnail(thumbnail)
    path = save_image(Image.fromarray(color_gradient()), tmp_path / "a.jpg", exif=exif)
    with Image.open(path) as image:
        assert THUMBNAIL in image.getexif().get_ifd(ExifTags.IFD.IFD1)
    _, _, out = round_trip(path, keep_metadata=keep_metadata)
    assert read_exif(out)[ARTIST] == "A.B"
    assert not read_exif(out).get_ifd(ExifTags.IFD.IFD1)
    assert thumbnail not in out.read_bytes()


def test_the_interoperability_ifd_is_kept(tmp_path: Path) -> None:
    exif = camera_exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: "R98"}
    for case in SAVE_OPTIONS:
        _, _, out = round_trip(save_with_exif(case, tmp_path, color_gradient(), exif))
        assert read_exif(out).get_ifd(ExifTags.IFD.Interop) == {1: "R98"}


@pytest.mark.parametrize("case", [*(case for case in SAVE_OPTIONS if case != "WEBP"), "BMP"])
@pytest.mark.parametrize("dpi", [(300, 300), (72, 96)])
def test_the_resolution_is_kept(dpi: tuple[int, int], case: str, tmp_path: Path) -> None:
    name = case.partition(",")[0]
    options = {"format": name, "dpi": dpi, **SAVE_OPTIONS.get(case, {})}
    _, _, out = round_trip(
        save_image(Image.fromarray(color_gradient()), tmp_path / f"a.{name.lower()}", **options)
    )
    with Image.open(out) as image:
        assert image.info["dpi"] == pytest.approx(dpi, abs=0.02)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_the_resolution_of_a_16bit_image_is_kept(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        write_16bit_png(path, ramps_16bit(1)[:9], png_chunk(b"pHYs", struct.pack(">IIB", 11811, 3780, 1)))
    else:
        tifffile.imwrite(path, ramps_16bit(1)[..., 0], resolution=(300, 96), resolutionunit="inch")
    _, _, out = round_trip(path)
    with Image.open(out) as image:
        assert image.info["dpi"] == pytest.approx((300, 96), abs=0.02)


@pytest.mark.parametrize("resolution", [None, (72, 72)])
def test_a_resolution_without_a_unit_is_ignored(resolution: tuple[int, int] | None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ramps_16bit(1)[..., 0], resolution=resolution, resolutionunit="none")
    for result in round_trip(tmp_path / "a.tif")[:2]:
        assert "dpi" not in result.metadata


@pytest.mark.parametrize("block", [b"", b"garbage", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*" + b"\xff" * 20])
@pytest.mark.parametrize("case", ["JPEG", "PNG", "WEBP"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Possibly corrupt EXIF", "ignore:Truncated")
def test_damaged_exif_does_not_prevent_reading_and_writing(case: str, block: bytes, tmp_path: Path) -> None:
    path = save_with_exif(case, tmp_path, color_gradient(), b"Exif\0\0" + block)
    file, copy, _ = round_trip(path)
    assert np.abs(frame_array(file).astype(int) - color_gradient()).mean() < 5
    assert copy.frames[0].size == file.frames[0].size


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_metadata_is_kept_in_another_format(suffix: str, tmp_path: Path) -> None:
    file = read(save_16bit(suffix, tmp_path, camera_exif(), XMP), keep_metadata=True)
    for case in ("JPEG", "PNG", "TIFF", "WEBP"):
        write(replace(file, format=case), tmp_path / "out")
        check_exif(tmp_path / "out", gps=True)
        assert read(tmp_path / "out", keep_metadata=True).metadata["xmp"] == XMP.replace(b'"6"', b'"1"')


def test_exif_too_long_for_a_jpeg_is_left_out(tmp_path: Path) -> None:
    exif = camera_exif(ImageDescription="long " * 20000)
    file = read(save_with_exif("PNG", tmp_path, color_gradient(), exif, dpi=(300, 300)))
    write(replace(file, format="JPEG"), tmp_path / "out")
    copy = read(tmp_path / "out")
    assert "exif" not in copy.metadata
    assert copy.metadata["dpi"] == (300, 300)


def test_an_image_without_metadata_gets_none(tmp_path: Path) -> None:
    for case, options in SAVE_OPTIONS.items():
        name = case.partition(",")[0]
        _, copy, out = round_trip(
            save_image(
                Image.fromarray(color_gradient()), tmp_path / f"a.{name.lower()}", format=name, **options
            )
        )
        assert copy.metadata == {}
        assert not read_exif(out).get(SOFTWARE)
