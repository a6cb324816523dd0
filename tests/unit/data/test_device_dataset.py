"""A dataset on a device gives the batches of the loader, bit for bit."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.images import noise
from tests.unit.data.uploaders import LateUploader
from translate.config import ImageTrainConfig
from translate.data.datasets import device_dataset
from translate.data.datasets.device_dataset import DeviceDataset, load_to_device
from translate.data.datasets.in_memory import InMemoryDataset
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches, iterate_on_device
from translate.data.datasets.photos import InpaintingDataset
from translate.data.datasets.reader import open_training_cache
from translate.data.datasets.samples import (
    AugmentedDataset,
    PairedDataset,
    PhotoDataset,
    SampleDataset,
    UnpairedDataset,
)
from translate.data.discovery.labels import find_labeled
from translate.data.discovery.pair import Pair
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.progress import Event, Message, listening

CPU = torch.device("cpu")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"{number}.png", 40, 50, seed=number) for number in range(7)]


def pairs(files: list[Path], *, swap: bool = False, **settings: Any) -> PairedDataset:
    c = Pix2PixConfig(**{"image_size": 32, **settings})
    # The last file is a joined one.
    items = [*(Pair(a, b) for a, b in zip(files[:3], files[3:6], strict=True)), Pair(files[6])]
    if c.preprocess == "crop":
        items.pop()
    return PairedDataset(items, c, training=True, swap=swap, cache=open_training_cache(items, c))


def domains(files: list[Path], *, count: int = 2, **settings: Any) -> UnpairedDataset:
    c = CycleGANConfig(**{"image_size": 32, **settings})
    domain = (files[count:], files[:count])
    return UnpairedDataset(domain, c, training=True, cache=open_training_cache(files, c))


def photos(files: list[Path], kind: type[PhotoDataset] = PhotoDataset, **settings: Any) -> PhotoDataset:
    config = CycleGANConfig if kind is PhotoDataset else InpaintConfig
    c: ImageTrainConfig = config(**{"image_size": 32, "preprocess": "resize_and_crop", **settings})
    return kind(files, c, training=True, cache=open_training_cache(files, c))


def in_memory(
    files: list[Path], *, classes: bool = False, channels: int | None = 3, **settings: Any
) -> InMemoryDataset:
    for number, file in enumerate(files):
        file.rename(noise(files[0].parent / "all" / "ab"[number % 2] / file.name))
    images = find_labeled(str(files[0].parent / "all"), with_classes=classes)
    settings = {"image_size": 24, "seed": 3, "flip": True, "cache_size": 1.0, **settings}
    return InMemoryDataset(images, channels=channels, **settings)


DATASETS: dict[str, Any] = {
    "pairs": pairs,
    "pairs, BtoA": lambda files: pairs(files, swap=True),
    "pairs, gray to color": lambda files: pairs(files, in_channels=1),
    "pairs, cropped only": lambda files: pairs(files, preprocess="crop", seed=2**32 - 1),
    "pairs, not flipped": lambda files: pairs(files, flip=False),
    "pairs, not cropped": lambda files: pairs(files, load_size=32),
    "two domains": domains,
    "two domains, one image": lambda files: domains(files, count=1),
    "two domains, gray": lambda files: domains(files, in_channels=1, out_channels=1),
    "photos": photos,
    "photos, whole": lambda files: photos(files, preprocess="scale_width", load_size=40),
    "images": in_memory,
    "images, not flipped": lambda files: in_memory(files, flip=False),
    "images in memory, gray, labeled": lambda files: in_memory(
        files, classes=True, channels=1, cache_size=0.0
    ),
}


@pytest.fixture(params=DATASETS)
def dataset(request: pytest.FixtureRequest, files: list[Path]) -> SampleDataset:
    result = DATASETS[request.param](files)
    assert isinstance(result, SampleDataset)
    return result


def load(dataset: SampleDataset) -> DeviceDataset:
    result = load_to_device(dataset, CPU, 1e9)
    assert result is not None
    return result


def test_batches_equal_those_of_the_loader(dataset: SampleDataset) -> None:
    def sampler() -> InfiniteBatchSampler:
        return InfiniteBatchSampler(len(dataset), 2, 5, start=4, batches_per_step=2)

    on_device = load(dataset).iterate(sampler(), LateUploader())
    loaded = iterate_batches(dataset, sampler(), 0)
    for batch, expected in islice(zip(on_device, loaded, strict=True), 30):
        assert list(batch) == list(expected)
        for name, values in expected.items():
            assert batch[name].dtype == values.dtype
            assert torch.equal(batch[name], values)
            assert values.ndim < 4 or batch[name].is_contiguous(memory_format=torch.channels_last)


def test_samples_differ_between_epochs_and_images(files: list[Path]) -> None:
    # The batches that are compared elsewhere must not be alike.
    batches = list(islice(load(pairs(files)).iterate(InfiniteBatchSampler(4, 2, 0), LateUploader()), 40))
    assert len({batch["a"].numpy().tobytes() for batch in batches}) == 40


@pytest.mark.parametrize("max_images", [1, 5, 512])
def test_a_run_continues_at_any_step_and_each_process_gets_its_share(
    max_images: int, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_dataset, "MAX_IMAGES", max_images)
    photo_set = load(photos(files))

    def take(count: int, batch_size: int, **settings: int) -> list[torch.Tensor]:
        sampler = InfiniteBatchSampler(7, batch_size, 0, **settings)
        return [batch["photo"] for batch in islice(photo_set.iterate(sampler, LateUploader()), count)]

    whole = take(12, 2)
    assert torch.equal(torch.stack(take(5, 2, start=7)), torch.stack(whole[7:]))
    ranks = [take(12, 1, rank=rank, world_size=2) for rank in range(2)]
    assert all(torch.equal(torch.cat(parts), batch) for *parts, batch in zip(*ranks, whole, strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        {"affine": 5.0},
        {"color_jitter": 0.3},
        {"preprocess": "random_resized_crop"},
        {"load_size": 24},  # smaller than the crop, so that images are padded
        {"preprocess": "none"},  # padded to a multiple of four
        {"cache_size": 0.0},
    ],
)
def test_samples_that_are_no_crops_of_cached_images_are_made_by_the_loader(
    settings: dict[str, Any], files: list[Path]
) -> None:
    assert load_to_device(photos(files, **settings), CPU, 1e9) is None


def test_masks_are_drawn_by_the_loader(files: list[Path]) -> None:
    assert load_to_device(photos(files, InpaintingDataset), CPU, 1e9) is None


def test_images_of_different_sizes_are_left_to_the_loader(files: list[Path], tmp_path: Path) -> None:
    files.append(noise(tmp_path / "larger.png", 50, 60))
    assert load_to_device(photos(files, preprocess="crop"), CPU, 1e9) is None


def test_a_dataset_that_draws_otherwise_is_left_to_the_loader(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def augment(self: AugmentedDataset[Any], pixels: np.ndarray, draw: Any) -> np.ndarray:
        return pixels[:32, :32]  # What another version of albumentations might draw.

    monkeypatch.setattr(AugmentedDataset, "augment", augment)
    assert load_to_device(photos(files), CPU, 1e9) is None


def test_a_dataset_is_on_the_gpu_if_it_takes_a_small_share_of_its_memory(files: list[Path]) -> None:
    dataset = photos(files)
    size = 7 * 3 * 36**2
    lines: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, Message):
            lines.append(event.text)

    batches = []
    with listening(note):
        for total_memory in (15 * size, 17 * size):
            uploader = LateUploader(total_memory)
            stream = iterate_on_device(dataset, InfiniteBatchSampler(7, 2, 0), 0, uploader)
            batches.append(torch.stack([batch["photo"] for batch in islice(stream, 10)]))
    assert lines == ["the training images are in the memory of the GPU: 0.0 MB"]
    assert torch.equal(*batches)


def test_random_numbers_of_training_stay_as_they_are(files: list[Path]) -> None:
    state = torch.get_rng_state()
    next(iterate_on_device(photos(files), InfiniteBatchSampler(7, 2, 0), 0, LateUploader(10**9)))
    assert torch.equal(torch.get_rng_state(), state)
