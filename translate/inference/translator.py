"""One model, applied to one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from PIL import Image
from torch import nn

from translate.config import ModelConfig
from translate.errors import DataError
from translate.images import Picture, read, to_pixels, to_tensor
from translate.images.picture import Pixels, from_pil, to_pil
from translate.models import Model, pick_device, pick_precision


class Translator:
    """Turns a picture of one kind into the other, at the picture's own size.

    Every picture is translated by itself, so that the answer does not depend on others.

    Args:
        direction: `AtoB` or `BtoA`, by default the model's first.
        device, precision: as the flags of the command line.

    Raises:
        UsageError: the model does not go in that direction, or the machine has no such device.
    """

    def __init__(
        self, model: Model, *, direction: str | None = None, device: str = "auto", precision: str = "auto"
    ) -> None:
        self.config: ModelConfig = model.config
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator: nn.Module = model.generator(direction).to(self.device).eval()

    @overload
    def __call__(self, picture: Path | str | Image.Image) -> Image.Image: ...
    @overload
    def __call__(self, picture: Pixels) -> Pixels: ...

    def __call__(self, picture: Any) -> Any:
        """Translate a path or a PIL image to a PIL image, a (H, W, 3) uint8 array to another.

        Raises:
            DataError: the file is no picture, or the array is of another shape or kind.
        """
        if isinstance(picture, np.ndarray):
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
                raise DataError(f"an array of {picture.shape} {picture.dtype}: give (H, W, 3) uint8")
            return self.pixels(picture)
        source = from_pil(picture) if isinstance(picture, Image.Image) else read(picture)
        return to_pil(self.picture(source))

    def picture(self, picture: Picture) -> Picture:
        """Translate the colours of a picture; its alpha and its profile come along."""
        return Picture(rgb=self.pixels(picture.rgb), alpha=picture.alpha, icc=picture.icc)

    @torch.inference_mode()
    def pixels(self, rgb: Pixels) -> Pixels:
        """(H, W, 3) uint8 -> (H, W, 3) uint8 of the same size."""
        height, width = rgb.shape[:2]
        with self.precision.autocast():
            out = self.generator(to_tensor(pad(rgb, self.config.size_multiple)).to(self.device))
        return to_pixels(out[0, :, :height, :width])


def pad(rgb: Pixels, multiple: int) -> Pixels:
    """Mirror a picture's right and lower edge outwards to the next multiple, in pixels.

    At least eight pixels a side, the least in which a network has anything to mirror itself.
    """
    least = max(multiple, 8)
    extra = [max(least, -(-side // multiple) * multiple) - side for side in rgb.shape[:2]]
    return np.pad(rgb, ((0, extra[0]), (0, extra[1]), (0, 0)), mode="symmetric")
