"""The metadata of image files: which way is up, and which of the rest is written again."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
from PIL import Image, TiffImagePlugin

from translate.images.frame import Array, Frame

ORIENTATION, XMP, EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x0112, 0x02BC, 0x8769, 0x8825, 0xA005
# Description, maker, model, software, date, artist, copyright: all else in the first directory
# tells how the pixels were stored, or is a thumbnail of what they were.
DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none or it is damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
        return value if value in range(1, 9) else 1
    except Exception:  # damaged EXIF raises almost anything; the pixels are sound all the same
        return 1


def turn_upright(frame: Frame, exif_orientation: int) -> Frame:
    """Turn an image that is stored with this EXIF orientation as it is to be seen."""
    alpha = None if frame.alpha is None else _turn(frame.alpha, exif_orientation)
    return Frame(pixels=_turn(frame.pixels, exif_orientation), alpha=alpha)


def _turn(pixels: Array, exif_orientation: int) -> Array:
    """Turn (H, W) or (H, W, C) by an EXIF orientation, 1 to 8."""
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
    """Collect what is written again: `exif` without orientation and thumbnail, and `dpi`.

    Args:
        read_exif: returns that of the file; it may raise.
        info: with `dpi` and `xmp`, as Pillow's images have it.
        everything: collect GPS and `xmp`, too.
    """
    found: dict[str, Any] = {}
    try:
        source, exif = read_exif(), Image.Exif()
        exif.update(_tags(source))
        for code, content in _directories(source, GPS_IFD if everything else None).items():
            exif.get_ifd(code).update(content)
            exif[code] = exif.get_ifd(code)
        if len(exif):
            found["exif"] = exif.tobytes()
    except Exception:  # damaged EXIF, as above: it is left out, and the pixels are written all the same
        found.pop("exif", None)
    dpi = info.get("dpi")
    if isinstance(dpi, tuple) and all(1 < float(value) < 65536 for value in dpi):
        found["dpi"] = tuple(float(value) for value in dpi)
    xmp = info.get("xmp")
    if everything and isinstance(xmp, bytes):
        found["xmp"] = re.sub(rb'(tiff:Orientation(?:="|>))[1-8]', rb"\g<1>1", xmp)
    return found


def parse_exif(block: bytes) -> tuple[dict[int, Any], dict[int, dict[int, Any]]]:
    """Return the tags and the inner directories of an EXIF block of `collect_metadata`, for a TIFF."""
    exif = Image.Exif()
    exif.load(block)
    return _tags(exif), _directories(exif, GPS_IFD)


def add_directories(file: IO[bytes], directories: Mapping[int, Mapping[int, Any]]) -> None:
    """Add these inner directories to the first page of a TIFF that has just been written.

    Pillow writes none into a compressed TIFF, and tifffile none at all.
    """
    if not directories:
        return
    file.seek(0)
    head = file.read(8)
    order = "<" if head.startswith(b"II") else ">"
    file.seek(*struct.unpack(order + "4xI", head))
    (count,) = struct.unpack(order + "H", file.read(2))
    entries = [file.read(12) for _ in range(count)]
    following = file.read(4)
    for code, content in directories.items():
        directory = TiffImagePlugin.ImageFileDirectory_v2(head, group=code)
        for tag, value in content.items():
            directory[tag] = value
        place = _end(file)
        file.write(directory.tobytes(place))
        entries.append(struct.pack(order + "HHII", code, 4, 1, place))
    entries.sort(key=lambda entry: struct.unpack_from(order + "H", entry))
    place = _end(file)
    file.write(struct.pack(order + "H", len(entries)) + b"".join(entries) + following)
    file.seek(4)
    file.write(struct.pack(order + "I", place))


def _end(file: IO[bytes]) -> int:
    """Go to the end of a file, filled up to an even position, and return it."""
    if file.seek(0, 2) % 2:
        file.write(b"\0")
    return file.tell()


def _tags(exif: Image.Exif) -> dict[int, Any]:
    """Return the tags of the first directory that are written again."""
    return _in_bytes({tag: exif[tag] for tag in DESCRIPTIVE if tag in exif})


def _directories(exif: Image.Exif, more: int | None) -> dict[int, dict[int, Any]]:
    """Return the camera's directory, and one more."""
    found = {}
    for code in (EXIF_IFD, more):
        content = dict(exif.get_ifd(code)) if code else {}
        if INTEROP_IFD in content:  # the tag itself is the position in the file that was read
            content[INTEROP_IFD] = dict(exif.get_ifd(INTEROP_IFD))
        if code and content:
            found[code] = _in_bytes(content)
    return found


def _in_bytes(tags: dict[int, Any]) -> dict[int, Any]:
    """Return text as it was stored: Pillow writes a question mark for each letter that is not ASCII."""
    return {
        tag: value.encode("latin-1", "replace") if isinstance(value, str) and not value.isascii() else value
        for tag, value in tags.items()
    }
