"""One model, applied to one picture of any size, depth and kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.errors import UsageError
from translate.images import (
    MAX_PIXELS,
    Array,
    Picture,
    PictureFile,
    to_image,
    to_tensor,
)
from translate.inference.canvas import Canvas
from translate.inference.coloring import colorize
from translate.inference.filling import fill
from translate.inference.kinds import as_file, from_array, from_tensor, to_array, with_hole
from translate.inference.memory import cost_of, limits
from translate.inference.runner import Runner
from translate.inference.tiling import Tiling, plan_tiles, translate_tiled
from translate.models import Model

if TYPE_CHECKING:
    from translate.inference.folder import Outcome

WORKING_SIZE = 256  # pixels of the shorter side, of models that colour and do not say it
MOST_SATURATION = 10  # beyond which all colours lie outside of sRGB
SMALL = 2**20  # the most pixels that the pictures of one forward have together


class Translator:
    """Turns a picture of one kind into the other, at the picture's own size.

    The answer for a picture does not depend on the pictures before it or beside it.

    Args:
        direction: `AtoB` or `BtoA`, by default the model's first.
        device, precision: as the flags of the command line.
        engine: `auto`, `torch`, `openvino` or `onnxruntime`.
        tile: `auto` cuts pictures that would take too much memory; `off` cuts none; a number is the
            side of each tile, in pixels.
        compile: compile the network first, worth it for hundreds of pictures of one size.
        saturation: of a model that colours: factor of the chroma.

    Attributes:
        progress: is called with the share of a large picture that is done, row by row of its tiles.

    Raises:
        UsageError: the model does not go in that direction, this machine lacks the device or engine, or
            the saturation is none.
    """

    def __init__(
        self,
        model: Model,
        *,
        direction: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        engine: str = "auto",
        tile: str | int = "auto",
        compile: bool = False,
        saturation: float = 1.0,
    ) -> None:
        self.config: ModelConfig = model.config
        self.direction = direction or self.config.directions[0]
        self.fingerprint = model.fingerprint()
        _refuse_channels(self.config)
        self.runner = Runner(
            model, direction, device=device, precision=precision, engine=engine, compile=compile
        )
        self.tile = _tile(tile)
        self.saturation = _saturation(saturation, self.config)
        self._alone: dict[torch.Size, bool] = {}
        self._limits = limits(self.runner.device)
        self.progress: Callable[[float], None] = lambda share: None

    @property
    def generator(self) -> nn.Module:
        """The network: (N, C, H, W) in [-1, 1] -> the same, of the kind that is made."""
        return self.runner.generator

    def room(self, size: tuple[int, int]) -> int:
        """How many pictures of this width and height go through the network at once."""
        return max(1, min(self.runner.together, SMALL // (size[0] * size[1])))

    @overload
    def __call__(self, picture: Path | str | Image.Image, mask: Any = None) -> Image.Image: ...
    @overload
    def __call__(self, picture: Array, mask: Any = None) -> Array: ...
    @overload
    def __call__(self, picture: Tensor, mask: Any = None) -> Tensor: ...

    def __call__(self, picture: Any, mask: Any = None) -> Any:
        """Translate one picture; the answer is of the same kind.

        Args:
            picture: a path or a PIL image (a PIL image comes back, of several frames the first, of 16-bit
                colour with 8 bits: `folder` keeps both); an array, (H, W) or (H, W, C) uint8 or
                uint16 of 1 to 4 channels; a tensor, (C, H, W) or (N, C, H, W) in [-1, 1].
            mask: for a model that repairs: a path, a PIL image or an array, white in the hole. Without
                it, what is transparent is filled.

        Raises:
            DataError: the file is no picture, or the array or tensor is of another shape or kind.
            UsageError: the model repairs and there is no mask, or there is one and it does not.
        """
        if mask is not None and not self.config.mask:
            raise UsageError("this model fills no holes: call it without a mask")
        if isinstance(picture, Tensor):
            return self._tensor(picture, mask)
        if isinstance(picture, np.ndarray):
            answer = to_array(self.picture(self._ready(from_array(picture), mask)))
            return answer[..., 0] if picture.ndim == 2 and answer.shape[2] == 1 else answer
        file = as_file(picture, native=self.config.mask)
        return to_image(self.file(replace(file, frames=[self._ready(file.frames[0], mask)])))

    def folder(
        self,
        inputs: Path | str | Sequence[Path | str],
        out: Path | str,
        *,
        format: str = "keep",
        keep_metadata: bool = False,
        overwrite: bool = False,
        max_pixels: int = MAX_PIXELS,
        workers: int = 2,
        mask: Path | str | None = None,
        invert: bool = False,
        dilate: int = 0,
    ) -> list[Outcome]:
        """Translate files and whole folders; their tree is kept below `out`. One outcome a picture.

        Args:
            format: `keep`, `png`, `jpg` or `webp`.
            keep_metadata: keep the place (GPS) and XMP, too.
            overwrite: translate again what `out` holds already.
            max_pixels: refuse pictures with more, all frames together.
            workers: threads that read, and as many that write.
            mask: for a model that repairs: one mask for all, or a folder of masks by stem.
            invert: what the mask shows is kept, and all else is filled.
            dilate: pixels by which each hole is enlarged.

        Raises:
            UsageError: an input is missing, a folder holds no picture, or `out` is an input folder.
        """
        from translate.inference.folder import translate_folder
        from translate.inference.masks import Masks

        given = [inputs] if isinstance(inputs, (str, Path)) else inputs
        outcomes = translate_folder(
            self,
            [Path(path) for path in given],
            Path(out),
            format=format,
            keep_metadata=keep_metadata,
            overwrite=overwrite,
            max_pixels=max_pixels,
            workers=workers,
            masks=Masks(Path(mask) if mask is not None else None, invert, dilate),
        )
        return list(outcomes)

    def file(self, file: PictureFile) -> PictureFile:
        """Translate every frame of a file; all else comes along."""
        return self.files([file])[0]

    def files(self, files: Sequence[PictureFile]) -> list[PictureFile]:
        """Translate files, pictures of one size together where that changes nothing."""
        frames = iter(self.pictures([frame for file in files for frame in file.frames]))
        return [replace(file, frames=[next(frames) for _ in file.frames]) for file in files]

    def pictures(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Translate pictures, those of one size together where that changes nothing."""
        done: list[Picture] = []
        while len(done) < len(pictures):
            group = self._alike(pictures[len(done) :])
            together = len(group) > 1 and self._tiling(self._canvas(group[0])) is None
            done += self._batch(group) if together else [self.picture(group[0])]
        return done

    @torch.inference_mode()
    def picture(self, picture: Picture) -> Picture:
        """Translate the colours of one picture; its alpha comes along untouched."""
        multiple, run = self.config.size_multiple, partial(self.runner, exact=picture.deep)
        if self.config.color == "Lab":
            side = self.config.working_size or WORKING_SIZE
            saturation = self.saturation * self.config.saturation
            return colorize(picture, run, side=side, multiple=multiple, saturation=saturation)
        if self.config.mask:
            assert picture.hole is not None
            return fill(picture, picture.hole, run, multiple=multiple, progress=self.progress)
        canvas = self._canvas(picture)
        tiling = self._tiling(canvas)
        if tiling is None:
            return canvas.finished(run(canvas.whole())[0])
        network, channels = self.runner.module(picture.deep), self.config.generator.out_channels
        with self.runner.arithmetic(picture.deep).autocast():
            pixels = translate_tiled(canvas, tiling, network, channels, self.runner.device, self.progress)
        return Picture(pixels=pixels, alpha=picture.alpha)

    @torch.inference_mode()
    def _batch(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Pictures of one size in one forward, unless a picture alone would come out otherwise."""
        canvases = [self._canvas(picture) for picture in pictures]
        windows = torch.cat([canvas.whole() for canvas in canvases])
        out = self.runner(windows)
        if windows.shape not in self._alone:
            self._alone[windows.shape] = not all(
                torch.equal(out[n], self.runner(windows[[n]])[0]) for n in (0, -1)
            )
        if self._alone[windows.shape]:
            return [self.picture(picture) for picture in pictures]
        return [canvas.finished(one) for canvas, one in zip(canvases, out, strict=True)]

    def _alike(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The first picture, and those right behind it that are like it: small, and 8 bits deep."""
        first = pictures[0]
        group = [first]
        for picture in pictures[1 : self.room(first.size)]:
            if first.deep or picture.deep or picture.size != first.size:
                break
            group.append(picture)
        return group

    def _canvas(self, picture: Picture) -> Canvas:
        return Canvas(picture, self.config.size_multiple, self.config.generator.in_channels)

    def _tiling(self, canvas: Canvas) -> Tiling | None:
        exact = canvas.picture.deep or self.runner.engine == "onnxruntime"  # which knows float32 only
        cost = cost_of(self.config.generator, self.runner.arithmetic(exact).dtype)
        multiple = self.config.size_multiple
        return plan_tiles(canvas, self.tile, multiple=multiple, cost=cost, limits=self._limits)

    def _ready(self, picture: Picture, mask: Any) -> Picture:
        return with_hole(picture, mask) if self.config.mask else picture

    def _tensor(self, x: Tensor, mask: Any) -> Tensor:
        """(C, H, W) or (N, C, H, W) in [-1, 1] -> the same kind, on the same device."""
        pictures = [self._ready(picture, mask) for picture in from_tensor(x)]
        out = torch.cat([to_tensor(self.picture(picture).pixels) for picture in pictures]).to(x)
        for number, picture in enumerate(pictures):
            if picture.hole is not None:  # what is known stays as it was, to the bit
                known = torch.from_numpy(~picture.hole).to(x.device)
                out[number] = torch.where(known, x.reshape(out.shape)[number], out[number])
        return out.reshape(*x.shape[:-3], *out.shape[1:])


def _refuse_channels(config: ModelConfig) -> None:
    """Refuse a model of which nobody says what its channels are."""
    if config.noise:
        raise UsageError("this model makes pictures from noise, it translates none: use translate sample")
    channels = config.generator.in_channels, config.generator.out_channels
    if config.color == "Lab":
        known, rule = [(1, 2)], "a model in Lab takes lightness and gives a and b"
    elif config.mask:
        known, rule = [(4, 3)], "a model with a mask takes RGB and the mask and gives RGB"
    else:
        known, rule = [(1, 1), (1, 3), (3, 1), (3, 3)], "pictures have 1 (gray) or 3 (RGB)"
    if channels not in known:
        raise UsageError(f"this model takes {channels[0]} and gives {channels[1]} channels: {rule}")


def _saturation(saturation: float, config: ModelConfig) -> float:
    """A factor of the chroma; 1 for a model that does not colour.

    Raises:
        UsageError: it is no such number, or the model does not colour.
    """
    if not isinstance(saturation, (int, float)) or not 0 <= saturation <= MOST_SATURATION:
        raise UsageError(f"saturation is {saturation!r}, but must be a number from 0 to {MOST_SATURATION}")
    if saturation != 1 and config.color != "Lab":
        raise UsageError("this model does not colour: leave saturation out")
    return float(saturation)


def _tile(tile: str | int) -> str | int:
    """`auto`, `off`, or the side of a tile in pixels.

    Raises:
        UsageError: it is none of these.
    """
    if tile in ("auto", "off"):
        return tile
    if not str(tile).isdecimal() or not int(tile) >= 32:
        raise UsageError(f"tile is {tile!r}, but must be auto, off, or a side of at least 32 pixels")
    return int(tile)
