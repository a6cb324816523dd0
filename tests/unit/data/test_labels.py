"""Images to learn to generate, with and without classes, and the data set that holds them in memory."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.images import noise
from translate.data.datasets.in_memory import InMemoryDataset
from translate.data.datasets.samples import SampleKey
from translate.data.discovery.labels import LabeledImages, find_labeled
from translate.errors import DataError, UsageError
from translate.images import resize_and_center_crop, write_rgb


def folder_of_classes(root: Path) -> Path:
    for number, name in enumerate(("cats/1", "cats/2", "dogs/deep/1")):
        noise(root / f"{name}.png", seed=number)
    return root


def idx(path: Path, array: np.ndarray, *, claimed: tuple[int, ...] | None = None) -> Path:
    shape = claimed or array.shape
    header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    content = header + array.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def digits(root: Path, ending: str = "") -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28))
    idx(root / f"train-images-idx3-ubyte{ending}", images)
    idx(root / f"train-labels-idx1-ubyte{ending}", np.array([3, 0, 1, 1, 2]))
    idx(root / f"t10k-images-idx3-ubyte{ending}", images[:2])
    return images


def test_a_sub_folder_is_a_class(tmp_path: Path) -> None:
    found = find_labeled(str(folder_of_classes(tmp_path)), with_classes=True)
    assert (found.classes, found.labels) == (["cats", "dogs"], [0, 0, 1])
    assert found.summary == "3 images of 2 classes to train on"


def test_without_classes_all_images_are_taken_wherever_they_lie(tmp_path: Path) -> None:
    noise(folder_of_classes(tmp_path) / "loose.png")
    assert find_labeled(str(tmp_path), with_classes=False).summary == "4 images to train on"


def test_what_lies_in_no_class_is_left_out_and_named(tmp_path: Path) -> None:
    noise(folder_of_classes(tmp_path) / "loose.png")
    found = find_labeled(str(tmp_path), with_classes=True)
    assert len(found.images) == 3
    assert "loose.png" in found.notes[0]


def test_a_flat_folder_has_no_classes(tmp_path: Path) -> None:
    noise(tmp_path / "1.png")
    with pytest.raises(UsageError, match=r"sub-folders by class, or give a CSV by --labels"):
        find_labeled(str(tmp_path), with_classes=True)


@pytest.mark.parametrize("header", ["", "file,class\n"])
def test_a_table_gives_the_classes(header: str, tmp_path: Path) -> None:
    root = folder_of_classes(tmp_path / "data")
    table = tmp_path / "labels.csv"
    table.write_text(f"{header}dogs/deep/1.png,brown\ncats/1.png,gray\nbirds/1.png,red\n")
    found = find_labeled(str(root), str(table), with_classes=True)
    assert (found.classes, found.labels) == (["brown", "gray"], [1, 0])
    assert "cats/2.png" in found.notes[0]
    assert "birds/1.png" in found.notes[1]
    assert "file" not in found.notes[1].split(": ")[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("other.png,x\n", "names no image"),
        ("cats/1.png\n", "row 1: 'cats/1.png' has no class"),
        ("cats/1.png, \n", "row 1: 'cats/1.png' has no class"),
        ("cats/1.png,a\ncats/1.png,b\n", "has 'cats/1.png' twice"),
    ],
)
def test_a_table_of_no_use(content: str, said: str, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(content)
    with pytest.raises((UsageError, DataError), match=said):
        find_labeled(str(folder_of_classes(tmp_path / "data")), str(table), with_classes=True)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_are_read_those_for_training_alone(ending: str, tmp_path: Path) -> None:
    images = digits(tmp_path, ending)
    found = find_labeled(str(tmp_path), with_classes=True)
    assert np.array_equal(found.images, images)
    assert found.labels == [3, 0, 1, 1, 2]
    assert found.classes == ["0", "1", "2", "3"]
    assert found.pixels(1, 28).shape == (28, 28, 3)
    assert len(found.files()) == 2


def test_damaged_idx_files(tmp_path: Path) -> None:
    cut = idx(tmp_path / "a" / "train-images-idx3-ubyte", np.zeros((2, 8, 8)), claimed=(2, 2**31, 8))
    with pytest.raises(DataError, match="cut short"):
        find_labeled(str(cut.parent), with_classes=False)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"x" * 50)[:20])
    with pytest.raises(DataError, match="cannot be read"):
        find_labeled(str(tmp_path / "b"), with_classes=False)
    lonely = idx(tmp_path / "c" / "train-images-idx3-ubyte", np.zeros((2, 8, 8)))
    with pytest.raises(UsageError, match="labels"):
        find_labeled(str(lonely.parent), with_classes=True)


def squares(found: LabeledImages, **settings: Any) -> InMemoryDataset:
    defaults = {"image_size": 16, "channels": None, "flip": False, "seed": 0, "cache_size": 10.0}
    return InMemoryDataset(found, **{**defaults, **settings})


def test_images_of_any_size_and_alpha_become_squares(tmp_path: Path) -> None:
    from PIL import Image

    noise(tmp_path / "wide.png", 20, 60)
    noise(tmp_path / "tiny.png", 3, 5)
    Image.new("RGBA", (40, 90), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    dataset = squares(find_labeled(str(tmp_path), with_classes=False))
    assert [dataset[SampleKey(0, index)]["image"].shape for index in range(3)] == 3 * [(3, 16, 16)]
    assert (dataset[SampleKey(0, 0)]["image"] == 255).all()  # transparent, on white


def test_a_bad_file_is_left_out_with_its_label(tmp_path: Path) -> None:
    folder_of_classes(tmp_path)
    (tmp_path / "cats" / "0.png").write_bytes(b"no image")
    dataset = squares(find_labeled(str(tmp_path), with_classes=True))
    assert [int(dataset[SampleKey(0, index)]["label"]) for index in range(len(dataset))] == [0, 0, 1]
    assert "0.png" in dataset.found.notes[0]


def test_only_bad_files(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="no image is left to train on"):
        squares(find_labeled(str(tmp_path), with_classes=False))


def test_gray_images_have_one_channel_unless_it_is_said(tmp_path: Path) -> None:
    write_rgb(np.full((16, 16, 3), 80, np.uint8), tmp_path / "gray.png")
    found = find_labeled(str(tmp_path), with_classes=False)
    assert squares(found).channels == 1
    assert squares(found, channels=3)[SampleKey(0, 0)]["image"].shape == (3, 16, 16)


def alike(some: InMemoryDataset, others: InMemoryDataset) -> bool:
    assert len(some) == len(others)
    keys = [SampleKey(0, index) for index in range(len(some))]
    return all(tensor.equal(others[key][name]) for key in keys for name, tensor in some[key].items())


def test_a_folder_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder_of_classes(tmp_path) / "cats" / "bad.png").write_bytes(b"no image")
    found = find_labeled(str(tmp_path), with_classes=True)
    fresh = squares(found, cache_size=0)
    first = squares(found)
    for module in ("datasets.in_memory", "discovery.check", "discovery.labels"):
        monkeypatch.setattr(f"translate.data.{module}.read_rgb", None)
    again = squares(found)
    assert again.ready
    assert again.images is None
    assert first.found.notes == again.found.notes == fresh.found.notes
    assert "bad.png" in again.found.notes[0]
    assert alike(again, fresh)
    assert alike(again, first)
    assert alike(pickle.loads(pickle.dumps(again)), fresh)  # as a loader's process gets it


@pytest.mark.parametrize("cache_size", [0.0, 1e-6])
def test_without_room_in_the_cache_a_set_is_held_in_memory(cache_size: float, tmp_path: Path) -> None:
    found = find_labeled(str(folder_of_classes(tmp_path)), with_classes=True)
    held = squares(found, cache_size=cache_size)
    assert held.ready
    assert held.images is not None
    assert alike(held, squares(found))


@pytest.mark.parametrize("cache_size", [0.0, 1e-6])
def test_without_room_anywhere_a_set_is_read_as_it_goes(
    cache_size: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder_of_classes(tmp_path) / "dogs" / "bad.png").write_bytes(b"no image")
    found = find_labeled(str(tmp_path), with_classes=True)
    whole = squares(found, cache_size=0)
    monkeypatch.setattr("translate.data.datasets.in_memory.MAX_BYTES", 10)
    monkeypatch.setattr("translate.data.datasets.in_memory.GRAY_CHECKS", 2)
    lazy = squares(found, cache_size=cache_size)
    assert lazy.images is None
    assert not lazy.ready
    assert alike(lazy, whole)


def test_gray_and_colour_of_one_set(tmp_path: Path) -> None:
    write_rgb(np.full((16, 16, 3), 80, np.uint8), tmp_path / "0.png")
    write_rgb(np.full((16, 16, 3), (80, 90, 100), np.uint8), tmp_path / "1.png")
    found = find_labeled(str(tmp_path), with_classes=False)
    for settings in ({}, {"channels": 1}):
        assert alike(squares(found, **settings), squares(found, cache_size=0, **settings))
    assert squares(found).channels == 3
    assert (squares(found)[SampleKey(0, 0)]["image"] == 80).all()


def test_flips_follow_from_the_key(tmp_path: Path) -> None:
    noise(tmp_path / "1.png")
    dataset = squares(find_labeled(str(tmp_path), with_classes=False), flip=True)
    images = [dataset[SampleKey(epoch, 0)]["image"] for epoch in range(20)]
    assert {bool(x.equal(images[0])) for x in images} == {True, False}
    assert all(x.equal(dataset[SampleKey(epoch, 0)]["image"]) for epoch, x in enumerate(images))


def test_the_center_is_cropped() -> None:
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    assert (resize_and_center_crop(image, 10) == 255).all()
