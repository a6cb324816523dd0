"""Batches of one fixed size for each image size, so that an image's output does not depend on its company.

A GPU chooses its kernels by the shape of a batch, and other kernels round differently. So a batch that is not
full is padded: an image runs through the same kernels whether it is alone or with others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from translate.images import Array
from translate.images.tensors import quantize, to_tensor
from translate.inference.runtime.runner import Runner

MAX_FIXED_BATCH = 8
# Two images of 256 px on a GPU with 128 multiprocessors. There, launching the kernels of a ResNet-9 for one
# image took 2.7 ms, and computing them 1.3 ms (measured on an H200 with prototypes). So an image without
# company waits for the launching alone, as in a batch of 1. A smaller GPU is busy with a smaller batch.
PIXELS_PER_MULTIPROCESSOR = 2**10
COMPILED_SPEED = 4  # A compiled ResNet-9 took 0.35 ms an image in a batch of 8 (by the same prototypes).
MULTIPROCESSORS = 128  # Those that are assumed of a device that is no CUDA GPU.
# A call may hand over this many batches, so that the GPU computes one while the next is prepared.
BATCHES_PER_CALL = 8
MAX_CALL_PIXELS = 2**20
# So many images of a size run with padding for company before the trial: if they are all, it would not pay.
TRIAL_AFTER = 8


def batch_pixels(device: torch.device, *, compiled: bool) -> int:
    """Return how many pixels a device computes in the time that launching the kernels of eager mode takes."""
    count = MULTIPROCESSORS
    if device.type == "cuda":
        count = torch.cuda.get_device_properties(device).multi_processor_count
    return count * PIXELS_PER_MULTIPROCESSOR * (COMPILED_SPEED if compiled else 1)


def fixed_batch_size(pixels: int, max_pixels: float) -> int:
    """Return the largest power of two, from 1 to 8, of images whose pixels together are within a limit.

    Args:
        pixels: the pixels of one image.
    """
    count = max(int(max_pixels // pixels), 1)
    return min(1 << (count.bit_length() - 1), MAX_FIXED_BATCH)


class FixedBatches:
    """Runs 8-bit images on a GPU in padded batches. Any number of threads may call it.

    The images travel as 8-bit integers, a quarter of the bytes of floats, and are converted on the GPU.

    Args:
        runner: runs the network.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.max_pixels = batch_pixels(runner.device, compiled=runner.compiled)
        self._images: Counter[torch.Size] = Counter()  # By the shape of an image, those that had company.
        self._is_exact: dict[torch.Size, bool] = {}

    def size(self, height: int, width: int) -> int:
        """Return how many images of a size are in each batch, padding included."""
        return fixed_batch_size(height * width, self.max_pixels)

    def images_per_call(self, height: int, width: int) -> int:
        """Return how many images of a size to hand over at once."""
        size = self.size(height, width)
        return size * max(1, min(BATCHES_PER_CALL, MAX_CALL_PIXELS // (size * height * width)))

    def __call__(self, images: Sequence[Array]) -> list[Array]:
        """Run images of one size, (H, W, C) uint8 each; return their outputs, (H, W, C') uint8."""
        pixels = [torch.from_numpy(np.require(image, requirements=["C", "W"])) for image in images]
        count = self._count_sharing(pixels)
        # All batches are started before the first output is awaited, so that the GPU does not wait.
        downloads = [
            self._submit(torch.stack(pixels[start : start + count])) for start in range(0, len(pixels), count)
        ]
        return [output for download in downloads for output in download.wait().numpy()]

    def _count_sharing(self, pixels: Sequence[Tensor]) -> int:
        """Return how many of the images share a batch."""
        shape = pixels[0].shape
        size = self.size(shape[0], shape[1])
        if size == 1 or len(pixels) == 1:
            return size
        self._images[shape] += len(pixels)
        if self._images[shape] <= TRIAL_AFTER:
            return 1
        if shape not in self._is_exact:
            self._is_exact[shape] = self._is_exact_with_company(shape)
        return size if self._is_exact[shape] else 1

    def _is_exact_with_company(self, shape: torch.Size) -> bool:
        """Return whether noise images in a full batch have the same outputs as each in a batch of its own."""
        random = torch.Generator().manual_seed(0)
        batch = self.size(shape[0], shape[1]), *shape
        noise = torch.randint(256, batch, dtype=torch.uint8, generator=random)
        outputs = self._submit(noise).wait()
        return all(torch.equal(outputs[n], self._submit(noise[[n]]).wait()[0]) for n in (0, -1))

    def _submit(self, pixels: Tensor) -> Download:
        """Start to run images, and return the download of their outputs.

        Args:
            pixels: (n, H, W, C) uint8 on the host, n at most `size`.

        Returns:
            A download of (n, H, W, C') uint8.
        """
        count, height, width, channels = pixels.shape
        shape = self.size(height, width), height, width, channels
        device = self.runner.device
        batch = torch.zeros(shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
        batch[:count] = pixels
        outputs = self.runner.run("pixels", self._forward, batch.to(device, non_blocking=True))
        return Download(outputs[:count])

    def _forward(self, pixels: Tensor) -> Tensor:
        """Run the network on (N, H, W, C) uint8; return (N, H, W, C') uint8."""
        x = to_tensor(pixels.permute(0, 3, 1, 2)).contiguous(memory_format=self.runner.memory_format)
        return quantize(self.runner.forward(x))


class Download:
    """A copy of a tensor to the host that runs while the caller prepares other work."""

    def __init__(self, y: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        self._host = y
        if y.device.type == "cuda":
            self._host = torch.empty(y.shape, dtype=y.dtype, pin_memory=True)
            self._host.copy_(y, non_blocking=True)
            # A thread that waits for a blocking event leaves its core to the threads that decode images.
            self._event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            self._event.record(torch.cuda.current_stream(y.device))
        else:
            self._host = y.cpu()

    def wait(self) -> Tensor:
        """Wait for the copy, and return the tensor on the host."""
        if self._event is not None:
            self._event.synchronize()
        return self._host
