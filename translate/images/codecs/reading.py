"""Read image files: every frame, upright, in sRGB, at its full depth."""

from __future__ import annotations

import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from translate.errors import DataError, TranslateError
from translate.images.codecs.deep_png import is_deep_png, is_deep_ppm, read_deep_file
from translate.images.codecs.deep_tiff import open_deep_tiff, read_deep_tiff
from translate.images.codecs.encoder_settings import read_encoder_settings
from translate.images.codecs.failures import explain_unreadable
from translate.images.codecs.formats import ANIMATED, READABLE
from translate.images.codecs.frames import CONVERTED, color_mode, decode_frame, decode_frames, frame_sizes
from translate.images.codecs.limit import MAX_PIXELS, check_size
from translate.images.codecs.metadata import collect_metadata
from translate.images.codecs.pillow_guard import pillow_guard
from translate.images.files import printable_path
from translate.images.frame import Pixels
from translate.images.image_file import ImageFile

HEAD = 4096  # bytes that show what a file is


class EmbeddedFile(Protocol):
    """An image file inside another file; `str()` names it."""

    @property
    def suffix(self) -> str: ...

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class _Options:
    """The arguments of `read`, which describes them."""

    max_pixels: int
    keep_metadata: bool
    first_only: bool
    native: bool
    min_size: tuple[int, int] | None
    pixels_only: bool


def read(
    path: Path | str,
    *,
    max_pixels: int = MAX_PIXELS,
    keep_metadata: bool = False,
    first_only: bool = False,
    native: bool = False,
    name: str = "",
    min_size: tuple[int, int] | None = None,
    pixels_only: bool = False,
) -> ImageFile:
    """Read an image file: every frame, upright, in sRGB, at its full depth.

    Args:
        max_pixels: the most that its frames may hold in all.
        keep_metadata: bring the place (GPS) and XMP along, too.
        first_only: of several frames, only the first.
        native: leave RGB and gray as they are in the file; what is written then is to the bit what was read.
        name: what errors call it, if not by its path.
        least: a width and height that are enough: a JPEG that is twice as large or more is decoded at a half,
            a quarter or an eighth of its size, by fewer terms of its cosine transform.
        pixels_only: leave out what only writing needs, metadata and the encoder's settings.

    Raises:
        DataError: the file is missing, no image, damaged, too large, or of a kind that is not supported.
    """
    path = Path(path)
    options = _Options(
        max_pixels=max_pixels,
        keep_metadata=keep_metadata,
        first_only=first_only,
        native=native,
        min_size=min_size,
        pixels_only=pixels_only,
    )
    try:
        with pillow_guard():
            return _read(path, options)
    except TranslateError as error:
        raise DataError(f"{printable_path(name or path)}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # the decoders raise almost anything on a hostile file
        raise DataError(f"{printable_path(name or path)}: {explain_unreadable(path, error)}") from None


def count_pixels(path: Path) -> int:
    """Count the pixels of an image file's first frame by its header alone; 0 if that cannot be read."""
    try:
        if not path.is_file():
            return 0
        with pillow_guard(), Image.open(path, formats=READABLE) as image:
            return image.size[0] * image.size[1]
    except Exception:  # `read` will raise the same, and give the reason
        return 0


def image_file_from_pil(image: Image.Image, *, native: bool = False) -> ImageFile:
    """Convert a PIL image to a file of one frame: turned upright, in sRGB unless `native`.

    Raises:
        DataError: its values have no agreed range.
    """
    image.load()
    icc = image.info.get("icc_profile") or None
    native = native and image.mode not in CONVERTED
    frames = [decode_frame(image, None if native else icc)]
    kind = image.format if image.format in READABLE else "PNG"
    return ImageFile(format=kind, frames=frames, mode=color_mode(image), icc=icc, native=native)


def read_rgb(source: Path | str | EmbeddedFile, *, min_size: tuple[int, int] | None = None) -> Pixels:
    """Read the pixels of an image file for training, (H, W, 3) uint8; what is transparent becomes white.

    Args:
        least: as `read`.

    Raises:
        DataError: as `read`.
    """
    if isinstance(source, (Path, str)):
        (frame, *_) = read(source, first_only=True, pixels_only=True, min_size=min_size).frames
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"image{source.suffix}")
            path.write_bytes(source.read_bytes())
            named = str(source)
            (frame, *_) = read(path, first_only=True, pixels_only=True, name=named, min_size=min_size).frames
    return frame.flatten_on_white().to_bit_depth(np.uint8).rgb()


def _read(path: Path, options: _Options) -> ImageFile:
    """Read a file by the decoder that its first bytes call for."""
    kind_of_file = stat.S_IFMT(path.stat().st_mode)
    if kind_of_file in (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR):
        raise DataError("not a file with content: a pipe, a socket or a device")  # reading it would block
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    with open_deep_tiff(path, head, first_only=options.first_only) as pages:
        if pages is not None:
            return read_deep_tiff(
                path,
                pages,
                max_pixels=options.max_pixels,
                keep_metadata=options.keep_metadata,
                native=options.native,
            )
    # By its name Pillow would map a file into memory, and scramble a TIFF that is to be turned.
    with path.open("rb") as stream, Image.open(stream, formats=READABLE) as image:
        return _read_by_pillow(image, path, head, options)


def _read_by_pillow(image: Image.Image, path: Path, head: bytes, options: _Options) -> ImageFile:
    """Read a file that Pillow has opened, and can decode or at least describe.

    Args:
        head: the file's first bytes.
    """
    info = dict(image.info)  # a copy, because counting the pages of a TIFF replaces what the first one has
    count = 1 if options.first_only or image.format == "MPO" else getattr(image, "n_frames", 1)
    icc = info.get("icc_profile") or None
    check_size(frame_sizes(image, count), options.max_pixels)
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    metadata: dict[str, Any] = {}
    if not options.pixels_only:
        metadata = collect_metadata(image.getexif, info, everything=options.keep_metadata)
    if is_deep_png(head) or is_deep_ppm(head):
        if count > 1:
            raise DataError("an animation of 16 bits a channel: convert it to 8")
        return read_deep_file(image, path, head, icc=icc, metadata=metadata, native=options.native)
    mode = color_mode(image)
    settings = {} if options.pixels_only else read_encoder_settings(image, kind, path)
    native = options.native and mode not in CONVERTED
    if options.min_size:
        image.draft(None, options.min_size)
    frames, times, damage = decode_frames(image, count, None if native else icc, options.max_pixels)
    if count > 1 and kind in ANIMATED:
        settings["duration"] = times
    return ImageFile(
        format=kind,
        frames=frames,
        mode=mode,
        icc=icc,
        native=native,
        settings=settings,
        metadata=metadata,
        damage=damage,
    )
