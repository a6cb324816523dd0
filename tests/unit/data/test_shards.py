"""Pictures in tar files are found, named, read and drawn as those in folders are."""

from __future__ import annotations

import io
import logging
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import numpy as np
import pytest

from tests.pictures import noise
from translate.config import ColorizeConfig, CycleGANConfig, DCGANConfig
from translate.data import shards as module
from translate.data.check import unreadable
from translate.data.classes import find_classed
from translate.data.kept import KeptSet
from translate.data.layouts import find_paired, find_photos, find_unpaired, fingerprint
from translate.data.loader import MIXED, EndlessBatches, load
from translate.data.sets import Draw, PhotoSet, UnpairedSet, pack_of
from translate.data.shards import GIGABYTE, Shards, find_shards, parts
from translate.errors import DataError, UsageError
from translate.images import read_rgb

Content = dict[str, bytes]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "shards"


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[int], bytes]:
    """The content of a picture file, another for each number."""
    return lambda number: noise(tmp_path / "one.png", seed=number).read_bytes()


def tar(path: Path, content: Content) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture
def photos(tmp_path: Path, picture: Callable[[int], bytes]) -> Path:
    """Three tar files of four photos each."""
    for shard in range(3):
        content = {f"{shard}{n}.png": picture(10 * shard + n) for n in range(4)}
        tar(tmp_path / "photos" / f"{shard:03}.tar", {**content, f"{shard}0.json": b"{}", "._x.png": b""})
    return tmp_path / "photos"


def found(given: Path | str, cache_size: float = 1.0) -> Shards:
    shards = find_shards(str(given), cache_size)
    assert shards is not None
    return shards


@pytest.mark.parametrize("given", ["", "/{000..002}.tar", "/*.tar"])
def test_a_folder_a_range_and_a_pattern_name_tar_files(photos: Path, given: str) -> None:
    members = found(f"{photos}{given}").members
    assert [member.name for member in members] == [f"{shard}{n}.png" for shard in range(3) for n in range(4)]
    assert str(members[5]) == f"{photos}/001.tar/11.png"
    assert parts(members) == [4, 4, 4]


def test_a_member_is_read_as_the_file_would_be(photos: Path, tmp_path: Path) -> None:
    with tarfile.open(photos / "001.tar") as file:
        file.extractall(tmp_path / "files", filter="data")
    for member in found(photos / "001.tar").members:
        pixels = read_rgb(pickle.loads(pickle.dumps(member)))
        assert np.array_equal(pixels, read_rgb(tmp_path / "files" / member.name))


def test_photos_are_held_out_and_known_again_by_their_names(photos: Path) -> None:
    first = find_photos(str(photos))
    assert (len(first.train), len(first.held_out)) == (11, 1)
    assert fingerprint(first) == fingerprint(find_photos(str(photos / "*.tar")))


def test_two_pictures_of_a_name_are_a_pair_and_one_is_joined(tmp_path: Path) -> None:
    content = {"x/1.target.png": b"", "x/1.input.png": b"", "x/2.input.jpg": b""}
    pairs = find_paired(str(tar(tmp_path / "pairs.tar", content)), None, None)
    assert [[file.name for file in pair.files] for pair in pairs.train] == [
        ["x/1.input.png", "x/1.target.png"]
    ]
    assert pairs.notes == [f"no partner of the same name, left out: {tmp_path}/pairs.tar/x/2.input.jpg"]
    joined = find_paired(str(tar(tmp_path / "joined.tar", {"1.jpg": b"", "2.jpg": b""})), None, None)
    assert all(pair.b is None for pair in joined.train + joined.held_out)
    with pytest.raises(
        UsageError, match=r"more than two pictures of one name: 1\.a\.png, 1\.b\.png, 1\.c\.png"
    ):
        find_paired(
            str(tar(tmp_path / "x.tar", dict.fromkeys(["1.a.png", "1.b.png", "1.c.png"], b""))), None, None
        )


def test_two_sets_are_paired_by_name(tmp_path: Path) -> None:
    a = tar(tmp_path / "a.tar", dict.fromkeys(["1.png", "2.png", "3.png"], b""))
    b = tar(tmp_path / "b.tar", dict.fromkeys(["3.jpg", "2.jpg", "4.jpg"], b""))
    pairs = find_paired(None, str(a), str(b))
    assert {pair.a.name[0] for pair in pairs.train + pairs.held_out} == {"2", "3"}
    assert pairs.notes == [
        f"no partner in {b}, left out: {a}/1.png",
        f"no partner in {a}, left out: {b}/4.jpg",
    ]
    with pytest.raises(UsageError, match="the same folder"):
        find_unpaired(None, str(a), str(a))
    with pytest.raises(UsageError, match="name two by --domainA and --domainB"):
        find_unpaired(str(a), None, None)


def test_classes_are_the_texts_beside_the_pictures(tmp_path: Path) -> None:
    content = {"1.png": b"", "1.cls": b"owl\n", "2.png": b"", "2.cls": b"cat", "3.png": b""}
    path = str(tar(tmp_path / "a.tar", content))
    classed = find_classed(path, with_classes=True)
    assert (classed.labels, classed.classes) == ([1, 0], ["cat", "owl"])
    assert classed.notes == [f"without a .cls, so of no class, left out: {path}/3.png"]
    assert len(find_classed(path, with_classes=False).pictures) == 3
    with pytest.raises(UsageError, match="--labels is for folders"):
        find_classed(path, "labels.csv", with_classes=True)
    with pytest.raises(UsageError, match=r"put 0001\.cls beside 0001\.jpg"):
        find_classed(str(tar(tmp_path / "b.tar", {"1.png": b""})), with_classes=True)


def test_a_damaged_shard_is_told_and_the_rest_is_used(photos: Path) -> None:
    whole = (photos / "001.tar").read_bytes()
    (photos / "001.tar").write_bytes(whole[: len(whole) // 3])
    (photos / "002.tar").write_bytes(b"no tar file" * 100)
    shards = found(photos)
    assert 4 <= len(shards.members) < 8
    assert unreadable(shards.members) == {}
    assert len(shards.notes) == 2
    assert shards.notes[0].endswith("pictures: make it anew")
    assert "damaged or no plain tar file, 0 pictures" in shards.notes[1]


def test_a_tar_file_is_read_as_it_would_be_unpacked(tmp_path: Path, picture: Callable[[int], bytes]) -> None:
    path = tar(tmp_path / "a.tar", {"1.png": picture(1), "2.png": picture(2)})
    with tarfile.open(path, "a") as file:
        for name, kind, target in (("3.png", tarfile.LNKTYPE, "2.png"), ("4.png", tarfile.SYMTYPE, "2.png")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            file.addfile(entry)
        again = tarfile.TarInfo("1.png")
        again.size = len(picture(5))
        file.addfile(again, io.BytesIO(picture(5)))
    content = {member.name: member.read_bytes() for member in found(path).members}
    assert content == {"1.png": picture(5), "2.png": picture(2), "3.png": picture(2)}


def test_an_index_is_made_once_and_anew_when_the_shard_changes(
    photos: Path, monkeypatch: pytest.MonkeyPatch, picture: Callable[[int], bytes]
) -> None:
    looked: list[str] = []
    look_into = module._look_into

    def counted(shard: module.Shard) -> dict[str, Any]:
        looked.append(shard.url)
        return look_into(shard)

    monkeypatch.setattr(module, "_look_into", counted)
    assert found(photos).members == found(photos).members
    assert len(looked) == 3
    tar(photos / "001.tar", {"new.png": picture(7)})
    os.utime(photos / "001.tar", (1, 1))
    assert "new.png" in {member.name for member in found(photos).members}
    assert looked[3:] == [str(photos / "001.tar")]


def test_nothing_of_a_shard_is_decoded_beforehand(photos: Path) -> None:
    assert pack_of(found(photos).members, ColorizeConfig(image_size=32)) is None


def test_what_cannot_be_read_is_replaced_and_told_once(
    tmp_path: Path, picture: Callable[[int], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path = tar(tmp_path / "a.tar", {"1.png": picture(1), "2.png": b"no picture", "3.png": picture(3)})
    dataset = PhotoSet(found(path).members, ColorizeConfig(image_size=32), training=True)
    with caplog.at_level(logging.INFO, "translate"):
        batches = list(islice(load(dataset, EndlessBatches(3, 3, 0, parts=dataset.parts), 0), 4))
    assert all(batch["photo"].shape == (3, 3, 32, 32) for batch in batches)
    assert dataset[Draw(0, 1)]["photo"].shape == (3, 32, 32)
    assert [record.getMessage() for record in caplog.records] == [
        f"left out, {path}/2.png: not a picture of a known format (BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP)"
    ]


def test_where_nothing_can_be_read_it_is_an_error(tmp_path: Path) -> None:
    members = found(tar(tmp_path / "a.tar", {f"{n}.png": b"" for n in range(30)})).members
    dataset = PhotoSet(members, ColorizeConfig(image_size=32), training=True)
    with pytest.raises(DataError, match=r"20 pictures in a row .* the last: .*\.png: the file is empty"):
        next(load(dataset, EndlessBatches(30, 2, 0, parts=dataset.parts), 0))


def test_an_epoch_takes_every_picture_once_and_a_few_shards_at_a_time() -> None:
    sizes = [3, 5, 2] * MIXED
    order = [
        draw.item
        for batch in islice(EndlessBatches(sum(sizes), 2, 4, parts=sizes), sum(sizes) // 2)
        for draw in batch
    ]
    assert sorted(order) == list(range(sum(sizes)))
    of_shard = np.repeat(np.arange(len(sizes)), sizes)[order]
    first = set(of_shard[: sum(sizes) // 4].tolist())
    assert len(first) <= 2 * MIXED
    again = EndlessBatches(sum(sizes), 2, 4, start=5, parts=sizes)
    assert [draw.item for batch in islice(again, 3) for draw in batch] == order[10:16]


def test_a_partner_comes_from_one_shard_of_b_for_each_of_a(photos: Path, tmp_path: Path) -> None:
    b = [
        tar(
            tmp_path / f"b{n}.tar",
            {f"{n}-{k}.png": (photos.parent / "one.png").read_bytes() for k in range(3)},
        )
        for n in range(2)
    ]
    c = CycleGANConfig(image_size=32)
    members = [m for path in b for m in found(path).members]
    dataset = UnpairedSet((found(photos).members, members), c, training=True)
    assert dataset.parts == [4, 4, 4]
    drawn = {
        epoch: [dataset._partner(Draw(epoch, n), np.random.default_rng(n)) // 3 for n in range(12)]
        for epoch in range(20)
    }
    assert all(len(set(some[first : first + 4])) == 1 for some in drawn.values() for first in (0, 4, 8))
    assert {some[0] for some in drawn.values()} == {0, 1}
    longer = UnpairedSet((members, found(photos).members), c, training=True)
    assert longer.parts == [3, 3, 3, 3]


@pytest.fixture
def elsewhere(photos: Path) -> Iterator[str]:
    """The same tar files where only fsspec reaches."""
    system = fsspec.filesystem("memory")
    for path in sorted(photos.glob("*.tar")):
        system.pipe_file(f"/set/{path.name}", path.read_bytes())
    yield "memory://set/*.tar"
    system.rm("/set", recursive=True)


def test_shards_from_elsewhere_are_copied_once_and_bounded(
    elsewhere: str, photos: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {member.name: read_rgb(member) for member in found(photos).members}
    size = (photos / "000.tar").stat().st_size
    members = found(elsewhere, 2.5 * size / GIGABYTE).members
    assert [member.name for member in members] == list(here)
    for member in members:
        assert np.array_equal(read_rgb(member), here[member.name])
        assert 1 <= len(list(cache.glob("*.tar"))) <= 2
    assert not list(cache.glob("*.part"))
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "get_file", None)
    assert np.array_equal(read_rgb(members[-1]), here[members[-1].name])


def test_a_copy_that_goes_as_it_is_asked_for_is_made_again(
    elsewhere: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = found(elsewhere).members
    first, used = read_rgb(members[0]), os.utime

    def goes(copy: Path) -> None:
        monkeypatch.setattr(os, "utime", used)
        copy.unlink()
        used(copy)

    monkeypatch.setattr(os, "utime", goes)
    assert np.array_equal(read_rgb(members[0]), first)  # a file left open is a warning, and so an error
    assert os.utime is used


def test_without_room_a_picture_is_read_from_where_it_lies(elsewhere: str, photos: Path, cache: Path) -> None:
    members = found(elsewhere, 0).members
    assert np.array_equal(read_rgb(members[3]), read_rgb(found(photos).members[3]))
    assert not list(cache.glob("*.tar"))


def test_a_shard_that_goes_is_an_error_in_words(photos: Path) -> None:
    members = found(photos).members
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
def test_what_is_not_there_is_told(given: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_photos(given)


def test_a_folder_of_pictures_with_a_tar_file_is_a_folder(photos: Path) -> None:
    noise(photos / "1.png")
    assert find_shards(str(photos)) is None
    assert find_photos(str(photos)).files() == [photos / "1.png"]


def test_a_set_from_noise_beyond_memory_is_read_as_it_is_needed(
    tmp_path: Path, picture: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {f"{n}.png": picture(n) for n in range(4)} | {"2.png": b"no picture", "1.cls": b"owl"}
    found = find_classed(str(tar(tmp_path / "a.tar", content)), with_classes=False)
    c = DCGANConfig(image_size=8, channels=3)
    kept = KeptSet(found, c)
    assert (len(kept), kept.parts) == (3, [])
    monkeypatch.setattr("translate.data.kept.MOST", 10)
    monkeypatch.setattr("translate.data.kept.LOOKED_AT", 2)
    streamed = KeptSet(found, c)
    assert (len(streamed), streamed.parts) == (4, [4])
    assert streamed[Draw(0, 2)]["picture"].equal(kept[Draw(0, 2)]["picture"])
