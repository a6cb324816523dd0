"""Translate an image from one domain into another, in one piece or in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import fx

from translate.images import Frame
from translate.inference.predictors.base import Predictor, Progress, ignore_progress
from translate.inference.predictors.canvas import Canvas
from translate.inference.predictors.statistics import trace_norms
from translate.inference.predictors.tiling import TiledNetwork, Tiling, plan_tiles, predict_tiled
from translate.inference.runtime.memory import memory_limits
from translate.inference.runtime.runner import Runner
from translate.models import Model

MAX_BATCH_PIXELS = 2**20  # of all images of one forward


class TranslationPredictor(Predictor):
    """Turns an image of one domain into one of another."""

    channels = ((1, 1), (1, 3), (3, 1), (3, 3))
    channels_rule = "images have 1 (gray) or 3 (RGB)"

    def __init__(
        self, model: Model, runner: Runner, *, tile: str | int = "auto", saturation: float = 1.0
    ) -> None:
        super().__init__(model, runner, tile=tile, saturation=saturation)
        self._limits = memory_limits(self.runner.device)
        self._batch_is_exact: dict[torch.Size, bool] = {}

    def max_batch_size(self, size: tuple[int, int]) -> int:
        return max(1, min(self.runner.max_batch_size, MAX_BATCH_PIXELS // (size[0] * size[1])))

    @torch.inference_mode()
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        canvas, exact = self._canvas(frame), frame.deep
        tiling = self._tiling(canvas)
        if tiling is None:
            return canvas.to_frame(self.runner(canvas.whole(), exact=exact)[0])
        network = TiledNetwork(
            self.runner.module(exact), self._norm_graph, self.config.out_channels, self.runner.device
        )
        with self.runner.arithmetic(exact).autocast():
            pixels = predict_tiled(canvas, tiling, network, progress)
        return Frame(pixels=pixels, alpha=frame.alpha)

    def predict_batch(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        done: list[Frame] = []
        while len(done) < len(frames):
            group = self._first_group(frames[len(done) :])
            fits = len(group) > 1 and self._tiling(self._canvas(group[0])) is None
            done += self._predict_group(group) if fits else [self.predict(group[0], progress)]
        return done

    @torch.inference_mode()
    def _predict_group(self, frames: Sequence[Frame]) -> list[Frame]:
        """Run images of one size in one forward, unless one by itself would come out otherwise."""
        canvases = [self._canvas(frame) for frame in frames]
        windows = torch.cat([canvas.whole() for canvas in canvases])
        if not self._is_exact_in_batch(windows.shape):
            return [self.predict(frame) for frame in frames]
        return [canvas.to_frame(out) for canvas, out in zip(canvases, self.runner(windows), strict=True)]

    def _is_exact_in_batch(self, shape: torch.Size) -> bool:
        """Return whether the images of a batch come out as they do one by one, tried once for each shape.

        Noise is tried, not the images at hand: of some, a black frame say, both are equal by chance.
        """
        if shape not in self._batch_is_exact:
            noise = 2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1
            out = self.runner(noise)
            self._batch_is_exact[shape] = all(
                torch.equal(out[n], self.runner(noise[[n]])[0]) for n in (0, -1)
            )
        return self._batch_is_exact[shape]

    def _first_group(self, frames: Sequence[Frame]) -> list[Frame]:
        """Return the first image and those right behind it that fit it: of its size, small, 8 bits deep."""
        first = frames[0]
        group = [first]
        for frame in frames[1 : self.max_batch_size(first.size)]:
            if first.deep or frame.deep or frame.size != first.size:
                break
            group.append(frame)
        return group

    def _canvas(self, frame: Frame) -> Canvas:
        return Canvas(frame, self.config.size_multiple, self.config.in_channels)

    def _tiling(self, canvas: Canvas) -> Tiling | None:
        exact = canvas.frame.deep or self.runner.engine == "onnxruntime"  # it computes in float32 only
        cost = self.runner.generator.memory_per_pixel(self.runner.arithmetic(exact).dtype.itemsize)
        multiple = self.config.size_multiple
        return plan_tiles(canvas, self.tile, multiple=multiple, cost=cost, limits=self._limits)

    @cached_property
    def _norm_graph(self) -> fx.Graph | None:
        """The network's layers, traced when tiles are first cut; two threads may both do it, alike."""
        return trace_norms(self.runner.generator)
