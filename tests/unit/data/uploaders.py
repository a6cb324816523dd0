"""An uploader that stands for a GPU in tests: its copies are made late, as those of a busy GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from translate.data.datasets.samples import Sample
from translate.data.datasets.upload import Make


class LateUploader:
    """An uploader to the CPU that copies a batch only when the batch is asked for.

    Attributes:
        events: what was done, in order: ("start", 0), ("start", 1), ("finish", 0), ...
        threads: the threads that pinned batches.
    """

    def __init__(self, total_memory: int = 0) -> None:
        self.device, self.total_memory = torch.device("cpu"), total_memory
        self.events: list[tuple[str, int]] = []
        self.threads: set[threading.Thread] = set()
        self.owner = threading.current_thread()

    def pin(self, batch: Sample) -> Sample:
        self.threads.add(threading.current_thread())
        return {name: tensor.clone() for name, tensor in batch.items()}

    def start(self, batch: Sample, make: Make) -> tuple[int, Callable[[], Sample]]:
        assert threading.current_thread() is self.owner
        number = sum(event == "start" for event, _ in self.events)
        self.events.append(("start", number))
        return number, lambda: make({name: tensor.clone() for name, tensor in batch.items()})

    def finish(self, upload: tuple[int, Callable[[], Sample]]) -> Sample:
        number, copy = upload
        self.events.append(("finish", number))
        return copy()
