"""Pictures of 16 bits and of floats, which Pillow would cut to 8: PNG by OpenCV, TIFF by tifffile."""

from __future__ import annotations

import contextlib
import logging
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from translate.errors import DataError
from translate.images.limit import check_size
from translate.images.metadata import ORIENTATION, XMP, add_directories, parsed, upright
from translate.images.picture import Array, Picture

PNG, TIFFS = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PPM = re.compile(rb"P([56])" + rb"(?:\s|#[^\n]*\n)+(\d+)" * 3 + rb"\s")
SCALES = (1.0, 255.0, 65535.0)  # what floats may call white
ICC_TAG = 34675
GRAY_ALPHA = 4  # a colour type of PNG
ASSOCIATED = 1  # an extra sample of TIFF: alpha that the colours were multiplied by


def is_deep_png(head: bytes) -> bool:
    """Whether a file that starts so is a PNG of 16 bits a channel."""
    return head.startswith(PNG) and len(head) > 25 and head[24] == 16


def read_deep_png(path: Path, head: bytes, transparent: int | tuple[int, ...] | None) -> Picture:
    """The pixels of a 16-bit PNG, as stored.

    Args:
        head: the file's beginning.
        transparent: the colour that is not to be seen, if the file names one.
    """
    import cv2

    planes = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None or planes.dtype != np.uint16:
        raise DataError("the file is damaged: its pixels cannot be decoded")
    picture = _split(_bgr_to_rgb(planes.reshape(*planes.shape[:2], -1)))
    if head[25] == GRAY_ALPHA:
        return Picture(pixels=np.ascontiguousarray(picture.pixels[..., :1]), alpha=picture.alpha)
    if transparent is not None:
        seen = (picture.pixels != np.array(transparent)).any(axis=2)
        return Picture(pixels=picture.pixels, alpha=seen.astype(np.uint16) * 65535)
    return picture


def encode_deep_png(picture: Picture, icc: bytes | None, metadata: Mapping[str, Any]) -> bytes:
    """A 16-bit PNG."""
    import cv2

    if picture.alpha is not None and picture.pixels.shape[2] == 1:
        data = _gray_alpha_png(np.dstack([picture.pixels, picture.alpha]))
    else:
        planes = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
        done, encoded = cv2.imencode(".png", _bgr_to_rgb(planes))
        if not done:
            raise DataError("the picture cannot be encoded as a 16-bit PNG")
        data = encoded.tobytes()
    chunks = []
    if icc:
        chunks.append((b"iCCP", b"icc\0\0" + zlib.compress(icc)))
    if dpi := metadata.get("dpi"):
        x, y = (round(value / 0.0254) for value in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif := metadata.get("exif"):
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp := metadata.get("xmp"):
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    after_header = len(PNG) + 25
    return data[:after_header] + b"".join(_chunk(*chunk) for chunk in chunks) + data[after_header:]


def _gray_alpha_png(planes: Array) -> bytes:
    """(H, W, 2) uint16 as a PNG, which OpenCV would make four channels of."""
    height, width = planes.shape[:2]
    rows = planes.astype(">u2").view(np.uint8).reshape(height, -1)
    rows = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # each byte less the one above: filter 2
    header = struct.pack(">IIBBBBB", width, height, 16, GRAY_ALPHA, 0, 0, 0)
    content = zlib.compress(np.insert(rows, 0, 2, axis=1).tobytes(), 4)
    return PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def is_deep_ppm(head: bytes) -> bool:
    """Whether a file that starts so is a binary PGM or PPM of more than 8 bits a channel."""
    found = PPM.match(head)
    return found is not None and int(found[4]) > 255


def read_deep_ppm(path: Path, head: bytes) -> Picture:
    """The pixels of such a file, scaled to 16 bits."""
    found = PPM.match(head)
    assert found
    width, height, white = (int(number) for number in found.groups()[1:])
    channels = 1 if found[1] == b"5" else 3
    values = np.fromfile(path, ">u2", width * height * channels, offset=found.end())
    if values.size < width * height * channels:
        raise DataError("the file is cut off")
    if white != 65535:
        values = np.rint(values.clip(0, white) * (65535 / white))
    return Picture(pixels=values.astype(np.uint16).reshape(height, width, channels))


def encode_deep_ppm(picture: Picture) -> bytes:
    """A PGM or PPM of 16 bits."""
    width, height = picture.size
    kind = b"P5" if picture.pixels.shape[2] == 1 else b"P6"
    return kind + f"\n{width} {height}\n65535\n".encode() + picture.pixels.astype(">u2").tobytes()


def encode_alpha_bmp(picture: Picture) -> bytes:
    """A BMP with the header that tells of its alpha, which Pillow does not write."""
    import cv2

    _, encoded = cv2.imencode(".bmp", _bgr_to_rgb(np.dstack([picture.rgb(), np.asarray(picture.alpha)])))
    return encoded.tobytes()


def _bgr_to_rgb(pixels: Array) -> Array:
    """OpenCV's order of the colours, and back."""
    if pixels.shape[2] < 3:
        return pixels
    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])


def _split(planes: Array) -> Picture:
    """(H, W, 1 to 4) -> colours and alpha."""
    channels = planes.shape[2]
    colors = planes[..., : channels - (channels in (2, 4))]
    alpha = planes[..., -1] if channels in (2, 4) else None
    return Picture(pixels=np.ascontiguousarray(colors), alpha=alpha)


@contextlib.contextmanager
def open_tiff(path: Path, head: bytes, *, first_only: bool) -> Iterator[list[Any] | None]:
    """The pages of a TIFF if any of them is deep; None for any other file.

    Args:
        head: the file's beginning.
    """
    if head[:4] not in TIFFS:
        yield None
        return
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs what it then raises
    with tifffile.TiffFile(path) as tiff:
        pages: list[Any] = [tiff.pages[0]] if first_only else list(tiff.pages)
        yield pages if any(page.bitspersample > 8 for page in pages) else None


def read_deep_pages(pages: list[Any], limit: int) -> tuple[list[Picture], dict[str, Any]]:
    """The upright pages of a TIFF, and what writing it again must know.

    Raises:
        DataError: a page is of a kind that is not read here, or too large.
    """
    check_size([(page.imagewidth, page.imagelength) for page in pages], limit)
    scales = [_scale(page) for page in pages]
    frames = [_read_page(page, scale) for page, scale in zip(pages, scales, strict=True)]
    return frames, {"compressed": pages[0].compression != 1, "scales": scales}


def tiff_info(page: Any) -> dict[str | tuple[int, int], Any]:
    """Of a page what Pillow's images have as their `info`: `icc_profile`, `dpi`, `xmp`."""
    tags = page.tags
    named = {"icc_profile": ICC_TAG, "xmp": XMP}
    info: dict[str | tuple[int, int], Any] = {
        name: bytes(tags[code].value) for name, code in named.items() if code in tags
    }
    if "ResolutionUnit" in tags and tags["ResolutionUnit"].value in (2, 3):
        info["dpi"] = page.get_resolution("inch")
    return info


def _decode(page: Any) -> Array:
    """(H, W, C) as stored; by OpenCV where tifffile lacks the compression."""
    if page.photometric.name not in ("MINISBLACK", "MINISWHITE", "RGB"):
        raise DataError(f"a deep TIFF of {page.photometric.name} colours: convert it to RGB")
    try:
        pixels: Array = page.asarray()
        if page.axes.startswith("S"):
            pixels = np.moveaxis(pixels, 0, -1)
    except (ValueError, NotImplementedError):  # a compression that needs the package imagecodecs
        pixels = _decode_by_opencv(page)
    pixels = pixels.reshape(page.imagelength, page.imagewidth, -1)
    if pixels.shape[2] > 4:
        raise DataError(f"a TIFF of {pixels.shape[2]} channels: only gray and RGB, with alpha or without")
    return pixels


def _decode_by_opencv(page: Any) -> Array:
    import cv2

    content = np.fromfile(page.parent.filehandle.path, np.uint8)
    if ORIENTATION in page.tags:  # by which OpenCV would turn the page, or fail
        place = page.tags[ORIENTATION].valueoffset
        content[place : place + 2] = np.array([1], page.parent.byteorder + "u2").view(np.uint8)
    number = page.index
    done, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED, range=(number, number + 1))
    if not done or pages[0].dtype != page.dtype:
        raise DataError(
            f"a deep TIFF with {page.compression.name} compression: save it uncompressed, or with ZIP"
        )
    pixels: Array = pages[0]
    return _bgr_to_rgb(pixels.reshape(*pixels.shape[:2], -1))


def _scale(page: Any) -> float | None:
    """The value of white of floats: the least of 1, 255 and 65535 that holds all values."""
    if page.dtype.kind != "f":
        return None
    pixels = _decode(page)
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= SCALES[-1]):  # not a number fails both
        raise DataError(f"float pixels from {low:g} to {high:g}: scale them to 0..1")
    return next(scale for scale in SCALES if high <= scale)


def _read_page(page: Any, scale: float | None) -> Picture:
    pixels = _decode(page)
    if scale is not None:
        pixels = pixels.astype(np.float32) / np.float32(scale)
    elif page.bitspersample == 1:
        pixels = pixels.astype(np.uint8) * 255
    elif page.bitspersample > 8:
        if pixels.min() < 0 or pixels.max() > 65535:
            raise DataError(f"pixels from {pixels.min()} to {pixels.max()}: convert the file to 16 bits")
        pixels = pixels.astype(np.uint16)
    picture = _split(pixels)
    colors, alpha = picture.pixels, picture.alpha
    if page.photometric.name == "MINISWHITE":
        colors = (picture.white - colors).astype(colors.dtype)
    if alpha is not None and ASSOCIATED in page.extrasamples[:1]:
        colors = _divided(colors, alpha, picture.white)
    turn = page.tags[ORIENTATION].value if ORIENTATION in page.tags else 1
    turn = turn if turn in range(1, 9) else 1
    return Picture(pixels=upright(colors, turn), alpha=None if alpha is None else upright(alpha, turn))


def _divided(colors: Array, alpha: Array, white: float) -> Array:
    """The colours before they were multiplied by alpha."""
    opaque = np.maximum(alpha, 1 if white > 1 else 1e-6)[..., None] / white
    divided = (colors / opaque).clip(0, white)
    return (np.rint(divided) if white > 1 else divided).astype(colors.dtype)


def write_deep_tiff(
    pictures: list[Picture],
    file: IO[bytes],
    profiles: Sequence[bytes | None],
    settings: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Write pages of any depth, losslessly compressed if the original was."""
    import tifffile

    text, directories = parsed(metadata["exif"]) if "exif" in metadata else ({}, {})
    tags = [(code, 2, None, _text(value), True) for code, value in text.items()]
    if xmp := metadata.get("xmp"):
        tags.append((XMP, 1, None, xmp, True))
    dpi, compressed = metadata.get("dpi"), settings.get("compressed", True)
    scales = settings.get("scales") or [1.0] * len(pictures)
    with tifffile.TiffWriter(file, byteorder="<") as tiff:
        for picture, scale, icc in zip(pictures, scales, profiles, strict=True):
            planes = _planes(picture, scale)
            tiff.write(
                planes if planes.shape[2] > 1 else planes[..., 0],
                photometric="rgb" if picture.pixels.shape[2] == 3 else "minisblack",
                planarconfig="contig" if planes.shape[2] > 1 else None,
                extrasamples=["unassalpha"] if picture.alpha is not None else None,
                compression="adobe_deflate" if compressed else None,
                predictor=compressed and planes.dtype != np.float32,
                iccprofile=icc,
                resolution=dpi,
                resolutionunit="inch" if dpi else None,
                extratags=tags,
                metadata=None,
                software=False,
            )
    add_directories(file, directories)


def _planes(picture: Picture, scale: float | None) -> Array:
    """(H, W, C) as they are stored; without a scale, floats are on their way back to 16 bits."""
    if scale is None and picture.pixels.dtype == np.float32:
        picture = picture.in_bits(np.uint16)
    planes = picture.pixels
    if picture.alpha is not None:
        planes = np.dstack([planes, picture.alpha])
    return planes * np.float32(scale or 1) if planes.dtype == np.float32 else planes


def _text(value: Any) -> bytes:
    return (value if isinstance(value, bytes) else str(value).encode("ascii", "replace")) + b"\0"
