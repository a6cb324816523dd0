"""Write image files atomically: the whole file appears under its name, or nothing does."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, TiffImagePlugin
from PIL import ImageFile as PillowImageFile

from translate.errors import DataError
from translate.images.codecs.failures import describe_error
from translate.images.codecs.formats import (
    ALPHA_FORMATS,
    ANIMATED_FORMATS,
    FORMATS,
    HIGH_BIT_DEPTH_FORMATS,
    ICC_FORMATS,
)
from translate.images.codecs.high_bit_depth_png import encode_16bit_png, encode_16bit_ppm, encode_alpha_bmp
from translate.images.codecs.high_bit_depth_tiff import write_high_bit_depth_tiff
from translate.images.codecs.metadata import add_ifds, parse_exif
from translate.images.codecs.pillow_guard import pillow_guard
from translate.images.codecs.save_options import save_options
from translate.images.color.profiles import from_srgb, high_bit_depth_frame_from_srgb
from translate.images.files import printable_path
from translate.images.frame import Frame, Pixels, to_pil
from translate.images.frame_stream import FrameStream
from translate.images.image_file import ImageFile
from translate.images.stored_values import from_stored_values
from translate.storage import atomic_path

_max_block_lock = threading.Lock()


def write_rgb(pixels: Pixels, path: Path) -> None:
    """Write an (H, W, 1 or 3) uint8 image in the format of the path's suffix.

    Raises:
        DataError: the suffix is unknown, the disk is full, or the folder cannot be written.
    """
    image_format = FORMATS.get(path.suffix.lower())
    if image_format is None:
        raise DataError(
            f"{printable_path(path)}: unknown image format {path.suffix!r}: use {', '.join(sorted(FORMATS))}"
        )
    write(ImageFile(format=image_format, frames=[Frame(pixels=pixels)]), path)


def write(file: ImageFile, path: Path, *, before_rename: Callable[[Path], None] | None = None) -> None:
    """Write an image file in its format: to a temporary file first, which is then renamed.

    Frames are converted to what the format can hold: JPEG gets 8 bits a channel, and transparent pixels are
    blended onto white; PNG gets 16 bits instead of floats, and RGB instead of CMYK.

    Args:
        before_rename: is called with the path of the temporary file, once that is complete.

    Raises:
        DataError: the disk is full, the folder cannot be written, or the format cannot hold the frames.
    """
    write_frames(FrameStream.from_file(file), path, before_rename=before_rename)


def write_frames(
    stream: FrameStream, path: Path, *, before_rename: Callable[[Path], None] | None = None
) -> None:
    """Write an image file as `write` does, but take one frame after the other.

    The pages of a TIFF are written as they come. The frames of an animation are all in memory, but only once
    and as they are encoded: a GIF has one byte for each pixel.

    Raises:
        DataError: as `write`. An error of the stream, which decodes or computes a frame, is raised as it is.
    """
    failures: list[Exception] = []

    def frames() -> Generator[Frame, None, str]:
        try:
            yield from stream
        except Exception as error:
            failures.append(error)
            raise
        return ""

    try:
        _write_atomically(replace(stream, frames=frames()), path, before_rename)
    except Exception as error:
        raise failures[0] if failures else error from None


def _write_atomically(stream: FrameStream, path: Path, before_rename: Callable[[Path], None] | None) -> None:
    """Write an image file to a temporary file, and rename that."""
    # To wait for the disk after each of thousands of images would take longer than all the rest.
    with write_errors(path), atomic_path(path, sync=False) as part:
        _encode_to_file(stream, part)
        if before_rename:
            before_rename(part)


def encode_to_file(file: ImageFile, path: Path) -> None:
    """Encode an image file in its format, and write it to a path at once, not atomically.

    Raises:
        Exception: almost anything; see `write_errors`.
    """
    _encode_to_file(FrameStream.from_file(file), path)


def _encode_to_file(stream: FrameStream, path: Path) -> None:
    # The file is open for reading as well: the encoders of TIFF read what they have written.
    with path.open("w+b") as out, pillow_guard():
        _encode(stream, out)


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raise every error of the block, which writes an image file, as a data error that names the file."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{printable_path(path)}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # Encoders raise almost anything, such as struct.error for a side too long.
        raise DataError(f"{printable_path(path)}: cannot be written: {describe_error(error)}") from None


def image_file_to_pil(file: ImageFile) -> Image.Image:
    """Convert the first frame to a PIL image in the colours of the file's ICC profile, which is attached.

    PIL has no 16-bit colour: such a frame is reduced to 8 bits a channel.
    """
    frame = file.frames[0]
    if frame.pixels.dtype == np.uint16 and frame.pixels.shape[2] == 1 and frame.alpha is None:
        return to_pil(frame)
    image, icc = _frame_to_pil(file, frame, "TIFF")
    if icc:
        image.info["icc_profile"] = icc
    return image


def _encode(stream: FrameStream, out: IO[bytes]) -> None:
    """Encode the frames of a file, by the encoder for its format and bit depth."""
    file, count = stream.file, len(stream.sizes)
    if count > 1 and file.format not in (*ANIMATED_FORMATS, "TIFF"):
        raise DataError(f"{file.format} holds one frame, but there are {count}: use --format png or webp")
    frames = iter(stream)
    if stream.high_bit_depth and file.format in HIGH_BIT_DEPTH_FORMATS:
        _encode_high_bit_depth(file, frames, out)
    elif count > 1 and file.format == "TIFF":
        _encode_tiff_pages(file, frames, out)
    elif file.format == "BMP":
        _encode_bmp(file, next(frames), out)
    else:
        _encode_by_pillow(file, frames, out)


def _encode_bmp(file: ImageFile, frame: Frame, out: IO[bytes]) -> None:
    """Encode a BMP, with its alpha if it has one."""
    if frame.alpha is None:
        _encode_by_pillow(file, [frame], out)
    else:
        out.write(encode_alpha_bmp(frame.to_bit_depth(np.uint8)))


def _encode_high_bit_depth(file: ImageFile, frames: Iterable[Frame], out: IO[bytes]) -> None:
    """Encode frames of more than 8 bits a channel, in the colours of the file's ICC profile."""
    pages = (_to_profile_colors(file, frame) for frame in frames)
    if file.format == "TIFF":
        write_high_bit_depth_tiff(pages, out, file.encoder_settings, file.metadata)
        return
    frame, icc = next(pages)
    if frame.pixels.dtype == np.float32:
        frame = from_stored_values(frame, file.value_range)
    if file.format == "PNG":
        out.write(encode_16bit_png(frame.to_bit_depth(np.uint16), icc, file.metadata))
    else:
        out.write(encode_16bit_ppm(frame.to_bit_depth(np.uint16).flatten_on_white()))


def _to_profile_colors(file: ImageFile, frame: Frame) -> tuple[Frame, bytes | None]:
    """Convert a frame of more than 8 bits a channel to the colours of the file's ICC profile."""
    icc = file.profile_for("L" if frame.pixels.shape[2] == 1 else "RGB")
    return (frame if file.in_profile_colors else high_bit_depth_frame_from_srgb(frame, icc)), icc


def _encode_tiff_pages(file: ImageFile, frames: Iterable[Frame], out: IO[bytes]) -> None:
    """Encode the pages of a TIFF at 8 bits a channel, one after the other."""
    with TiffImagePlugin.AppendingTiffWriter(out) as pages:
        for frame in frames:
            image, icc = _frame_to_pil(file, frame, "TIFF")
            image.save(pages, format="TIFF", **save_options(file, [image]), icc_profile=icc)
            pages.newFrame()
    _add_exif_ifds(file, out)


def _add_exif_ifds(file: ImageFile, out: IO[bytes]) -> None:
    """Add the inner IFDs of the EXIF metadata to a TIFF that was just written."""
    if "exif" in file.metadata:
        _, ifds = parse_exif(file.metadata["exif"])
        add_ifds(out, ifds)


def _encode_by_pillow(file: ImageFile, frames: Iterable[Frame], out: IO[bytes]) -> None:
    """Encode an image or an animation at 8 bits a channel."""
    images, profiles = zip(*(_frame_to_pil(file, frame, file.format) for frame in frames), strict=True)
    options = save_options(file, images)
    if file.format in ICC_FORMATS:
        options["icc_profile"] = profiles[0]
        for image, icc in zip(images, profiles, strict=True):
            image.encoderinfo = {"icc_profile": icc}
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:]}
    # Pillow ignores short writes to a real file, as on a full disk, and would leave a truncated image.
    buffer = io.BytesIO()
    try:
        images[0].save(buffer, format=file.format, **options)
    except OSError:
        # Pillow's block for an optimized JPEG may have been too small.
        if not options.get("optimize"):
            raise
        buffer = io.BytesIO()
        with _large_jpeg_block(images[0]):
            images[0].save(buffer, format=file.format, **options)
    out.write(buffer.getbuffer())
    if file.format == "TIFF":
        _add_exif_ifds(file, out)


@contextlib.contextmanager
def _large_jpeg_block(image: Image.Image) -> Iterator[None]:
    """Let Pillow encode a JPEG in a block that fits any content: its own estimate is too small for noise."""
    with _max_block_lock:
        usual, PillowImageFile.MAXBLOCK = PillowImageFile.MAXBLOCK, 6 * image.width * image.height + 65536
        try:
            yield
        finally:
            PillowImageFile.MAXBLOCK = usual


def _color_mode(file: ImageFile, frame: Frame, image_format: str) -> str:
    """Return the mode in which a frame is written: L, RGB, or the file's own CMYK or LAB."""
    if frame.pixels.shape[2] == 1:
        return "L"
    formats = {"CMYK": ("JPEG", "TIFF"), "LAB": ("TIFF",)}.get(file.mode, ())
    return file.mode if image_format in formats and frame.alpha is None else "RGB"


def _frame_to_pil(file: ImageFile, frame: Frame, image_format: str) -> tuple[Image.Image, bytes | None]:
    """Convert a frame to the 8-bit image that the format can hold, and return its ICC profile with it."""
    if frame.high_bit_depth:
        frame = from_stored_values(frame, file.value_range)
    if image_format not in ALPHA_FORMATS:
        frame = frame.flatten_on_white()
    mode = _color_mode(file, frame, image_format)
    icc = file.profile_for(mode)
    frame = frame.to_bit_depth(np.uint8)
    image = to_pil(Frame(pixels=frame.pixels))
    if not file.in_profile_colors:
        image = from_srgb(image, icc, mode)
    if frame.alpha is not None:
        image.putalpha(Image.fromarray(frame.alpha))
    return (_reduce_to_palette(image) if image_format == "GIF" else image), icc


def _reduce_to_palette(image: Image.Image) -> Image.Image:
    """Reduce an image to a palette of 256 colours; with alpha, to 255 and a transparent one."""
    if image.mode == "L":
        return image
    if "A" not in image.getbands():
        return image.convert("RGB").quantize(256)
    alpha = np.asarray(image.getchannel("A"))
    reduced = image.convert("RGB").quantize(255)
    indices = np.where(alpha >= 128, np.asarray(reduced), 255).astype(np.uint8)
    out = Image.fromarray(indices).convert("P")
    palette = (reduced.getpalette() or [])[: 255 * 3]
    out.putpalette(palette + [0] * (256 * 3 - len(palette)))
    out.info["transparency"] = 255
    return out
