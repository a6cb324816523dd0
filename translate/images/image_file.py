"""An image file as it was read, with all that writing it again needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from translate.images.frame import Frame


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """The frames of an image file, and all that writing it again as it was must know.

    Attributes:
        format: as Pillow calls it: BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP.
        frames: one image; or those of an animation, or the pages of a TIFF.
        mode: how the file stores its colours: L, RGB, CMYK, LAB.
        icc: its colour profile.
        native: whether the frames are in the colours of that profile, as they were; else they are in sRGB.
        settings: those that its encoder was given: quality, compression, durations.
        metadata: `exif`, `dpi`, `xmp`.
        damage: what could not be read of the later frames, in words.
    """

    format: str
    frames: list[Frame]
    mode: str = "RGB"
    icc: bytes | None = None
    native: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    damage: str = ""

    def profile_for(self, mode: str) -> bytes | None:
        """Return the file's profile if it describes colours of this mode, else None."""
        return self.icc if mode == self.mode else None
