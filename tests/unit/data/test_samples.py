"""Samples are a function of the seed, the epoch and the index, and of nothing else."""

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

EXACT = {"preprocess": "none", "flip": False, "image_size": 32}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"{number}.png", 32, 32, seed=number) for number in range(6)]


def pixels(sample: torch.Tensor) -> np.ndarray:
    return sample.permute(1, 2, 0).numpy()


def paired(files: list[Path], **settings: Any) -> PairedDataset:
    config = Pix2PixConfig(**{"image_size": 32, **settings})
    return PairedDataset([Pair(files[0], files[1]), Pair(files[2], files[3])], config, training=True)


def unpaired(files: list[Path], *, training: bool = True, **settings: Any) -> UnpairedDataset:
    config = CycleGANConfig(**{"image_size": 32, **settings})
    return UnpairedDataset((files[:2], files[2:]), config, training=training)


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in ("a", "b"))


def test_samples_are_uint8_images_of_the_crops_size(files: list[Path]) -> None:
    for dataset in (paired(files), unpaired(files)):
        sample = dataset[SampleKey(0, 1)]
        assert sorted(sample) == ["a", "b"]
        assert all(x.shape == (3, 32, 32) and x.dtype == torch.uint8 for x in sample.values())


def test_a_pair_is_the_two_files(files: list[Path]) -> None:
    sample = paired(files, **EXACT)[SampleKey(0, 1)]
    assert np.array_equal(pixels(sample["a"]), read_rgb(files[2]))
    assert np.array_equal(pixels(sample["b"]), read_rgb(files[3]))


@pytest.mark.parametrize("training", [True, False])
def test_the_pair_is_swapped_where_b_is_translated(training: bool, files: list[Path]) -> None:
    pairs = [Pair(files[0], files[1])]
    forward, backward = (
        PairedDataset(pairs, Pix2PixConfig(image_size=32), training=training, swap=swap)[SampleKey(3, 0)]
        for swap in (False, True)
    )
    assert torch.equal(forward["a"], backward["b"])
    assert torch.equal(forward["b"], backward["a"])


@pytest.mark.parametrize("width", [64, 65])
def test_a_joined_file_is_cut_at_half_its_width(width: int, tmp_path: Path) -> None:
    path = noise(tmp_path / "joined.png", 32, width)
    whole = read_rgb(path)
    sample = PairedDataset([Pair(path)], Pix2PixConfig(**EXACT), training=True)[SampleKey(0, 0)]
    assert np.array_equal(pixels(sample["a"]), whole[:, :32])
    assert np.array_equal(pixels(sample["b"]), whole[:, 32:64])


def test_a_partner_of_another_size_is_brought_to_its_pairs(tmp_path: Path) -> None:
    gray = np.full((50, 80, 3), 90, np.uint8)
    write_rgb(gray, tmp_path / "b.png")
    pair = Pair(noise(tmp_path / "a.png", 32, 32), tmp_path / "b.png")
    sample = PairedDataset([pair], Pix2PixConfig(**EXACT), training=True)[SampleKey(0, 0)]
    assert sample["a"].shape == sample["b"].shape == (3, 32, 32)
    assert (sample["b"] == 90).all()


@pytest.mark.parametrize("make", [paired, unpaired])
def test_the_same_key_is_the_same_sample_whatever_was_drawn_before(make, files: list[Path]) -> None:
    one, other = make(files, color_jitter=0.5, affine=10), make(files, color_jitter=0.5, affine=10)
    for epoch in range(3):
        other[SampleKey(epoch, 0)]
    np.random.seed(7)  # the global state must not matter
    assert equal(one[SampleKey(5, 1)], other[SampleKey(5, 1)])


@pytest.mark.parametrize("make", [paired, unpaired])
@pytest.mark.parametrize("other", [SampleKey(6, 1), SampleKey(5, 0)])
def test_another_epoch_or_index_is_another_sample(make, other: SampleKey, files: list[Path]) -> None:
    dataset: SampleDataset = make(files)
    assert not equal(dataset[SampleKey(5, 1)], dataset[other])


@pytest.mark.parametrize("make", [paired, unpaired])
def test_another_seed_is_another_sample(make, files: list[Path]) -> None:
    assert not equal(make(files, seed=0)[SampleKey(5, 1)], make(files, seed=1)[SampleKey(5, 1)])


def test_scoring_draws_the_same_sample_in_every_epoch(files: list[Path]) -> None:
    dataset = unpaired(files, training=False)
    assert equal(dataset[SampleKey(0, 1)], dataset[SampleKey(9, 1)])


def test_an_unpaired_set_is_as_long_as_its_longer_side(files: list[Path]) -> None:
    config = CycleGANConfig(image_size=32)
    for sides in ((files[:2], files[2:]), (files[2:], files[:2])):
        assert len(UnpairedDataset(sides, config, training=True)) == 4
    assert len(UnpairedDataset((files, []), config, training=True)) == 0
    assert len(paired(files)) == 2


def chosen(dataset: UnpairedDataset, name: str, keys: list[SampleKey], files: list[Path]) -> list[int]:
    known = {read_rgb(path).tobytes(): number for number, path in enumerate(files)}
    return [known[pixels(dataset[key][name]).tobytes()] for key in keys]


def test_a_goes_round_and_b_is_drawn_at_random(files: list[Path]) -> None:
    dataset = unpaired(files, **EXACT)
    keys = [SampleKey(epoch, index) for epoch in range(10) for index in range(4)]
    assert chosen(dataset, "a", keys, files) == [0, 1, 0, 1] * 10
    partners = chosen(dataset, "b", keys, files)
    assert set(partners) == {2, 3, 4, 5}
    assert len({tuple(partners[start : start + 4]) for start in range(0, 40, 4)}) > 5


def test_scoring_takes_b_in_its_order(files: list[Path]) -> None:
    keys = [SampleKey(0, index) for index in range(4)]
    assert chosen(unpaired(files, training=False, **EXACT), "b", keys, files) == [2, 3, 4, 5]


def test_a_photo_is_drawn_by_epoch_and_index(tmp_path: Path) -> None:
    c = Pix2PixConfig(image_size=32, preprocess="crop")
    photos = PhotoDataset([noise(tmp_path / "a.png", 64, 64)], c, training=True)
    first, again, later = (photos[SampleKey(epoch, 0)]["photo"] for epoch in (0, 0, 1))
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8
    assert first.equal(again)
    assert not first.equal(later)
