"""Hide a message in an image file, and reveal it: the values are read and written exactly as stored."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from PIL import ImageFile as PillowImageFile

from translate.errors import DataError, UsageError
from translate.images.codecs.formats import FORMATS, formats_to_try
from translate.images.codecs.limit import MAX_PIXELS, PixelLimit, check_size
from translate.images.codecs.metadata import collect_metadata, orientation
from translate.images.codecs.reading import data_errors
from translate.images.codecs.writing import write
from translate.images.files import printable_path
from translate.images.frame import from_pil
from translate.images.image_file import ImageFile
from translate.images.steganography.lsb_matching import capacity, embed, extract

LOSSLESS_FORMATS = ("PNG", "BMP", "PPM", "TIFF")
# Pillow's raw modes of a byte for each value; single letters are planes. Others have more or fewer bits
# ("RGB;16B"), inverted gray ("L;I"), or colours multiplied by their alpha ("RGBa"), which Pillow converts.
BYTE_MODES = ("L", "LA", "RGB", "RGBA", "BGR", "BGRX", "BGRA", "R", "G", "B", "A")
LOSSY = "its lossy compression destroys the hidden bits"


@dataclass(frozen=True)
class HidingResult:
    """A written stego image.

    Attributes:
        path: the file.
        capacity: the longest message that the image can carry, in bytes.
        values: the number of values of the image: its pixels times its channels, without alpha.
        changed: the number of values that differ from the cover, each by 1.
    """

    path: Path
    capacity: int
    values: int
    changed: int


def hide(
    image: Path | str, message: bytes, *, key: bytes, out: Path | str, overwrite: bool = False
) -> HidingResult:
    """Hide a message in an image by LSB matching, and write that as a PNG: `hide("a.png", b"hello", ...)`.

    The colours change by at most 1 of 255. Alpha, ICC profile, EXIF, XMP and resolution stay as they are.

    Args:
        image: the cover: an 8-bit gray or RGB PNG, BMP, PGM, PPM or TIFF, with or without alpha.
        key: any bytes; `reveal` needs the same ones.
        out: the file to write.
        overwrite: replace `out` if it exists.

    Raises:
        UsageError: `out` exists or is not a .png file, or the key is empty.
        DataError: the cover cannot be read or is of another kind, the message is too long for it, or the
            file cannot be written.
    """
    path, out = Path(image), Path(out)
    check_output(out, overwrite=overwrite)
    cover = read_cover(path)
    frame = cover.frames[0]
    with data_errors(path, ""):
        stego = embed(frame.pixels, message, key)
    write(replace(cover, frames=[replace(frame, pixels=stego)]), out)
    changed = int(np.count_nonzero(stego != frame.pixels))
    return HidingResult(out, capacity(stego.size), stego.size, changed)


def reveal(image: Path | str, *, key: bytes) -> bytes:
    """Return the message that `hide` hid in an image under this key.

    Raises:
        UsageError: the key is empty.
        DataError: there is no message under this key, or the image cannot be read.
    """
    path = Path(image)
    message = extract(read_cover(path).frames[0].pixels, key)
    if message is None:
        raise DataError(
            f"no message under this key in {printable_path(path)}: give the key that it was hidden with,"
            " and the file as it was written (resizing or editing it destroys the message)"
        )
    return message


def check_output(out: Path, *, overwrite: bool) -> None:
    """Check that a stego image can be written: the file is a PNG by its suffix, and does not exist yet.

    Raises:
        UsageError: it cannot.
    """
    suffix = out.suffix.lower()
    if FORMATS.get(suffix) == "JPEG":
        raise UsageError(f"{out}: a stego image cannot be a JPEG, because {LOSSY}: give a .png file with -o")
    if suffix != ".png":
        raise UsageError(f"{out}: the suffix of a stego image must be .png: give a .png file with -o")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} already exists: give another -o, or --overwrite")


def read_cover(path: Path) -> ImageFile:
    """Read the stored values of an 8-bit gray or RGB image, as a PNG file that is to be written.

    Neither the ICC profile nor the EXIF orientation is applied; both are kept, for whoever shows the image.

    Raises:
        DataError: the file cannot be read, or its values are not stored losslessly with 8 bits each.
    """
    with data_errors(path, ""), _open(path) as image:
        check_size([image.size], PixelLimit(MAX_PIXELS))
        _check_cover(image)
        image.load()
        metadata = collect_metadata(image.getexif, image.info, everything=True)
        # These blocks may hold an orientation, which is still that of the stored values.
        metadata |= {name: image.info[name] for name in ("exif", "xmp") if name in image.info}
        return ImageFile(
            format="PNG",
            frames=[from_pil(image)],
            mode="L" if image.mode in ("L", "LA") else "RGB",
            icc=image.info.get("icc_profile") or None,
            in_profile_colors=True,
            metadata=metadata,
        )


def _open(path: Path) -> PillowImageFile.ImageFile:
    return Image.open(io.BytesIO(path.read_bytes()), formats=formats_to_try(path))


def _check_cover(image: PillowImageFile.ImageFile) -> None:
    """Check that Pillow decodes the values of an image exactly as the file stores them, one byte each."""
    if image.format in ("JPEG", "MPO") or image.info.get("compression") in ("jpeg", "tiff_jpeg"):
        raise DataError(
            f"a JPEG cannot carry a message, because {LOSSY}: give a PNG of an image that was never a JPEG"
        )
    if image.format not in LOSSLESS_FORMATS:
        raise DataError(f"{image.format} is not one of {', '.join(LOSSLESS_FORMATS)}: convert it to PNG")
    if getattr(image, "n_frames", 1) > 1:
        raise DataError("it has several frames or pages: save one of them as a PNG")
    if image.mode in ("P", "PA"):
        raise DataError(
            "it has a palette, in which the next value may be any other colour: convert it to RGB"
        )
    if image.mode in ("L", "RGB") and image.has_transparency_data:
        raise DataError(
            "it has a transparent colour (tRNS), which a change by 1 would show: convert it to RGBA"
        )
    if image.format == "TIFF" and orientation(image) != 1:  # Pillow always turns a TIFF upright.
        raise DataError("it is a TIFF with an EXIF orientation: save it as a PNG")
    for codec, _, _, decoding in image.tile:
        if codec.startswith("ppm"):
            raise DataError("its values are text, or its white is not 255: convert it to an 8-bit PNG")
        raw_mode = str(decoding[0] if isinstance(decoding, tuple) else decoding)
        if raw_mode not in BYTE_MODES:
            kind = "16 bits for each value" if ";16" in raw_mode else f"values of the kind {raw_mode!r}"
            raise DataError(
                f"it has {kind}, and messages are hidden in 8-bit gray or RGB: convert it to an 8-bit PNG"
            )
