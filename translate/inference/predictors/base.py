"""The base class of the predictors: apply a model to one image, and check its settings."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.config.apply import choose_working_size, parse_size, parse_tile
from translate.config.targets import check_target
from translate.config.value_range import ValueRange, format_ranges, parse_ranges
from translate.errors import UsageError
from translate.images import (
    Array,
    Frame,
    ImageFile,
    from_stored_values,
    image_file_to_pil,
    to_stored_values,
    to_tensor,
)
from translate.inference.predictors.conversions import (
    add_hole,
    copy_outside_of_holes,
    frame_from_array,
    frame_to_array,
    frames_from_tensor,
    to_image_file,
)
from translate.inference.runtime.runner import Runner
from translate.models import Model
from translate.progress import Progress, ignore_progress


class Predictor(ABC):
    """A predictor applies a model to one image at a time, at the image's own size and bit depth.

    The output for an image does not depend on the images before it or beside it. Any number of threads may
    call one predictor at the same time.

    Args:
        runner: runs one of the model's generators.
        tile: `auto` splits images that would take too much memory into tiles; `off` splits none; a number is
            the side of each tile's core, in pixels, around which a tile has 64 more pixels of context.
        saturation: the factor of the chroma, for a colorization model.
        alpha: `keep` gives an output the transparency of its image, `drop` makes it opaque.
        value_range: the stored values of black and white, as `--range` gives them; by default, as the model
            was trained.
        size: the working size: `auto` for that of the training, `native` for each image's own size, or the
            shorter side in pixels.

    Attributes:
        config: the content of the model's `config.json`.
        working_size: the shorter side to which a larger image is reduced for the network, in pixels; None if
            the network sees every image at its own size.
        size_note: which size that is and why, as a line for the log; empty if there is nothing to choose.
        direction: the name of the route from source to target, `AtoB`; or the target of
            a model of several domains.
        fingerprint: a hash of the config and the weights.
        needs_mask: whether each image comes with a hole to fill.
        can_tile: whether the predictor splits large images into tiles as `tile` says.
        keep_profile_colors: whether files are read in the colours of their ICC profile rather than in sRGB.
        auto_engine: what the engine `auto` means for this kind of model; `auto` measures which is fastest.

    Raises:
        UsageError: the model's channels do not fit its kind, or the tile or the saturation is out of range.
    """

    needs_mask: ClassVar[bool] = False
    keep_profile_colors: ClassVar[bool] = False
    auto_engine: ClassVar[str] = "auto"
    has_saturation: ClassVar[bool] = False
    has_working_size: ClassVar[bool] = True
    can_tile: ClassVar[bool] = False
    channels: ClassVar[Sequence[tuple[int, int]]]  # The pairs of input and output channels that are allowed.
    channels_rule: ClassVar[str]

    def __init__(
        self,
        model: Model,
        runner: Runner,
        *,
        tile: str | int = "auto",
        saturation: float = 1.0,
        alpha: str = "keep",
        size: str | int = "auto",
        value_range: str | None = None,
    ) -> None:
        self.check_channels(model.config)
        self.config: ModelConfig = model.config
        self.runner = runner
        self.direction = runner.direction
        self.fingerprint = model.fingerprint()
        self.tile = parse_tile(tile)
        self.value_ranges = self.choose_ranges(model.config, runner.direction, value_range)
        self._set_options(saturation, alpha, size)

    def with_options(self, *, saturation: float = 1.0, alpha: str = "keep", size: str | int = "auto") -> Self:
        """Return a predictor that shares this one's network, with other options, as those of the class.

        Raises:
            UsageError: an option does not fit the model.
        """
        other = copy.copy(self)
        other._set_options(saturation, alpha, size)
        return other

    def _set_options(self, saturation: float, alpha: str, size: str | int) -> None:
        self.saturation = self.check_saturation(saturation)
        self.alpha = alpha
        self.working_size, self.size_note = self.choose_size(self.config, size, self.tile)

    @property
    def generator(self) -> nn.Module:
        """Return the network, which maps (N, C, H, W) in [-1, 1] to (N, C', H, W)."""
        return self.runner.generator

    def for_target(self, to: str | None = None) -> Predictor:
        """Return a predictor of the same model with another target, for a model of several domains.

        Raises:
            UsageError: the model has no such target, or it needs one.
        """
        check_target(self.config, None, to)
        return self

    def by_folder(self, to: str | None = None) -> Mapping[str, Predictor]:
        """Return the predictors of the targets that `to` stands for, by the folder of their outputs.

        The folder is one below the output folder; the empty string is the output folder itself.
        """
        return {"": self.for_target(to)}

    @overload
    def __call__(self, image: Path | str | Image.Image, mask: Any = None) -> Image.Image: ...
    @overload
    def __call__(self, image: Array, mask: Any = None) -> Array: ...
    @overload
    def __call__(self, image: Tensor, mask: Any = None) -> Tensor: ...

    def __call__(self, image: Any, mask: Any = None) -> Any:
        """Apply the model to one image; return an image of the same type.

        Args:
            image: a path or a PIL image; an array, (H, W) or (H, W, C) uint8 or uint16 of 1 to 4 channels; a
                tensor, (C, H, W) or (N, C, H, W) in [-1, 1]. A path or a PIL image returns a PIL image: of
                the first frame only, and with 8 bits if it has 16-bit colour. `translate_folder` keeps
                frames and bit depth.
            mask: for an inpainting model: a path, a PIL image or an array, white in the hole. Without a mask,
                the transparent pixels are filled.

        Raises:
            DataError: the file is no image, or the array or tensor has another shape or dtype.
            UsageError: an inpainting model gets no mask, or a model of another kind gets one.
        """
        if mask is not None and not self.needs_mask:
            raise UsageError("this model does not inpaint: call it without a mask")
        if isinstance(image, Tensor):
            return self._predict_tensor(image, mask)
        if isinstance(image, np.ndarray):
            output = frame_to_array(self.apply([self._add_hole(frame_from_array(image), mask)])[0])
            return output[..., 0] if image.ndim == 2 and output.shape[2] == 1 else output
        file = to_image_file(image, keep_profile_colors=self.keep_profile_colors)
        (file,) = self.predict_files([replace(file, frames=[self._add_hole(file.frames[0], mask)])])
        return image_file_to_pil(file)

    def apply(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        """Apply the model to images as they are stored, in their value range and with their alpha.

        Returns:
            The outputs in the value range of the target domain.

        Raises:
            DataError: an image has floats outside 0..1, and neither the model nor `--range` has their range.
        """
        source, target = self.value_ranges
        scaled = [from_stored_values(frame, source) for frame in frames]
        return [to_stored_values(frame, target) for frame in self.apply_scaled(scaled, progress)]

    def apply_scaled(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        """Apply the model to images, of which the network sees the transparent ones on white, as in training.

        Returns:
            The outputs with the alpha of the images; opaque with `alpha="drop"`.
        """
        flat = [frame.flatten_on_white() for frame in frames]
        outputs = self.predict_batch(flat, progress)
        if self.alpha == "drop":
            return outputs
        return [frame.replace_flattened(out.pixels) for frame, out in zip(frames, outputs, strict=True)]

    @abstractmethod
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        """Apply the model to one opaque image of any size and bit depth."""

    def predict_batch(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        """Apply the model to opaque images, as batches if that does not change the outputs."""
        outputs: list[Frame] = []
        for frame in frames:
            outputs.append(self.predict(frame, progress))
            progress(len(outputs) / len(frames))
        return outputs

    def predict_files(
        self, files: Sequence[ImageFile], progress: Progress = ignore_progress
    ) -> list[ImageFile]:
        """Apply the model to every frame of image files; all else in the files stays the same."""
        frames = iter(self.apply([frame for file in files for frame in file.frames], progress))
        return [
            replace(file, frames=[next(frames) for _ in file.frames], value_range=self.value_ranges[1])
            for file in files
        ]

    def max_batch_size(self, size: tuple[int, int]) -> int:
        """Return how many images of this width and height go through the network in one batch."""
        return 1

    def journal_settings(self) -> dict[str, Any]:
        """Return the predictor's settings that change the output, for the journal of a folder."""
        settings: dict[str, Any] = {"direction": self.direction, "saturation": self.saturation}
        # The defaults of an earlier version are left out, so that what it wrote counts as done.
        if self.alpha != "keep":
            settings["alpha"] = self.alpha
        if self.working_size is not None:
            settings["working_size"] = self.working_size
        if any(self.value_ranges):
            settings["range"] = format_ranges(*self.value_ranges)
        return settings

    @classmethod
    def check_channels(cls, config: ModelConfig) -> None:
        """Check that the model's channels have a meaning for its kind.

        Raises:
            UsageError: they have none.
        """
        channels = config.in_channels, config.out_channels
        if channels not in cls.channels:
            raise UsageError(
                f"this model maps {channels[0]} to {channels[1]} channels, and {cls.channels_rule}:"
                " use another model"
            )

    @classmethod
    def choose_ranges(
        cls, config: ModelConfig, direction: str, text: str | None
    ) -> tuple[ValueRange | None, ValueRange | None]:
        """Return the stored values of black and white in the input and in the output.

        Args:
            text: the value of `--range`, which comes before the model's own ranges; None if it is not given.
        """
        if text is not None:
            return parse_ranges(text)
        route = config.routes[direction]
        return config.value_range_of(route.source), config.value_range_of(route.target)

    @classmethod
    def choose_size(cls, config: ModelConfig, size: str | int, tile: str | int) -> tuple[int | None, str]:
        """Return `working_size` and `size_note` for a model.

        Raises:
            UsageError: an option is none of its values, or they do not fit together or the model.
        """
        if cls.has_working_size:
            return choose_working_size(config, parse_size(size), parse_tile(tile))
        if isinstance(parse_size(size), int):
            raise UsageError(f"this model works at each image's own size: leave --size {size} out")
        return None, ""

    @classmethod
    def check_saturation(cls, saturation: float) -> float:
        """Return the factor of the chroma, which is 1 for a model that does not colorize.

        Raises:
            UsageError: it is another, and the model does not colorize.
        """
        if saturation != 1 and not cls.has_saturation:
            raise UsageError("this model does not colorize: leave --saturation out")
        return float(saturation)

    def _add_hole(self, frame: Frame, mask: Any) -> Frame:
        return add_hole(frame, mask) if self.needs_mask else frame

    def _predict_tensor(self, x: Tensor, mask: Any) -> Tensor:
        """Apply the model to (C, H, W) or (N, C, H, W) in [-1, 1]; return the output on the same device."""
        frames = [self._add_hole(frame, mask) for frame in frames_from_tensor(x)]
        out = torch.cat([to_tensor(self.predict(frame).pixels) for frame in frames]).to(x)
        copy_outside_of_holes(x, out, frames)
        return out.reshape(*x.shape[:-3], *out.shape[1:])
