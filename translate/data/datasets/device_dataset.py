"""Datasets whose images lie in the memory of a GPU, which crops and mirrors them and makes the batches."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from translate.data.datasets.batched_rng import BatchedGenerator, IntArray
from translate.data.datasets.crops import CroppedImages, Crops, SampleKey, SampleKeys, StoredImages
from translate.data.datasets.samples import Sample, SampleDataset
from translate.data.datasets.upload import Uploader, upload_ahead
from translate.progress import track

# A dataset may take this share of a GPU's memory: a step needs most of the rest. It is a share of all memory
# and not of what is free, so that a run is fed in the same way whatever else uses the GPU.
MEMORY_SHARE = 1 / 16
# Several batches are made at once, because a small one takes less time than to ask for it.
MAX_PIXELS, MAX_IMAGES = 2**21, 512
CHUNK = 64  # The number of images that are copied to the device at once.
PROBES = 16  # The number of samples that are compared with those of the dataset.

Size = tuple[int, int]  # height and width


class DeviceDataset:
    """A dataset on a device; its samples are those of another dataset, bit for bit.

    Args:
        dataset: the other dataset.
        images: the images of each entry before they are cropped, (N, H, W, C) uint8, on the device.
        sizes: the sizes of the crops.
    """

    def __init__(self, dataset: CroppedImages, images: dict[str, Tensor], sizes: dict[str, Size]) -> None:
        self.dataset, self.images, self.sizes = dataset, images, sizes
        self.labels = dataset.labels()
        # The distances of a crop's rows, and of its columns, from the first one. They come from the host,
        # because such a copy has been made when `to` returns, so that any stream may read it.
        self.rows, self.columns = {}, {}
        for name, (height, width) in sizes.items():
            rows = images[name].shape[2] * torch.arange(height)
            self.rows[name] = rows.to(images[name].device)
            self.columns[name] = torch.arange(width).to(images[name].device)

    @property
    def size(self) -> int:
        """Return the bytes that the images take."""
        return sum(images.nbytes for images in self.images.values())

    def iterate(
        self, batches: Iterable[Sequence[SampleKey]], uploader: Uploader
    ) -> Generator[Sample, None, None]:
        """Yield the batches of some keys without end, the next ones in the background."""
        remaining = iter(batches)
        first = next(remaining)
        pixels = max(height * width for height, width in self.sizes.values())
        images = min(MAX_IMAGES, MAX_PIXELS // pixels)
        count, length = max(1, images // len(first)), len(first)

        def draw() -> Generator[Sample, None, None]:
            keys = [*first, *(key for batch in islice(remaining, count - 1) for key in batch)]
            while True:
                yield self.draw(keys)
                keys = [key for batch in islice(remaining, count) for key in batch]

        with closing(upload_ahead(draw(), uploader, self.make)) as blocks:
            for block in blocks:
                for start in range(0, count * length, length):
                    yield {name: tensor[start : start + length] for name, tensor in block.items()}

    def draw(self, keys: Sequence[SampleKey]) -> Sample:
        """Draw what `make` needs to know of some samples.

        Returns:
            Of images, the position of the first pixel of each row and the direction of the row, 1 or -1,
            (N, 2) int64; labels, (N,) int64.
        """
        many = _combine(keys)
        entries = {}
        sizes = {name: images.shape[1:3] for name, images in self.images.items()}
        for name, (number, (top, left, mirrored)) in _draw_crops(self.dataset, many, sizes).items():
            height, width = sizes[name]
            first = (number * height + top) * width + left + mirrored * (self.sizes[name][1] - 1)
            entries[name] = np.stack([first, 1 - 2 * mirrored], axis=1)
        entries |= {name: labels[many.index] for name, labels in self.labels.items()}
        return {name: torch.from_numpy(values) for name, values in entries.items()}

    def make(self, draws: Sample) -> Sample:
        """Make samples, (N, C, H, W) uint8, from what was drawn for them, on the device."""
        return {
            name: self._crop(name, values) if name in self.images else values
            for name, values in draws.items()
        }

    def _crop(self, name: str, draws: Tensor) -> Tensor:
        first, direction = draws.unbind(1)
        columns = direction[:, None] * self.columns[name] + first[:, None]
        positions = self.rows[name][:, None] + columns[:, None]
        pixels = self.images[name].flatten(0, 2).index_select(0, positions.flatten())
        # Channels last in memory, as the loader's batches.
        return pixels.view(*positions.shape, -1).permute(0, 3, 1, 2)


def load_to_device(dataset: SampleDataset, device: torch.device, max_bytes: float) -> DeviceDataset | None:
    """Return a dataset whose images lie on a device.

    Returns:
        None if the images are neither in memory nor in the decoded cache, differ in size, or take more than
        `max_bytes` or than is free; or if samples are not crops of them (rotation, colour jitter, padding).
    """
    if not (isinstance(dataset, CroppedImages) and dataset.faster_without_workers):
        return None
    stored = dataset.stored_images()
    shapes = {name: images.read(0).shape for name, images in stored.items()}
    if sum(images.count * int(np.prod(shapes[name])) for name, images in stored.items()) > max_bytes:
        return None
    sizes = _crop_sizes(dataset, shapes)
    if sizes is None:
        return None
    try:
        images = {name: _load(stored[name], shapes[name], device) for name in stored}
    except torch.OutOfMemoryError:
        return None
    tensors = {name: tensor for name, tensor in images.items() if tensor is not None}
    return DeviceDataset(dataset, tensors, sizes) if len(tensors) == len(images) else None


def _load(images: StoredImages, shape: tuple[int, ...], device: torch.device) -> Tensor | None:
    """Copy images to a device, (N, H, W, C); return None if they differ in size."""
    tensor = torch.empty((images.count, *shape), dtype=torch.uint8, device=device)
    pixels = track(map(images.read, range(images.count)), images.count, "copying images to the GPU")
    for start in range(0, images.count, CHUNK):
        chunk = list(islice(pixels, CHUNK))
        if any(image.shape != shape for image in chunk):
            return None
        tensor[start : start + len(chunk)] = torch.from_numpy(np.stack(chunk))
    return tensor


def _crop_sizes(dataset: SampleDataset, shapes: dict[str, tuple[int, ...]]) -> dict[str, Size] | None:
    """Return the height and width of each entry's crops; None if samples are not crops, mirrored or not.

    This decides by a few samples: what is drawn for many at once must be what the dataset draws for each. A
    version of NumPy or albumentations could draw otherwise, and then the dataset makes all samples itself.
    """
    assert isinstance(dataset, CroppedImages)
    keys = [SampleKey(probe % 3, probe * (len(dataset) - 1) // (PROBES - 1)) for probe in range(PROBES)]
    samples = [dataset[key] for key in keys]
    stored, labels = dataset.stored_images(), dataset.labels()
    if samples[0].keys() != stored.keys() | labels.keys():
        return None
    sizes = {name: shape[:2] for name, shape in shapes.items()}
    for name, (numbers, crops) in _draw_crops(dataset, _combine(keys), sizes).items():
        for sample, number, top, left, mirrored in zip(samples, numbers, *crops, strict=True):
            own = sample[name].permute(1, 2, 0).numpy()
            crop = stored[name].read(int(number))[top : top + own.shape[0], left : left + own.shape[1]]
            if not np.array_equal(crop[:, ::-1] if mirrored else crop, own):
                return None
    return {name: (samples[0][name].shape[1], samples[0][name].shape[2]) for name in stored}


def _combine(keys: Sequence[SampleKey]) -> SampleKeys:
    return SampleKeys(np.array([key.epoch for key in keys]), np.array([key.index for key in keys]))


def _draw_crops(
    dataset: CroppedImages, keys: SampleKeys, sizes: Mapping[str, Sequence[int]]
) -> dict[str, tuple[IntArray, Crops]]:
    """Return the number of the image and the crop of each entry of some samples.

    Args:
        sizes: the height and width of the images of each entry.
    """
    crops: dict[Any, Crops] = {}
    entries = {}
    for name, draw in dataset.draw(BatchedGenerator(dataset.seed, keys.epoch, keys.index), keys).items():
        case = id(draw), tuple(sizes[name])  # Both images of a pair have one draw, and one crop.
        if case not in crops:
            crops[case] = dataset.crop(np.asarray(draw.augmentation), *sizes[name])
        entries[name] = np.asarray(draw.image), crops[case]
    return entries
