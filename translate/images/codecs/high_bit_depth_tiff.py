"""Read and write TIFF of more than 8 bits a channel and of floats, which Pillow would reduce to 8 bits."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from translate.errors import DataError
from translate.images.codecs.formats import TIFF_SIGNATURES
from translate.images.codecs.high_bit_depth_png import swap_bgr_rgb
from translate.images.codecs.limit import PixelLimit, check_size
from translate.images.codecs.metadata import (
    ORIENTATION,
    XMP,
    add_ifds,
    collect_metadata,
    parse_exif,
    turn_upright,
)
from translate.images.color.profiles import high_bit_depth_frame_to_srgb
from translate.images.frame import Array, Frame, from_array
from translate.images.frame_stream import FrameStream
from translate.images.image_file import ImageFile

FLOAT_WHITES = (1.0, 255.0, 65535.0)  # Values of white that are recognized in floats.
ICC_TAG = 34675
SEPARATE = 2  # The planar configuration in which each channel is stored by itself.
ASSOCIATED_ALPHA = 1  # The type of extra sample that is premultiplied alpha.
ALPHA_SAMPLES = ((1,), (2,))  # Extra samples of the types associated and unassociated alpha.
UNSPECIFIED_BAND_NOTE = (
    "a band beyond the colours that the file does not call alpha (ExtraSamples) is left out"
)


@contextlib.contextmanager
def open_high_bit_depth_tiff(path: Path, head: bytes, *, first_only: bool) -> Iterator[list[Any] | None]:
    """Open a TIFF and yield its pages if any has more than 8 bits a channel; yield None for any other file.

    Args:
        head: the file's first bytes.
        first_only: look at the first page only.
    """
    if head[:4] not in TIFF_SIGNATURES:
        yield None
        return
    import tifffile

    # Tifffile logs the errors that it also raises.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with tifffile.TiffFile(path) as tiff:
        pages: list[Any] = [tiff.pages[0]] if first_only else list(tiff.pages)
        yield pages if any(page.bitspersample > 8 for page in pages) else None


def open_high_bit_depth_pages(
    path: Path,
    pages: list[Any],
    *,
    limit: PixelLimit,
    keep_metadata: bool,
    keep_profile_colors: bool,
    raw_floats: bool,
) -> FrameStream:
    """Decode the pages of an open TIFF one after the other, upright and in sRGB.

    Args:
        pages: the pages that `open_high_bit_depth_tiff` yields.
        limit: the limit on the number of pixels of all pages together.
        keep_metadata: keep the GPS position and XMP as well.
        keep_profile_colors: do not convert the colours to sRGB.
        raw_floats: leave floats as they are stored, in any range and in the colours of the ICC profile.

    Raises:
        DataError: a page is too large, or of a kind that is not supported.
    """
    sizes = [(page.imagewidth, page.imagelength) for page in pages]
    check_size(sizes, limit)
    info = _pillow_info(pages[0])
    icc = info.get("icc_profile") or None
    keep_profile_colors = keep_profile_colors or (raw_floats and pages[0].dtype.kind == "f")
    float_whites: list[float | None] = []  # One is appended for each page that is decoded.

    def read_pages() -> Generator[Frame, None, str]:
        for page in pages:
            float_whites.append(_float_white(page, raw=raw_floats))
            frame = _read_page(page, float_whites[-1])
            yield frame if keep_profile_colors else high_bit_depth_frame_to_srgb(frame, icc)
        return UNSPECIFIED_BAND_NOTE if any(map(has_unspecified_band, pages)) else ""

    file = ImageFile(
        format="TIFF",
        frames=[],
        mode="L" if pages[0].samplesperpixel < 3 else "RGB",
        icc=icc,
        in_profile_colors=keep_profile_colors,
        encoder_settings={"compressed": pages[0].compression != 1, "float_whites": float_whites},
        metadata=_read_metadata(path, info, everything=keep_metadata),
    )
    return FrameStream(file, read_pages(), sizes, high_bit_depth=True)


def _read_metadata(path: Path, info: dict[str | tuple[int, int], Any], *, everything: bool) -> dict[str, Any]:
    """Return the metadata that is written again; the arguments are those of `collect_metadata`."""
    exif = Image.Exif()
    with path.open("rb") as file:

        def read_exif() -> Image.Exif:
            exif.load_from_fp(file)
            return exif

        return collect_metadata(read_exif, info, everything=everything)


def _pillow_info(page: Any) -> dict[str | tuple[int, int], Any]:
    """Return a page's `icc_profile`, `dpi` and `xmp`, as in the `info` of a PIL image."""
    tags = page.tags
    codes = {"icc_profile": ICC_TAG, "xmp": XMP}
    info: dict[str | tuple[int, int], Any] = {
        name: bytes(tags[code].value) for name, code in codes.items() if code in tags
    }
    if "ResolutionUnit" in tags and tags["ResolutionUnit"].value in (2, 3):
        info["dpi"] = page.get_resolution("inch")
    return info


def _decode(page: Any) -> Array:
    """Decode a page to (H, W, C) values as stored; with OpenCV if tifffile cannot decompress it."""
    if page.photometric.name not in ("MINISBLACK", "MINISWHITE", "RGB"):
        raise DataError(
            f"a TIFF of {page.photometric.name} colours with more than 8 bits per channel is not supported:"
            " convert it to RGB"
        )
    try:
        pixels: Array = page.asarray()
        if page.axes.startswith("S"):
            pixels = np.moveaxis(pixels, 0, -1)
    except (ValueError, NotImplementedError):  # The compression needs the package imagecodecs.
        pixels = _decode_with_opencv(page)
    pixels = pixels.reshape(page.imagelength, page.imagewidth, -1)
    if pixels.shape[2] > 4:
        raise DataError(
            f"a TIFF of {pixels.shape[2]} channels is not supported:"
            " convert it to gray or RGB, with or without alpha"
        )
    return pixels


def _decode_with_opencv(page: Any) -> Array:
    """Decode a page to (H, W, C) values as stored.

    Raises:
        DataError: OpenCV cannot decompress it either.
    """
    import cv2

    content = np.fromfile(page.parent.filehandle.path, np.uint8)
    if ORIENTATION in page.tags:
        # OpenCV would apply the orientation, or fail on it, so overwrite it with 1 (upright).
        offset = page.tags[ORIENTATION].valueoffset
        content[offset : offset + 2] = np.array([1], page.parent.byteorder + "u2").view(np.uint8)
    index = page.index
    success, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED, range=(index, index + 1))
    # Of channels that are stored one after the other, OpenCV decodes the first and leaves garbage behind it.
    is_planar = page.planarconfig == SEPARATE and page.samplesperpixel > 1
    if is_planar or not success or pages[0].dtype != page.dtype:
        raise DataError(
            f"a TIFF of more than 8 bits per channel with {page.compression.name} compression"
            " is not supported: save it uncompressed, or with ZIP"
        )
    pixels: Array = pages[0]
    return swap_bgr_rgb(pixels.reshape(*pixels.shape[:2], -1))


def has_unspecified_band(page: Any) -> bool:
    """Return whether a page has a band beyond its colours that the file does not call alpha."""
    is_color = page.photometric.name in ("MINISBLACK", "MINISWHITE", "RGB")
    return is_color and page.samplesperpixel not in (1, 3) and not _has_alpha(page)


def _has_alpha(page: Any) -> bool:
    """Return whether the last band of a page is alpha, by the tag ExtraSamples.

    OpenCV writes RGB with alpha without the tag, and Pillow reads it so.
    """
    if page.samplesperpixel == 4 and not page.extrasamples:
        return bool(page.photometric.name == "RGB")
    return page.samplesperpixel in (2, 4) and page.extrasamples[-1:] in ALPHA_SAMPLES


def _float_white(page: Any, *, raw: bool) -> float | None:
    """Return the value of white in a page of floats: the smallest of 1, 255 and 65535 that bounds all pixels.

    For a page of integers, return None.

    Args:
        raw: return 1, so that the floats stay as they are.

    Raises:
        DataError: a pixel is negative, larger than 65535 or NaN.
    """
    if page.dtype.kind != "f":
        return None
    if raw:
        return 1.0
    pixels = _decode(page)
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= FLOAT_WHITES[-1]):  # The comparisons are false for NaN, too.
        raise DataError(f"float pixels reach from {low:g} to {high:g}, outside 0..65535: scale them to 0..1")
    return next(white for white in FLOAT_WHITES if high <= white)


def _read_page(page: Any, float_white: float | None) -> Frame:
    """Decode a page and turn it upright; floats are divided by their value of white."""
    pixels = _decode(page)
    if float_white is not None:
        pixels = pixels.astype(np.float32) / np.float32(float_white)
    elif page.bitspersample == 1:
        pixels = pixels.astype(np.uint8) * 255
    elif page.bitspersample > 8:
        if pixels.min() < 0 or pixels.max() > 65535:
            raise DataError(
                f"pixels reach from {pixels.min()} to {pixels.max()}, outside 0..65535:"
                " convert the file to unsigned 16 bits, or to float32 for values of any range"
            )
        pixels = pixels.astype(np.uint16)
    frame = from_array(pixels if _has_alpha(page) else pixels[..., : 1 if pixels.shape[2] < 3 else 3])
    colors, alpha = frame.pixels, frame.alpha
    if page.photometric.name == "MINISWHITE":
        colors = (frame.white - colors).astype(colors.dtype)
    if alpha is not None and ASSOCIATED_ALPHA in page.extrasamples[:1]:
        colors = _unpremultiply(colors, alpha, frame.white)
    exif_orientation = page.tags[ORIENTATION].value if ORIENTATION in page.tags else 1
    if exif_orientation not in range(1, 9):
        exif_orientation = 1
    return turn_upright(Frame(pixels=colors, alpha=alpha), exif_orientation)


def _unpremultiply(colors: Array, alpha: Array, white: float) -> Array:
    """Divide premultiplied colours by alpha."""
    opacity = np.maximum(alpha, 1 if white > 1 else 1e-6)[..., None] / white
    divided = (colors / opacity).clip(0, white)
    return (np.rint(divided) if white > 1 else divided).astype(colors.dtype)


def write_high_bit_depth_tiff(
    pages: Iterable[tuple[Frame, bytes | None]],
    file: IO[bytes],
    encoder_settings: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Write pages of any bit depth, each with its ICC profile, losslessly compressed if the original was."""
    import tifffile

    text, ifds = parse_exif(metadata["exif"]) if "exif" in metadata else ({}, {})
    tags = [(code, 2, None, _tag_text(value), True) for code, value in text.items()]
    if xmp := metadata.get("xmp"):
        tags.append((XMP, 1, None, xmp, True))
    dpi, compressed = metadata.get("dpi"), encoder_settings.get("compressed", True)
    float_whites = encoder_settings.get("float_whites")  # It grows while the pages are decoded.
    with tifffile.TiffWriter(file, byteorder="<") as tiff:
        for number, (frame, icc) in enumerate(pages):
            array = _stored_array(frame, float_whites[number] if float_whites else 1.0)
            tiff.write(
                array if array.shape[2] > 1 else array[..., 0],
                photometric="rgb" if frame.pixels.shape[2] == 3 else "minisblack",
                planarconfig="contig" if array.shape[2] > 1 else None,
                extrasamples=["unassalpha"] if frame.alpha is not None else None,
                compression="adobe_deflate" if compressed else None,
                predictor=compressed and array.dtype != np.float32,
                iccprofile=icc,
                resolution=dpi,
                resolutionunit="inch" if dpi else None,
                extratags=tags,
                metadata=None,
                software=False,
            )
    add_ifds(file, ifds)


def _stored_array(frame: Frame, float_white: float | None) -> Array:
    """Return the (H, W, C) values to store.

    Floats are scaled to their value of white. If there is none, the file had integers, and the floats are the
    result of the conversion to sRGB: they are converted back to 16 bits.
    """
    if float_white is None and frame.pixels.dtype == np.float32:
        frame = frame.to_bit_depth(np.uint16)
    array = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
    return array * np.float32(float_white or 1) if array.dtype == np.float32 else array


def _tag_text(value: Any) -> bytes:
    """Encode the text of a tag as TIFF stores it: ASCII with a zero byte at its end."""
    return (value if isinstance(value, bytes) else str(value).encode("ascii", "replace")) + b"\0"
