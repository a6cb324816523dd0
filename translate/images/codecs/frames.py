"""Decode the frames of a file that Pillow has opened: upright, and in sRGB."""

from __future__ import annotations

from PIL import Image

from translate.errors import TranslateError
from translate.images.codecs.failures import describe_error
from translate.images.codecs.limit import check_size
from translate.images.codecs.metadata import orientation, turn_upright
from translate.images.color.profiles import to_srgb
from translate.images.frame import Frame, from_pil

CONVERTED = ("CMYK", "LAB")  # modes that no network takes


def color_mode(image: Image.Image) -> str:
    """Return how an image stores its colours: L, RGB, CMYK or LAB."""
    if image.mode in CONVERTED:
        return image.mode
    return "L" if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16") else "RGB"


def frame_sizes(image: Image.Image, count: int) -> list[tuple[int, int]]:
    """Return width and height of the first `count` frames, by their headers alone."""
    if image.format != "TIFF" or count == 1:
        return [image.size] * count
    sizes = []
    for number in reversed(range(count)):
        image.seek(number)
        sizes.append(image.size)
    return sizes


def decode_frames(
    image: Image.Image, count: int, icc: bytes | None, max_pixels: int
) -> tuple[list[Frame], list[float], str]:
    """Decode the first `count` frames.

    Returns:
        The frames; how long each is shown, in milliseconds; what is damaged of later ones, in words.

    Raises:
        DataError: the frames hold more than `max_pixels` in all.
    """
    frames: list[Frame] = []
    times: list[float] = []
    for number in range(count):
        try:
            image.seek(number)
            if image.mode not in ("P", "PA"):
                image.palette = None  # Pillow 12 keeps the palette of another page, and fails on it
            check_size([image.size, *(frame.size for frame in frames)], max_pixels)  # a GIF's may grow
            image.load()
            frames.append(decode_frame(image, icc))
        except TranslateError:
            raise
        except Exception as error:  # the decoders raise almost anything on a hostile file
            if not frames:
                raise
            return frames, times, f"only {number} of {count} frames can be read: {describe_error(error)}"
        times.append(image.info.get("duration", 0))
    return frames, times, ""


def decode_frame(image: Image.Image, icc: bytes | None) -> Frame:
    """Convert the loaded frame of a file from the colours of its profile to sRGB, and turn it upright."""
    turn = orientation(image)
    if image.mode in CONVERTED:
        frame = from_pil(to_srgb(image, icc))
    else:
        frame = from_pil(image)
        if icc and not frame.deep:
            gray = frame.pixels.shape[2] == 1
            flat = Image.fromarray(frame.pixels[..., 0] if gray else frame.pixels)
            frame = Frame(pixels=from_pil(to_srgb(flat, icc)).pixels, alpha=frame.alpha)
    return turn_upright(frame, turn)
