"""The cache of decoded images: the same pixels, found again by content, within bounds."""

from __future__ import annotations

import os
import pickle
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.images import noise
from translate.data import progress
from translate.data.datasets.cache import DecodedCache, open_cache
from translate.data.datasets.loader import InfiniteBatchSampler, load
from translate.data.datasets.reader import file_errors, training_cache
from translate.data.datasets.samples import (
    InpaintingDataset,
    PairedDataset,
    PhotoDataset,
    SampleKey,
    UnpairedDataset,
)
from translate.data.discovery.pair import Pair
from translate.images import Pixels, read_rgb
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.pix2pix.config import Pix2PixConfig


@pytest.fixture(autouse=True)
def cache_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"{number}.png", 20 + number, 30, seed=number) for number in range(5)]


class Reader:
    """Reads images and counts them."""

    def __init__(self) -> None:
        self.read: list[Path] = []

    def __call__(self, path: Path) -> Pixels:
        self.read.append(path)
        return read_rgb(path)


def cache(files: list[Path], reader: Reader, gigabytes: float = 1.0, **settings: int) -> DecodedCache[Path]:
    return open_cache(files, lambda path: [path], reader, settings, gigabytes)


def test_images_are_decoded_once(files: list[Path], cache_files: Path) -> None:
    reader = Reader()
    for _ in range(3):
        found = cache(files, reader)
        assert all(np.array_equal(found.find(path), read_rgb(path)) for path in files)
    assert sorted(reader.read) == files
    assert sorted(path.suffix for path in cache_files.iterdir()) == [".json", ".u8"]


def test_another_content_is_another_cache_and_another_name_is_not(files: list[Path], tmp_path: Path) -> None:
    cache(files, Reader())
    moved = files[0].rename(tmp_path / "moved.png")
    again = Reader()
    cache([moved, *files[1:]], again)
    assert again.read == []
    noise(moved, 20, 30, seed=9)
    found = cache([moved, *files[1:]], again)
    assert len(again.read) == 5
    assert np.array_equal(found.find(moved), read_rgb(moved))
    cache([moved, *files[1:]], again, side=3)
    assert len(again.read) == 10


def test_a_bad_image_is_remembered_with_its_reason(files: list[Path]) -> None:
    files[2].write_bytes(b"no image")
    for _ in range(2):
        errors = cache(files, reader := Reader()).errors()
        assert [path for path, reason in errors.items() if reason] == [files[2]]
        assert "2.png: not an image of a known format" in errors[files[2]]
    assert reader.read == []


def test_what_finds_no_room_is_left_to_be_decoded(
    files: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    two = (20 * 30 + 21 * 30) * 3 / 1e9
    found = cache(files, Reader(), gigabytes=two)
    assert [found.find(path) is not None for path in files] == [True, True, False, False, False]
    message = "3 of 5 find no room among the decoded images: --cache-size 0.1 would hold them all"
    assert message in caplog.text
    caplog.clear()
    cache(files, reader := Reader(), gigabytes=two)
    assert message in caplog.text
    assert not reader.read
    more = cache(files, Reader(), gigabytes=3 * two)
    assert all(more.find(path) is not None for path in files)


def test_the_cache_used_longest_ago_goes_first(files: list[Path], cache_files: Path) -> None:
    room = 1.2 * 2 * 5 * 24 * 30 * 3 / 1e9  # for two caches
    for side in (1, 2):
        cache(files, Reader(), room, side=side)
    for number, index in enumerate(sorted(cache_files.glob("*.json"))):
        os.utime(index, (number, number))
    before = {path.name for path in cache_files.glob("*.u8")}
    oldest = min(cache_files.glob("*.json"), key=lambda index: index.stat().st_mtime).with_suffix(".u8").name
    cache(files, Reader(), room, side=3)
    after = {path.name for path in cache_files.glob("*.u8")}
    assert len(after) == 2
    assert before - after == {oldest}


def test_a_damaged_cache_is_made_anew(files: list[Path], cache_files: Path) -> None:
    cache(files, Reader())
    (whole,) = cache_files.glob("*.u8")
    whole.write_bytes(whole.read_bytes()[:100])
    found = cache(files, reader := Reader())
    assert sorted(reader.read) == files
    assert np.array_equal(found.find(files[4]), read_rgb(files[4]))


def test_a_cache_that_another_run_removed_costs_only_time(files: list[Path], cache_files: Path) -> None:
    found = cache(files, Reader())
    (whole,) = cache_files.glob("*.u8")
    whole.unlink()
    assert found.find(files[0]) is None


def test_a_cache_that_is_made_anew_leaves_the_mapped_one_whole(files: list[Path], cache_files: Path) -> None:
    found = cache(files, Reader())
    before = found.find(files[0])
    next(cache_files.glob("*.json")).unlink()
    cache(files, Reader())
    assert np.array_equal(found.find(files[0]), before)
    assert not list(cache_files.glob("*.part"))


def test_a_folder_that_cannot_be_written_costs_only_time(
    files: list[Path], cache_files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    cache_files.parent.write_bytes(b"a file where the folder should be")
    found = cache(files, Reader())
    assert all(found.find(path) is None for path in files)
    assert "decoded images cannot be kept in" in caplog.text


def test_a_lock_of_a_process_that_is_no_more_is_taken(files: list[Path], cache_files: Path) -> None:
    cache(files, Reader())
    (index,) = cache_files.glob("*.json")
    index.with_suffix(".lock").write_text("999999999")
    index.unlink()
    assert sorted(cache(files, reader := Reader()).places) == files
    assert len(reader.read) == 5
    assert not list(cache_files.glob("*.lock"))


def test_a_loading_process_maps_the_file_itself(files: list[Path]) -> None:
    found = cache(files, Reader())
    found.find(files[0])
    sent = pickle.dumps(found)
    assert len(sent) < 2000
    assert np.array_equal(pickle.loads(sent).find(files[1]), read_rgb(files[1]))


def test_samples_are_the_same_with_a_cache_and_without(files: list[Path]) -> None:
    c = CycleGANConfig(image_size=32, affine=5, color_jitter=0.3)
    sides = (files[:2], files[2:])
    plain = UnpairedDataset(sides, c, training=True)
    cached = UnpairedDataset(sides, c, training=True, cache=training_cache(files, c))
    pairs = [Pair(files[0], files[1]), Pair(files[2])]
    p = Pix2PixConfig(image_size=32)
    cache_of_pairs = training_cache(pairs, p)
    for one, other in (
        (plain, cached),
        (
            PairedDataset(pairs, p, training=True),
            PairedDataset(pairs, p, training=True, cache=cache_of_pairs),
        ),
    ):
        for key in (SampleKey(0, 0), SampleKey(1, 1)):
            assert all(one[key][name].equal(other[key][name]) for name in "ab")
    assert file_errors(cache_of_pairs) == dict.fromkeys(files[:3], "")


def test_a_decoded_set_comes_from_a_thread_with_the_same_samples(files: list[Path]) -> None:
    c = CycleGANConfig(image_size=32)
    plain, cached = (
        PhotoDataset(files, c, training=True, cache=one) for one in (None, training_cache(files, c))
    )
    batches = InfiniteBatchSampler(5, 2, 0)
    decoding, ready = load(plain, batches, 1), load(cached, batches, 1)
    for _ in range(4):
        assert next(ready)["photo"].equal(next(decoding)["photo"])
    assert len(active_children()) == 1


def test_a_set_is_ready_where_only_crops_and_flips_are_left(files: list[Path]) -> None:
    def ready(kind: type[PhotoDataset] = PhotoDataset, **settings: Any) -> bool:
        c = InpaintConfig(**{"image_size": 64, "preprocess": "resize_and_crop", **settings})
        return kind(files, c, training=True, cache=training_cache(files, c)).ready

    assert ready()
    assert not ready(cache_size=0)
    assert not ready(cache_size=5e-5, load_size=80)
    assert not ready(affine=5)
    assert not ready(color_jitter=0.3)
    assert not ready(preprocess="random_resized_crop")
    assert not ready(InpaintingDataset)


def test_a_cache_size_of_0_is_no_cache(files: list[Path]) -> None:
    assert training_cache(files, CycleGANConfig(cache_size=0)) is None
    assert file_errors(None) == {}


def test_long_decoding_is_logged(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    cache(files, Reader())
    assert "decoded 4 of 5 images, once for all runs" in caplog.text
