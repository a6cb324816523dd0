"""The class of an open image file whose frames are decoded one after the other."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from translate.images.frame import Frame
from translate.images.image_file import ImageFile


@dataclass
class FrameStream:
    """The frames of an open image file, of which one at a time is decoded, so that memory stays bounded.

    Attributes:
        file: the file without its frames. The durations of an animation grow with the frames.
        frames: yields each frame once, and returns why the last ones could not be read, or "".
        sizes: width and height of each frame, by the headers.
        high_bit_depth: whether any frame has more than 8 bits a channel.
        damage: why the last frames could not be read; known after the iteration.
    """

    file: ImageFile
    frames: Generator[Frame, None, str]
    sizes: list[tuple[int, int]]
    high_bit_depth: bool = False
    damage: str = ""

    @classmethod
    def from_file(cls, file: ImageFile) -> FrameStream:
        """Return the frames of a file that is in memory."""

        def frames() -> Generator[Frame, None, str]:
            yield from file.frames
            return file.damage

        high_bit_depth = any(frame.high_bit_depth for frame in file.frames)
        sizes = [frame.size for frame in file.frames]
        return cls(replace(file, frames=[]), frames(), sizes, high_bit_depth)

    def __iter__(self) -> Generator[Frame, None, None]:
        self.damage = yield from self.frames

    @property
    def pixels(self) -> int:
        """Return the number of pixels of all frames."""
        return sum(width * height for width, height in self.sizes)

    def halve(self, side: str) -> FrameStream:
        """Return the `left` or the `right` half of each frame."""

        def frames() -> Generator[Frame, None, str]:
            for frame in self:
                yield frame.half(side)
            return self.damage

        return replace(
            self, frames=frames(), sizes=[(max(1, width // 2), height) for width, height in self.sizes]
        )

    def read(self) -> ImageFile:
        """Decode all frames, and return the complete file."""
        frames = list(self)
        return replace(self.file, frames=frames, damage=self.damage)
