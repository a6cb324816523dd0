"""Images in tar files are found, named, read and sampled as those in folders are."""

from __future__ import annotations

import io
import logging
import os
import pickle
import tarfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.images import noise
from tests.unit.data.making import find_tars, image_bytes, write_photos, write_tar
from translate.data.datasets.in_memory import InMemoryDataset
from translate.data.datasets.loader import SHUFFLED_SHARDS, InfiniteBatchSampler, load
from translate.data.datasets.reader import training_cache
from translate.data.datasets.samples import PhotoDataset, SampleKey, UnpairedDataset
from translate.data.discovery import tar_index
from translate.data.discovery.check import find_unreadable
from translate.data.discovery.find import find_paired, find_photos, find_unpaired
from translate.data.discovery.labels import find_labeled
from translate.data.discovery.shards import find_shards, shard_sizes
from translate.data.discovery.split import fingerprint
from translate.data.discovery.tar import Shard
from translate.errors import DataError, UsageError
from translate.images import read_rgb
from translate.methods.colorize.config import ColorizeConfig
from translate.methods.cyclegan.config import CycleGANConfig


@pytest.fixture
def image(tmp_path: Path) -> Callable[[int], bytes]:
    """The content of an image file, another for each number."""
    return lambda number: image_bytes(tmp_path, number)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path)


@pytest.mark.parametrize("given", ["", "/{000..002}.tar", "/*.tar"])
def test_a_folder_a_range_and_a_pattern_name_tar_files(photos: Path, given: str) -> None:
    members = find_tars(f"{photos}{given}").members
    assert [member.name for member in members] == [f"{shard}{n}.png" for shard in range(3) for n in range(4)]
    assert str(members[5]) == f"{photos}/001.tar/11.png"
    assert shard_sizes(members) == [4, 4, 4]


def test_a_member_is_read_as_the_file_would_be(photos: Path, tmp_path: Path) -> None:
    with tarfile.open(photos / "001.tar") as file:
        file.extractall(tmp_path / "files", filter="data")
    for member in find_tars(photos / "001.tar").members:
        pixels = read_rgb(pickle.loads(pickle.dumps(member)))
        assert np.array_equal(pixels, read_rgb(tmp_path / "files" / member.name))


def test_photos_are_split_and_known_again_by_their_names(photos: Path) -> None:
    first = find_photos(str(photos))
    assert (len(first.train), len(first.validation)) == (11, 1)
    assert fingerprint(first) == fingerprint(find_photos(str(photos / "*.tar")))


def test_two_images_of_a_name_are_a_pair_and_one_is_joined(tmp_path: Path) -> None:
    content = {"x/1.target.png": b"", "x/1.input.png": b"", "x/2.input.jpg": b""}
    pairs = find_paired(str(write_tar(tmp_path / "pairs.tar", content)), None, None)
    assert [[file.name for file in pair.files] for pair in pairs.train] == [
        ["x/1.input.png", "x/1.target.png"]
    ]
    assert pairs.notes == [f"no partner of the same name, left out: {tmp_path}/pairs.tar/x/2.input.jpg"]
    joined = find_paired(str(write_tar(tmp_path / "joined.tar", {"1.jpg": b"", "2.jpg": b""})), None, None)
    assert all(pair.b is None for pair in joined.train + joined.validation)
    three = dict.fromkeys(["1.a.png", "1.b.png", "1.c.png"], b"")
    with pytest.raises(
        UsageError, match=r"more than two images of one name: 1\.a\.png, 1\.b\.png, 1\.c\.png"
    ):
        find_paired(str(write_tar(tmp_path / "x.tar", three)), None, None)


def test_two_sets_are_paired_by_name(tmp_path: Path) -> None:
    a = write_tar(tmp_path / "a.tar", dict.fromkeys(["1.png", "2.png", "3.png"], b""))
    b = write_tar(tmp_path / "b.tar", dict.fromkeys(["3.jpg", "2.jpg", "4.jpg"], b""))
    pairs = find_paired(None, str(a), str(b))
    assert {pair.a.name[0] for pair in pairs.train + pairs.validation} == {"2", "3"}
    assert pairs.notes == [
        f"no partner in {b}, left out: {a}/1.png",
        f"no partner in {a}, left out: {b}/4.jpg",
    ]
    with pytest.raises(UsageError, match="the same folder"):
        find_unpaired(None, str(a), str(a))
    with pytest.raises(UsageError, match="name two by --domainA and --domainB"):
        find_unpaired(str(a), None, None)


def test_classes_are_the_texts_beside_the_images(tmp_path: Path) -> None:
    content = {"1.png": b"", "1.cls": b"owl\n", "2.png": b"", "2.cls": b"cat", "3.png": b""}
    path = str(write_tar(tmp_path / "a.tar", content))
    labeled = find_labeled(path, with_classes=True)
    assert (labeled.labels, labeled.classes) == ([1, 0], ["cat", "owl"])
    assert labeled.notes == [f"without a .cls, so of no class, left out: {path}/3.png"]
    assert len(find_labeled(path, with_classes=False).images) == 3
    with pytest.raises(UsageError, match="--labels is for folders"):
        find_labeled(path, "labels.csv", with_classes=True)
    with pytest.raises(UsageError, match=r"put 0001\.cls beside 0001\.jpg"):
        find_labeled(str(write_tar(tmp_path / "b.tar", {"1.png": b""})), with_classes=True)


def test_a_damaged_shard_is_noted_and_the_rest_is_used(photos: Path) -> None:
    whole = (photos / "001.tar").read_bytes()
    (photos / "001.tar").write_bytes(whole[: len(whole) // 3])
    (photos / "002.tar").write_bytes(b"no tar file" * 100)
    shards = find_tars(photos)
    assert 4 <= len(shards.members) < 8
    assert find_unreadable(shards.members) == {}
    assert len(shards.notes) == 2
    assert shards.notes[0].endswith("images: make it anew")
    assert "damaged or no plain tar file, 0 images" in shards.notes[1]


def test_a_tar_file_is_read_as_it_would_be_unpacked(tmp_path: Path, image: Callable[[int], bytes]) -> None:
    path = write_tar(tmp_path / "a.tar", {"1.png": image(1), "2.png": image(2)})
    with tarfile.open(path, "a") as file:
        for name, kind, target in (("3.png", tarfile.LNKTYPE, "2.png"), ("4.png", tarfile.SYMTYPE, "2.png")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            file.addfile(entry)
        again = tarfile.TarInfo("1.png")
        again.size = len(image(5))
        file.addfile(again, io.BytesIO(image(5)))
    content = {member.name: member.read_bytes() for member in find_tars(path).members}
    assert content == {"1.png": image(5), "2.png": image(2), "3.png": image(2)}


def test_an_index_is_made_once_and_anew_when_the_shard_changes(
    photos: Path, monkeypatch: pytest.MonkeyPatch, image: Callable[[int], bytes]
) -> None:
    scans: list[str] = []
    scan = tar_index._scan

    def count(shard: Shard) -> dict[str, Any]:
        scans.append(shard.url)
        return scan(shard)

    monkeypatch.setattr(tar_index, "_scan", count)
    assert find_tars(photos).members == find_tars(photos).members
    assert len(scans) == 3
    write_tar(photos / "001.tar", {"new.png": image(7)})
    os.utime(photos / "001.tar", (1, 1))
    assert "new.png" in {member.name for member in find_tars(photos).members}
    assert scans[3:] == [str(photos / "001.tar")]


def test_nothing_of_a_shard_is_decoded_beforehand(photos: Path) -> None:
    assert training_cache(find_tars(photos).members, ColorizeConfig(image_size=32)) is None


def test_what_cannot_be_read_is_replaced_and_logged_once(
    tmp_path: Path, image: Callable[[int], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tar(tmp_path / "a.tar", {"1.png": image(1), "2.png": b"no image", "3.png": image(3)})
    dataset = PhotoDataset(find_tars(path).members, ColorizeConfig(image_size=32), training=True)
    with caplog.at_level(logging.INFO, "translate"):
        batches = list(
            islice(load(dataset, InfiniteBatchSampler(3, 3, 0, shard_sizes=dataset.shard_sizes), 0), 4)
        )
    assert all(batch["photo"].shape == (3, 3, 32, 32) for batch in batches)
    assert dataset[SampleKey(0, 1)]["photo"].shape == (3, 32, 32)
    assert [record.getMessage() for record in caplog.records] == [
        f"left out, {path}/2.png: not an image of a known format (BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP)"
    ]


def test_where_nothing_can_be_read_it_is_an_error(tmp_path: Path) -> None:
    members = find_tars(write_tar(tmp_path / "a.tar", {f"{n}.png": b"" for n in range(30)})).members
    dataset = PhotoDataset(members, ColorizeConfig(image_size=32), training=True)
    with pytest.raises(DataError, match=r"20 images in a row .* the last: .*\.png: the file is empty"):
        next(load(dataset, InfiniteBatchSampler(30, 2, 0, shard_sizes=dataset.shard_sizes), 0))


def test_an_epoch_takes_every_image_once_and_a_few_shards_at_a_time() -> None:
    sizes = [3, 5, 2] * SHUFFLED_SHARDS
    order = [
        key.index
        for batch in islice(InfiniteBatchSampler(sum(sizes), 2, 4, shard_sizes=sizes), sum(sizes) // 2)
        for key in batch
    ]
    assert sorted(order) == list(range(sum(sizes)))
    of_shard = np.repeat(np.arange(len(sizes)), sizes)[order]
    first = set(of_shard[: sum(sizes) // 4].tolist())
    assert len(first) <= 2 * SHUFFLED_SHARDS
    again = InfiniteBatchSampler(sum(sizes), 2, 4, start=5, shard_sizes=sizes)
    assert [key.index for batch in islice(again, 3) for key in batch] == order[10:16]


def test_a_partner_comes_from_one_shard_of_b_for_each_of_a(photos: Path, tmp_path: Path) -> None:
    b = [
        write_tar(
            tmp_path / f"b{n}.tar",
            {f"{n}-{k}.png": (photos.parent / "one.png").read_bytes() for k in range(3)},
        )
        for n in range(2)
    ]
    c = CycleGANConfig(image_size=32)
    members = [m for path in b for m in find_tars(path).members]
    dataset = UnpairedDataset((find_tars(photos).members, members), c, training=True)
    assert dataset.shard_sizes == [4, 4, 4]
    partners = {
        epoch: [
            dataset._choose_partner(SampleKey(epoch, n), np.random.default_rng(n)) // 3 for n in range(12)
        ]
        for epoch in range(20)
    }
    assert all(len(set(some[first : first + 4])) == 1 for some in partners.values() for first in (0, 4, 8))
    assert {some[0] for some in partners.values()} == {0, 1}
    longer = UnpairedDataset((members, find_tars(photos).members), c, training=True)
    assert longer.shard_sizes == [3, 3, 3, 3]


def test_a_shard_that_goes_is_an_error_in_words(photos: Path) -> None:
    members = find_tars(photos).members
    (photos / "000.tar").unlink()
    with pytest.raises(DataError, match=r"00\.png: No such file"):
        read_rgb(members[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{0..2}.tar", "no shard '0.tar': check the path, or the range"),
        ("x-*.tar", r"no file matches 'x-\*.tar': check the path"),
        ("{3..0}.tar", r"runs backwards: write \{0..3\}"),
        ("nowhere://x.tar", "nowhere"),
        ("set.tar.gz", "compressed"),
    ],
)
def test_what_is_not_there_is_an_error(given: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_photos(given)


def test_a_folder_of_images_with_a_tar_file_is_a_folder(photos: Path) -> None:
    noise(photos / "1.png")
    assert find_shards(str(photos)) is None
    assert find_photos(str(photos)).files() == [photos / "1.png"]


def test_a_set_from_noise_beyond_memory_is_read_as_it_is_needed(
    tmp_path: Path, image: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {f"{n}.png": image(n) for n in range(4)} | {"2.png": b"no image", "1.cls": b"owl"}
    found = find_labeled(str(write_tar(tmp_path / "a.tar", content)), with_classes=False)
    settings: dict[str, Any] = {"image_size": 8, "channels": 3, "flip": False, "seed": 0, "cache_size": 10.0}
    held = InMemoryDataset(found, **settings)
    assert (len(held), held.shard_sizes) == (3, [])
    monkeypatch.setattr("translate.data.datasets.in_memory.MAX_BYTES", 10)
    monkeypatch.setattr("translate.data.datasets.in_memory.GRAY_CHECKS", 2)
    streamed = InMemoryDataset(found, **settings)
    assert (len(streamed), streamed.shard_sizes) == (4, [4])
    assert streamed[SampleKey(0, 2)]["image"].equal(held[SampleKey(0, 2)]["image"])
