"""Apply a model to one image: what the predictors of all kinds share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.errors import UsageError
from translate.images import Array, Frame, ImageFile, image_file_to_pil, to_tensor
from translate.inference.predictors.conversions import as_file, from_array, from_tensor, to_array, with_hole
from translate.inference.runtime.runner import Runner
from translate.models import Model

Progress = Callable[[float], None]  # is called with the share of a large image that is done, in (0, 1]

MAX_SATURATION = 10  # beyond it all colours lie outside of sRGB
MIN_TILE = 32  # pixels a side


def ignore_progress(share: float) -> None:
    """Report nothing."""


class Predictor(ABC):
    """A model that is applied to one image at a time, at the image's own size and depth.

    The answer for an image does not depend on the images before it or beside it. Any number of threads may
    call one predictor at once.

    Args:
        runner: runs one of the model's generators.
        tile: `auto` cuts images that would take too much memory; `off` cuts none; a number is the
            side of each tile, in pixels.
        saturation: factor of the chroma, for a model that colours.

    Attributes:
        config: what the model knows of itself.
        direction: the name of the route that it goes.
        fingerprint: a name for what the model computes.
        needs_mask: whether each image comes with a hole to fill.
        native_colors: whether files are to be read in their own colours rather than in sRGB.
        auto_engine: which engine is best for this kind of model; `auto` is the quickest.

    Raises:
        UsageError: the model's channels are not those of its kind, or the tile or the saturation is none.
    """

    needs_mask: ClassVar[bool] = False
    native_colors: ClassVar[bool] = False
    auto_engine: ClassVar[str] = "auto"
    has_saturation: ClassVar[bool] = False
    channels: ClassVar[Sequence[tuple[int, int]]]  # in and out, that a model of this kind may have
    channels_rule: ClassVar[str]

    def __init__(
        self, model: Model, runner: Runner, *, tile: str | int = "auto", saturation: float = 1.0
    ) -> None:
        self.check_channels(model.config)
        self.config: ModelConfig = model.config
        self.runner = runner
        self.direction = runner.direction
        self.fingerprint = model.fingerprint()
        self.tile = _parse_tile(tile)
        self.saturation = self._check_saturation(saturation)

    @property
    def generator(self) -> nn.Module:
        """The network: (N, C, H, W) in [-1, 1] -> (N, C', H, W)."""
        return self.runner.generator

    @overload
    def __call__(self, image: Path | str | Image.Image, mask: Any = None) -> Image.Image: ...
    @overload
    def __call__(self, image: Array, mask: Any = None) -> Array: ...
    @overload
    def __call__(self, image: Tensor, mask: Any = None) -> Tensor: ...

    def __call__(self, image: Any, mask: Any = None) -> Any:
        """Apply the model to one image; the answer is of the same kind.

        Args:
            image: a path or a PIL image (a PIL image comes back, of several frames the first, of 16-bit
                colour with 8 bits: a folder's files keep both); an array, (H, W) or (H, W, C) uint8 or
                uint16 of 1 to 4 channels; a tensor, (C, H, W) or (N, C, H, W) in [-1, 1].
            mask: for a model that repairs: a path, a PIL image or an array, white in the hole. Without
                it, what is transparent is filled.

        Raises:
            DataError: the file is no image, or the array or tensor is of another shape or kind.
            UsageError: the model repairs and there is no mask, or there is one and it does not.
        """
        if mask is not None and not self.needs_mask:
            raise UsageError("this model fills no holes: call it without a mask")
        if isinstance(image, Tensor):
            return self._predict_tensor(image, mask)
        if isinstance(image, np.ndarray):
            answer = to_array(self.predict(self._with_hole(from_array(image), mask)))
            return answer[..., 0] if image.ndim == 2 and answer.shape[2] == 1 else answer
        file = as_file(image, native=self.native_colors)
        (file,) = self.predict_files([replace(file, frames=[self._with_hole(file.frames[0], mask)])])
        return image_file_to_pil(file)

    @abstractmethod
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        """Apply the model to one image of any size and depth; its alpha comes along."""

    def predict_batch(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        """Apply the model to images, several in one forward where that changes nothing."""
        return [self.predict(frame, progress) for frame in frames]

    def predict_files(
        self, files: Sequence[ImageFile], progress: Progress = ignore_progress
    ) -> list[ImageFile]:
        """Apply the model to every frame of files; all else in them comes along."""
        frames = iter(self.predict_batch([frame for file in files for frame in file.frames], progress))
        return [replace(file, frames=[next(frames) for _ in file.frames]) for file in files]

    def max_batch_size(self, size: tuple[int, int]) -> int:
        """Return how many images of this width and height go through the network at once."""
        return 1

    def journal_settings(self) -> dict[str, Any]:
        """Return those of its own settings that decide what an image becomes."""
        return {"direction": self.direction, "saturation": self.saturation}

    @classmethod
    def check_channels(cls, config: ModelConfig) -> None:
        """Refuse a model whose channels have no agreed meaning.

        Raises:
            UsageError: naming the channels.
        """
        channels = config.in_channels, config.out_channels
        if channels not in cls.channels:
            raise UsageError(
                f"this model takes {channels[0]} and gives {channels[1]} channels: {cls.channels_rule}"
            )

    def _with_hole(self, frame: Frame, mask: Any) -> Frame:
        return with_hole(frame, mask) if self.needs_mask else frame

    def _predict_tensor(self, x: Tensor, mask: Any) -> Tensor:
        """Apply the model to (C, H, W) or (N, C, H, W) in [-1, 1]; the answer is on the same device."""
        frames = [self._with_hole(frame, mask) for frame in from_tensor(x)]
        out = torch.cat([to_tensor(self.predict(frame).pixels) for frame in frames]).to(x)
        for number, frame in enumerate(frames):
            if frame.hole is not None:  # what is known stays as it was, to the bit
                known = torch.from_numpy(~frame.hole).to(x.device)
                out[number] = torch.where(known, x.reshape(out.shape)[number], out[number])
        return out.reshape(*x.shape[:-3], *out.shape[1:])

    def _check_saturation(self, saturation: float) -> float:
        """Return a factor of the chroma; 1 for a model that does not colour.

        Raises:
            UsageError: it is no such number, or the model does not colour.
        """
        if not isinstance(saturation, (int, float)) or not 0 <= saturation <= MAX_SATURATION:
            raise UsageError(f"saturation is {saturation!r}, but must be a number from 0 to {MAX_SATURATION}")
        if saturation != 1 and not self.has_saturation:
            raise UsageError("this model does not colour: leave saturation out")
        return float(saturation)


def _parse_tile(tile: str | int) -> str | int:
    """Return `auto`, `off`, or the side of a tile in pixels.

    Raises:
        UsageError: it is none of these.
    """
    if tile in ("auto", "off"):
        return tile
    if not str(tile).isdecimal() or not int(tile) >= MIN_TILE:
        raise UsageError(f"tile is {tile!r}, but must be auto, off, or a side of at least {MIN_TILE} pixels")
    return int(tile)
