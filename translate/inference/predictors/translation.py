"""Translate an image from one domain to another, in one piece or in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import fx

from translate.images import Frame
from translate.inference.predictors.base import Predictor, Progress, ignore_progress
from translate.inference.predictors.padding import PaddedImage
from translate.inference.predictors.statistics import trace_norms
from translate.inference.predictors.tiling import TiledNetwork, Tiling, plan_tiles, predict_tiled
from translate.inference.runtime.memory import memory_limits
from translate.inference.runtime.runner import Runner
from translate.models import Model

MAX_BATCH_PIXELS = 2**20  # The maximum number of pixels of all images in one batch.


class TranslationPredictor(Predictor):
    """A predictor that translates an image of one domain to another domain."""

    channels = ((1, 1), (1, 3), (3, 1), (3, 3))
    channels_rule = "only 1 (gray) and 3 (RGB) can be applied"
    can_tile = True

    def __init__(
        self,
        model: Model,
        runner: Runner,
        *,
        tile: str | int = "auto",
        saturation: float = 1.0,
        alpha: str = "keep",
    ) -> None:
        super().__init__(model, runner, tile=tile, saturation=saturation, alpha=alpha)
        self._memory_limits = memory_limits(self.runner.device)
        self._batch_is_exact: dict[torch.Size, bool] = {}

    def max_batch_size(self, size: tuple[int, int]) -> int:
        return max(1, min(self.runner.max_batch_size, MAX_BATCH_PIXELS // (size[0] * size[1])))

    @torch.inference_mode()
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        image, exact = self._pad(frame), frame.high_bit_depth
        tiling = self._plan_tiles(image)
        if tiling is None:
            return image.to_frame(self.runner(image.to_tensor(), exact=exact)[0])
        network = TiledNetwork(
            self.runner.network(exact), self._norm_graph, self.config.out_channels, self.runner.device
        )
        with self.runner.precision_for(exact).autocast():
            pixels = predict_tiled(image, tiling, network, progress)
        return Frame(pixels=pixels)

    def predict_batch(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        outputs: list[Frame] = []
        while len(outputs) < len(frames):
            batch = self._next_batch(frames[len(outputs) :])
            untiled = len(batch) > 1 and self._plan_tiles(self._pad(batch[0])) is None
            outputs += self._predict_in_one_forward(batch) if untiled else [self.predict(batch[0], progress)]
        return outputs

    @torch.inference_mode()
    def _predict_in_one_forward(self, frames: Sequence[Frame]) -> list[Frame]:
        """Run images of one size as a batch, or one by one if a batch would change an output."""
        images = [self._pad(frame) for frame in frames]
        x = torch.cat([image.to_tensor() for image in images])
        if not self._is_exact_in_batch(x.shape):
            return [self.predict(frame) for frame in frames]
        return [image.to_frame(y) for image, y in zip(images, self.runner(x), strict=True)]

    def _is_exact_in_batch(self, shape: torch.Size) -> bool:
        """Return whether a batch gives each image the same output as it has alone; tried once for each shape.

        The trial uses noise, because outputs of the images at hand could be equal by chance: those of black
        frames, for example.
        """
        if shape not in self._batch_is_exact:
            noise = 2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1
            y = self.runner(noise)
            self._batch_is_exact[shape] = all(torch.equal(y[n], self.runner(noise[[n]])[0]) for n in (0, -1))
        return self._batch_is_exact[shape]

    def _next_batch(self, frames: Sequence[Frame]) -> list[Frame]:
        """Return the first image and those behind it that fit into a batch: of its size, small, of 8 bits."""
        first = frames[0]
        batch = [first]
        for frame in frames[1 : self.max_batch_size(first.size)]:
            if first.high_bit_depth or frame.high_bit_depth or frame.size != first.size:
                break
            batch.append(frame)
        return batch

    def _pad(self, frame: Frame) -> PaddedImage:
        return PaddedImage(frame, self.config.size_multiple, self.config.in_channels)

    def _plan_tiles(self, image: PaddedImage) -> Tiling | None:
        # ONNX Runtime computes in float32 whatever the precision, so its feature maps take that much memory.
        exact = image.frame.high_bit_depth or self.runner.engine == "onnxruntime"
        cost = self.runner.generator.memory_per_pixel(self.runner.precision_for(exact).dtype.itemsize)
        multiple = self.config.size_multiple
        max_untiled, max_tiled = self._memory_limits
        return plan_tiles(
            image, self.tile, multiple=multiple, cost=cost, max_untiled=max_untiled, max_tiled=max_tiled
        )

    @cached_property
    def _norm_graph(self) -> fx.Graph | None:
        """Return the graph of the network's layers, traced when an image is first tiled.

        Two threads may both trace it; their graphs are equal.
        """
        return trace_norms(self.runner.generator)
