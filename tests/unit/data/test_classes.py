"""Pictures to learn to make, with and without classes."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.pictures import noise
from translate.config import DCGANConfig
from translate.data.classes import Classed, find_classed
from translate.data.kept import KeptSet, fitted
from translate.data.sets import Draw
from translate.errors import DataError, UsageError
from translate.images import write_rgb


def classed(root: Path) -> Path:
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
    pictures = np.random.default_rng(0).integers(0, 256, (5, 28, 28))
    idx(root / f"train-images-idx3-ubyte{ending}", pictures)
    idx(root / f"train-labels-idx1-ubyte{ending}", np.array([3, 0, 1, 1, 2]))
    idx(root / f"t10k-images-idx3-ubyte{ending}", pictures[:2])
    return pictures


def test_a_sub_folder_is_a_class(tmp_path: Path) -> None:
    found = find_classed(str(classed(tmp_path)), with_classes=True)
    assert (found.classes, found.labels) == (["cats", "dogs"], [0, 0, 1])
    assert found.summary == "3 pictures of 2 classes to train on"


def test_without_classes_all_pictures_are_taken_wherever_they_lie(tmp_path: Path) -> None:
    noise(classed(tmp_path) / "loose.png")
    assert find_classed(str(tmp_path), with_classes=False).summary == "4 pictures to train on"


def test_what_lies_in_no_class_is_left_out_and_told(tmp_path: Path) -> None:
    noise(classed(tmp_path) / "loose.png")
    found = find_classed(str(tmp_path), with_classes=True)
    assert len(found.pictures) == 3
    assert "loose.png" in found.notes[0]


def test_a_flat_folder_has_no_classes(tmp_path: Path) -> None:
    noise(tmp_path / "1.png")
    with pytest.raises(UsageError, match=r"sub-folders by class, or give a CSV by --labels"):
        find_classed(str(tmp_path), with_classes=True)


@pytest.mark.parametrize("header", ["", "file,class\n"])
def test_a_table_gives_the_classes(header: str, tmp_path: Path) -> None:
    root = classed(tmp_path / "data")
    table = tmp_path / "labels.csv"
    table.write_text(f"{header}dogs/deep/1.png,brown\ncats/1.png,gray\nbirds/1.png,red\n")
    found = find_classed(str(root), str(table), with_classes=True)
    assert (found.classes, found.labels) == (["brown", "gray"], [1, 0])
    assert "cats/2.png" in found.notes[0]
    assert "birds/1.png" in found.notes[1]
    assert "file" not in found.notes[1].split(": ")[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("other.png,x\n", "names no picture"),
        ("cats/1.png\n", "row 1: 'cats/1.png' has no class"),
        ("cats/1.png, \n", "row 1: 'cats/1.png' has no class"),
        ("cats/1.png,a\ncats/1.png,b\n", "has 'cats/1.png' twice"),
    ],
)
def test_a_table_of_no_use(content: str, said: str, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(content)
    with pytest.raises((UsageError, DataError), match=said):
        find_classed(str(classed(tmp_path / "data")), str(table), with_classes=True)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_are_read_those_for_training_alone(ending: str, tmp_path: Path) -> None:
    pictures = digits(tmp_path, ending)
    found = find_classed(str(tmp_path), with_classes=True)
    assert np.array_equal(found.pictures, pictures)
    assert found.labels == [3, 0, 1, 1, 2]
    assert found.classes == ["0", "1", "2", "3"]
    assert found.pixels(1, 28).shape == (28, 28, 3)
    assert len(found.files()) == 2


def test_damaged_idx_files(tmp_path: Path) -> None:
    cut = idx(tmp_path / "a" / "train-images-idx3-ubyte", np.zeros((2, 8, 8)), claimed=(2, 2**31, 8))
    with pytest.raises(DataError, match="cut short"):
        find_classed(str(cut.parent), with_classes=False)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"x" * 50)[:20])
    with pytest.raises(DataError, match="cannot be read"):
        find_classed(str(tmp_path / "b"), with_classes=False)
    lonely = idx(tmp_path / "c" / "train-images-idx3-ubyte", np.zeros((2, 8, 8)))
    with pytest.raises(UsageError, match="labels"):
        find_classed(str(lonely.parent), with_classes=True)


def kept(found: Classed, **settings: object) -> KeptSet:
    return KeptSet(found, DCGANConfig(image_size=16, **settings))


def test_pictures_of_any_size_and_alpha_become_squares(tmp_path: Path) -> None:
    from PIL import Image

    noise(tmp_path / "wide.png", 20, 60)
    noise(tmp_path / "tiny.png", 3, 5)
    Image.new("RGBA", (40, 90), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    made = kept(find_classed(str(tmp_path), with_classes=False))
    assert [made[Draw(0, item)]["picture"].shape for item in range(3)] == 3 * [(3, 16, 16)]
    assert (made[Draw(0, 0)]["picture"] == 255).all()  # transparent, on white


def test_a_bad_file_is_left_out_with_its_label(tmp_path: Path) -> None:
    classed(tmp_path)
    (tmp_path / "cats" / "0.png").write_bytes(b"no picture")
    made = kept(find_classed(str(tmp_path), with_classes=True))
    assert [int(made[Draw(0, item)]["label"]) for item in range(len(made))] == [0, 0, 1]
    assert "0.png" in made.found.notes[0]


def test_only_bad_files(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no picture is left to train on"):
        kept(find_classed(str(tmp_path), with_classes=False))


def test_gray_pictures_have_one_channel_unless_it_is_said(tmp_path: Path) -> None:
    write_rgb(np.full((16, 16, 3), 80, np.uint8), tmp_path / "gray.png")
    found = find_classed(str(tmp_path), with_classes=False)
    assert kept(found).channels == 1
    assert kept(found, channels=3)[Draw(0, 0)]["picture"].shape == (3, 16, 16)


def alike(some: KeptSet, others: KeptSet) -> bool:
    assert len(some) == len(others)
    draws = [Draw(0, item) for item in range(len(some))]
    return all(part.equal(others[draw][name]) for draw in draws for name, part in some[draw].items())


def test_a_folder_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (classed(tmp_path) / "cats" / "bad.png").write_bytes(b"no picture")
    found = find_classed(str(tmp_path), with_classes=True)
    fresh = kept(found, cache_size=0)
    first = kept(found)
    for module in ("classes", "kept", "check"):
        monkeypatch.setattr(f"translate.data.{module}.read_rgb", None)
    again = kept(found)
    assert again.ready
    assert again.kept is None
    assert first.found.notes == again.found.notes == fresh.found.notes
    assert "bad.png" in again.found.notes[0]
    assert alike(again, fresh)
    assert alike(again, first)
    assert alike(pickle.loads(pickle.dumps(again)), fresh)  # as a loader's process gets it


@pytest.mark.parametrize("cache_size", [0.0, 1e-6])
def test_without_room_in_the_cache_a_set_is_kept_in_memory(cache_size: float, tmp_path: Path) -> None:
    found = find_classed(str(classed(tmp_path)), with_classes=True)
    held = kept(found, cache_size=cache_size)
    assert held.ready
    assert held.kept is not None
    assert alike(held, kept(found))


@pytest.mark.parametrize("cache_size", [0.0, 1e-6])
def test_without_room_anywhere_a_set_is_read_as_it_goes(
    cache_size: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (classed(tmp_path) / "dogs" / "bad.png").write_bytes(b"no picture")
    found = find_classed(str(tmp_path), with_classes=True)
    whole = kept(found, cache_size=0)
    monkeypatch.setattr("translate.data.kept.MOST", 10)
    monkeypatch.setattr("translate.data.kept.LOOKED_AT", 2)
    lazy = kept(found, cache_size=cache_size)
    assert lazy.kept is None
    assert not lazy.ready
    assert alike(lazy, whole)


def test_gray_and_colour_of_one_set(tmp_path: Path) -> None:
    write_rgb(np.full((16, 16, 3), 80, np.uint8), tmp_path / "0.png")
    write_rgb(np.full((16, 16, 3), (80, 90, 100), np.uint8), tmp_path / "1.png")
    found = find_classed(str(tmp_path), with_classes=False)
    for settings in ({}, {"channels": 1}):
        assert alike(kept(found, **settings), kept(found, cache_size=0, **settings))
    assert kept(found).channels == 3
    assert (kept(found)[Draw(0, 0)]["picture"] == 80).all()


def test_flips_follow_from_the_draw(tmp_path: Path) -> None:
    noise(tmp_path / "1.png")
    made = kept(find_classed(str(tmp_path), with_classes=False), flip=True)
    draws = [made[Draw(epoch, 0)]["picture"] for epoch in range(20)]
    assert {bool(x.equal(draws[0])) for x in draws} == {True, False}
    assert all(x.equal(made[Draw(epoch, 0)]["picture"]) for epoch, x in enumerate(draws))


def test_the_middle_is_kept() -> None:
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 255
    assert (fitted(picture, 10) == 255).all()
