"""Images in tar files (shards) are found, paired, labeled, read and sampled like those in folders."""

from __future__ import annotations

import io
import logging
import os
import pickle
import tarfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from tests.images import noise
from tests.unit.data.tar_files import find_tars, image_bytes, write_photos, write_tar
from translate.data.datasets.in_memory import InMemoryDataset
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches
from translate.data.datasets.reader import open_training_cache
from translate.data.datasets.samples import PhotoDataset, SampleKey, UnpairedDataset
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

ImageBytes = Callable[[int], bytes]
SHARDS_PER_SHUFFLE = 8  # as docs/training.md says


@pytest.fixture
def image(tmp_path: Path) -> ImageBytes:
    """A function that returns the content of an image file, which differs from number to number."""
    return lambda number: image_bytes(tmp_path, number)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path)


@pytest.mark.parametrize("pattern", ["", "/{000..002}.tar", "/*.tar"])
def test_tar_files_are_given_by_a_folder_a_range_or_a_wildcard(photos: Path, pattern: str) -> None:
    members = find_tars(f"{photos}{pattern}").members
    assert [member.name for member in members] == [f"{shard}{n}.png" for shard in range(3) for n in range(4)]
    assert str(members[5]) == f"{photos}/001.tar/11.png"
    assert shard_sizes(members) == [4, 4, 4]


def test_an_image_in_a_tar_file_is_read_like_the_unpacked_file(photos: Path, tmp_path: Path) -> None:
    with tarfile.open(photos / "001.tar") as tar:
        tar.extractall(tmp_path / "files", filter="data")
    for member in find_tars(photos / "001.tar").members:
        pixels = read_rgb(pickle.loads(pickle.dumps(member)))
        assert np.array_equal(pixels, read_rgb(tmp_path / "files" / member.name))


def test_photos_are_split_and_their_fingerprint_depends_on_their_names(photos: Path) -> None:
    first = find_photos(str(photos))
    assert (len(first.train), len(first.validation)) == (11, 1)
    assert fingerprint(first) == fingerprint(find_photos(str(photos / "*.tar")))


def test_two_images_of_a_sample_are_a_pair_and_one_is_a_joined_pair(tmp_path: Path) -> None:
    content = {"x/1.target.png": b"", "x/1.input.png": b"", "x/2.input.jpg": b""}
    pairs = find_paired(str(write_tar(tmp_path / "pairs.tar", content)), None, None)
    assert [[file.name for file in pair.files] for pair in pairs.train] == [
        ["x/1.input.png", "x/1.target.png"]
    ]
    (note,) = pairs.notes
    assert note.startswith("1 image without a partner")
    assert f"{tmp_path}/pairs.tar/x/2.input.jpg" in note
    joined = find_paired(str(write_tar(tmp_path / "joined.tar", {"1.jpg": b"", "2.jpg": b""})), None, None)
    assert all(pair.b is None for pair in joined.train + joined.validation)
    three = dict.fromkeys(["1.a.png", "1.b.png", "1.c.png"], b"")
    with pytest.raises(UsageError, match=r"more than two images .*1\.a\.png, 1\.b\.png, 1\.c\.png"):
        find_paired(str(write_tar(tmp_path / "x.tar", three)), None, None)


def test_the_images_of_two_sets_of_tar_files_are_paired_by_name(tmp_path: Path) -> None:
    a = write_tar(tmp_path / "a.tar", dict.fromkeys(["1.png", "2.png", "3.png"], b""))
    b = write_tar(tmp_path / "b.tar", dict.fromkeys(["3.jpg", "2.jpg", "4.jpg"], b""))
    pairs = find_paired(None, str(a), str(b))
    assert {pair.a.name[0] for pair in pairs.train + pairs.validation} == {"2", "3"}
    without_b, without_a = pairs.notes
    assert f"1 image without a partner in {b} is left out" in without_b
    assert f"{a}/1.png" in without_b
    assert f"1 image without a partner in {a} is left out" in without_a
    assert f"{b}/4.jpg" in without_a
    with pytest.raises(UsageError, match="the same folder"):
        find_unpaired(None, str(a), str(a))
    with pytest.raises(UsageError, match="--domainA and --domainB"):
        find_unpaired(str(a), None, None)


def test_cls_files_give_the_classes(tmp_path: Path) -> None:
    content = {"1.png": b"", "1.cls": b"owl\n", "2.png": b"", "2.cls": b"cat", "3.png": b""}
    path = str(write_tar(tmp_path / "a.tar", content))
    labeled = find_labeled(path, with_classes=True)
    assert (labeled.labels, labeled.classes) == ([1, 0], ["cat", "owl"])
    (note,) = labeled.notes
    assert ".cls" in note
    assert f"{path}/3.png" in note
    assert len(find_labeled(path, with_classes=False).images) == 3
    with pytest.raises(UsageError, match="--labels is for folders"):
        find_labeled(path, "labels.csv", with_classes=True)
    with pytest.raises(UsageError, match=r"0001\.cls"):
        find_labeled(str(write_tar(tmp_path / "b.tar", {"1.png": b""})), with_classes=True)


def test_damaged_tar_files_are_noted_and_the_rest_is_used(photos: Path) -> None:
    content = (photos / "001.tar").read_bytes()
    (photos / "001.tar").write_bytes(content[: len(content) // 3])
    (photos / "002.tar").write_bytes(b"no tar file" * 100)
    shards = find_tars(photos)
    assert 4 <= len(shards.members) < 8
    assert find_unreadable(shards.members) == {}
    truncated, damaged = shards.notes
    assert "001.tar" in truncated
    assert "002.tar: damaged" in damaged
    assert "0 images" in damaged


def test_links_and_repeated_names_in_a_tar_file_are_read_as_when_it_is_unpacked(
    tmp_path: Path, image: ImageBytes
) -> None:
    path = write_tar(tmp_path / "a.tar", {"1.png": image(1), "2.png": image(2)})
    with tarfile.open(path, "a") as tar:
        for name, kind, target in (("3.png", tarfile.LNKTYPE, "2.png"), ("4.png", tarfile.SYMTYPE, "2.png")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tar.addfile(entry)
        replacement = tarfile.TarInfo("1.png")
        replacement.size = len(image(5))
        tar.addfile(replacement, io.BytesIO(image(5)))
    content = {member.name: member.read_bytes() for member in find_tars(path).members}
    assert content == {"1.png": image(5), "2.png": image(2), "3.png": image(2)}


def test_a_tar_file_is_indexed_once_and_again_when_it_changes(
    photos: Path, monkeypatch: pytest.MonkeyPatch, image: ImageBytes
) -> None:
    members = find_tars(photos).members
    open_shard = Shard.open

    def open_changed_shard_only(shard: Shard, block_size: int | None = None) -> IO[bytes]:
        assert shard.url == str(photos / "001.tar"), "the index of this tar file was not cached"
        return open_shard(shard, block_size)

    write_tar(photos / "001.tar", {"new.png": image(7)})
    os.utime(photos / "001.tar", (1, 1))
    monkeypatch.setattr(Shard, "open", open_changed_shard_only)
    shards = find_tars(photos)
    assert shards.notes == []
    unchanged = [member for member in members if not member.name.startswith("1")]
    assert [member for member in shards.members if member.name != "new.png"] == unchanged
    assert len(shards.members) == len(unchanged) + 1


def test_images_in_tar_files_are_not_cached(photos: Path) -> None:
    assert open_training_cache(find_tars(photos).members, ColorizeConfig(image_size=32)) is None


def test_an_unreadable_image_is_replaced_and_logged_once(
    tmp_path: Path, image: ImageBytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tar(tmp_path / "a.tar", {"1.png": image(1), "2.png": b"no image", "3.png": image(3)})
    dataset = PhotoDataset(find_tars(path).members, ColorizeConfig(image_size=32), training=True)
    sampler = InfiniteBatchSampler(3, 3, 0, shard_sizes=dataset.shard_sizes)
    with caplog.at_level(logging.INFO, "translate"):
        batches = list(islice(iterate_batches(dataset, sampler, 0), 4))
    assert all(batch["photo"].shape == (3, 3, 32, 32) for batch in batches)
    assert dataset[SampleKey(0, 1)]["photo"].shape == (3, 32, 32)
    (record,) = caplog.messages
    assert f"{path}/2.png: not an image" in record


def test_many_unreadable_images_in_a_row_are_an_error(tmp_path: Path) -> None:
    members = find_tars(write_tar(tmp_path / "a.tar", {f"{n}.png": b"" for n in range(30)})).members
    dataset = PhotoDataset(members, ColorizeConfig(image_size=32), training=True)
    sampler = InfiniteBatchSampler(30, 2, 0, shard_sizes=dataset.shard_sizes)
    with pytest.raises(DataError, match=r"20 images .*\.png: the file is empty.*translate data check"):
        next(iterate_batches(dataset, sampler, 0))


def test_an_epoch_uses_every_image_once_and_few_tar_files_at_a_time() -> None:
    sizes = [3, 5, 2] * SHARDS_PER_SHUFFLE
    total = sum(sizes)
    batches = islice(InfiniteBatchSampler(total, 2, 4, shard_sizes=sizes), total // 2)
    order = [key.index for batch in batches for key in batch]
    assert sorted(order) == list(range(total))
    shard_of_image = np.repeat(np.arange(len(sizes)), sizes)[order]
    shards = dict.fromkeys(shard_of_image.tolist())  # in the order in which they are used
    group_of_shard = {shard: number // SHARDS_PER_SHUFFLE for number, shard in enumerate(shards)}
    groups = [group_of_shard[shard] for shard in shard_of_image]
    assert groups == sorted(groups)
    assert set(groups) == {0, 1, 2}
    assert len(set(shard_of_image[:8].tolist())) > 2  # The images of a group are shuffled.
    resumed = InfiniteBatchSampler(total, 2, 4, start=5, shard_sizes=sizes)
    assert [key.index for batch in islice(resumed, 3) for key in batch] == order[10:16]


def test_the_partners_of_a_tar_file_of_a_come_from_one_tar_file_of_b(
    photos: Path, tmp_path: Path, image: ImageBytes
) -> None:
    paths = [
        write_tar(tmp_path / f"b{shard}.tar", {f"{n}.png": image(100 + 10 * shard + n) for n in range(3)})
        for shard in range(2)
    ]
    a, b = find_tars(photos).members, [member for path in paths for member in find_tars(path).members]
    c = CycleGANConfig(image_size=32, preprocess="none", flip=False)
    dataset = UnpairedDataset((a, b), c, training=True)
    assert dataset.shard_sizes == [4, 4, 4]
    shard_by_pixels = {read_rgb(member).tobytes(): member.shard for member in b}

    def partner_shard(epoch: int, index: int) -> Shard:
        return shard_by_pixels[dataset[SampleKey(epoch, index)]["b"].permute(1, 2, 0).numpy().tobytes()]

    partners = [[partner_shard(epoch, index) for index in range(12)] for epoch in range(20)]
    assert all(len(set(epoch[first : first + 4])) == 1 for epoch in partners for first in (0, 4, 8))
    assert len({epoch[0] for epoch in partners}) == 2
    longer_b = UnpairedDataset((b, a), c, training=True)
    assert longer_b.shard_sizes == [3, 3, 3, 3]


def test_reading_from_a_missing_tar_file_is_an_error(photos: Path) -> None:
    members = find_tars(photos).members
    (photos / "000.tar").unlink()
    with pytest.raises(DataError, match=r"00\.png: No such file"):
        read_rgb(members[0])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{0..2}.tar", "'0.tar'"),
        ("x-*.tar", r"no file matches 'x-\*.tar'"),
        ("{3..0}.tar", r"reversed: write \{0..3\}"),
        ("nowhere://x.tar", "nowhere"),
        ("set.tar.gz", "compressed"),
    ],
)
def test_tar_files_that_do_not_exist_or_cannot_be_used_are_refused(data: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_photos(data)


def test_a_folder_of_images_with_a_tar_file_is_a_folder_of_images(photos: Path) -> None:
    noise(photos / "1.png")
    assert find_shards(str(photos)) is None
    assert find_photos(str(photos)).files() == [photos / "1.png"]


def test_images_of_tar_files_that_do_not_fit_in_memory_are_read_from_them(
    tmp_path: Path, image: ImageBytes
) -> None:
    content = {f"{n:03}.png": image(n % 4) for n in range(300)} | {"298.png": b"no image", "1.cls": b"owl"}
    images = find_labeled(str(write_tar(tmp_path / "a.tar", content)), with_classes=False)
    settings: dict[str, Any] = {"image_size": 8, "channels": 3, "flip": False, "seed": 0, "cache_size": 10.0}
    in_memory = InMemoryDataset(images, **settings)
    assert (len(in_memory), in_memory.shard_sizes) == (299, [])
    from_files = InMemoryDataset(images, **settings, max_bytes=10)
    assert from_files.pixels is None
    assert (len(from_files), from_files.shard_sizes) == (300, [300])
    for index in (0, 298):  # The unreadable image is replaced by the next.
        assert from_files[SampleKey(0, index)]["image"].equal(in_memory[SampleKey(0, index)]["image"])
