"""The cache of decoded images returns the same pixels, detects changed files and stays within its limit."""

from __future__ import annotations

import os
import pickle
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.images import noise
from translate.data.datasets.cache import DecodedCache, open_cache
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches
from translate.data.datasets.photos import InpaintingDataset
from translate.data.datasets.reader import file_errors, open_training_cache
from translate.data.datasets.samples import PairedDataset, PhotoDataset, SampleKey, UnpairedDataset
from translate.data.discovery.pair import Pair
from translate.images import Pixels, read_rgb
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.progress import Advanced, Event, Finished, Started, listening


@pytest.fixture
def cache_files(own_cache: Path) -> Path:
    """The folder of the cache files."""
    return own_cache / "pictures"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"{number}.png", 20 + number, 30, seed=number) for number in range(5)]


class Decoder:
    """A function that decodes images and records their paths."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def __call__(self, path: Path) -> Pixels:
        self.paths.append(path)
        return read_rgb(path)


def open_image_cache(
    files: list[Path], decoder: Decoder, max_gigabytes: float = 1.0, **settings: int
) -> DecodedCache[Path]:
    return open_cache(files, lambda path: [path], decoder, settings, max_gigabytes)


def test_images_are_decoded_once(files: list[Path], cache_files: Path) -> None:
    decoder = Decoder()
    for _ in range(3):
        cache = open_image_cache(files, decoder)
        assert all(np.array_equal(cache.find(path), read_rgb(path)) for path in files)
    assert sorted(decoder.paths) == files
    assert {".json", ".u8"} <= {path.suffix for path in cache_files.iterdir()} <= {".json", ".u8", ".lock"}


def test_a_renamed_file_is_found_and_a_changed_file_or_setting_is_decoded_again(
    files: list[Path], tmp_path: Path
) -> None:
    open_image_cache(files, Decoder())
    renamed = files[0].rename(tmp_path / "renamed.png")
    images = [renamed, *files[1:]]
    decoder = Decoder()
    open_image_cache(images, decoder)
    assert decoder.paths == []
    noise(renamed, 20, 30, seed=9)
    cache = open_image_cache(images, decoder)
    assert sorted(decoder.paths) == sorted(images)
    assert np.array_equal(cache.find(renamed), read_rgb(renamed))
    decoder = Decoder()
    open_image_cache(images, decoder, side=3)
    assert sorted(decoder.paths) == sorted(images)


def test_the_error_of_an_unreadable_image_is_cached(files: list[Path]) -> None:
    files[2].write_bytes(b"no image")
    for _ in range(2):
        decoder = Decoder()
        errors = open_image_cache(files, decoder).errors()
        assert [path for path, error in errors.items() if error] == [files[2]]
        assert "2.png: not an image" in errors[files[2]]
    assert decoder.paths == []


def test_images_that_do_not_fit_are_not_cached_and_the_log_names_the_size_that_would_do(
    files: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    size_of_two = (20 * 30 + 21 * 30) * 3 / 1e9
    cache = open_image_cache(files, Decoder(), size_of_two)
    assert [cache.find(path) is not None for path in files] == [True, True, False, False, False]
    assert not cache.is_complete
    (record,) = caplog.messages
    assert "3 of 5" in record
    assert "--cache-size 0.1" in record
    decoder = Decoder()
    open_image_cache(files, decoder, size_of_two)
    assert caplog.messages == [record, record]
    assert not decoder.paths
    larger = open_image_cache(files, Decoder(), 3 * size_of_two)
    assert all(larger.find(path) is not None for path in files)
    assert larger.is_complete


def test_the_least_recently_used_cache_is_removed(files: list[Path], cache_files: Path) -> None:
    limit = 1.2 * 2 * 5 * 24 * 30 * 3 / 1e9  # for two caches
    for side in (1, 2):
        open_image_cache(files, Decoder(), limit, side=side)
    older, newer = sorted(path.stem for path in cache_files.glob("*.u8"))
    for age, stem in ((2, older), (1, newer)):
        for path in cache_files.glob(f"{stem}.*"):
            os.utime(path, (1000 - age, 1000 - age))
    open_image_cache(files, Decoder(), limit, side=3)
    stems = {path.stem for path in cache_files.glob("*.u8")}
    assert len(stems) == 2
    assert newer in stems
    assert older not in stems


def test_opening_a_cache_makes_it_the_most_recently_used(files: list[Path], cache_files: Path) -> None:
    limit = 1.2 * 2 * 5 * 24 * 30 * 3 / 1e9  # for two caches
    for side in (1, 2):
        open_image_cache(files, Decoder(), limit, side=side)
    for path in cache_files.iterdir():
        os.utime(path, (1000, 1000))
    for side in (1, 3, 1):
        decoder = Decoder()
        open_image_cache(files, decoder, limit, side=side)
    assert decoder.paths == []


def test_a_damaged_cache_is_written_again(files: list[Path], cache_files: Path) -> None:
    open_image_cache(files, Decoder())
    (path,) = cache_files.glob("*.u8")
    path.write_bytes(path.read_bytes()[:100])
    decoder = Decoder()
    cache = open_image_cache(files, decoder)
    assert sorted(decoder.paths) == files
    assert np.array_equal(cache.find(files[4]), read_rgb(files[4]))


def test_a_cache_that_another_run_removed_has_no_images(files: list[Path], cache_files: Path) -> None:
    cache = open_image_cache(files, Decoder())
    (path,) = cache_files.glob("*.u8")
    path.unlink()
    assert cache.find(files[0]) is None


def test_writing_a_cache_again_does_not_change_images_in_use(files: list[Path], cache_files: Path) -> None:
    cache = open_image_cache(files, Decoder())
    before = cache.find(files[0])
    next(cache_files.glob("*.json")).unlink()
    open_image_cache(files, Decoder())
    assert np.array_equal(cache.find(files[0]), before)
    assert np.array_equal(before, read_rgb(files[0]))
    assert not list(cache_files.glob("*.part"))


def test_without_a_writable_folder_nothing_is_cached(
    files: list[Path], own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    own_cache.rmdir()
    own_cache.write_bytes(b"a file in place of the folder")
    cache = open_image_cache(files, Decoder())
    assert all(cache.find(path) is None for path in files)
    assert str(own_cache) in caplog.text


def test_a_pickled_cache_maps_the_file_in_the_worker_process(files: list[Path]) -> None:
    cache = open_image_cache(files, Decoder())
    cache.find(files[0])
    pickled = pickle.dumps(cache)
    assert len(pickled) < 2000
    assert np.array_equal(pickle.loads(pickled).find(files[1]), read_rgb(files[1]))


def test_samples_are_the_same_with_and_without_a_cache(files: list[Path]) -> None:
    c = CycleGANConfig(image_size=32, affine=5, color_jitter=0.3)
    domains = (files[:2], files[2:])
    pairs = [Pair(files[0], files[1]), Pair(files[2])]
    p = Pix2PixConfig(image_size=32)
    pair_cache = open_training_cache(pairs, p)
    assert pair_cache is not None
    for plain, cached in (
        (
            UnpairedDataset(domains, c, training=True),
            UnpairedDataset(domains, c, training=True, cache=open_training_cache(files, c)),
        ),
        (
            PairedDataset(pairs, p, training=True),
            PairedDataset(pairs, p, training=True, cache=pair_cache),
        ),
    ):
        for key in (SampleKey(0, 0), SampleKey(1, 1)):
            assert all(plain[key][name].equal(cached[key][name]) for name in "ab")
    assert file_errors(pair_cache) == dict.fromkeys(files[:3], "")


def test_a_cached_dataset_needs_no_worker_processes_and_gives_the_same_batches(files: list[Path]) -> None:
    c = CycleGANConfig(image_size=32)
    plain, cached = (
        PhotoDataset(files, c, training=True, cache=cache) for cache in (None, open_training_cache(files, c))
    )
    sampler = InfiniteBatchSampler(5, 2, 0)
    from_cache = iterate_batches(cached, sampler, 1)
    next(from_cache)
    assert not active_children()
    from_cache, from_worker = iterate_batches(cached, sampler, 1), iterate_batches(plain, sampler, 1)
    for _ in range(4):
        assert next(from_cache)["photo"].equal(next(from_worker)["photo"])
    assert len(active_children()) == 1


def test_a_cached_dataset_needs_no_workers_if_only_crops_and_flips_are_left_to_do(files: list[Path]) -> None:
    def is_faster_without_workers(dataset: type[PhotoDataset] = PhotoDataset, **settings: Any) -> bool:
        c = InpaintConfig(**{"image_size": 64, "preprocess": "resize_and_crop", **settings})
        return dataset(files, c, training=True, cache=open_training_cache(files, c)).faster_without_workers

    assert is_faster_without_workers()
    assert not is_faster_without_workers(cache_size=0)
    assert not is_faster_without_workers(cache_size=5e-5, load_size=80)
    assert not is_faster_without_workers(affine=5)
    assert not is_faster_without_workers(color_jitter=0.3)
    assert not is_faster_without_workers(preprocess="random_resized_crop")
    assert not is_faster_without_workers(InpaintingDataset)


def test_a_cache_size_of_0_means_no_cache(files: list[Path], cache_files: Path) -> None:
    assert open_training_cache(files, CycleGANConfig(cache_size=0)) is None
    assert file_errors(None) == {}
    assert not cache_files.exists()


def test_decoding_reports_its_progress(files: list[Path]) -> None:
    events: list[Event] = []
    with listening(events.append):
        open_image_cache(files, Decoder())
    started, *advanced, finished = events
    assert isinstance(started, Started)
    assert (started.total, started.unit) == (5, "images")
    assert advanced == [Advanced(started.job, done) for done in (1, 2, 3, 4, 5)]
    assert finished == Finished(started.job)
