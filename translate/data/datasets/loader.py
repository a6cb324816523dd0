"""The batch loader: infinite shuffled batches in an order that depends on the seed alone, from any step."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, get_worker_info

from translate.data.datasets.crops import SampleKey
from translate.data.datasets.device_dataset import MEMORY_SHARE, load_to_device
from translate.data.datasets.samples import Sample, SampleDataset
from translate.data.datasets.upload import CUDAUploader, Uploader, upload_ahead
from translate.data.datasets.worker_processes import set_up_worker, unguarded_script_errors
from translate.errors import DataError, UsageError
from translate.progress import message

SHARDS_PER_SHUFFLE = 8  # The number of tar files whose images are shuffled at a time.
THREAD_PREFETCH = 3  # The number of batches that a loading thread prepares ahead.
WORKER_PREFETCH = 2  # The number of batches that each worker process prepares ahead.
CPU = torch.device("cpu")


class InfiniteBatchSampler(Sampler[list[SampleKey]]):
    """A sampler of batches of sample keys, epoch after epoch, with a new random order in each epoch.

    An epoch consists of full batches only; the images that are left over are skipped until the next epoch.

    Args:
        length: the number of images in the dataset.
        batch_size: the number of images in the batch of this process.
        start: the number of steps to skip, for a run that is resumed.
        batches_per_step: the number of batches that make up one step; they are concatenated.
        rank: the index of this process.
        world_size: the number of processes; each takes its part of a batch that is `world_size` times as
            large.
        shard_sizes: the number of images in each tar file. With it, an epoch goes through the tar files in
            random order, and shuffles the images of a few of them at a time.

    Attributes:
        global_batch_size: the number of images in the batches of all processes.

    Raises:
        UsageError: a batch is larger than the dataset.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        start: int = 0,
        *,
        batches_per_step: int = 1,
        rank: int = 0,
        world_size: int = 1,
        shard_sizes: Sequence[int] = (),
    ) -> None:
        if batch_size * world_size > length:
            each = f" in each of {world_size} processes" if world_size > 1 else ""
            raise UsageError(
                f"batch_size {batch_size}{each} is more than the {length} training images:"
                f" use --batch-size {max(1, length // world_size)}"
            )
        self.length, self.seed, self.start = length, seed, start
        self.global_batch_size = batch_size * world_size
        self.share = slice(rank * batch_size, (rank + 1) * batch_size)
        self.batches_per_step, self.shard_sizes = batches_per_step, shard_sizes

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of steps that use about all images once, at least one."""
        return max(1, self.length // self.images_per_step)

    @property
    def images_per_step(self) -> int:
        """Return the number of images that all processes take in one step."""
        return self.global_batch_size * self.batches_per_step

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Yield the keys of this process for each step, without end."""
        batches = self._batches(self.start * self.batches_per_step)
        while True:
            yield [key for batch in islice(batches, self.batches_per_step) for key in batch[self.share]]

    def _batches(self, first: int) -> Iterator[list[SampleKey]]:
        """Yield the batches of all processes from number `first` on, counted over all epochs."""
        per_epoch = self.length // self.global_batch_size
        epoch, first_of_epoch = divmod(first, per_epoch)
        while True:
            order = self._order(np.random.default_rng([self.seed, epoch]))
            for batch in range(first_of_epoch, per_epoch):
                indices = order[batch * self.global_batch_size : (batch + 1) * self.global_batch_size]
                yield [SampleKey(epoch, index) for index in indices]
            epoch, first_of_epoch = epoch + 1, 0

    def _order(self, rng: np.random.Generator) -> list[int]:
        """Return the indices of all images in random order."""
        if not self.shard_sizes:
            return list(rng.permutation(self.length).tolist())
        shards = np.split(np.arange(self.length), np.cumsum(self.shard_sizes)[:-1])
        order = rng.permutation(len(shards)).tolist()
        starts = range(0, len(order), SHARDS_PER_SHUFFLE)
        groups = [order[start : start + SHARDS_PER_SHUFFLE] for start in starts]
        return [
            index
            for group in groups
            for index in rng.permutation(np.concatenate([shards[shard] for shard in group])).tolist()
        ]


def iterate_batches(
    dataset: SampleDataset, batches: InfiniteBatchSampler, workers: int, *, device: torch.device = CPU
) -> Iterator[Sample]:
    """Yield batches of uint8 samples without end; the next ones are prepared in the background.

    For a CUDA device, the batches are on the device: cropped and mirrored there if the dataset fits into its
    memory, or else uploaded one ahead. For other devices, they are in the memory of the host.

    Use a batch before requesting the next one, because its memory is reused.

    Args:
        workers: the number of worker processes. If it is 0, a thread of this process prepares the batches;
            likewise on a CPU if the dataset is `faster_without_workers`.
        device: the device of training.

    Raises:
        DataError: an image cannot be read, or the images of a batch differ in size.
    """
    if device.type == "cuda":
        yield from iterate_on_device(dataset, batches, workers, CUDAUploader(device))
    elif workers and not dataset.faster_without_workers:
        yield from _start_workers(dataset, batches, workers)
    else:
        yield from _iterate_in_thread(dataset, batches)


def iterate_on_device(
    dataset: SampleDataset, batches: InfiniteBatchSampler, workers: int, uploader: Uploader
) -> Iterator[Sample]:
    """Yield the batches of `iterate_batches` on the device of an uploader."""
    on_device = load_to_device(dataset, uploader.device, MEMORY_SHARE * uploader.total_memory)
    if on_device is not None:
        message(f"the training images are in the memory of the GPU: {on_device.size / 1e6:.1f} MB")
        yield from on_device.iterate(batches, uploader)
    # A thread that makes samples would keep the thread that launches steps from running, so use workers even
    # if the dataset is `faster_without_workers`.
    elif workers:
        yield from upload_ahead(_start_workers(dataset, batches, workers), uploader)
    else:
        yield from upload_ahead((_load(dataset, keys) for keys in batches), uploader)


def _load(dataset: SampleDataset, keys: list[SampleKey]) -> Sample:
    return _collate([dataset[key] for key in keys])


def _iterate_in_thread(dataset: SampleDataset, batches: InfiniteBatchSampler) -> Iterator[Sample]:
    pool, remaining = ThreadPoolExecutor(1), iter(batches)
    try:
        pending = deque(pool.submit(_load, dataset, keys) for keys in islice(remaining, THREAD_PREFETCH))
        for keys in remaining:
            yield pending.popleft().result()
            pending.append(pool.submit(_load, dataset, keys))
    finally:
        pool.shutdown(cancel_futures=True)


def _start_workers(
    dataset: SampleDataset, batches: InfiniteBatchSampler, workers: int
) -> Generator[Sample, None, None]:
    """Start the worker processes, in the thread that calls this, and return their batches."""
    shared = _SharedBatches(dataset, next(iter(batches)), workers)
    with warnings.catch_warnings():
        # Torch warns if there are more workers than cores, but a worker that waits for a file needs no core.
        warnings.simplefilter("ignore")
        loader = DataLoader(
            dataset,
            batch_sampler=batches,
            num_workers=workers,
            prefetch_factor=WORKER_PREFETCH,
            collate_fn=shared.store,
            worker_init_fn=set_up_worker,
            # Without a generator, the loader would draw a seed from torch's global one, which training uses.
            generator=torch.Generator(),
        )
        with unguarded_script_errors():
            loaded = iter(loader)
    return _iterate_in_workers(loaded, shared)


def _iterate_in_workers(loaded: Iterator[Any], shared: _SharedBatches) -> Generator[Sample, None, None]:
    try:
        with unguarded_script_errors(getattr(loaded, "_workers", ())):
            for batch in loaded:
                yield shared.get(batch)
    except DataError as error:
        # The message of a worker's error contains its traceback; the last line is the original message.
        raise DataError(
            str(error).rstrip().splitlines()[-1].removeprefix(f"{DataError.__module__}.DataError: ")
        ) from None


class _SharedBatches:
    """Shared memory in which worker processes store their batches.

    Torch would allocate new shared memory for each batch, which takes longer than to fill it.

    Args:
        keys: the keys of one batch, from which the size of the memory follows.
    """

    def __init__(self, dataset: SampleDataset, keys: list[SampleKey], workers: int) -> None:
        # Each worker has one slot per batch that it prepares ahead, and one for the batch in use.
        sizes = (workers, WORKER_PREFETCH + 1, len(keys))
        self.tensors = {name: _shared_memory(sizes, tensor) for name, tensor in dataset[keys[0]].items()}
        self.count = 0

    def store(self, samples: list[Sample]) -> tuple[int, int] | Sample:
        """Store a batch in the next slot of this worker and return the slot.

        A batch that does not fit, because its images have another size, is returned itself.
        """
        batch, worker = _collate(samples), get_worker_info()
        assert worker is not None
        if any(tensor.shape != self.tensors[name].shape[2:] for name, tensor in batch.items()):
            return batch
        slot = worker.id, self.count % (WORKER_PREFETCH + 1)
        self.count += 1
        for name, tensor in batch.items():
            self.tensors[name][slot].copy_(tensor)
        return slot

    def get(self, slot: tuple[int, int] | Sample) -> Sample:
        """Return the batch for what `store` returned in the worker."""
        if isinstance(slot, dict):
            return slot
        return {name: tensor[slot] for name, tensor in self.tensors.items()}


def _shared_memory(sizes: tuple[int, ...], like: Tensor) -> Tensor:
    """Allocate shared memory for tensors of one shape; images are channels last in memory, as decoded."""
    is_image = like.ndim == 3
    shape = like.movedim(0, -1).shape if is_image else like.shape
    memory = torch.empty(*sizes, *shape, dtype=like.dtype)
    memory.share_memory_()  # type: ignore[no-untyped-call]
    return memory.movedim(-1, -3) if is_image else memory


def _collate(samples: list[Sample]) -> Sample:
    """Stack samples into a batch; images are channels last in memory, as decoded."""
    for name in samples[0]:
        sizes = {tuple(sample[name].shape[1:]) for sample in samples}
        if len(sizes) > 1:
            examples = " and ".join(f"{width}x{height}" for height, width in sorted(sizes)[:2])
            raise DataError(
                f"the images of a batch differ in size ({examples}):"
                " use --batch-size 1, or a --preprocess that crops"
            )
    return {name: _stack([sample[name] for sample in samples]) for name in samples[0]}


def _stack(tensors: list[Tensor]) -> Tensor:
    # Stack with NumPy, because torch would start threads for it.
    if tensors[0].ndim != 3:  # Labels and volumes.
        return torch.from_numpy(np.stack([tensor.numpy() for tensor in tensors]))
    stacked = np.stack([tensor.permute(1, 2, 0).numpy() for tensor in tensors])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2)
