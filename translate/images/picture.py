"""One picture: its pixels, and what must come back with them."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from translate.errors import DataError, TranslateError
from translate.images.files import picture_name

Pixels = npt.NDArray[np.uint8]

READABLE = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
WRITABLE = {
    ".bmp": "BMP",
    ".jfif": "JPEG",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 4},
    "TIFF": {"compression": "tiff_deflate"},
    "WEBP": {"quality": 95},
}
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An upright picture.

    Attributes:
        rgb: (H, W, 3) uint8, sRGB unless `icc` says otherwise.
        alpha: (H, W) uint8, or None where the picture is opaque.
        icc: the colour profile of the file, if it has one.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None


def read(path: Path | str) -> Picture:
    """Read a picture file, turned upright by its EXIF orientation; of several frames, the first.

    Raises:
        DataError: the file is missing, no picture, damaged, or of a kind that is not supported.
    """
    try:
        with Image.open(path, formats=READABLE) as image:
            return from_pil(image)
    except TranslateError as error:
        raise DataError(f"{picture_name(path)}: {error}") from None
    except Exception as error:  # Pillow raises almost anything on a hostile file
        raise DataError(f"{picture_name(path)}: {_reason(path, error)}") from None


def _reason(path: Path | str, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        empty = Path(path).exists() and Path(path).stat().st_size == 0
        return "the file is empty" if empty else f"not a picture of a known format ({', '.join(READABLE)})"
    return _words(error)


def _words(error: Exception) -> str:
    """What an error says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def read_rgb(path: Path | str) -> Pixels:
    """The pixels of a picture file for training, (H, W, 3) uint8; what is transparent becomes white."""
    picture = read(path)
    if picture.alpha is None:
        return picture.rgb
    opaque = picture.alpha[..., None].astype(np.float32) / 255
    return np.rint(picture.rgb * opaque + 255 * (1 - opaque)).astype(np.uint8)


def from_pil(image: Image.Image) -> Picture:
    """Take a PIL image of any mode.

    Raises:
        DataError: the mode has no agreed range (32-bit float).
    """
    icc = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode in SIXTEEN_BIT:
        gray = np.asarray(image).astype(np.float32).clip(0, 65535) / 257
        return Picture(rgb=np.repeat(np.rint(gray).astype(np.uint8)[..., None], 3, axis=2))
    if image.mode == "F":
        raise DataError("32-bit float pixels have no agreed range: convert the file to 8 or 16 bits")
    profile = icc if image.mode in ("RGB", "RGBA", "P") else None  # a gray or CMYK one does not fit RGB
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return Picture(rgb=rgba[..., :3].copy(), alpha=rgba[..., 3].copy(), icc=profile)
    return Picture(rgb=np.array(image.convert("RGB")), icc=profile)


def to_pil(picture: Picture) -> Image.Image:
    """The picture as a PIL image of mode RGB, or RGBA where it has alpha."""
    if picture.alpha is None:
        return Image.fromarray(picture.rgb)
    return Image.fromarray(np.dstack([picture.rgb, picture.alpha]))


def write(picture: Picture, path: Path) -> None:
    """Write a picture in the format of the path's suffix, whole or not at all.

    Alpha is dropped where the format has none (JPEG, BMP).

    Raises:
        DataError: the disk is full, the folder cannot be written, the suffix is unknown.
    """
    kind = WRITABLE.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{picture_name(path)}: cannot write this format: use {', '.join(sorted(WRITABLE))}")
    image = Image.fromarray(picture.rgb) if kind in ("JPEG", "BMP") else to_pil(picture)
    profile = {"icc_profile": picture.icc} if picture.icc and kind != "BMP" else {}
    # The picture's own name may be as long as a name can be: the temporary one does not build on it.
    part = path.parent / f".{os.getpid()}-{threading.get_ident()}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(part, format=kind, **SETTINGS.get(kind, {}), **profile)
        part.replace(path)
    except (OSError, ValueError) as error:  # Pillow says that a side is too long by a ValueError
        raise DataError(f"{picture_name(path)}: cannot be written: {_words(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
