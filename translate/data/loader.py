"""Endless batches in an order that the seed alone decides, from any position on."""

from __future__ import annotations

import signal
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, get_worker_info

from translate import processes
from translate.data.sets import Draw, Sample, SampleSet
from translate.errors import DataError, UsageError

MIXED = 8  # tar files whose pictures are mixed
AHEAD = 3  # batches that a thread makes before they are asked for
UNDER_WAY = 2  # batches that each process makes before they are asked for


class EndlessBatches(Sampler[list[Draw]]):
    """Batches of draws, epoch after epoch, each in an order of its own.

    An epoch is a whole number of full batches; what is left over sits out until the next epoch.

    Args:
        length: pictures of the set.
        start: steps that were taken before (where a run resumes).
        together: batches that make up a step, one after the other.
        share: (i, n): of n processes this is the i-th; each draws its part of a batch n times as large.
        parts: how many pictures are in each tar file: an epoch goes through them in an order of its own, and
            mixes the pictures of a few at a time.

    Raises:
        UsageError: a batch is larger than the set.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        start: int = 0,
        *,
        together: int = 1,
        share: tuple[int, int] = (0, 1),
        parts: Sequence[int] = (),
    ) -> None:
        index, count = share
        if batch_size * count > length:
            each = f" in each of {count} processes" if count > 1 else ""
            raise UsageError(
                f"batch_size {batch_size}{each} is more than the {length} training pictures:"
                f" use --batch-size {max(1, length // count)}"
            )
        self.length, self.batch_size, self.seed, self.start = length, batch_size * count, seed, start
        self.own = slice(index * batch_size, (index + 1) * batch_size)
        self.together, self.parts = together, parts

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which about all pictures are seen, at least one."""
        return max(1, self.length // self.batch_size // self.together)

    def __iter__(self) -> Iterator[list[Draw]]:
        batches = self._batches(self.start * self.together)
        while True:
            yield [draw for batch in islice(batches, self.together) for draw in batch[self.own]]

    def _batches(self, number: int) -> Iterator[list[Draw]]:
        """The batch of that number and all after it."""
        per_epoch = self.length // self.batch_size
        epoch, first = divmod(number, per_epoch)
        while True:
            order = self._order(np.random.default_rng([self.seed, epoch]))
            for batch in range(first, per_epoch):
                chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [Draw(epoch, index) for index in chosen]
            epoch, first = epoch + 1, 0

    def _order(self, random: np.random.Generator) -> list[int]:
        """All pictures, once."""
        if not self.parts:
            return list(random.permutation(self.length).tolist())
        numbers = np.split(np.arange(self.length), np.cumsum(self.parts)[:-1])
        shuffled = random.permutation(len(numbers)).tolist()
        mixed = [shuffled[first : first + MIXED] for first in range(0, len(shuffled), MIXED)]
        return [
            item
            for some in mixed
            for item in random.permutation(np.concatenate([numbers[part] for part in some])).tolist()
        ]


def load(
    dataset: SampleSet, batches: EndlessBatches, workers: int, *, pin_memory: bool = False
) -> Iterator[Sample]:
    """Batches of uint8 samples without end, made while the ones before are used.

    A batch is to be used before the next is asked for: the memory it lies in is filled again.

    Args:
        workers: processes that make them; of none, or where samples are ready, a thread of this one does.
        pin_memory: put them where a GPU fetches them quickest.

    Raises:
        DataError: a picture cannot be read any more, or the pictures of a batch differ in size.
    """
    if workers == 0 or dataset.ready:
        yield from _by_thread(dataset, batches, pin_memory)
    else:
        yield from _by_processes(dataset, batches, workers, pin_memory)


def _by_thread(dataset: SampleSet, batches: EndlessBatches, pin_memory: bool) -> Iterator[Sample]:
    def made(draws: list[Draw]) -> Sample:
        batch = _stack([dataset[draw] for draw in draws])
        return {name: part.pin_memory() for name, part in batch.items()} if pin_memory else batch

    pool, coming = ThreadPoolExecutor(1), iter(batches)
    try:
        waiting = deque(pool.submit(made, draws) for draws in islice(coming, AHEAD))
        for draws in coming:
            yield waiting.popleft().result()
            waiting.append(pool.submit(made, draws))
    finally:
        pool.shutdown(cancel_futures=True)


def _by_processes(
    dataset: SampleSet, batches: EndlessBatches, workers: int, pin_memory: bool
) -> Iterator[Sample]:
    slots = None if pin_memory else _Slots(dataset, next(iter(batches)), workers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of more processes than cores
        loader = DataLoader(
            dataset,
            batch_sampler=batches,
            num_workers=workers,
            prefetch_factor=UNDER_WAY,
            collate_fn=_stack if slots is None else slots.fill,
            worker_init_fn=_quiet_worker,
            pin_memory=pin_memory,
            generator=torch.Generator(),  # else it would draw from the state that training resumes with
        )
        loaded = iter(loader)
    try:
        for batch in loaded:
            yield batch if slots is None else slots.batch(batch)
    except DataError as error:  # from a worker it comes with the worker's traceback
        raise DataError(
            str(error).rstrip().splitlines()[-1].removeprefix(f"{DataError.__module__}.DataError: ")
        ) from None


def lost_process(error: RuntimeError) -> bool:
    """Whether torch says that a loader's process was killed: which comes up wherever the main process is."""
    return str(error).startswith("DataLoader worker")


class _Slots:
    """Memory that a loader's processes share, for the batches that they make before they are asked for.

    Torch would take new memory for each batch, which costs more than to fill it.

    Args:
        draws: of a batch; most are as large.
    """

    def __init__(self, dataset: SampleSet, draws: list[Draw], workers: int) -> None:
        several = (workers, UNDER_WAY + 1, len(draws))  # one more, which is in use
        self.parts = {name: _shared(several, part) for name, part in dataset[draws[0]].items()}
        self.filled = 0

    def fill(self, samples: list[Sample]) -> tuple[int, int] | Sample:
        """Put a batch into this process's next slot and tell which; one of another size comes as it is."""
        batch, process = _stack(samples), get_worker_info()
        assert process is not None
        if any(part.shape != self.parts[name].shape[2:] for name, part in batch.items()):
            return batch
        slot = process.id, self.filled % (UNDER_WAY + 1)
        self.filled += 1
        for name, part in batch.items():
            self.parts[name][slot].copy_(part)
        return slot

    def batch(self, filled: tuple[int, int] | Sample) -> Sample:
        """What `fill` told of, as the main process sees it."""
        if isinstance(filled, dict):
            return filled
        return {name: part[filled] for name, part in self.parts.items()}


def _shared(several: tuple[int, ...], like: Tensor) -> Tensor:
    """Memory for several such parts of samples; pictures lie as they were decoded, channels last."""
    picture = like.ndim == 3
    shape = like.movedim(0, -1).shape if picture else like.shape
    made = torch.empty(*several, *shape, dtype=like.dtype)
    made.share_memory_()  # type: ignore[no-untyped-call]
    return made.movedim(-1, -3) if picture else made


def _stack(samples: list[Sample]) -> Sample:
    """Samples of one size as a batch; pictures lie in memory as they were decoded, channels last."""
    for name in samples[0]:
        sizes = {tuple(sample[name].shape[1:]) for sample in samples}
        if len(sizes) > 1:
            shown = " and ".join(f"{width}x{height}" for height, width in sorted(sizes)[:2])
            raise DataError(
                f"a batch would hold pictures of {shown}: use --batch-size 1, or a --preprocess that crops"
            )
    return {name: _together([sample[name] for sample in samples]) for name in samples[0]}


def _together(parts: list[Tensor]) -> Tensor:
    if parts[0].ndim < 3:
        return torch.stack(parts)
    rows = np.stack([part.permute(1, 2, 0).numpy() for part in parts])  # torch would start threads for it
    return torch.from_numpy(rows).permute(0, 3, 1, 2)


def _quiet_worker(_: int) -> None:
    """Ctrl-C is for the main process; one thread a worker, for the network needs the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if processes.count() > 1:  # torchrun sends it to all, while the main process still takes its last step
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(0)
