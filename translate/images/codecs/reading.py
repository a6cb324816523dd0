"""Read image files: every frame, upright, in sRGB, at its full bit depth."""

from __future__ import annotations

import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.TiffImagePlugin import (
    EXTRASAMPLES,
    PHOTOMETRIC_INTERPRETATION,
    SAMPLESPERPIXEL,
    TiffImageFile,
)

from translate.errors import DataError, TranslateError
from translate.images.codecs.encoder_settings import read_encoder_settings
from translate.images.codecs.failures import explain_unreadable
from translate.images.codecs.formats import (
    ANIMATED_FORMATS,
    READABLE_FORMATS,
    TIFF_SIGNATURES,
    formats_to_try,
)
from translate.images.codecs.frames import (
    CONVERTED_MODES,
    color_mode,
    decode_frame,
    decode_frames,
    frame_sizes,
)
from translate.images.codecs.high_bit_depth_png import is_16bit_png, is_16bit_ppm, read_16bit_image
from translate.images.codecs.high_bit_depth_tiff import (
    ALPHA_SAMPLES,
    UNSPECIFIED_BAND_NOTE,
    open_high_bit_depth_pages,
    open_high_bit_depth_tiff,
)
from translate.images.codecs.limit import MAX_PIXELS, PixelLimit, check_size
from translate.images.codecs.metadata import collect_metadata, orientation
from translate.images.codecs.pillow_guard import pillow_guard
from translate.images.files import printable_path
from translate.images.frame import Frame
from translate.images.frame_stream import FrameStream
from translate.images.image_file import ImageFile
from translate.images.left_out import RAW_SUFFIXES

HEAD = 4096  # The number of bytes that are read to detect the format of a file.
TGA_ALPHA_BITS = 0x0F  # The bits of a TGA's image descriptor, its byte 17, that count the alpha bits.


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """The arguments of `read`, which documents them; `limit` is the limit on pixels with its flag."""

    limit: PixelLimit
    keep_metadata: bool = False
    first_only: bool = False
    keep_profile_colors: bool = False
    min_size: tuple[int, int] | None = None
    pixels_only: bool = False
    raw_floats: bool = False


def read(
    path: Path | str,
    *,
    max_pixels: int = MAX_PIXELS,
    limit_flag: str = "",
    keep_metadata: bool = False,
    first_only: bool = False,
    keep_profile_colors: bool = False,
    name: str = "",
    min_size: tuple[int, int] | None = None,
    pixels_only: bool = False,
    raw_floats: bool = False,
) -> ImageFile:
    """Read an image file: every frame, upright, in sRGB, at its full bit depth.

    Args:
        max_pixels: the limit on the number of pixels of all frames together.
        limit_flag: the flag that raises this limit, for error messages; empty if there is none.
        keep_metadata: keep the GPS position and XMP as well as the rest of the metadata.
        first_only: read only the first frame.
        keep_profile_colors: leave RGB and gray (not CMYK and Lab) in the colours of the file's ICC profile.
        name: the name of the file in error messages, if that is not its path.
        min_size: a sufficient width and height: a larger JPEG may be decoded at 1/2, 1/4 or 1/8 of its size.
        pixels_only: skip what only writing needs: the metadata and the encoder settings.
        raw_floats: leave floats as they are stored; else they are divided by the smallest of 1, 255 and 65535
            that bounds all pixels of a page.

    Raises:
        DataError: the file is missing, damaged, too large, not an image, or of a kind that is not supported.
    """
    options = ReadOptions(
        limit=PixelLimit(max_pixels, limit_flag),
        keep_metadata=keep_metadata,
        first_only=first_only,
        keep_profile_colors=keep_profile_colors,
        min_size=min_size,
        pixels_only=pixels_only,
        raw_floats=raw_floats,
    )
    with open_frames(Path(path), options, name=name) as stream:
        return stream.read()


@contextmanager
def open_frames(path: Path, options: ReadOptions, *, name: str = "") -> Iterator[FrameStream]:
    """Open an image file to decode its frames one after the other.

    Args:
        name: the name of the file in error messages, if that is not its path.

    Raises:
        DataError: as `read`; for the pixels of a frame, when it is decoded.
    """
    with ExitStack() as stack:
        with data_errors(path, name):
            stream = stack.enter_context(_open(path, options))
        yield replace(stream, frames=_with_data_errors(stream.frames, path, name))


def _with_data_errors(
    frames: Generator[Frame, None, str], path: Path, name: str
) -> Generator[Frame, None, str]:
    """Yield the frames, with the errors of decoding each as data errors."""
    while True:
        with data_errors(path, name):
            try:
                frame = next(frames)
            except StopIteration as end:
                return str(end.value)
        yield frame


@contextmanager
def data_errors(path: Path, name: str) -> Iterator[None]:
    """Raise every error of the block, which reads a file, as a data error that names the file."""
    try:
        with pillow_guard():
            yield
    except TranslateError as error:
        raise DataError(f"{printable_path(name or path)}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise almost anything on a damaged file.
        raise DataError(f"{printable_path(name or path)}: {explain_unreadable(path, error)}") from None


def read_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of a file's first frame upright, from its header; None if it cannot be read."""
    try:
        if not path.is_file():
            return None
        with pillow_guard(), Image.open(path, formats=formats_to_try(path)) as image:
            # Pillow would decode a PNG to find its EXIF data.
            is_sideways = image.format != "PNG" and orientation(image) >= 5
            return (image.height, image.width) if is_sideways else (image.width, image.height)
    except Exception:  # The caller's `read` will fail as well, and give the reason.
        return None


def read_media_type(path: Path) -> str:
    """Return the media type of an image file that can be read, such as `image/png`, by its content."""
    with pillow_guard(), Image.open(path, formats=formats_to_try(path)) as image:
        return Image.MIME[image.format or "PNG"]


def count_pixels(path: Path) -> int:
    """Return the number of pixels in a file's first frame, from its header; 0 if it cannot be read."""
    width, height = read_size(path) or (0, 0)
    return width * height


def image_file_from_pil(image: Image.Image, *, keep_profile_colors: bool = False) -> ImageFile:
    """Convert a PIL image to an `ImageFile` of one frame, upright and in sRGB.

    Args:
        keep_profile_colors: leave RGB and gray in the colours of the image's ICC profile.

    Raises:
        DataError: the value of white is unknown (integers outside 0..65535, 32-bit floats).
    """
    image.load()
    icc = image.info.get("icc_profile") or None
    in_profile_colors = keep_profile_colors and image.mode not in CONVERTED_MODES
    return ImageFile(
        format=image.format if image.format in READABLE_FORMATS else "PNG",
        frames=[decode_frame(image, None if in_profile_colors else icc)],
        mode=color_mode(image),
        icc=icc,
        in_profile_colors=in_profile_colors,
    )


@contextmanager
def _open(path: Path, options: ReadOptions) -> Iterator[FrameStream]:
    """Open a file with the decoder for its format and bit depth, which its first bytes show."""
    file_type = stat.S_IFMT(path.stat().st_mode)
    if file_type in (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR):  # Reading one of these could block.
        raise DataError("not a regular file, but a pipe, a socket or a device: give an image file")
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if path.suffix.lower() in RAW_SUFFIXES and head.startswith(TIFF_SIGNATURES):
        # Its first image would be a thumbnail.
        raise DataError(f"camera raw ({path.suffix}) is not supported: develop the file to JPEG or TIFF")
    with open_high_bit_depth_tiff(path, head, first_only=options.first_only) as pages:
        if pages is not None:
            yield open_high_bit_depth_pages(
                path,
                pages,
                limit=options.limit,
                keep_metadata=options.keep_metadata,
                keep_profile_colors=options.keep_profile_colors,
                raw_floats=options.raw_floats,
            )
            return
    # Pillow gets a stream, because it would map a file given by its path into memory and scramble a TIFF
    # that has an EXIF orientation.
    with path.open("rb") as stream, Image.open(stream, formats=formats_to_try(path)) as image:
        yield _open_by_pillow(image, path, head, options)


def _open_by_pillow(image: Image.Image, path: Path, head: bytes, options: ReadOptions) -> FrameStream:
    """Decode the frames of a file that Pillow has opened; the pixels of 16-bit files are decoded without it.

    Args:
        head: the file's first bytes.
    """
    info = dict(image.info)  # Copied, because counting the pages of a TIFF replaces the first page's `info`.
    count = 1 if options.first_only or image.format == "MPO" else getattr(image, "n_frames", 1)
    icc = info.get("icc_profile") or None
    sizes = frame_sizes(image, count)
    check_size(sizes, options.limit)
    # An MPO is a JPEG with more images behind it, such as a preview.
    image_format = "JPEG" if image.format == "MPO" else str(image.format)
    metadata: dict[str, Any] = {}
    if not options.pixels_only:
        metadata = collect_metadata(image.getexif, info, everything=options.keep_metadata)
    if is_16bit_png(head) or is_16bit_ppm(head):
        if count > 1:
            raise DataError("an animation of 16 bits per channel is not supported: convert it to 8 bits")
        file = read_16bit_image(
            image, path, head, icc=icc, metadata=metadata, keep_profile_colors=options.keep_profile_colors
        )
        return FrameStream.from_file(file)
    mode = color_mode(image)
    file = ImageFile(
        format=image_format,
        frames=[],
        mode=mode,
        icc=icc,
        in_profile_colors=options.keep_profile_colors and mode not in CONVERTED_MODES,
        encoder_settings={} if options.pixels_only else read_encoder_settings(image, image_format, path),
        metadata=metadata,
    )
    return FrameStream(file, _decode(image, file, count, head, options), sizes)


def _decode(
    image: Image.Image, file: ImageFile, count: int, head: bytes, options: ReadOptions
) -> Generator[Frame, None, str]:
    """Yield the first `count` frames of a file; add the durations of an animation to its encoder settings."""
    if options.min_size:
        # Draft mode decodes a JPEG faster at reduced size, because it scales in the DCT domain.
        image.draft(None, options.min_size)
    durations: list[float] = []
    if count > 1 and file.format in ANIMATED_FORMATS:
        file.encoder_settings["duration"] = durations
    icc = None if file.in_profile_colors else file.icc
    frames = decode_frames(image, count, icc, options.limit, durations)
    if file.format == "TGA" and not head[17] & TGA_ALPHA_BITS:  # The fourth channel is unused.
        return _without_alpha(frames, "")
    if isinstance(image, TiffImageFile) and _has_unspecified_band(image):
        return _without_alpha(frames, UNSPECIFIED_BAND_NOTE)
    return frames


def _has_unspecified_band(image: TiffImageFile) -> bool:
    """Return whether a TIFF of gray or RGB has more bands, of which the first is not called alpha."""
    tags = image.tag_v2
    photometric, extra = tags.get(PHOTOMETRIC_INTERPRETATION), tags.get(EXTRASAMPLES)
    if photometric == 2 and extra is None:  # OpenCV writes RGB with alpha so.
        return False
    is_color = photometric in (0, 1, 2) and tags.get(SAMPLESPERPIXEL, 1) not in (1, 3)
    return is_color and tuple(extra or ())[:1] not in ALPHA_SAMPLES


def _without_alpha(frames: Iterable[Frame], note: str) -> Generator[Frame, None, str]:
    """Yield the frames without their alpha, and return a note."""
    for frame in frames:
        yield replace(frame, alpha=None)
    return note
