"""Write images to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import psutil
from PIL import Image
from PIL import ImageFile as PillowImageFile

from translate.errors import DataError
from translate.images.codecs.deep_png import encode_alpha_bmp, encode_deep_png, encode_deep_ppm
from translate.images.codecs.deep_tiff import write_deep_tiff
from translate.images.codecs.failures import describe_error
from translate.images.codecs.formats import ANIMATED, FORMATS, HOLDS_ALPHA, HOLDS_DEPTH, HOLDS_ICC
from translate.images.codecs.metadata import add_directories, parse_exif
from translate.images.codecs.pillow_guard import pillow_guard
from translate.images.codecs.save_options import save_options
from translate.images.color.profiles import frame_from_srgb, from_srgb
from translate.images.files import printable_path
from translate.images.frame import Frame, Pixels, to_pil
from translate.images.image_file import ImageFile

PART = ".translate-{pid}-{thread}.part"
PARTS = ".translate-*.part"

_lock = threading.Lock()


def write_rgb(pixels: Pixels, path: Path) -> None:
    """Write (H, W, 3) uint8 in the format of the path's suffix.

    Raises:
        DataError: the disk is full, the folder cannot be written, the suffix is unknown.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(sorted(FORMATS))
        raise DataError(f"{printable_path(path)}: cannot write this format: use {known}")
    write(ImageFile(format=kind, frames=[Frame(pixels=pixels)]), path)


def write(file: ImageFile, path: Path, *, finished: Callable[[Path], None] | None = None) -> None:
    """Write a file in its format, under a temporary name first.

    What the format cannot hold is converted to what it can: 16 bits to 8 and transparency onto
    white in a JPEG, floats to 16 bits in a PNG, CMYK to RGB in a PNG.

    Args:
        finished: is called with the whole file's temporary path, before it takes its own.

    Raises:
        DataError: the disk is full, the folder cannot be written, the format cannot hold the frames.
    """
    # The image's own name may be as long as a name can be, so the temporary one does not extend it.
    part = path.parent / PART.format(pid=os.getpid(), thread=threading.get_ident())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Open for reading, too: pages are added to a TIFF by reading what is there.
        with part.open("w+b") as stream, pillow_guard():
            _encode(file, stream)
        if finished:
            finished(part)
        part.replace(path)
    except DataError as error:
        raise DataError(f"{printable_path(path)}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # encoders raise almost anything: struct.error for a side too long
        raise DataError(f"{printable_path(path)}: cannot be written: {describe_error(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def remove_stale_parts(folder: Path) -> None:
    """Remove the temporary files that processes which have ended left in a folder."""
    for part in folder.glob(PARTS):
        pid = part.name.split("-")[1]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            part.unlink(missing_ok=True)


def image_file_to_pil(file: ImageFile) -> Image.Image:
    """Convert the first frame to a PIL image, in the file's own colours and with its profile.

    PIL has no 16-bit colour: such a frame comes back with 8 bits a channel.
    """
    frame = file.frames[0]
    if frame.pixels.dtype == np.uint16 and frame.pixels.shape[2] == 1 and frame.alpha is None:
        return to_pil(frame)
    image, icc = _image(file, frame, "TIFF")
    if icc:
        image.info["icc_profile"] = icc
    return image


def _encode(file: ImageFile, stream: IO[bytes]) -> None:
    """Write a file by the encoder that its format and depth call for."""
    if len(file.frames) > 1 and file.format not in (*ANIMATED, "TIFF"):
        raise DataError(
            f"{len(file.frames)} frames, of which {file.format} holds one: use --format png or webp"
        )
    if any(frame.deep for frame in file.frames) and file.format in HOLDS_DEPTH:
        _encode_deep(file, stream)
    elif file.format == "BMP" and file.frames[0].alpha is not None:
        stream.write(encode_alpha_bmp(file.frames[0].to_bit_depth(np.uint8)))
    else:
        _encode_by_pillow(file, stream)


def _encode_deep(file: ImageFile, stream: IO[bytes]) -> None:
    """Write frames of more than 8 bits a channel, in the colours of the file's profile."""
    profiles = [file.profile_for("L" if frame.pixels.shape[2] == 1 else "RGB") for frame in file.frames]
    frames = file.frames
    if not file.native:
        frames = [frame_from_srgb(frame, icc) for frame, icc in zip(file.frames, profiles, strict=True)]
    if file.format == "TIFF":
        write_deep_tiff(frames, stream, profiles, file.settings, file.metadata)
        return
    first = frames[0].to_bit_depth(np.uint16)
    if file.format == "PNG":
        stream.write(encode_deep_png(first, profiles[0], file.metadata))
    else:
        stream.write(encode_deep_ppm(first.flatten_on_white()))


def _encode_by_pillow(file: ImageFile, stream: IO[bytes]) -> None:
    """Write frames of 8 bits a channel."""
    images, profiles = zip(*(_image(file, frame, file.format) for frame in file.frames), strict=True)
    options = save_options(file, images)
    if file.format in HOLDS_ICC:
        options["icc_profile"] = profiles[0]
        for image, icc in zip(images, profiles, strict=True):
            image.encoderinfo = {"icc_profile": icc}  # each page of a TIFF has its own
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:]}
    try:
        images[0].save(stream, format=file.format, **options)
    except OSError as error:
        if error.errno is not None or not options.get("optimize"):
            raise
        stream.seek(0)
        stream.truncate()
        with _large_block(images[0]):
            images[0].save(stream, format=file.format, **options)
    if file.format == "TIFF" and "exif" in file.metadata:
        _, directories = parse_exif(file.metadata["exif"])
        add_directories(stream, directories)


@contextlib.contextmanager
def _large_block(image: Image.Image) -> Iterator[None]:
    """Have Pillow encode a JPEG in a larger block than it guesses, which is too small for much noise."""
    with _lock:
        usual, PillowImageFile.MAXBLOCK = PillowImageFile.MAXBLOCK, 6 * image.width * image.height + 65536
        try:
            yield
        finally:
            PillowImageFile.MAXBLOCK = usual


def _mode(file: ImageFile, frame: Frame, kind: str) -> str:
    """Return the mode that a frame is written in."""
    if frame.pixels.shape[2] == 1:
        return "L"
    holds = {"CMYK": ("JPEG", "TIFF"), "LAB": ("TIFF",)}.get(file.mode, ())
    return file.mode if kind in holds and frame.alpha is None else "RGB"


def _image(file: ImageFile, frame: Frame, kind: str) -> tuple[Image.Image, bytes | None]:
    """Convert a frame to the image that is saved, and return the profile that goes with it."""
    if kind not in HOLDS_ALPHA:
        frame = frame.flatten_on_white()
    mode = _mode(file, frame, kind)
    icc = file.profile_for(mode)
    frame = frame.to_bit_depth(np.uint8)
    image = to_pil(Frame(pixels=frame.pixels))
    if not file.native:
        image = from_srgb(image, icc, mode)
    if frame.alpha is not None:
        image.putalpha(Image.fromarray(frame.alpha))
    return (_reduce_colors(image) if kind == "GIF" else image), icc


def _reduce_colors(image: Image.Image) -> Image.Image:
    """Reduce an image to 256 colours of its own; with alpha, to 255 and one for what is transparent."""
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
