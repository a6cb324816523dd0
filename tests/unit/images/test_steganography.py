"""Hiding messages in image files: stored values are read and written exactly, other images are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

import translate
from tests.unit.images.image_samples import ORIENTATION, array_to_pil, noise, ramps_16bit, save_image
from translate.errors import DataError, UsageError
from translate.images import Frame, ImageFile, write
from translate.images.steganography import embed

KEY = b"key"


def stored(path: Path) -> np.ndarray:
    """Return the values of a file as Pillow gives them, (H, W) or (H, W, C)."""
    with Image.open(path) as image:
        return np.array(image)


def hide_in(image: Path, message: bytes = b"message") -> Path:
    """Hide a message in an image, check that it comes back, and return the stego image."""
    out = image.parent / "stego.png"
    translate.hide(image, message, key=KEY, out=out)
    assert translate.reveal(out, key=KEY) == message
    return out


@pytest.mark.parametrize(
    ("suffix", "channels"),
    [(suffix, channels) for suffix in (".png", ".tif") for channels in (1, 2, 3, 4)]
    + [(suffix, channels) for suffix in (".bmp", ".ppm") for channels in (1, 3)],
)
def test_the_values_are_those_of_the_file_but_for_the_message(
    suffix: str, channels: int, tmp_path: Path
) -> None:
    values = noise(12, 11, channels)
    cover = save_image(array_to_pil(values), tmp_path / f"cover{suffix}")
    stego = stored(hide_in(cover)).reshape(values.shape)
    colors = channels - (channels in (2, 4))
    assert np.array_equal(stego[..., :colors], embed(values[..., :colors], b"message", KEY))
    assert np.array_equal(stego[..., colors:], values[..., colors:])


def write_tiff(path: Path, values: np.ndarray, **settings: Any) -> Path:
    tifffile.imwrite(path, values, **settings)
    return path


@pytest.mark.parametrize(
    "settings", [{"tile": (16, 16)}, {"rowsperstrip": 3}, {"planarconfig": "separate"}, {"byteorder": ">"}]
)
def test_tiffs_of_tiles_strips_and_planes_are_read_exactly(settings: dict[str, Any], tmp_path: Path) -> None:
    values = noise(20, 30)
    planar = "planarconfig" in settings
    array = np.ascontiguousarray(values.transpose(2, 0, 1)) if planar else values
    cover = write_tiff(tmp_path / "cover.tif", array, photometric="rgb", **settings)
    assert np.array_equal(stored(hide_in(cover)), embed(values, b"message", KEY))


def test_the_result_counts_what_was_changed(tmp_path: Path) -> None:
    cover = save_image(array_to_pil(noise(10, 10)), tmp_path / "cover.png")
    result = translate.hide(str(cover), b"", key=KEY, out=str(tmp_path / "sub" / "stego.PNG"))
    assert result.path == tmp_path / "sub" / "stego.PNG"
    assert (result.capacity, result.values) == (300 // 8 - 8, 300)
    assert result.changed == np.count_nonzero(stored(cover) != stored(result.path))
    assert 0 < result.changed <= 64
    assert translate.reveal(str(result.path), key=KEY) == b""


def test_profile_orientation_and_metadata_are_kept_and_not_applied(tmp_path: Path) -> None:
    values, exif = noise(8, 20), Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x013B] = "Artist"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    xmp = b'<x:xmpmeta tiff:Orientation="6"/>'
    plain = ImageFile(
        format="PNG",
        frames=[Frame(pixels=values)],
        icc=icc,
        in_profile_colors=True,
        metadata={"exif": exif.tobytes(), "dpi": (72.0, 72.0), "xmp": xmp},
    )
    write(plain, tmp_path / "cover.png")
    out = hide_in(tmp_path / "cover.png")
    assert np.array_equal(stored(out), embed(values, b"message", KEY))
    with Image.open(tmp_path / "cover.png") as before, Image.open(out) as after:
        assert before.info.keys() >= {"icc_profile", "exif", "dpi", "xmp"}
        assert after.info == before.info
        assert after.getexif()[ORIENTATION] == 6


def palette(folder: Path) -> Path:
    return save_image(array_to_pil(noise(20, 20)).quantize(16), folder / "palette.png")


def png_16bit(folder: Path, channels: int) -> Path:
    path = folder / "deep.png"
    write(ImageFile(format="PNG", frames=[Frame(pixels=ramps_16bit(channels))]), path)
    return path


def transparent_color(folder: Path) -> Path:
    return save_image(array_to_pil(noise(20, 20)), folder / "trns.png", transparency=(1, 2, 3))


def animation(folder: Path) -> Path:
    frames = [array_to_pil(noise(20, 20, seed=seed)) for seed in range(2)]
    return save_image(frames[0], folder / "a.png", save_all=True, append_images=frames[1:])


def rotated_tiff(folder: Path) -> Path:
    return save_image(array_to_pil(noise(20, 20)), folder / "a.tif", tiffinfo={ORIENTATION: 6})


def pgm_of_4_bits(folder: Path) -> Path:
    path = folder / "a.pgm"
    path.write_bytes(b"P5 20 20 15\n" + (noise(20, 20, 1) % 16).tobytes())
    return path


def file_in(mode: str, name: str, **settings: Any) -> Callable[[Path], Path]:
    return lambda folder: save_image(array_to_pil(noise(20, 20)).convert(mode), folder / name, **settings)


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "JPEG": (file_in("RGB", "a.jpg"), "JPEG .*lossy"),
    "JPEG by another name": (file_in("RGB", "a.png", format="JPEG"), "JPEG .*lossy"),
    "TIFF with a JPEG in it": (file_in("RGB", "a.tif", compression="jpeg"), "JPEG .*lossy"),
    "WebP": (file_in("RGB", "a.webp", lossless=True), "WEBP .*PNG"),
    "GIF": (file_in("P", "a.gif"), "GIF .*PNG"),
    "palette": (palette, "palette"),
    "transparent color": (transparent_color, "tRNS.*RGBA"),
    "animation": (animation, "several frames"),
    "16-bit gray PNG": (lambda folder: png_16bit(folder, 1), "16 bits .*8-bit"),
    "16-bit RGB PNG": (lambda folder: png_16bit(folder, 3), "16 bits .*8-bit"),
    "16-bit RGB TIFF": (
        lambda folder: write_tiff(folder / "a.tif", ramps_16bit(3), photometric="rgb"),
        "16 bits .*8-bit",
    ),
    "inverted gray TIFF": (
        lambda folder: write_tiff(folder / "a.tif", noise(20, 20, 1)[..., 0], photometric="miniswhite"),
        "L;I.*8-bit",
    ),
    "premultiplied alpha": (
        lambda folder: write_tiff(
            folder / "a.tif", noise(20, 20, 4), photometric="rgb", extrasamples=["assocalpha"]
        ),
        "RGBa.*8-bit",
    ),
    "rotated TIFF": (rotated_tiff, "orientation"),
    "black and white": (file_in("1", "a.png"), "8-bit"),
    "PGM of 4 bits": (pgm_of_4_bits, "white .*8-bit"),
    "CMYK": (file_in("CMYK", "a.tif"), "CMYK.*8-bit"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_image_whose_bytes_are_not_its_values_is_refused(kind: str, tmp_path: Path) -> None:
    make, pattern = REFUSED[kind]
    image = make(tmp_path)
    with pytest.raises(DataError, match=rf"{image.name}: .*{pattern}"):
        translate.hide(image, b"", key=KEY, out=tmp_path / "stego.png")
    with pytest.raises(DataError, match=rf"{image.name}: .*{pattern}"):
        translate.reveal(image, key=KEY)
    assert not (tmp_path / "stego.png").exists()


def test_an_image_without_a_message_is_told_by_its_name(tmp_path: Path) -> None:
    cover = save_image(array_to_pil(noise(20, 20)), tmp_path / "cover.png")
    out = hide_in(cover)
    for image, key in ((cover, KEY), (out, b"other")):
        with pytest.raises(DataError, match=f"no message under this key in .*{image.name}: "):
            translate.reveal(image, key=key)


def test_a_failed_hide_leaves_no_file_and_keeps_the_existing_one(tmp_path: Path) -> None:
    cover = save_image(array_to_pil(noise(20, 20)), tmp_path / "cover.png")
    before = cover.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        translate.hide(cover, b"", key=KEY, out=cover)
    with pytest.raises(DataError, match=r"cover\.png: .* 142 bytes"):
        translate.hide(cover, b"x" * 143, key=KEY, out=cover, overwrite=True)
    assert cover.read_bytes() == before
    translate.hide(cover, b"x" * 142, key=KEY, out=cover, overwrite=True)
    assert translate.reveal(cover, key=KEY) == b"x" * 142
    assert list(tmp_path.iterdir()) == [cover]


@pytest.mark.parametrize(
    ("name", "pattern"), [("a.jpg", "JPEG.*lossy.*-o"), ("a.bmp", r"\.png"), ("a", r"\.png")]
)
def test_a_stego_image_is_written_as_png_only(name: str, pattern: str, tmp_path: Path) -> None:
    cover = save_image(array_to_pil(noise(20, 20)), tmp_path / "cover.png")
    with pytest.raises(UsageError, match=pattern):
        translate.hide(cover, b"", key=KEY, out=tmp_path / name)
    assert list(tmp_path.iterdir()) == [cover]
