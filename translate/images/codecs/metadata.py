"""The metadata of image files: apply the EXIF orientation, and collect what is written again."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
from PIL import Image, TiffImagePlugin

from translate.images.frame import Array, Frame

# Tags of EXIF and TIFF. The last three point to inner IFDs (image file directories, which are lists of tags).
ORIENTATION, XMP, EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x0112, 0x02BC, 0x8769, 0x8825, 0xA005
# The tags of the first IFD that are written again: description, maker, model, software, date, artist and
# copyright. The others describe how the pixels were stored, or are a thumbnail of the original pixels.
KEPT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if it is missing or damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
        return value if value in range(1, 9) else 1
    except Exception:  # Damaged EXIF raises almost anything, but the pixels can still be read.
        return 1


def turn_upright(frame: Frame, exif_orientation: int) -> Frame:
    """Rotate and mirror an image that is stored with this EXIF orientation, so that it is upright."""
    alpha = None if frame.alpha is None else _turn(frame.alpha, exif_orientation)
    return Frame(pixels=_turn(frame.pixels, exif_orientation), alpha=alpha)


def _turn(pixels: Array, exif_orientation: int) -> Array:
    """Turn an (H, W) or (H, W, C) array with this EXIF orientation upright."""
    turns = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }
    return np.ascontiguousarray(turns[exif_orientation](pixels))


def collect_metadata(
    read_exif: Callable[[], Image.Exif], info: Mapping[str | tuple[int, int], Any], *, everything: bool
) -> dict[str, Any]:
    """Collect the metadata that is written again: `exif`, without orientation and thumbnail, and `dpi`.

    Args:
        read_exif: returns the EXIF of the file; it may raise.
        info: the `info` of a PIL image, of which `dpi` and `xmp` are used.
        everything: also collect `xmp` and the GPS position in `exif`.
    """
    metadata: dict[str, Any] = {}
    try:
        source, exif = read_exif(), Image.Exif()
        exif.update(_first_ifd_tags(source))
        for code, content in _inner_ifds(source, GPS_IFD if everything else None).items():
            exif.get_ifd(code).update(content)
            exif[code] = exif.get_ifd(code)
        if len(exif):
            metadata["exif"] = exif.tobytes()
    except (
        Exception
    ):  # Damaged EXIF raises almost anything; it is left out, and the image is written without.
        metadata.pop("exif", None)
    dpi = info.get("dpi")
    if isinstance(dpi, tuple) and all(1 < float(value) < 65536 for value in dpi):
        metadata["dpi"] = tuple(float(value) for value in dpi)
    xmp = info.get("xmp")
    if everything and isinstance(xmp, bytes):
        # The image is upright now, so the orientation in XMP must say so.
        metadata["xmp"] = re.sub(rb'(tiff:Orientation(?:="|>))[1-8]', rb"\g<1>1", xmp)
    return metadata


def parse_exif(block: bytes) -> tuple[dict[int, Any], dict[int, dict[int, Any]]]:
    """Parse an EXIF block of `collect_metadata` for a TIFF: the tags of the first IFD, and the inner IFDs."""
    exif = Image.Exif()
    exif.load(block)
    return _first_ifd_tags(exif), _inner_ifds(exif, GPS_IFD)


def add_ifds(file: IO[bytes], ifds: Mapping[int, Mapping[int, Any]]) -> None:
    """Add inner IFDs, by the tag that points to each, to the first page of a TIFF that was just written.

    Pillow writes none into a compressed TIFF, and tifffile writes none at all.
    """
    if not ifds:
        return
    file.seek(0)
    head = file.read(8)
    order = "<" if head.startswith(b"II") else ">"
    file.seek(*struct.unpack(order + "4xI", head))
    (count,) = struct.unpack(order + "H", file.read(2))
    entries = [file.read(12) for _ in range(count)]
    next_ifd = file.read(4)
    for code, content in ifds.items():
        ifd = TiffImagePlugin.ImageFileDirectory_v2(head, group=code)
        for tag, value in content.items():
            ifd[tag] = value
        offset = _seek_end(file)
        file.write(ifd.tobytes(offset))
        entries.append(struct.pack(order + "HHII", code, 4, 1, offset))
    # The first IFD has grown, so write it again at the end of the file and let the header point to it.
    entries.sort(key=lambda entry: struct.unpack_from(order + "H", entry))
    offset = _seek_end(file)
    file.write(struct.pack(order + "H", len(entries)) + b"".join(entries) + next_ifd)
    file.seek(4)
    file.write(struct.pack(order + "I", offset))


def _seek_end(file: IO[bytes]) -> int:
    """Go to the end of a file, pad it to an even offset, and return the offset."""
    if file.seek(0, 2) % 2:
        file.write(b"\0")
    return file.tell()


def _first_ifd_tags(exif: Image.Exif) -> dict[int, Any]:
    """Return the tags of the first IFD that are written again."""
    return _encode_text({tag: exif[tag] for tag in KEPT_TAGS if tag in exif})


def _inner_ifds(exif: Image.Exif, extra: int | None) -> dict[int, dict[int, Any]]:
    """Return the tags of the camera's IFD (exposure, lens) and of one more inner IFD, such as GPS."""
    ifds = {}
    for code in (EXIF_IFD, extra):
        content = dict(exif.get_ifd(code)) if code else {}
        if INTEROP_IFD in content:
            # The value of the tag is an offset in the file that was read; replace it by the IFD itself.
            content[INTEROP_IFD] = dict(exif.get_ifd(INTEROP_IFD))
        if code and content:
            ifds[code] = _encode_text(content)
    return ifds


def _encode_text(tags: dict[int, Any]) -> dict[int, Any]:
    """Encode text that is not ASCII to its original bytes, because Pillow would write question marks."""
    return {
        tag: value.encode("latin-1", "replace") if isinstance(value, str) and not value.isascii() else value
        for tag, value in tags.items()
    }
