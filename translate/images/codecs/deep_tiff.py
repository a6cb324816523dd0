"""Read and write TIFF of more than 8 bits a channel and of floats, which Pillow would cut to 8."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from translate.errors import DataError
from translate.images.codecs.deep_png import bgr_to_rgb
from translate.images.codecs.limit import check_size
from translate.images.codecs.metadata import (
    ORIENTATION,
    XMP,
    add_directories,
    collect_metadata,
    parse_exif,
    turn_upright,
)
from translate.images.color.profiles import frame_to_srgb
from translate.images.frame import Array, Frame, from_planes
from translate.images.image_file import ImageFile

TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SCALES = (1.0, 255.0, 65535.0)  # the values that white may have in floats
ICC_TAG = 34675
ASSOCIATED = 1  # an extra sample of TIFF: alpha that the colours were multiplied by


@contextlib.contextmanager
def open_deep_tiff(path: Path, head: bytes, *, first_only: bool) -> Iterator[list[Any] | None]:
    """Open a TIFF and give its pages if any of them is deep; give None for any other file.

    Args:
        head: the file's first bytes.
    """
    if head[:4] not in TIFFS:
        yield None
        return
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs what it then raises
    with tifffile.TiffFile(path) as tiff:
        pages: list[Any] = [tiff.pages[0]] if first_only else list(tiff.pages)
        yield pages if any(page.bitspersample > 8 for page in pages) else None


def read_deep_tiff(
    path: Path, pages: list[Any], *, max_pixels: int, keep_metadata: bool, native: bool
) -> ImageFile:
    """Read the pages of an open TIFF, upright and in sRGB.

    Args:
        pages: those that `open_deep_tiff` gave.
        max_pixels: the most that they may hold in all.
        keep_metadata: bring the place (GPS) and XMP along, too.
        native: leave the colours as they are in the file.

    Raises:
        DataError: a page is of a kind that is not read here, or too large.
    """
    check_size([(page.imagewidth, page.imagelength) for page in pages], max_pixels)
    scales = [_scale(page) for page in pages]
    frames = [_read_page(page, scale) for page, scale in zip(pages, scales, strict=True)]
    info, exif = _tiff_info(pages[0]), Image.Exif()
    icc = info.get("icc_profile") or None
    with path.open("rb") as file:

        def read_exif() -> Image.Exif:
            exif.load_from_fp(file)
            return exif

        metadata = collect_metadata(read_exif, info, everything=keep_metadata)
    return ImageFile(
        format="TIFF",
        frames=frames if native else [frame_to_srgb(frame, icc) for frame in frames],
        mode="L" if frames[0].pixels.shape[2] == 1 else "RGB",
        icc=icc,
        native=native,
        settings={"compressed": pages[0].compression != 1, "scales": scales},
        metadata=metadata,
    )


def _tiff_info(page: Any) -> dict[str | tuple[int, int], Any]:
    """Return of a page what Pillow's images have as their `info`: `icc_profile`, `dpi`, `xmp`."""
    tags = page.tags
    named = {"icc_profile": ICC_TAG, "xmp": XMP}
    info: dict[str | tuple[int, int], Any] = {
        name: bytes(tags[code].value) for name, code in named.items() if code in tags
    }
    if "ResolutionUnit" in tags and tags["ResolutionUnit"].value in (2, 3):
        info["dpi"] = page.get_resolution("inch")
    return info


def _decode(page: Any) -> Array:
    """Decode a page to (H, W, C) as it is stored; by OpenCV where tifffile lacks the compression."""
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
    """Decode a page to (H, W, C) as it is stored.

    Raises:
        DataError: OpenCV lacks the compression, too.
    """
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
    return bgr_to_rgb(pixels.reshape(*pixels.shape[:2], -1))


def _scale(page: Any) -> float | None:
    """Return which of 1, 255 and 65535 is white in a page of floats, the least that holds all; else None."""
    if page.dtype.kind != "f":
        return None
    pixels = _decode(page)
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= SCALES[-1]):  # NaN fails both
        raise DataError(f"float pixels from {low:g} to {high:g}: scale them to 0..1")
    return next(scale for scale in SCALES if high <= scale)


def _read_page(page: Any, scale: float | None) -> Frame:
    """Decode a page and turn it upright; floats are divided by `scale`."""
    pixels = _decode(page)
    if scale is not None:
        pixels = pixels.astype(np.float32) / np.float32(scale)
    elif page.bitspersample == 1:
        pixels = pixels.astype(np.uint8) * 255
    elif page.bitspersample > 8:
        if pixels.min() < 0 or pixels.max() > 65535:
            raise DataError(f"pixels from {pixels.min()} to {pixels.max()}: convert the file to 16 bits")
        pixels = pixels.astype(np.uint16)
    frame = from_planes(pixels)
    colors, alpha = frame.pixels, frame.alpha
    if page.photometric.name == "MINISWHITE":
        colors = (frame.white - colors).astype(colors.dtype)
    if alpha is not None and ASSOCIATED in page.extrasamples[:1]:
        colors = _divide_by_alpha(colors, alpha, frame.white)
    turn = page.tags[ORIENTATION].value if ORIENTATION in page.tags else 1
    turn = turn if turn in range(1, 9) else 1
    return turn_upright(Frame(pixels=colors, alpha=alpha), turn)


def _divide_by_alpha(colors: Array, alpha: Array, white: float) -> Array:
    """Return the colours as they were before they were multiplied by alpha."""
    opaque = np.maximum(alpha, 1 if white > 1 else 1e-6)[..., None] / white
    divided = (colors / opaque).clip(0, white)
    return (np.rint(divided) if white > 1 else divided).astype(colors.dtype)


def write_deep_tiff(
    frames: list[Frame],
    file: IO[bytes],
    profiles: Sequence[bytes | None],
    settings: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Write pages of any depth, losslessly compressed if the original was."""
    import tifffile

    text, directories = parse_exif(metadata["exif"]) if "exif" in metadata else ({}, {})
    tags = [(code, 2, None, _text(value), True) for code, value in text.items()]
    if xmp := metadata.get("xmp"):
        tags.append((XMP, 1, None, xmp, True))
    dpi, compressed = metadata.get("dpi"), settings.get("compressed", True)
    scales = settings.get("scales") or [1.0] * len(frames)
    with tifffile.TiffWriter(file, byteorder="<") as tiff:
        for frame, scale, icc in zip(frames, scales, profiles, strict=True):
            planes = _planes(frame, scale)
            tiff.write(
                planes if planes.shape[2] > 1 else planes[..., 0],
                photometric="rgb" if frame.pixels.shape[2] == 3 else "minisblack",
                planarconfig="contig" if planes.shape[2] > 1 else None,
                extrasamples=["unassalpha"] if frame.alpha is not None else None,
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


def _planes(frame: Frame, scale: float | None) -> Array:
    """Return (H, W, C) as it is stored; without a scale, floats go back to the 16 bits that were read."""
    if scale is None and frame.pixels.dtype == np.float32:
        frame = frame.to_bit_depth(np.uint16)
    planes = frame.pixels
    if frame.alpha is not None:
        planes = np.dstack([planes, frame.alpha])
    return planes * np.float32(scale or 1) if planes.dtype == np.float32 else planes


def _text(value: Any) -> bytes:
    """Return a tag's text as TIFF stores it: ASCII, with a zero at its end."""
    return (value if isinstance(value, bytes) else str(value).encode("ascii", "replace")) + b"\0"
