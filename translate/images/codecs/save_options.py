"""Choose the options of Pillow's `Image.save`: how to encode each format, and which metadata to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from PIL import Image, PngImagePlugin

from translate.images.codecs.metadata import XMP, parse_exif
from translate.images.image_file import ImageFile

Images = Sequence[Image.Image]

# The options for an image whose original file gives none.
DEFAULTS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 4},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"quality": 90, "method": 4},
}
# Compressions of TIFF for 8 bits a channel; the others are for black and white.
TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg")
MAX_JPEG_SEGMENT = 65000  # Limit on EXIF and XMP in a JPEG, in bytes; longer metadata is left out.


def save_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the options of `Image.save` that encode a file as its original was, with its metadata.

    Args:
        images: the frames, converted to the PIL images that are saved.
    """
    options = {**DEFAULTS.get(file.format, {}), **ENCODERS.get(file.format, _no_options)(file, images)}
    return options | METADATA.get(file.format, _no_metadata)(file.metadata)


def _no_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return no options, for formats that can be encoded in one way only."""
    return {}


def _jpeg_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the quantization tables, chroma subsampling and Huffman coding of the original JPEG."""
    if "qtables" not in file.encoder_settings:
        return {}
    return {**file.encoder_settings, "quality": -1}


def _tiff_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the compression of the original TIFF, if it can hold the frames."""
    compression = file.encoder_settings.get("compression")
    if compression not in TIFF_COMPRESSIONS:
        return {}
    if compression != "jpeg":
        return {"compression": compression}
    has_alpha = any("A" in image.getbands() for image in images)
    return {} if has_alpha else {"compression": compression, "quality": 95}


def _png_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the animation settings of a PNG in which each frame replaces the one before."""
    if len(images) == 1:
        return {}
    options = {**_animation_options(file, images), "disposal": [0]}
    # Pillow drops a frame that equals the one before it and has the same disposal, so alternate the disposal.
    for before, image in pairwise(images):
        options["disposal"].append(1 - options["disposal"][-1] if image == before else 0)
    if options.get("default_image"):  # The first image is for programs that do not show animations.
        for name in ("duration", "disposal"):
            options[name] = options[name][1:] if name in options else 0
    return {**options, "blend": 0}  # With blend 0, a frame replaces all pixels of the frame before it.


def _gif_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the animation settings of a GIF; disposal 2 clears each frame before the next one."""
    return {} if len(images) == 1 else {**_animation_options(file, images), "disposal": 2}


def _tga_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the run-length encoding of the original TGA, if it had one."""
    return {"compression": file.encoder_settings.get("compression")}


def _webp_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the animation settings of a WebP, lossless if the original was."""
    lossless = bool(file.encoder_settings.get("lossless"))
    # With `exact`, transparent pixels keep their colours.
    return {**_animation_options(file, images), "lossless": lossless, "exact": lossless}


def _animation_options(file: ImageFile, images: Images) -> dict[str, Any]:
    """Return the duration of each frame, the number of loops, and whether there is a default image."""
    if len(images) == 1:
        return {}
    names = ("duration", "loop", "default_image")
    return {name: file.encoder_settings[name] for name in names if name in file.encoder_settings}


ENCODERS: dict[str, Callable[[ImageFile, Images], dict[str, Any]]] = {
    "GIF": _gif_options,
    "JPEG": _jpeg_options,
    "PNG": _png_options,
    "TGA": _tga_options,
    "TIFF": _tiff_options,
    "WEBP": _webp_options,
}


def _no_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return no options, for formats without metadata."""
    return {}


def _dpi_only(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resolution."""
    return {"dpi": metadata["dpi"]} if "dpi" in metadata else {}


def _jpeg_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return all metadata that fits into a segment of a JPEG."""
    return {name: value for name, value in metadata.items() if len(value) < MAX_JPEG_SEGMENT}


def _png_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return EXIF and resolution, and XMP as a text chunk."""
    options = {name: metadata[name] for name in ("exif", "dpi") if name in metadata}
    if "xmp" in metadata:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata["xmp"])
    return options


def _tiff_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resolution, and EXIF and XMP as tags; inner IFDs of EXIF are added after saving."""
    tags, _ = parse_exif(metadata["exif"]) if "exif" in metadata else ({}, {})
    return {**_dpi_only(metadata), "tiffinfo": tags | ({XMP: metadata["xmp"]} if "xmp" in metadata else {})}


def _webp_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return EXIF and XMP, without the prefix that EXIF has in a JPEG."""
    return {n: metadata[n].removeprefix(b"Exif\0\0") for n in ("exif", "xmp") if n in metadata}


METADATA: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "BMP": _dpi_only,
    "JPEG": _jpeg_metadata,
    "PNG": _png_metadata,
    "TIFF": _tiff_metadata,
    "WEBP": _webp_metadata,
}
