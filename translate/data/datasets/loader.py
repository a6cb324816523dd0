"""The loader: endless batches in an order that the seed alone decides, from any step on."""

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

from translate import distributed
from translate.data.datasets.samples import Sample, SampleDataset, SampleKey
from translate.errors import DataError, UsageError

SHUFFLED_SHARDS = 8  # tar files whose images are shuffled at a time
THREAD_PREFETCH = 3  # batches that a thread makes before they are asked for
WORKER_PREFETCH = 2  # batches that each worker process makes before they are asked for


class InfiniteBatchSampler(Sampler[list[SampleKey]]):
    """A sampler of batches of sample keys, epoch after epoch, each in an order of its own.

    An epoch is a whole number of full batches; what is left over sits out until the next epoch.

    Args:
        length: images of the data set.
        start: steps that were taken before (where a run resumes).
        batches_per_step: batches that make up a step, one after the other.
        share: (i, n): of n processes this is the i-th; each takes its share of a batch n times as large.
        shard_sizes: how many images lie in each tar file: an epoch takes the files in an order of its own,
            and shuffles the images of a few at a time.

    Raises:
        UsageError: a batch is larger than the data set.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        start: int = 0,
        *,
        batches_per_step: int = 1,
        share: tuple[int, int] = (0, 1),
        shard_sizes: Sequence[int] = (),
    ) -> None:
        index, count = share
        if batch_size * count > length:
            each = f" in each of {count} processes" if count > 1 else ""
            raise UsageError(
                f"batch_size {batch_size}{each} is more than the {length} training images:"
                f" use --batch-size {max(1, length // count)}"
            )
        self.length, self.batch_size, self.seed, self.start = length, batch_size * count, seed, start
        self.share = slice(index * batch_size, (index + 1) * batch_size)
        self.batches_per_step, self.shard_sizes = batches_per_step, shard_sizes

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps that take about all images once, at least one."""
        return max(1, self.length // self.batch_size // self.batches_per_step)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        batches = self._batches(self.start * self.batches_per_step)
        while True:
            yield [key for batch in islice(batches, self.batches_per_step) for key in batch[self.share]]

    def _batches(self, number: int) -> Iterator[list[SampleKey]]:
        """Yield the batch of that number, counted over all epochs, and all after it."""
        per_epoch = self.length // self.batch_size
        epoch, first = divmod(number, per_epoch)
        while True:
            order = self._order(np.random.default_rng([self.seed, epoch]))
            for batch in range(first, per_epoch):
                indices = order[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [SampleKey(epoch, index) for index in indices]
            epoch, first = epoch + 1, 0

    def _order(self, rng: np.random.Generator) -> list[int]:
        """Return the indices of all images in random order."""
        if not self.shard_sizes:
            return list(rng.permutation(self.length).tolist())
        shards = np.split(np.arange(self.length), np.cumsum(self.shard_sizes)[:-1])
        order = rng.permutation(len(shards)).tolist()
        groups = [order[first : first + SHUFFLED_SHARDS] for first in range(0, len(order), SHUFFLED_SHARDS)]
        return [
            index
            for group in groups
            for index in rng.permutation(np.concatenate([shards[shard] for shard in group])).tolist()
        ]


def load(
    dataset: SampleDataset, batches: InfiniteBatchSampler, workers: int, *, pin_memory: bool = False
) -> Iterator[Sample]:
    """Yield batches of uint8 samples without end, made while the ones before are used.

    A batch is to be used before the next is asked for: the memory it lies in is filled again.

    Args:
        workers: processes that make them; of none, or where samples are ready, a thread of this one does.
        pin_memory: put them where a GPU fetches them quickest.

    Raises:
        DataError: an image cannot be read any more, or the images of a batch differ in size.
    """
    if workers == 0 or dataset.ready:
        yield from _load_in_thread(dataset, batches, pin_memory)
    else:
        yield from _load_in_workers(dataset, batches, workers, pin_memory)


def _load_in_thread(
    dataset: SampleDataset, batches: InfiniteBatchSampler, pin_memory: bool
) -> Iterator[Sample]:
    def make_batch(keys: list[SampleKey]) -> Sample:
        batch = _stack([dataset[key] for key in keys])
        return {name: tensor.pin_memory() for name, tensor in batch.items()} if pin_memory else batch

    pool, rest = ThreadPoolExecutor(1), iter(batches)
    try:
        waiting = deque(pool.submit(make_batch, keys) for keys in islice(rest, THREAD_PREFETCH))
        for keys in rest:
            yield waiting.popleft().result()
            waiting.append(pool.submit(make_batch, keys))
    finally:
        pool.shutdown(cancel_futures=True)


def _load_in_workers(
    dataset: SampleDataset, batches: InfiniteBatchSampler, workers: int, pin_memory: bool
) -> Iterator[Sample]:
    slots = None if pin_memory else _Slots(dataset, next(iter(batches)), workers)
    with warnings.catch_warnings():
        # Torch warns of more processes than cores, but waiting for files takes no core.
        warnings.simplefilter("ignore")
        loader = DataLoader(
            dataset,
            batch_sampler=batches,
            num_workers=workers,
            prefetch_factor=WORKER_PREFETCH,
            collate_fn=_stack if slots is None else slots.fill,
            worker_init_fn=_set_up_worker,
            pin_memory=pin_memory,
            # From the global generator the loader would draw a seed, and so change what training draws.
            generator=torch.Generator(),
        )
        loaded = iter(loader)
    try:
        for batch in loaded:
            yield batch if slots is None else slots.batch(batch)
    except DataError as error:  # A worker's error holds its whole traceback, so take the last line of it.
        raise DataError(
            str(error).rstrip().splitlines()[-1].removeprefix(f"{DataError.__module__}.DataError: ")
        ) from None


def is_lost_worker(error: RuntimeError) -> bool:
    """Return whether torch says that a worker process was killed, an error that any line may raise."""
    return str(error).startswith("DataLoader worker")


class _Slots:
    """Memory shared with the worker processes, for the batches that they make before they are asked for.

    Torch would take new memory for each batch, which costs more than to fill it.

    Args:
        keys: of a batch; most batches are as large.
    """

    def __init__(self, dataset: SampleDataset, keys: list[SampleKey], workers: int) -> None:
        sizes = (workers, WORKER_PREFETCH + 1, len(keys))  # The batch in use takes one slot more.
        self.tensors = {name: _shared_memory(sizes, tensor) for name, tensor in dataset[keys[0]].items()}
        self.count = 0

    def fill(self, samples: list[Sample]) -> tuple[int, int] | Sample:
        """Put a batch into this process's next slot and return which; return one of another size as it is."""
        batch, worker = _stack(samples), get_worker_info()
        assert worker is not None
        if any(tensor.shape != self.tensors[name].shape[2:] for name, tensor in batch.items()):
            return batch
        slot = worker.id, self.count % (WORKER_PREFETCH + 1)
        self.count += 1
        for name, tensor in batch.items():
            self.tensors[name][slot].copy_(tensor)
        return slot

    def batch(self, slot: tuple[int, int] | Sample) -> Sample:
        """Return the batch that `fill` put into a slot, as the main process sees it."""
        if isinstance(slot, dict):
            return slot
        return {name: tensor[slot] for name, tensor in self.tensors.items()}


def _shared_memory(sizes: tuple[int, ...], like: Tensor) -> Tensor:
    """Allocate shared memory for several such tensors; images lie channels last, as they were decoded."""
    is_image = like.ndim == 3
    shape = like.movedim(0, -1).shape if is_image else like.shape
    memory = torch.empty(*sizes, *shape, dtype=like.dtype)
    memory.share_memory_()  # type: ignore[no-untyped-call]
    return memory.movedim(-1, -3) if is_image else memory


def _stack(samples: list[Sample]) -> Sample:
    """Stack samples of one size into a batch; images lie in memory channels last, as they were decoded."""
    for name in samples[0]:
        sizes = {tuple(sample[name].shape[1:]) for sample in samples}
        if len(sizes) > 1:
            shown = " and ".join(f"{width}x{height}" for height, width in sorted(sizes)[:2])
            raise DataError(
                f"a batch would hold images of {shown}: use --batch-size 1, or a --preprocess that crops"
            )
    return {name: _stack_tensors([sample[name] for sample in samples]) for name in samples[0]}


def _stack_tensors(tensors: list[Tensor]) -> Tensor:
    if tensors[0].ndim < 3:
        return torch.stack(tensors)
    # NumPy stacks images, because torch would start threads for it.
    rows = np.stack([tensor.permute(1, 2, 0).numpy() for tensor in tensors])
    return torch.from_numpy(rows).permute(0, 3, 1, 2)


def _set_up_worker(_: int) -> None:
    """Leave signals to the main process, and use one thread, because the network needs the other cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which the main process ends it
    if distributed.world_size() > 1:  # Torchrun sends it to all, while the main process takes its last step.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(0)
