"""The class of an image file as it was read: its frames, and what is needed to write it in the same way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from translate.config.value_range import ValueRange
from translate.images.frame import Frame


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """An image file: its frames, format, ICC profile, encoder settings and metadata.

    Attributes:
        format: Pillow's name of the format: BMP, GIF, JPEG, PNG, PPM, TIFF or WEBP.
        frames: a single image, the frames of an animation, or the pages of a TIFF.
        mode: the colour mode of the file: L, RGB, CMYK or LAB.
        icc: the ICC profile, as bytes.
        in_profile_colors: whether the frames are in the colours of the ICC profile; else they are in sRGB.
        encoder_settings: how the file was encoded: quality, compression, duration of each frame, loops.
        metadata: `exif`, `dpi` and `xmp`, which are written again.
        damage: what could not be read: the last frames, or a band; empty if all could.
        value_range: the values of black and white, if the frames hold stored values that are to be written.
    """

    format: str
    frames: list[Frame]
    mode: str = "RGB"
    icc: bytes | None = None
    in_profile_colors: bool = False
    encoder_settings: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    damage: str = ""
    value_range: ValueRange | None = None

    def profile_for(self, mode: str) -> bytes | None:
        """Return the ICC profile if it describes colours of this mode, else None."""
        return self.icc if mode == self.mode else None
