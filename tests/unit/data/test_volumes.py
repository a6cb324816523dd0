"""Datasets of volumes: which files are found, how they are split, and what is left out."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from translate.data.datasets.crops import SampleKey
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches
from translate.data.shapes import draw_shape, write_shapes
from translate.data.volumes import check_volumes, find_volumes, read_volumes
from translate.errors import DataError, UsageError


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    write_shapes(tmp_path / "shapes", count=10)
    return tmp_path / "shapes"


def test_a_twentieth_is_held_out_by_the_hash_of_the_names(shapes: Path) -> None:
    found = find_volumes(str(shapes))
    assert (len(found.train), len(found.validation)) == (38, 2)
    (shapes / "more.npy").touch()
    assert set(found.validation) <= set(find_volumes(str(shapes)).validation)
    assert found.notes == []


@pytest.mark.parametrize("folder", ["test", "lamps/test"])
def test_folders_for_validation_are_held_out(folder: str, shapes: Path) -> None:
    held_out = shapes / folder / "0000.npy"
    held_out.parent.mkdir()
    (shapes / "lamps" / "0000.npy").rename(held_out)
    found = find_volumes(str(shapes))
    assert found.validation == [held_out]
    assert len(found.train) == 39


def test_each_file_is_a_sample_and_takes_a_bit_for_each_voxel(shapes: Path) -> None:
    volumes = read_volumes(str(shapes), 32)
    for index, path in enumerate(volumes.files.train):
        sample = volumes.train[SampleKey(5, index)]["volume"]
        assert sample.shape == (1, 32, 32, 32)
        assert np.array_equal(sample[0].numpy(), np.load(path) > 0)
    assert sum(bits.nbytes for bits in volumes.train.bits) == 38 * 32**3 / 8
    assert [len([*volumes.train.spread(count)]) for count in (1, 5, 99)] == [1, 5, 38]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_of_volumes(workers: int, shapes: Path) -> None:
    train = read_volumes(str(shapes), 32).train
    train.faster_without_workers = False
    batches = iterate_batches(train, InfiniteBatchSampler(len(train), 4, seed=3), workers)
    sampler = iter(InfiniteBatchSampler(len(train), 4, seed=3))
    for batch, keys in zip(islice(batches, 3), sampler, strict=False):
        assert batch["volume"].shape == (4, 1, 32, 32, 32)
        for volume, key in zip(batch["volume"], keys, strict=True):
            assert volume.equal(train[key]["volume"])
    batches.close()  # type: ignore[attr-defined]


def test_a_file_that_cannot_be_read_is_named_and_stops_nothing(shapes: Path) -> None:
    (shapes / "broken.npy").write_bytes(b"no array")
    (shapes / "broken.binvox").write_bytes(b"#binvox 1\n")
    (shapes / "readme.txt").touch()
    volumes = read_volumes(str(shapes), 32)
    assert len(volumes.files.files()) == 40
    assert [Path(error.partition(": ")[0]).name for error in volumes.errors] == [
        "broken.binvox",
        "broken.npy",
    ]
    assert volumes.notes[0] == "left out: 1 .txt (no voxels and no meshes)"
    assert ["broken.binvox" in volumes.notes[1], "broken.npy" in volumes.notes[2]] == [True, True]


def test_volumes_that_are_all_small_are_hinted_at(shapes: Path) -> None:
    assert read_volumes(str(shapes), 32).hints == []
    (hint,) = read_volumes(str(shapes), 64).hints
    assert "32 voxels" in hint
    assert "--image-size 32" in hint
    np.save(shapes / "large.npy", draw_shape("chairs", 0, 0, 64))
    assert read_volumes(str(shapes), 64).hints == []


def test_a_folder_without_volumes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(UsageError, match=r"no volumes \(\.npy, \.binvox, .*1 \.png"):
        find_volumes(str(tmp_path))
    (tmp_path / "a.npy").touch()
    with pytest.raises(DataError, match=r"no training volume can be read .*a\.npy"):
        read_volumes(str(tmp_path), 32)
    (tmp_path / "val").mkdir()
    (tmp_path / "a.npy").rename(tmp_path / "val" / "a.npy")
    with pytest.raises(UsageError, match="train/"):
        find_volumes(str(tmp_path))


def test_a_check_reports_a_folder_of_volumes_and_leaves_images_to_others(shapes: Path) -> None:
    report = check_volumes(str(shapes), 64)
    assert report is not None
    assert report.lines[0] == "3dgan would use 38 training volumes, 2 validation volumes"
    assert report.problems == []
    (shapes / "bad.npy").touch()
    report = check_volumes(str(shapes), 64)
    assert report is not None
    assert "bad.npy" in report.problems[0]
    (shapes / "a.png").touch()
    assert check_volumes(str(shapes), 64) is None
    assert check_volumes(str(shapes / "nowhere"), 64) is None
