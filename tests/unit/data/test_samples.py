"""A sample depends on the seed, the epoch and the index, and on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.images import noise
from translate.data.datasets.samples import (
    PairedDataset,
    PhotoDataset,
    SampleDataset,
    SampleKey,
    UnpairedDataset,
)
from translate.data.discovery.pair import Pair
from translate.images import read_rgb, write_rgb
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig

NO_AUGMENTATION = {"preprocess": "none", "flip": False, "image_size": 32}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"{number}.png", 32, 32, seed=number) for number in range(6)]


def to_pixels(image: torch.Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).numpy()


def paired(files: list[Path], **settings: Any) -> PairedDataset:
    config = Pix2PixConfig(**{"image_size": 32, **settings})
    return PairedDataset([Pair(files[0], files[1]), Pair(files[2], files[3])], config, training=True)


def unpaired(files: list[Path], *, training: bool = True, **settings: Any) -> UnpairedDataset:
    config = CycleGANConfig(**{"image_size": 32, **settings})
    return UnpairedDataset((files[:2], files[2:]), config, training=training)


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in ("a", "b"))


def test_samples_are_uint8_images_of_the_crop_size(files: list[Path]) -> None:
    for dataset in (paired(files), unpaired(files)):
        sample = dataset[SampleKey(0, 1)]
        assert sorted(sample) == ["a", "b"]
        assert all(x.shape == (3, 32, 32) and x.dtype == torch.uint8 for x in sample.values())


def test_without_augmentation_a_pair_is_the_two_files(files: list[Path]) -> None:
    sample = paired(files, **NO_AUGMENTATION)[SampleKey(0, 1)]
    assert np.array_equal(to_pixels(sample["a"]), read_rgb(files[2]))
    assert np.array_equal(to_pixels(sample["b"]), read_rgb(files[3]))


@pytest.mark.parametrize("training", [True, False])
def test_a_and_b_are_swapped_for_the_direction_from_b_to_a(training: bool, files: list[Path]) -> None:
    pairs = [Pair(files[0], files[1])]
    a_to_b, b_to_a = (
        PairedDataset(pairs, Pix2PixConfig(image_size=32), training=training, swap=swap)[SampleKey(3, 0)]
        for swap in (False, True)
    )
    assert torch.equal(a_to_b["a"], b_to_a["b"])
    assert torch.equal(a_to_b["b"], b_to_a["a"])


@pytest.mark.parametrize("width", [64, 65])
def test_a_joined_file_is_split_at_half_its_width(width: int, tmp_path: Path) -> None:
    path = noise(tmp_path / "joined.png", 32, width)
    joined = read_rgb(path)
    sample = PairedDataset([Pair(path)], Pix2PixConfig(**NO_AUGMENTATION), training=True)[SampleKey(0, 0)]
    assert np.array_equal(to_pixels(sample["a"]), joined[:, :32])
    assert np.array_equal(to_pixels(sample["b"]), joined[:, 32:64])


def test_the_target_is_resized_to_the_size_of_the_input(tmp_path: Path) -> None:
    gray = np.full((50, 80, 3), 90, np.uint8)
    write_rgb(gray, tmp_path / "b.png")
    pair = Pair(noise(tmp_path / "a.png", 32, 32), tmp_path / "b.png")
    sample = PairedDataset([pair], Pix2PixConfig(**NO_AUGMENTATION), training=True)[SampleKey(0, 0)]
    assert sample["a"].shape == sample["b"].shape == (3, 32, 32)
    assert (sample["b"] == 90).all()


@pytest.mark.parametrize("create", [paired, unpaired])
def test_a_sample_does_not_depend_on_the_samples_before(create, files: list[Path]) -> None:
    fresh, used = create(files, color_jitter=0.5, affine=10), create(files, color_jitter=0.5, affine=10)
    for epoch in range(3):
        used[SampleKey(epoch, 0)]
    np.random.seed(7)  # The global random state must not matter.
    assert equal(fresh[SampleKey(5, 1)], used[SampleKey(5, 1)])


@pytest.mark.parametrize("create", [paired, unpaired])
@pytest.mark.parametrize("key", [SampleKey(6, 1), SampleKey(5, 0)])
def test_another_epoch_or_index_is_another_sample(create, key: SampleKey, files: list[Path]) -> None:
    dataset: SampleDataset = create(files)
    assert not equal(dataset[SampleKey(5, 1)], dataset[key])


@pytest.mark.parametrize("create", [paired, unpaired])
def test_another_seed_is_another_sample(create, files: list[Path]) -> None:
    assert not equal(create(files, seed=0)[SampleKey(5, 1)], create(files, seed=1)[SampleKey(5, 1)])


def test_validation_samples_are_the_same_in_every_epoch(files: list[Path]) -> None:
    dataset = unpaired(files, training=False)
    assert equal(dataset[SampleKey(0, 1)], dataset[SampleKey(9, 1)])


def test_an_unpaired_dataset_is_as_long_as_its_larger_domain(files: list[Path]) -> None:
    config = CycleGANConfig(image_size=32)
    for domains in ((files[:2], files[2:]), (files[2:], files[:2])):
        assert len(UnpairedDataset(domains, config, training=True)) == 4
    assert len(UnpairedDataset((files, []), config, training=True)) == 0
    assert len(paired(files)) == 2


def file_numbers(dataset: UnpairedDataset, name: str, keys: list[SampleKey], files: list[Path]) -> list[int]:
    """Return the number of the file that each sample was made from."""
    numbers = {read_rgb(path).tobytes(): number for number, path in enumerate(files)}
    return [numbers[to_pixels(dataset[key][name]).tobytes()] for key in keys]


def test_in_training_a_is_taken_in_order_and_b_at_random(files: list[Path]) -> None:
    dataset = unpaired(files, **NO_AUGMENTATION)
    keys = [SampleKey(epoch, index) for epoch in range(10) for index in range(4)]
    assert file_numbers(dataset, "a", keys, files) == [0, 1, 0, 1] * 10
    b = file_numbers(dataset, "b", keys, files)
    assert set(b) == {2, 3, 4, 5}
    assert len({tuple(b[start : start + 4]) for start in range(0, 40, 4)}) > 5


def test_in_validation_b_is_taken_in_order(files: list[Path]) -> None:
    keys = [SampleKey(0, index) for index in range(4)]
    assert file_numbers(unpaired(files, training=False, **NO_AUGMENTATION), "b", keys, files) == [2, 3, 4, 5]


def test_the_crop_of_a_photo_depends_on_the_epoch(tmp_path: Path) -> None:
    c = Pix2PixConfig(image_size=32, preprocess="crop")
    photos = PhotoDataset([noise(tmp_path / "a.png", 64, 64)], c, training=True)
    first, same, later = (photos[SampleKey(epoch, 0)]["photo"] for epoch in (0, 0, 1))
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8
    assert first.equal(same)
    assert not first.equal(later)
