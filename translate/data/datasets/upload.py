"""Upload batches to a GPU one ahead: from page-locked memory, on a stream of its own, while a step runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from translate.data.datasets.samples import Sample

PINNED_AHEAD = 2  # The number of batches that wait in page-locked memory.
Make = Callable[[Sample], Sample]


class Uploader(Protocol):
    """An uploader copies batches to a device, without waiting for it.

    Attributes:
        total_memory: the bytes of the device's memory.
    """

    device: torch.device
    total_memory: int

    def pin(self, batch: Sample) -> Sample:
        """Return a copy of a batch in page-locked memory."""

    def start(self, batch: Sample, make: Make) -> Any:
        """Begin to copy a pinned batch to the device, and to apply `make` to it there."""

    def finish(self, upload: Any) -> Sample:
        """Return the batch of an upload that was started; later work on the device waits for it."""


def upload_ahead(
    batches: Generator[Sample, None, None], uploader: Uploader, make: Make = lambda batch: batch
) -> Generator[Sample, None, None]:
    """Yield endless batches on the device; the upload of the next one has begun by then.

    A thread takes the batches and copies them to page-locked memory, each before it takes the next one, so
    their memory may be reused. The caller's thread launches all work of the device.

    Args:
        make: makes a batch on the device from what was uploaded.
    """
    pool = ThreadPoolExecutor(1, "upload")

    def load() -> Sample:
        return uploader.pin(next(batches))

    def start() -> Any:
        batch = loading.popleft().result()
        loading.append(pool.submit(load))
        return uploader.start(batch, make)

    try:
        loading = deque(pool.submit(load) for _ in range(PINNED_AHEAD))
        upload = start()
        while True:
            error = None
            try:
                following = start()
            except Exception as failure:  # The step of the batch before it can still be taken.
                error = failure
            yield uploader.finish(upload)
            if error is not None:
                raise error
            upload = following
    finally:
        pool.shutdown(cancel_futures=True)
        batches.close()


class CUDAUploader:
    """An uploader to a CUDA device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.total_memory = torch.cuda.get_device_properties(device).total_memory
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def pin(self, batch: Sample) -> Sample:
        return {name: _pin(tensor) for name, tensor in batch.items()}

    def start(self, batch: Sample, make: Make) -> tuple[Sample, torch.cuda.Event]:
        with torch.cuda.stream(self.stream):
            # Torch reuses the page-locked memory only after the copy, for which it records an event.
            copies = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
            return make(copies), self.stream.record_event()

    def finish(self, upload: tuple[Sample, torch.cuda.Event]) -> Sample:
        batch, event = upload
        current = torch.cuda.current_stream(self.device)
        current.wait_event(event)
        for tensor in batch.values():
            # The memory belongs to the other stream, which could otherwise reuse it before this one has run.
            tensor.record_stream(current)
        return batch


def _pin(tensor: Tensor) -> Tensor:
    """Copy a tensor to page-locked memory, by NumPy, because torch would start threads for it."""
    pinned = torch.empty_like(tensor, pin_memory=True)
    np.copyto(pinned.numpy(), tensor.numpy())
    return pinned
