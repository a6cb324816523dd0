"""The options of Pillow's `Image.save` for each format: how to encode, and which metadata to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from PIL import Image, PngImagePlugin

from translate.images.codecs.metadata import XMP, parse_exif
from translate.images.image_file import ImageFile

Images = Sequence[Image.Image]

# The options of an encoder where the original file gives none.
DEFAULTS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 4},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"quality": 90, "method": 4},
}
# Compressions of TIFF that hold 8-bit colours; the others are for black and white.
TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg")
LARGEST_SEGMENT = 65000  # of a JPEG, in bytes; longer EXIF or XMP is left out


def save_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the options of `Image.save` that encode a file as its original was, with its metadata.

    Args:
        images: the frames, as they are saved.
    """
    options = {**DEFAULTS.get(file.format, {}), **ENCODERS.get(file.format, _no_options)(file, images)}
    return options | METADATA.get(file.format, _no_metadata)(file.metadata)


def _no_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return none: the format has no choice of encoding."""
    return {}


def _jpeg(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the quantization tables and the rest of the settings of the original JPEG."""
    if "qtables" not in file.settings:
        return {}
    return {**file.settings, "quality": -1}


def _tiff(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the compression of the original TIFF, if it can hold the frames."""
    compression = file.settings.get("compression")
    if compression not in TIFF_COMPRESSIONS:
        return {}
    if compression != "jpeg":
        return {"compression": compression}
    jpeg_holds_all = not any("A" in image.getbands() for image in images)
    return {"compression": compression, "quality": 95} if jpeg_holds_all else {}


def _png(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return how an animated PNG is played, with frames that are each whole."""
    if len(images) == 1:
        return {}
    options = {**_animation(file, images), "disposal": [0]}
    for before, image in pairwise(images):  # Pillow drops one equal to the one before, with its disposal
        options["disposal"].append(1 - options["disposal"][-1] if image == before else 0)
    if options.get("default_image"):  # shown only by programs without animations
        for name in ("duration", "disposal"):
            options[name] = options[name][1:] if name in options else 0
    return {**options, "blend": 0}  # every frame is whole, so none shows the one before it


def _gif(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return how an animated GIF is played."""
    return {} if len(images) == 1 else {**_animation(file, images), "disposal": 2}


def _webp(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return whether to encode without loss, and how an animated WebP is played."""
    lossless = bool(file.settings.get("lossless"))  # in which case transparent pixels keep their colour
    return {**_animation(file, images), "lossless": lossless, "exact": lossless}


def _animation(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return how an animation is played: duration of each frame, loops, default image."""
    if len(images) == 1:
        return {}
    names = ("duration", "loop", "default_image")
    return {name: file.settings[name] for name in names if name in file.settings}


ENCODERS: dict[str, Callable[[ImageFile, Images], dict[str, Any]]] = {
    "GIF": _gif,
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WEBP": _webp,
}


def _no_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return none: the format holds no metadata."""
    return {}


def _dpi_only(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resolution."""
    return {"dpi": metadata["dpi"]} if "dpi" in metadata else {}


def _jpeg_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return all metadata that fits a segment of a JPEG."""
    return {name: value for name, value in metadata.items() if len(value) < LARGEST_SEGMENT}


def _png_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return EXIF, resolution, and XMP as a text chunk."""
    options = {name: metadata[name] for name in ("exif", "dpi") if name in metadata}
    if "xmp" in metadata:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata["xmp"])
    return options


def _tiff_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return resolution, and tags of EXIF and XMP."""
    tags, _ = parse_exif(metadata["exif"]) if "exif" in metadata else ({}, {})
    return {**_dpi_only(metadata), "tiffinfo": tags | ({XMP: metadata["xmp"]} if "xmp" in metadata else {})}


def _webp_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return EXIF and XMP without the prefix that they have in a JPEG."""
    return {n: metadata[n].removeprefix(b"Exif\0\0") for n in ("exif", "xmp") if n in metadata}


METADATA: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "BMP": _dpi_only,
    "JPEG": _jpeg_metadata,
    "PNG": _png_metadata,
    "TIFF": _tiff_metadata,
    "WEBP": _webp_metadata,
}
