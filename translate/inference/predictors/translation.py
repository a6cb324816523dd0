"""Translate an image from one domain to another, or to one of several, in one piece or in tiles."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import fx

from translate.config import ModelConfig, MultiDomainModelConfig
from translate.config.model import ALL_DOMAINS
from translate.config.targets import Target, parse_target, parse_targets, require_target
from translate.config.value_range import ValueRange
from translate.images import Frame
from translate.images.working_size import reduce_to_working_size, restore_size, working_shape
from translate.inference.predictors.base import Predictor
from translate.inference.predictors.padding import PaddedImage
from translate.inference.predictors.statistics import trace_norms
from translate.inference.predictors.tiling import TiledNetwork, Tiling, plan_tiles, predict_tiled
from translate.inference.runtime.fixed_batches import FixedBatches
from translate.inference.runtime.memory import memory_limits
from translate.inference.runtime.runner import Runner
from translate.models import Model
from translate.progress import Progress, ignore_progress

MAX_TARGETS = 64  # Targets of which a predictor stays; attributes have many, and each takes some memory.
MAX_BATCH_PIXELS = 2**20  # The maximum number of pixels of all images in one batch.


class TranslationPredictor(Predictor):
    """A predictor that translates an image of one domain to another domain.

    The network sees an image at the working size, and the output is brought back to the image's own size.
    """

    channels = ((1, 1), (1, 3), (3, 1), (3, 3))
    channels_rule = "only 1 (gray) and 3 (RGB) can be applied"
    can_tile = True

    def __init__(self, model: Model, runner: Runner, **options: Any) -> None:
        super().__init__(model, runner, **options)
        self._memory_limits = memory_limits(self.runner.device)
        self._use(runner)

    def _use(self, runner: Runner) -> None:
        """Set the runner of the network, of whose batches nothing is known yet."""
        self.runner = runner
        self._batch_is_exact: dict[torch.Size, bool] = {}
        self._fixed_batches = FixedBatches(runner) if runner.is_graphed else None

    def max_batch_size(self, size: tuple[int, int]) -> int:
        height, width = working_shape(size[1], size[0], self.working_size, self.config.size_multiple)
        if self._fixed_batches:
            return self._fixed_batches.images_per_call(height, width)
        return max(1, min(self.runner.max_batch_size, MAX_BATCH_PIXELS // (height * width)))

    @torch.inference_mode()
    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        small = self._reduce(frame)
        return restore_size(frame, small, self._predict_whole(small, frame.high_bit_depth, progress))

    def _predict_whole(self, frame: Frame, exact: bool, progress: Progress) -> Frame:
        """Translate an image at its working size, in one piece or in tiles; `exact` is as for a runner."""
        image = self._pad(frame)
        tiling = self._plan_tiles(image, exact)
        if tiling is None and self._fixed_batches and not exact:
            return image.crop_output(self._fixed_batches([image.pixels()])[0])
        if tiling is None:
            return image.to_frame(self.runner(image.to_tensor(), exact=exact)[0])
        network = TiledNetwork(
            self.runner.network(exact), self._norm_graph, self.config.out_channels, self.runner.device
        )
        with self.runner.autocast(exact):
            pixels = predict_tiled(image, tiling, network, progress)
        return Frame(pixels=pixels)

    def predict_batch(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        outputs: list[Frame] = []
        while len(outputs) < len(frames):
            batch = self._next_batch(frames[len(outputs) :])
            outputs += (
                self._predict_in_one_forward(batch) if len(batch) > 1 else [self.predict(batch[0], progress)]
            )
            progress(len(outputs) / len(frames))
        return outputs

    @torch.inference_mode()
    def _predict_in_one_forward(self, frames: Sequence[Frame]) -> list[Frame]:
        """Run 8-bit images of one size in batches, or one by one if a batch would change an output."""
        small = [self._reduce(frame) for frame in frames]
        images = [self._pad(frame) for frame in small]
        if self._plan_tiles(images[0], exact=False) is not None:
            return [self.predict(frame) for frame in frames]
        if self._fixed_batches:
            pixels = self._fixed_batches([image.pixels() for image in images])
            outputs = [image.crop_output(y) for image, y in zip(images, pixels, strict=True)]
        else:
            x = torch.cat([image.to_tensor() for image in images])
            if not self._is_exact_in_batch(x.shape):
                return [self.predict(frame) for frame in frames]
            outputs = [image.to_frame(y) for image, y in zip(images, self.runner(x), strict=True)]
        return [restore_size(*sizes) for sizes in zip(frames, small, outputs, strict=True)]

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

    def _reduce(self, frame: Frame) -> Frame:
        return reduce_to_working_size(frame, self.working_size, self.config.size_multiple)

    def _pad(self, frame: Frame) -> PaddedImage:
        return PaddedImage(frame, self.config.size_multiple, self.config.in_channels)

    def _plan_tiles(self, image: PaddedImage, exact: bool) -> Tiling | None:
        # ONNX Runtime computes in float32 whatever the precision, so its feature maps take that much memory.
        exact = exact or self.runner.engine == "onnxruntime"
        cost = self.runner.generator.memory_per_pixel(self.runner.precision_for(exact).dtype.itemsize)
        multiple = self.config.size_multiple
        max_untiled, max_tiled = self._memory_limits
        return plan_tiles(
            image,
            self.tile,
            multiple=multiple,
            cost=cost,
            max_untiled=max_untiled,
            max_tiled=max_tiled,
            batch_pixels=MAX_BATCH_PIXELS if self._fixed_batches else 1,
        )

    @cached_property
    def _norm_graph(self) -> fx.Graph | None:
        """Return the graph of the network's layers, traced when an image is first tiled.

        Two threads may both trace it; their graphs are equal.
        """
        return trace_norms(self.runner.generator)


class MultiDomainPredictor(TranslationPredictor):
    """A predictor that translates an image of any domain to one of several, or sets its attributes.

    It has a target, or it serves to get predictors that have one (`for_target`, `by_folder`). All of them
    share the network.
    """

    def __init__(self, model: Model, runner: Runner, **options: Any) -> None:
        super().__init__(model, runner, **options)
        self.direction = ""  # There is no target yet.
        self._default: str | None = None
        self._shared_runner = runner
        self._lock = threading.Lock()

    def _set_options(self, saturation: float, alpha: str, size: str | int) -> None:
        super()._set_options(saturation, alpha, size)
        # The least recently used target is first. The predictors of the targets share it, and the lock.
        self._by_target: OrderedDict[str, MultiDomainPredictor] = OrderedDict()

    def with_default(self, to: str | None) -> MultiDomainPredictor:
        """Return the predictor that `to` is the default of: that of one target, or this one."""
        if to is not None and to != ALL_DOMAINS:
            return self.for_target(to)
        self._default = to
        return self

    def for_target(self, to: str | None = None) -> MultiDomainPredictor:
        target = self._default if to is None else to
        require_target(self._domains, target)
        return self._bind(parse_target(self._domains, target or ""))

    def by_folder(self, to: str | None = None) -> Mapping[str, Predictor]:
        target = self._default if to is None else to
        if target != ALL_DOMAINS:
            return {"": self.for_target(target)}
        return {each.name: self._bind(each) for each in parse_targets(self._domains, target)}

    def predict(self, frame: Frame, progress: Progress = ignore_progress) -> Frame:
        if not self.direction:
            return self.for_target().predict(frame, progress)
        return super().predict(frame, progress)

    def predict_batch(self, frames: Sequence[Frame], progress: Progress = ignore_progress) -> list[Frame]:
        if not self.direction:
            return self.for_target().predict_batch(frames, progress)
        return super().predict_batch(frames, progress)

    @classmethod
    def choose_ranges(
        cls, config: ModelConfig, direction: str, text: str | None
    ) -> tuple[ValueRange | None, ValueRange | None]:
        if text is not None:
            return super().choose_ranges(config, direction, text)
        # An input may be of any domain: the images of all of them are one set, with one range.
        shared = config.value_range_of(config.domains[0])
        return shared, shared

    @property
    def _domains(self) -> MultiDomainModelConfig:
        assert isinstance(self.config, MultiDomainModelConfig)
        return self.config

    def _bind(self, target: Target) -> MultiDomainPredictor:
        """Return the predictor of a target, the same one as long as it is among the last in use."""
        with self._lock:
            if target.name not in self._by_target:
                bound = copy.copy(self)
                bound.direction = bound._default = target.name
                bound._use(self._shared_runner.for_label(target.name, target.label))
                self._by_target[target.name] = bound
                if len(self._by_target) > MAX_TARGETS:
                    self._by_target.popitem(last=False)
            self._by_target.move_to_end(target.name)
            return self._by_target[target.name]
