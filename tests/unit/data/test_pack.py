"""Decoded pictures, kept: the same pixels, found again by content, within bounds."""

from __future__ import annotations

import os
import pickle
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pictures import noise
from translate.config import CycleGANConfig, InpaintConfig, Pix2PixConfig
from translate.data import progress
from translate.data.layouts import Pair
from translate.data.loader import EndlessBatches, load
from translate.data.pack import Pack, packed
from translate.data.sets import Draw, HoledSet, PairedSet, PhotoSet, UnpairedSet, decoded, pack_of
from translate.images import Pixels, read_rgb


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"{number}.png", 20 + number, 30, seed=number) for number in range(5)]


class Reader:
    """Reads pictures and counts them."""

    def __init__(self) -> None:
        self.read: list[Path] = []

    def __call__(self, path: Path) -> Pixels:
        self.read.append(path)
        return read_rgb(path)


def pack(files: list[Path], reader: Reader, gigabytes: float = 1.0, **settings: int) -> Pack[Path]:
    return packed(files, lambda path: [path], reader, settings, gigabytes)


def test_pictures_are_decoded_once(files: list[Path], cache: Path) -> None:
    reader = Reader()
    for _ in range(3):
        found = pack(files, reader)
        assert all(np.array_equal(found.find(path), read_rgb(path)) for path in files)
    assert sorted(reader.read) == files
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".u8"]


def test_another_content_is_another_pack_and_another_name_is_not(files: list[Path], tmp_path: Path) -> None:
    pack(files, Reader())
    moved = files[0].rename(tmp_path / "moved.png")
    again = Reader()
    pack([moved, *files[1:]], again)
    assert again.read == []
    noise(moved, 20, 30, seed=9)
    found = pack([moved, *files[1:]], again)
    assert len(again.read) == 5
    assert np.array_equal(found.find(moved), read_rgb(moved))
    pack([moved, *files[1:]], again, side=3)
    assert len(again.read) == 10


def test_a_bad_picture_is_remembered_with_its_reason(files: list[Path]) -> None:
    files[2].write_bytes(b"no picture")
    for _ in range(2):
        reasons = pack(files, reader := Reader()).reasons()
        assert [path for path, reason in reasons.items() if reason] == [files[2]]
        assert "2.png: not a picture of a known format" in reasons[files[2]]
    assert reader.read == []


def test_what_finds_no_room_is_left_to_be_decoded(
    files: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    two = (20 * 30 + 21 * 30) * 3 / 1e9
    found = pack(files, Reader(), gigabytes=two)
    assert [found.find(path) is not None for path in files] == [True, True, False, False, False]
    told = "3 of 5 find no room among the decoded pictures: --cache-size 0.1 would hold them all"
    assert told in caplog.text
    caplog.clear()
    pack(files, reader := Reader(), gigabytes=two)
    assert told in caplog.text
    assert not reader.read
    more = pack(files, Reader(), gigabytes=3 * two)
    assert all(more.find(path) is not None for path in files)


def test_the_pack_used_longest_ago_goes_first(files: list[Path], cache: Path) -> None:
    room = 1.2 * 2 * 5 * 24 * 30 * 3 / 1e9  # for two packs
    for side in (1, 2):
        pack(files, Reader(), room, side=side)
    for number, index in enumerate(sorted(cache.glob("*.json"))):
        os.utime(index, (number, number))
    before = {path.name for path in cache.glob("*.u8")}
    oldest = min(cache.glob("*.json"), key=lambda index: index.stat().st_mtime).with_suffix(".u8").name
    pack(files, Reader(), room, side=3)
    after = {path.name for path in cache.glob("*.u8")}
    assert len(after) == 2
    assert before - after == {oldest}


def test_a_damaged_pack_is_made_anew(files: list[Path], cache: Path) -> None:
    pack(files, Reader())
    (whole,) = cache.glob("*.u8")
    whole.write_bytes(whole.read_bytes()[:100])
    found = pack(files, reader := Reader())
    assert sorted(reader.read) == files
    assert np.array_equal(found.find(files[4]), read_rgb(files[4]))


def test_a_pack_that_another_run_removed_costs_only_time(files: list[Path], cache: Path) -> None:
    found = pack(files, Reader())
    (whole,) = cache.glob("*.u8")
    whole.unlink()
    assert found.find(files[0]) is None


def test_a_pack_that_is_made_anew_leaves_the_mapped_one_whole(files: list[Path], cache: Path) -> None:
    found = pack(files, Reader())
    before = found.find(files[0])
    next(cache.glob("*.json")).unlink()
    pack(files, Reader())
    assert np.array_equal(found.find(files[0]), before)
    assert not list(cache.glob("*.part"))


def test_a_folder_that_cannot_be_written_costs_only_time(
    files: list[Path], cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    cache.parent.write_bytes(b"a file where the folder should be")
    found = pack(files, Reader())
    assert all(found.find(path) is None for path in files)
    assert "decoded pictures cannot be kept in" in caplog.text


def test_a_lock_of_a_process_that_is_no_more_is_taken(files: list[Path], cache: Path) -> None:
    pack(files, Reader())
    (index,) = cache.glob("*.json")
    index.with_suffix(".lock").write_text("999999999")
    index.unlink()
    assert sorted(pack(files, reader := Reader()).places) == files
    assert len(reader.read) == 5
    assert not list(cache.glob("*.lock"))


def test_a_loading_process_maps_the_file_itself(files: list[Path]) -> None:
    found = pack(files, Reader())
    found.find(files[0])
    sent = pickle.dumps(found)
    assert len(sent) < 2000
    assert np.array_equal(pickle.loads(sent).find(files[1]), read_rgb(files[1]))


def test_samples_are_the_same_with_a_pack_and_without(files: list[Path]) -> None:
    c = CycleGANConfig(image_size=32, affine=5, color_jitter=0.3)
    sides = (files[:2], files[2:])
    plain = UnpairedSet(sides, c, training=True)
    kept = UnpairedSet(sides, c, training=True, pack=pack_of(files, c))
    pairs = [Pair(files[0], files[1]), Pair(files[2])]
    p = Pix2PixConfig(image_size=32)
    of_pairs = pack_of(pairs, p)
    for one, other in (
        (plain, kept),
        (PairedSet(pairs, p, training=True), PairedSet(pairs, p, training=True, pack=of_pairs)),
    ):
        for draw in (Draw(0, 0), Draw(1, 1)):
            assert all(one[draw][name].equal(other[draw][name]) for name in "ab")
    assert decoded(of_pairs) == dict.fromkeys(files[:3], "")


def test_a_decoded_set_comes_from_a_thread_with_the_same_samples(files: list[Path]) -> None:
    c = CycleGANConfig(image_size=32)
    plain, kept = (PhotoSet(files, c, training=True, pack=pack) for pack in (None, pack_of(files, c)))
    batches = EndlessBatches(5, 2, 0)
    decoding, ready = load(plain, batches, 1), load(kept, batches, 1)
    for _ in range(4):
        assert next(ready)["photo"].equal(next(decoding)["photo"])
    assert len(active_children()) == 1


def test_a_set_is_ready_where_only_crops_and_flips_are_left(files: list[Path]) -> None:
    def ready(kind: type[PhotoSet] = PhotoSet, **settings: Any) -> bool:
        c = InpaintConfig(**{"image_size": 64, "preprocess": "resize_and_crop", **settings})
        return kind(files, c, training=True, pack=pack_of(files, c)).ready

    assert ready()
    assert not ready(cache_size=0)
    assert not ready(cache_size=5e-5, load_size=80)
    assert not ready(affine=5)
    assert not ready(color_jitter=0.3)
    assert not ready(preprocess="random_resized_crop")
    assert not ready(HoledSet)


def test_no_cache_is_no_pack(files: list[Path]) -> None:
    assert pack_of(files, CycleGANConfig(cache_size=0)) is None
    assert decoded(None) == {}


def test_long_decoding_is_told(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(progress, "TOLD_SECONDS", 0.0)
    pack(files, Reader())
    assert "decoded 4 of 5 pictures, once for all runs" in caplog.text
