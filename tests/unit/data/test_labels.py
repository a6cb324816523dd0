"""Images for generators from noise, with and without classes, and the dataset that holds them in memory."""

from __future__ import annotations

import gzip
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.images import noise
from translate.data.datasets.in_memory import InMemoryDataset
from translate.data.datasets.samples import SampleKey
from translate.data.discovery.labels import LabeledImages, find_labeled
from translate.errors import DataError, UsageError
from translate.images import write_rgb
from translate.progress import Event, Started, listening


def create_class_folders(root: Path) -> Path:
    for number, name in enumerate(("cats/1", "cats/2", "dogs/deep/1")):
        noise(root / f"{name}.png", seed=number)
    return root


def write_idx(path: Path, array: np.ndarray, *, shape: tuple[int, ...] | None = None) -> Path:
    """Write an IDX file, whose header may have another shape than the array."""
    shape = shape or array.shape
    header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    content = header + array.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_digits(root: Path, suffix: str = "") -> np.ndarray:
    """Write training and test images and training labels like MNIST; return the training images."""
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28))
    write_idx(root / f"train-images-idx3-ubyte{suffix}", images)
    write_idx(root / f"train-labels-idx1-ubyte{suffix}", np.array([3, 0, 1, 1, 2]))
    write_idx(root / f"t10k-images-idx3-ubyte{suffix}", images[:2])
    return images


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    images = find_labeled(str(create_class_folders(tmp_path)), with_classes=True)
    assert (images.classes, images.labels) == (["cats", "dogs"], [0, 0, 1])
    assert images.summary == "3 training images in 2 classes"


def test_without_classes_the_images_of_all_folders_are_found(tmp_path: Path) -> None:
    noise(create_class_folders(tmp_path) / "loose.png")
    images = find_labeled(str(tmp_path), with_classes=False)
    assert images.summary == "4 training images"
    assert images.labels == []


def test_images_without_a_class_are_excluded_with_a_note(tmp_path: Path) -> None:
    noise(create_class_folders(tmp_path) / "loose.png")
    images = find_labeled(str(tmp_path), with_classes=True)
    assert len(images.images) == 3
    assert "loose.png" in images.notes[0]


def test_a_flat_folder_without_a_csv_file_has_no_classes(tmp_path: Path) -> None:
    noise(tmp_path / "1.png")
    with pytest.raises(UsageError, match=r"no classes.*--labels"):
        find_labeled(str(tmp_path), with_classes=True)


@pytest.mark.parametrize("header", ["", "file,class\n"])
def test_a_csv_file_gives_the_classes(header: str, tmp_path: Path) -> None:
    root = create_class_folders(tmp_path / "data")
    table = tmp_path / "labels.csv"
    table.write_text(f"{header}dogs/deep/1.png,brown\ncats/1.png,gray\nbirds/1.png,red\n")
    images = find_labeled(str(root), str(table), with_classes=True)
    assert (images.classes, images.labels) == (["brown", "gray"], [1, 0])
    assert "cats/2.png" in images.notes[0]
    assert "birds/1.png" in images.notes[1]
    assert "file" not in images.notes[1].split(": ")[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("other.png,x\n", "names no image"),
        ("cats/1.png\n", "row 1: 'cats/1.png' has no class"),
        ("cats/1.png, \n", "row 1: 'cats/1.png' has no class"),
        ("cats/1.png,a\ncats/1.png,b\n", "more than one row for 'cats/1.png'"),
    ],
)
def test_a_wrong_csv_file_is_refused(content: str, message: str, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(content)
    with pytest.raises((UsageError, DataError), match=message):
        find_labeled(str(create_class_folders(tmp_path / "data")), str(table), with_classes=True)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_training_images_of_idx_files_are_read(suffix: str, tmp_path: Path) -> None:
    array = write_digits(tmp_path, suffix)
    images = find_labeled(str(tmp_path), with_classes=True)
    assert np.array_equal(images.images, array)
    assert images.labels == [3, 0, 1, 1, 2]
    assert images.classes == ["0", "1", "2", "3"]
    assert images.read_image(1, 28).shape == (28, 28, 3)
    assert len(images.files()) == 2


def test_damaged_idx_files_are_refused(tmp_path: Path) -> None:
    truncated = write_idx(
        tmp_path / "a" / "train-images-idx3-ubyte", np.zeros((2, 8, 8)), shape=(2, 2**31, 8)
    )
    with pytest.raises(DataError, match="truncated"):
        find_labeled(str(truncated.parent), with_classes=False)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"x" * 50)[:20])
    with pytest.raises(DataError, match="cannot be read"):
        find_labeled(str(tmp_path / "b"), with_classes=False)
    write_digits(tmp_path / "c")
    write_idx(tmp_path / "c" / "train-labels-idx1-ubyte", np.zeros(3))
    with pytest.raises(DataError, match="5 images, but there are 3 labels"):
        find_labeled(str(tmp_path / "c"), with_classes=True)


def test_idx_images_without_labels_have_no_classes(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((2, 8, 8)))
    assert len(find_labeled(str(tmp_path), with_classes=False).images) == 2
    with pytest.raises(UsageError, match="labels"):
        find_labeled(str(tmp_path), with_classes=True)


# The dataset in memory


def load_dataset(images: LabeledImages, **settings: Any) -> InMemoryDataset:
    defaults = {"image_size": 16, "channels": None, "flip": False, "seed": 0, "cache_size": 10.0}
    return InMemoryDataset(images, **{**defaults, **settings})


def test_images_of_any_size_become_squares_and_transparency_becomes_white(tmp_path: Path) -> None:
    Image.new("RGBA", (40, 90), (255, 0, 0, 0)).save(tmp_path / "0.png")
    noise(tmp_path / "1.png", 20, 60)
    noise(tmp_path / "2.png", 3, 5)
    dataset = load_dataset(find_labeled(str(tmp_path), with_classes=False))
    assert [dataset[SampleKey(0, index)]["image"].shape for index in range(3)] == 3 * [(3, 16, 16)]
    assert (dataset[SampleKey(0, 0)]["image"] == 255).all()


def test_the_center_of_an_image_is_cropped(tmp_path: Path) -> None:
    pixels = np.zeros((16, 48, 3), np.uint8)
    pixels[:, 16:32] = (10, 20, 30)
    write_rgb(pixels, tmp_path / "0.png")
    image = load_dataset(find_labeled(str(tmp_path), with_classes=False))[SampleKey(0, 0)]["image"]
    assert image.amin(dim=(1, 2)).tolist() == image.amax(dim=(1, 2)).tolist() == [10, 20, 30]


def test_an_unreadable_file_is_excluded_with_its_label(tmp_path: Path) -> None:
    create_class_folders(tmp_path)
    (tmp_path / "cats" / "0.png").write_bytes(b"no image")
    dataset = load_dataset(find_labeled(str(tmp_path), with_classes=True))
    assert [int(dataset[SampleKey(0, index)]["label"]) for index in range(len(dataset))] == [0, 0, 1]
    assert "0.png" in dataset.labeled_images.notes[0]


def test_a_dataset_without_readable_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"no training image .*0\.png"):
        load_dataset(find_labeled(str(tmp_path), with_classes=False))


def test_a_dataset_whose_images_are_all_for_validation_is_refused(tmp_path: Path) -> None:
    noise(tmp_path / "val" / "0.png")
    with pytest.raises(DataError, match="training images"):
        load_dataset(find_labeled(str(tmp_path), with_classes=False))


def test_gray_images_have_one_channel_unless_three_are_requested(tmp_path: Path) -> None:
    write_rgb(np.full((16, 16, 3), 80, np.uint8), tmp_path / "gray.png")
    images = find_labeled(str(tmp_path), with_classes=False)
    assert load_dataset(images).channels == 1
    assert load_dataset(images, channels=3)[SampleKey(0, 0)]["image"].shape == (3, 16, 16)


def has_same_samples(first: InMemoryDataset, second: InMemoryDataset) -> bool:
    assert len(first) == len(second)
    keys = [SampleKey(0, index) for index in range(len(first))]
    return all(tensor.equal(second[key][name]) for key in keys for name, tensor in first[key].items())


def test_the_images_of_a_folder_are_decoded_once(tmp_path: Path) -> None:
    (create_class_folders(tmp_path) / "cats" / "bad.png").write_bytes(b"no image")
    images = find_labeled(str(tmp_path), with_classes=True)
    in_memory = load_dataset(images, cache_size=0)
    first_events: list[Event] = []
    with listening(first_events.append):
        first = load_dataset(images)
    second_events: list[Event] = []
    with listening(second_events.append):
        second = load_dataset(images)
    assert any(isinstance(event, Started) for event in first_events)  # The progress of decoding.
    assert second_events == []
    assert second.faster_without_workers
    assert second.pixels is None
    assert first.labeled_images.notes == second.labeled_images.notes == in_memory.labeled_images.notes
    assert "bad.png" in second.labeled_images.notes[0]
    assert has_same_samples(second, in_memory)
    assert has_same_samples(second, first)
    # A worker process gets a pickled copy.
    assert has_same_samples(pickle.loads(pickle.dumps(second)), in_memory)


@pytest.mark.parametrize("cache_size", [0.0, 1e-6])
def test_images_that_do_not_fit_in_the_cache_are_held_in_memory(cache_size: float, tmp_path: Path) -> None:
    images = find_labeled(str(create_class_folders(tmp_path)), with_classes=True)
    dataset = load_dataset(images, cache_size=cache_size)
    assert dataset.faster_without_workers
    assert dataset.pixels is not None
    assert has_same_samples(dataset, load_dataset(images))


@pytest.mark.parametrize("cache_size", [0.0, 1e-6])
def test_images_that_do_not_fit_in_memory_are_read_from_their_files(
    cache_size: float, tmp_path: Path
) -> None:
    source = noise(tmp_path / "data" / "cats" / "000.png")
    for number in range(1, 300):
        shutil.copy(source, source.with_name(f"{number:03}.png"))
    noise(tmp_path / "data" / "dogs" / "1.png", seed=1)
    (tmp_path / "data" / "dogs" / "2.png").write_bytes(b"no image")
    images = find_labeled(str(tmp_path / "data"), with_classes=True)
    dataset = load_dataset(images, cache_size=cache_size, max_bytes=1000)
    assert dataset.pixels is None
    assert not dataset.faster_without_workers
    assert "2.png" in dataset.labeled_images.notes[0]
    assert has_same_samples(dataset, load_dataset(images, cache_size=0))


def test_a_dataset_with_a_color_image_is_in_color(tmp_path: Path) -> None:
    write_rgb(np.full((16, 16, 3), 80, np.uint8), tmp_path / "0.png")
    write_rgb(np.full((16, 16, 3), (80, 90, 100), np.uint8), tmp_path / "1.png")
    images = find_labeled(str(tmp_path), with_classes=False)
    for settings in ({}, {"channels": 1}):
        assert has_same_samples(
            load_dataset(images, **settings), load_dataset(images, cache_size=0, **settings)
        )
    assert load_dataset(images).channels == 3
    assert (load_dataset(images)[SampleKey(0, 0)]["image"] == 80).all()


def test_random_flips_depend_on_the_key_alone(tmp_path: Path) -> None:
    noise(tmp_path / "1.png")
    dataset = load_dataset(find_labeled(str(tmp_path), with_classes=False), flip=True)
    images = [dataset[SampleKey(epoch, 0)]["image"] for epoch in range(20)]
    mirrored = [image.equal(images[0].flip(2)) for image in images]
    assert set(mirrored) == {True, False}
    assert all(
        image.equal(images[0]) != is_mirrored for image, is_mirrored in zip(images, mirrored, strict=True)
    )
    assert all(image.equal(dataset[SampleKey(epoch, 0)]["image"]) for epoch, image in enumerate(images))
