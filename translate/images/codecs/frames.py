"""Decode the frames of a file that Pillow has opened, turn them upright and convert them to sRGB."""

from __future__ import annotations

from collections.abc import Generator

from PIL import Image

from translate.errors import TranslateError
from translate.images.codecs.failures import describe_error
from translate.images.codecs.limit import PixelLimit, check_size
from translate.images.codecs.metadata import orientation, turn_upright
from translate.images.color.profiles import to_srgb
from translate.images.frame import Frame, from_pil

# Modes that are always converted to RGB, because networks do not take them.
CONVERTED_MODES = ("CMYK", "LAB")


def color_mode(image: Image.Image) -> str:
    """Return the colour mode of an image: L, RGB, CMYK or LAB; alpha and palettes do not count."""
    if image.mode in CONVERTED_MODES:
        return image.mode
    return "L" if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16") else "RGB"


def frame_sizes(image: Image.Image, count: int) -> list[tuple[int, int]]:
    """Return width and height of the first `count` frames, from their headers without decoding them."""
    if image.format != "TIFF" or count == 1:
        return [image.size] * count
    sizes = []
    for number in reversed(range(count)):
        image.seek(number)
        sizes.append(image.size)
    return sizes


def decode_frames(
    image: Image.Image, count: int, icc: bytes | None, limit: PixelLimit, durations: list[float]
) -> Generator[Frame, None, str]:
    """Decode the first `count` frames one after the other; return why later ones could not be read, or "".

    Args:
        durations: the duration of each frame in milliseconds is appended.

    Raises:
        DataError: the frames have more pixels in total than the limit.
    """
    sizes: list[tuple[int, int]] = []
    pixels = 0
    for number in range(count):
        try:
            image.seek(number)
            if image.mode not in ("P", "PA"):
                # Pillow 12 keeps the palette of an earlier page, which makes loading fail.
                image.palette = None
            # A later frame of a GIF may be larger than the header says, so check the sizes again.
            sizes.append(image.size)
            pixels += image.width * image.height
            if pixels > limit.max_pixels:
                check_size(sizes, limit)
            image.load()
            frame = decode_frame(image, icc)
        except (TranslateError, MemoryError):
            raise
        except Exception as error:  # Decoders raise almost anything on a damaged file.
            if not number:
                raise
            return f"only {number} of {count} frames can be read: {describe_error(error)}"
        durations.append(image.info.get("duration", 0))
        yield frame
    return ""


def decode_frame(image: Image.Image, icc: bytes | None) -> Frame:
    """Convert a loaded PIL image from the colours of its ICC profile to sRGB, and turn it upright.

    Without a profile, L and RGB keep their colours.
    """
    exif_orientation = orientation(image)
    if image.mode in CONVERTED_MODES:
        frame = from_pil(to_srgb(image, icc))
    else:
        frame = from_pil(image)
        if icc and not frame.high_bit_depth:
            gray = frame.pixels.shape[2] == 1
            opaque = Image.fromarray(frame.pixels[..., 0] if gray else frame.pixels)
            frame = Frame(pixels=from_pil(to_srgb(opaque, icc)).pixels, alpha=frame.alpha)
    return turn_upright(frame, exif_orientation)
