"""From pictures to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
from PIL import Image, ImageFile, PngImagePlugin

from translate.errors import DataError
from translate.images.color import deep_from_srgb, from_srgb
from translate.images.deep import encode_alpha_bmp, encode_deep_png, encode_deep_ppm, write_deep_tiff
from translate.images.files import picture_name
from translate.images.metadata import XMP, add_directories, parsed
from translate.images.picture import Picture, Pixels, to_pil
from translate.images.reading import ANIMATED, PictureFile, in_words

FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jfif": "JPEG",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".pgm": "PPM",
    ".png": "PNG",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
PART = ".translate-{pid}-{thread}.part"
PARTS = ".translate-*.part"
# What an encoder is told where the original says nothing.
DEFAULTS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 4},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"quality": 90, "method": 4},
}
# Compressions of TIFF that hold 8-bit colours; the others are for black and white.
TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg")
HOLDS_ALPHA = ("GIF", "PNG", "TIFF", "WEBP", "BMP")
HOLDS_DEPTH = ("PNG", "PPM", "TIFF")
HOLDS_ICC = ("JPEG", "PNG", "TIFF", "WEBP")
LARGEST_SEGMENT = 65000  # of a JPEG, in bytes; longer EXIF or XMP is left behind

_lock = threading.Lock()


def write_rgb(pixels: Pixels, path: Path) -> None:
    """Write (H, W, 3) uint8 in the format of the path's suffix.

    Raises:
        DataError: the disk is full, the folder cannot be written, the suffix is unknown.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(sorted(FORMATS))
        raise DataError(f"{picture_name(path)}: cannot write this format: use {known}")
    write(PictureFile(format=kind, frames=[Picture(pixels=pixels)]), path)


def write(file: PictureFile, path: Path, *, finished: Callable[[Path], None] | None = None) -> None:
    """Write a file in its format, under a temporary name first.

    What the format cannot hold is brought to what it can: 16 bits to 8 and transparency onto
    white in a JPEG, floats to 16 bits in a PNG, CMYK to RGB in a PNG.

    Args:
        finished: is given the whole file under its temporary name, before it takes its own.

    Raises:
        DataError: the disk is full, the folder cannot be written, the format cannot hold the frames.
    """
    # The picture's own name may be as long as a name can be: the temporary one does not build on it.
    part = path.parent / PART.format(pid=os.getpid(), thread=threading.get_ident())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w+b") as stream:  # pages are added to a TIFF by reading what is there
            _encode(file, stream)
        if finished:
            finished(part)
        part.replace(path)
    except DataError as error:
        raise DataError(f"{picture_name(path)}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # the encoders raise almost anything, too: struct.error for a side too long
        raise DataError(f"{picture_name(path)}: cannot be written: {in_words(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def remove_stale_parts(folder: Path) -> None:
    """Remove the temporary files that processes left there which are no more."""
    for part in folder.glob(PARTS):
        pid = part.name.split("-")[1]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            part.unlink(missing_ok=True)


def to_image(file: PictureFile) -> Image.Image:
    """The first frame as a PIL image, in the file's own colours and with its profile.

    PIL has no 16-bit colour: such a frame comes back with 8 bits a channel.
    """
    frame = file.frames[0]
    if frame.pixels.dtype == np.uint16 and frame.pixels.shape[2] == 1 and frame.alpha is None:
        return to_pil(frame)
    image, icc = _image(file, frame, "TIFF")
    if icc:
        image.info["icc_profile"] = icc
    return image


def _encode(file: PictureFile, stream: IO[bytes]) -> None:
    if len(file.frames) > 1 and file.format not in (*ANIMATED, "TIFF"):
        raise DataError(
            f"{len(file.frames)} frames, of which {file.format} holds one: use --format png or webp"
        )
    if any(frame.deep for frame in file.frames) and file.format in HOLDS_DEPTH:
        _encode_deep(file, stream)
    elif file.format == "BMP" and file.frames[0].alpha is not None:
        stream.write(encode_alpha_bmp(file.frames[0].in_bits(np.uint8)))
    else:
        _encode_by_pillow(file, stream)


def _encode_deep(file: PictureFile, stream: IO[bytes]) -> None:
    profiles = [_profile(file, "L" if frame.pixels.shape[2] == 1 else "RGB") for frame in file.frames]
    frames = file.frames
    if not file.native:
        frames = [_unmanaged(frame, icc) for frame, icc in zip(file.frames, profiles, strict=True)]
    if file.format == "TIFF":
        write_deep_tiff(frames, stream, profiles, file.settings, file.metadata)
        return
    picture = frames[0].in_bits(np.uint16)
    if file.format == "PNG":
        stream.write(encode_deep_png(picture, profiles[0], file.metadata))
    else:
        stream.write(encode_deep_ppm(picture.on_white()))


def _unmanaged(picture: Picture, icc: bytes | None) -> Picture:
    """A deep picture in the colours of the profile: in floats, where it changes anything."""
    return picture.recolored(deep_from_srgb(picture.pixels, icc)) if picture.deep else picture


def _encode_by_pillow(file: PictureFile, stream: IO[bytes]) -> None:
    images, profiles = zip(*(_image(file, frame, file.format) for frame in file.frames), strict=True)
    options = {**DEFAULTS.get(file.format, {}), **ENCODERS.get(file.format, _plain)(file, images)}
    options |= METADATA.get(file.format, _no_metadata)(file.metadata)
    if file.format in HOLDS_ICC:
        options["icc_profile"] = profiles[0]
        for image, icc in zip(images, profiles, strict=True):
            image.encoderinfo = {"icc_profile": icc}  # of a TIFF's pages, each has its own
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
        _, directories = parsed(file.metadata["exif"])
        add_directories(stream, directories)


@contextlib.contextmanager
def _large_block(image: Image.Image) -> Iterator[None]:
    """Let Pillow encode a JPEG in a larger block than it guesses, which is too small for much noise."""
    with _lock:
        usual, ImageFile.MAXBLOCK = ImageFile.MAXBLOCK, 6 * image.width * image.height + 65536
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = usual


def _mode(file: PictureFile, picture: Picture, kind: str) -> str:
    """The mode that a frame is written in."""
    if picture.pixels.shape[2] == 1:
        return "L"
    holds = {"CMYK": ("JPEG", "TIFF"), "LAB": ("TIFF",)}.get(file.mode, ())
    return file.mode if kind in holds and picture.alpha is None else "RGB"


def _profile(file: PictureFile, mode: str) -> bytes | None:
    """The file's profile, where it is one for this mode."""
    return file.icc if mode == file.mode else None


def _image(file: PictureFile, picture: Picture, kind: str) -> tuple[Image.Image, bytes | None]:
    """A frame as the image that is saved, and the profile that goes with it."""
    if kind not in HOLDS_ALPHA:
        picture = picture.on_white()
    mode = _mode(file, picture, kind)
    icc = _profile(file, mode)
    picture = picture.in_bits(np.uint8)
    image = to_pil(Picture(pixels=picture.pixels))
    if not file.native:
        image = from_srgb(image, icc, mode)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return (_palette(image) if kind == "GIF" else image), icc


def _palette(image: Image.Image) -> Image.Image:
    """256 colours of the picture's own; with transparency 255 and one for what is not to be seen."""
    if image.mode == "L":
        return image
    if "A" not in image.getbands():
        return image.convert("RGB").quantize(256)
    alpha = np.asarray(image.getchannel("A"))
    indices = image.convert("RGB").quantize(255)
    seen = np.where(alpha >= 128, np.asarray(indices), 255).astype(np.uint8)
    out = Image.fromarray(seen).convert("P")
    palette = (indices.getpalette() or [])[: 255 * 3]
    out.putpalette(palette + [0] * (256 * 3 - len(palette)))
    out.info["transparency"] = 255
    return out


Images = Sequence[Image.Image]


def _plain(file: PictureFile, images: Images) -> dict[str, Any]:
    return {}


def _jpeg(file: PictureFile, images: Images) -> dict[str, Any]:
    if "qtables" not in file.settings:
        return {}
    return {**file.settings, "quality": -1}


def _tiff(file: PictureFile, images: Images) -> dict[str, Any]:
    known = file.settings.get("compression")
    if known not in TIFF_COMPRESSIONS:
        return {}
    if known != "jpeg":
        return {"compression": known}
    holds = not any("A" in image.getbands() for image in images)
    return {"compression": known, "quality": 95} if holds else {}


def _png(file: PictureFile, images: Images) -> dict[str, Any]:
    if len(images) == 1:
        return {}
    options = {**_animation(file, images), "disposal": [0]}
    for before, image in pairwise(images):  # Pillow drops one that is like the one before, disposal and all
        options["disposal"].append(1 - options["disposal"][-1] if image == before else 0)
    if options.get("default_image"):  # which is shown by those only that know no animations
        for name in ("duration", "disposal"):
            options[name] = options[name][1:] if name in options else 0
    return {**options, "blend": 0}  # every frame is whole: none shows what lay before it


def _gif(file: PictureFile, images: Images) -> dict[str, Any]:
    return {} if len(images) == 1 else {**_animation(file, images), "disposal": 2}


def _webp(file: PictureFile, images: Images) -> dict[str, Any]:
    lossless = bool(file.settings.get("lossless"))  # and then what is transparent keeps its colour
    return {**_animation(file, images), "lossless": lossless, "exact": lossless}


def _animation(file: PictureFile, images: Images) -> dict[str, Any]:
    if len(images) == 1:
        return {}
    names = ("duration", "loop", "default_image")
    return {name: file.settings[name] for name in names if name in file.settings}


ENCODERS: dict[str, Callable[[PictureFile, Images], dict[str, Any]]] = {
    "GIF": _gif,
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WEBP": _webp,
}


def _no_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _dpi_only(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"dpi": metadata["dpi"]} if "dpi" in metadata else {}


def _jpegs(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if len(value) < LARGEST_SEGMENT}


def _pngs(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: metadata[name] for name in ("exif", "dpi") if name in metadata}
    if "xmp" in metadata:
        kept["pnginfo"] = PngImagePlugin.PngInfo()
        kept["pnginfo"].add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata["xmp"])
    return kept


def _tiffs(metadata: Mapping[str, Any]) -> dict[str, Any]:
    tags, _ = parsed(metadata["exif"]) if "exif" in metadata else ({}, {})
    return {**_dpi_only(metadata), "tiffinfo": tags | ({XMP: metadata["xmp"]} if "xmp" in metadata else {})}


def _webps(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {n: metadata[n].removeprefix(b"Exif\0\0") for n in ("exif", "xmp") if n in metadata}


METADATA: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "BMP": _dpi_only,
    "JPEG": _jpegs,
    "PNG": _pngs,
    "TIFF": _tiffs,
    "WEBP": _webps,
}
