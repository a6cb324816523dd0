"""From a file to its pictures, losing nothing on the way."""

from __future__ import annotations

import stat
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import PIL.WebPImagePlugin  # noqa: F401 - registers itself
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from translate.errors import DataError, TranslateError
from translate.images.color import deep_to_srgb, to_srgb
from translate.images.deep import (
    is_deep_png,
    is_deep_ppm,
    open_tiff,
    read_deep_pages,
    read_deep_png,
    read_deep_ppm,
    tiff_info,
)
from translate.images.files import FOREIGN, picture_name
from translate.images.limit import MAX_PIXELS, check_size, own_limit
from translate.images.metadata import kept, orientation, upright
from translate.images.picture import Picture, Pixels, from_pil

Image.preinit()  # registers the others: to find one that is not, Pillow would import all that it knows
READABLE = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
CONVERTED = ("CMYK", "LAB")  # modes that no network takes
ANIMATED = ("GIF", "PNG", "WEBP")
HEAD = 4096  # bytes that tell what a file is
HUFFMAN_CODES, START_OF_SCAN = 0xC4, 0xDA  # markers of JPEG
# That of luminance (ITU-T T.81, table K.5): how many codes have 1 to 16 bits.
STANDARD_CODE = bytes([0x10, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D])


class Enclosed(Protocol):
    """A picture file inside another file; `str()` names it."""

    @property
    def suffix(self) -> str: ...

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """The pictures of a file, and all that writing it again as it was must know.

    Attributes:
        format: as Pillow calls it: BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP.
        frames: one picture; or those of an animation, or the pages of a TIFF.
        mode: how the file keeps its colours: L, RGB, CMYK, LAB.
        icc: its colour profile.
        native: whether the frames are in the colours of that profile, as they were; else they are in sRGB.
        settings: what its encoder was told: quality, compression, durations.
        metadata: `exif`, `dpi`, `xmp`.
        damage: what could not be read of the later frames, in words.
    """

    format: str
    frames: list[Picture]
    mode: str = "RGB"
    icc: bytes | None = None
    native: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    damage: str = ""


def read(
    path: Path | str,
    *,
    max_pixels: int = MAX_PIXELS,
    keep_metadata: bool = False,
    first_only: bool = False,
    native: bool = False,
    name: str = "",
    least: tuple[int, int] | None = None,
    pixels_only: bool = False,
) -> PictureFile:
    """Read a picture file: every frame, upright, in sRGB, at its full depth.

    Args:
        max_pixels: the most that its frames may hold together.
        keep_metadata: bring the place (GPS) and XMP along, too.
        first_only: of several frames, only the first.
        native: leave RGB and gray as they are in the file; what is written then is to the bit what was read.
        name: what errors call it, if not by its path.
        least: a width and height that are enough: a JPEG that is twice as large or more is decoded at a half,
            a quarter or an eighth of its size, by fewer terms of its cosine transform.
        pixels_only: leave out what only writing needs, metadata and the encoder's settings.

    Raises:
        DataError: the file is missing, no picture, damaged, too large, or of a kind that is not supported.
    """
    path = Path(path)
    try:
        with own_limit():
            return _read(path, max_pixels, keep_metadata, first_only, native, least, pixels_only)
    except TranslateError as error:
        raise DataError(f"{picture_name(name or path)}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # the decoders raise almost anything on a hostile file
        raise DataError(f"{picture_name(name or path)}: {_reason(path, error)}") from None


def pixels_of(path: Path) -> int:
    """How many pixels a picture file's first frame has, by its header alone; 0 if that cannot be told."""
    try:
        if not path.is_file():
            return 0
        with own_limit(), Image.open(path, formats=READABLE) as image:
            return image.size[0] * image.size[1]
    except Exception:  # the reader itself will say what is wrong
        return 0


def from_image(image: Image.Image, *, native: bool = False) -> PictureFile:
    """A PIL image as a file of one frame: turned upright, in sRGB unless `native`.

    Raises:
        DataError: its values have no agreed range.
    """
    image.load()
    icc = image.info.get("icc_profile") or None
    native = native and image.mode not in CONVERTED
    frames = [_frame(image, None if native else icc)]
    kind = image.format if image.format in READABLE else "PNG"
    return PictureFile(format=kind, frames=frames, mode=_mode(image), icc=icc, native=native)


def read_rgb(picture: Path | str | Enclosed, *, least: tuple[int, int] | None = None) -> Pixels:
    """The pixels of a picture file for training, (H, W, 3) uint8; what is transparent becomes white.

    Args:
        least: as `read`.

    Raises:
        DataError: as `read`.
    """
    if isinstance(picture, (Path, str)):
        (frame, *_) = read(picture, first_only=True, pixels_only=True, least=least).frames
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"picture{picture.suffix}")
            path.write_bytes(picture.read_bytes())
            named = str(picture)
            (frame, *_) = read(path, first_only=True, pixels_only=True, name=named, least=least).frames
    return frame.on_white().in_bits(np.uint8).rgb()


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        if path.exists() and path.stat().st_size == 0:
            return "the file is empty"
        if path.suffix.lower() in FOREIGN:
            return f"{path.suffix.lower()} files are not read: convert it to JPEG, PNG or TIFF"
        return f"not a picture of a known format ({', '.join(READABLE)})"
    told = isinstance(error, OSError) and error.strerror
    return in_words(error) if told else f"cannot be decoded: {in_words(error)}"


def in_words(error: Exception) -> str:
    """What an error says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _read(
    path: Path,
    max_pixels: int,
    keep_metadata: bool,
    first_only: bool,
    native: bool,
    least: tuple[int, int] | None,
    pixels_only: bool,
) -> PictureFile:
    kind_of_file = stat.S_IFMT(path.stat().st_mode)
    if kind_of_file in (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR):
        raise DataError("not a file with content: a pipe, a socket or a device")  # it would be waited for
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    with open_tiff(path, head, first_only=first_only) as pages:
        if pages is not None:
            return _deep_tiff(path, pages, max_pixels, keep_metadata, native)
    # By its name Pillow would map a file into memory, and scramble a TIFF that is to be turned.
    with path.open("rb") as stream, Image.open(stream, formats=READABLE) as image:
        info = dict(image.info)  # which counting pages mixes up
        count = 1 if first_only or image.format == "MPO" else getattr(image, "n_frames", 1)
        icc = info.get("icc_profile") or None
        check_size(_sizes(image, count), max_pixels)
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        metadata = {} if pixels_only else kept(image.getexif, info, everything=keep_metadata)
        if is_deep_png(head) or is_deep_ppm(head):
            return _deep(image, path, head, icc, metadata, count, native)
        mode = _mode(image)
        settings = {} if pixels_only else _settings(image, kind, path)
        native = native and mode not in CONVERTED
        if least:
            image.draft(None, least)
        frames, times, damage = _frames(image, count, None if native else icc, max_pixels)
        if count > 1 and kind in ANIMATED:
            settings["duration"] = times
        return PictureFile(
            format=kind,
            frames=frames,
            mode=mode,
            icc=icc,
            native=native,
            settings=settings,
            metadata=metadata,
            damage=damage,
        )


def _sizes(image: Image.Image, count: int) -> list[tuple[int, int]]:
    """The sizes of a file's frames, by their headers."""
    if image.format != "TIFF" or count == 1:
        return [image.size] * count
    sizes = []
    for number in reversed(range(count)):
        image.seek(number)
        sizes.append(image.size)
    return sizes


def _deep_tiff(
    path: Path, pages: list[Any], max_pixels: int, keep_metadata: bool, native: bool
) -> PictureFile:
    frames, settings = read_deep_pages(pages, max_pixels)
    info, exif = tiff_info(pages[0]), Image.Exif()
    icc = info.get("icc_profile") or None
    with path.open("rb") as file:

        def read_exif() -> Image.Exif:
            exif.load_from_fp(file)
            return exif

        metadata = kept(read_exif, info, everything=keep_metadata)
    return PictureFile(
        format="TIFF",
        frames=frames if native else [_managed(frame, icc) for frame in frames],
        mode="L" if frames[0].pixels.shape[2] == 1 else "RGB",
        icc=icc,
        native=native,
        settings=settings,
        metadata=metadata,
    )


def _deep(
    image: Image.Image,
    path: Path,
    head: bytes,
    icc: bytes | None,
    metadata: dict[str, Any],
    count: int,
    native: bool,
) -> PictureFile:
    """A file of 16 bits a channel that is no TIFF."""
    if count > 1:
        raise DataError("an animation of 16 bits a channel: convert it to 8")
    kind, turn = str(image.format), orientation(image)
    if kind == "PNG":
        picture = read_deep_png(path, head, image.info.get("transparency"))
    else:
        picture = read_deep_ppm(path, head)
    alpha = None if picture.alpha is None else upright(picture.alpha, turn)
    frame = _managed(Picture(pixels=upright(picture.pixels, turn), alpha=alpha), None if native else icc)
    mode = "L" if frame.pixels.shape[2] == 1 else "RGB"
    return PictureFile(format=kind, frames=[frame], mode=mode, icc=icc, native=native, metadata=metadata)


def _managed(picture: Picture, icc: bytes | None) -> Picture:
    """A deep picture in sRGB: in floats, where its profile changes anything."""
    return picture.recolored(deep_to_srgb(picture.pixels, icc)) if picture.deep else picture


def _mode(image: Image.Image) -> str:
    if image.mode in ("CMYK", "LAB"):
        return image.mode
    return "L" if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16") else "RGB"


def _frames(
    image: Image.Image, count: int, icc: bytes | None, max_pixels: int
) -> tuple[list[Picture], list[float], str]:
    """The pictures of a file, how long each is shown in milliseconds, and what is damaged of later ones."""
    frames: list[Picture] = []
    times: list[float] = []
    for number in range(count):
        try:
            image.seek(number)
            check_size([image.size, *(frame.size for frame in frames)], max_pixels)  # a GIF's may grow
            image.load()
            frames.append(_frame(image, icc))
        except TranslateError:
            raise
        except Exception as error:  # the decoders raise almost anything on a hostile file
            if not frames:
                raise
            return frames, times, f"only {number} of {count} frames can be read: {in_words(error)}"
        times.append(image.info.get("duration", 0))
    return frames, times, ""


def _frame(image: Image.Image, icc: bytes | None) -> Picture:
    """The loaded frame of a file, upright and in sRGB."""
    turn = orientation(image)
    if image.mode in ("CMYK", "LAB"):
        picture = from_pil(to_srgb(image, icc))
    else:
        picture = from_pil(image)
        if icc and not picture.deep:
            gray = picture.pixels.shape[2] == 1
            flat = Image.fromarray(picture.pixels[..., 0] if gray else picture.pixels)
            picture = Picture(pixels=from_pil(to_srgb(flat, icc)).pixels, alpha=picture.alpha)
    alpha = None if picture.alpha is None else upright(picture.alpha, turn)
    return Picture(pixels=upright(picture.pixels, turn), alpha=alpha)


def _settings(image: Image.Image, kind: str, path: Path) -> dict[str, Any]:
    """What the file's encoder was told, as the writer takes it."""
    info = image.info
    if kind == "JPEG" and isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(image)
        return {
            "qtables": {n: list(table) for n, table in image.quantization.items()},
            "subsampling": sampling if sampling in (0, 1, 2) else (0 if image.mode == "CMYK" else 2),
            "progressive": bool(info.get("progressive")),
            "optimize": not _has_standard_codes(path),
        }
    if kind == "TIFF":
        return {"compression": info.get("compression")}
    settings: dict[str, Any] = {name: info[name] for name in ("loop", "default_image") if name in info}
    if kind == "WEBP":
        settings["lossless"] = _is_lossless_webp(path)
    return settings


def _has_standard_codes(path: Path) -> bool:
    """Whether a JPEG has the Huffman codes of the standard, not ones made for this picture."""
    with path.open("rb") as file:
        file.seek(2)
        while len(marker := file.read(4)) == 4 and marker[0] == 0xFF and marker[1] != START_OF_SCAN:
            content = file.read(int.from_bytes(marker[2:]) - 2)
            if marker[1] == HUFFMAN_CODES and STANDARD_CODE in content:
                return True
    return False


def _is_lossless_webp(path: Path) -> bool:
    """Whether the first picture chunk of a WebP is of its lossless kind (RFC 9649, 2.6)."""
    with path.open("rb") as file:
        file.seek(12)
        while len(header := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", header)
            if name in (b"VP8 ", b"VP8L"):
                return bool(name == b"VP8L")
            file.seek(16 if name == b"ANMF" else size + size % 2, 1)
    return False
