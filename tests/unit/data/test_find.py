"""Which files are found, how they are paired, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from translate.data.discovery.find import (
    PairedImages,
    UnpairedImages,
    find_paired,
    find_photos,
    find_unpaired,
)
from translate.data.discovery.pair import Pair
from translate.data.discovery.split import fingerprint
from translate.errors import UsageError

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Makes (empty) files by their paths: only names matter here."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def numbered(pattern: str, count: int = 3) -> list[str]:
    return [pattern.format(number) for number in range(count)]


def names(root: Path, pairs: list[Pair]) -> list[str]:
    return ["+".join(str(file.relative_to(root)) for file in pair.files) for pair in pairs]


def all_of(found: PairedImages) -> list[Pair]:
    return sorted(found.train + found.validation, key=lambda pair: pair.a)


def test_a_flat_folder_holds_joined_pairs(tree: Tree) -> None:
    root = tree("0.jpg", "1.png", "sub/0.jpg", ".hidden.jpg", ".cache/0.jpg", "notes.txt")
    found = find_paired(str(root), None, None)
    assert names(root, all_of(found)) == ["0.jpg", "1.png", "sub/0.jpg"]
    assert all(pair.b is None for pair in all_of(found))


def test_train_and_val_hold_joined_pairs(tree: Tree) -> None:
    root = tree(*numbered("train/{}.jpg"), "val/8.jpg", "test/9.jpg")
    found = find_paired(str(root), None, None)
    assert names(root, found.train) == numbered("train/{}.jpg")
    assert names(root, found.validation) == ["val/8.jpg"]


def test_test_is_for_validation_where_there_is_no_val(tree: Tree) -> None:
    root = tree(*numbered("train/{}.jpg"), "test/9.jpg")
    assert names(root, find_paired(str(root), None, None).validation) == ["test/9.jpg"]


def test_joined_pairs_beside_a_val_folder_do_not_train_on_it(tree: Tree) -> None:
    root = tree(*numbered("{}.jpg"), "val/8.jpg")
    found = find_paired(str(root), None, None)
    assert names(root, found.train) == numbered("{}.jpg")
    assert names(root, found.validation) == ["val/8.jpg"]


@pytest.mark.parametrize("part", ["", "train"])
def test_two_folders_are_paired_by_path_and_stem(part: str, tree: Tree) -> None:
    a, b = f"{part}A", f"{part}B"
    root = tree(f"{a}/0.jpg", f"{b}/0.png", f"{a}/sub/0.jpg", f"{b}/sub/0.jpg")
    found = find_paired(str(root), None, None)
    assert names(root, all_of(found)) == [f"{a}/0.jpg+{b}/0.png", f"{a}/sub/0.jpg+{b}/sub/0.jpg"]
    assert found.notes == []


def test_two_named_folders_are_paired_too(tree: Tree) -> None:
    root = tree("day/1.jpg", "day/2.jpg", "night/1.jpg", "night/2.jpg")
    found = find_paired(None, str(root / "day"), str(root / "night"))
    assert names(root, all_of(found)) == ["day/1.jpg+night/1.jpg", "day/2.jpg+night/2.jpg"]


def test_a_missing_partner_is_named(tree: Tree) -> None:
    root = tree("A/1.jpg", "A/2.jpg", "A/3.jpg", "B/2.jpg", "B/4.jpg")
    found = find_paired(str(root), None, None)
    assert names(root, all_of(found)) == ["A/2.jpg+B/2.jpg"]
    assert len(found.notes) == 2
    assert f"{root / 'A/1.jpg'}, {root / 'A/3.jpg'}" in found.notes[0]
    assert str(root / "B/4.jpg") in found.notes[1]


def test_many_missing_partners_are_counted(tree: Tree) -> None:
    root = tree("A/x.jpg", "B/x.jpg", *numbered("A/{}.jpg", 8))
    (note,) = find_paired(str(root), None, None).notes
    assert note.endswith("4.jpg and 3 more")


def test_folders_without_a_common_stem_are_refused(tree: Tree) -> None:
    root = tree("A/1.jpg", "B/2.jpg")
    with pytest.raises(UsageError, match=r"no file of .*A has a partner of the same stem in .*B"):
        find_paired(str(root), None, None)


def test_two_files_of_one_stem_are_refused_by_name(tree: Tree) -> None:
    root = tree("A/1.jpg", "A/1.png", "B/1.jpg")
    with pytest.raises(UsageError, match=r"1\.png and 1\.jpg share a stem: rename one of them"):
        find_paired(str(root), None, None)


def test_one_side_alone_is_no_flat_folder_of_joined_pairs(tree: Tree) -> None:
    root = tree(*numbered("trainA/{}.jpg"))
    with pytest.raises(UsageError, match="trainB"):
        find_paired(str(root), None, None)


@pytest.mark.parametrize("part", ["", "train"])
def test_unpaired_sides_may_differ_in_count(part: str, tree: Tree) -> None:
    root = tree(
        *numbered(part + "A/{}.jpg", 4), *numbered(part + "B/{}.png", 2), "testA/8.jpg", "testB/9.jpg"
    )
    found = find_unpaired(str(root), None, None)
    assert [len(side) for side in found.train] == [4, 2]
    assert [[file.name for file in side] for side in found.validation] == [["8.jpg"], ["9.jpg"]]


def test_unpaired_sides_without_a_validation_part_are_split(tree: Tree) -> None:
    root = tree(*numbered("A/{}.jpg", 41), *numbered("B/{}.jpg", 1))
    found = find_unpaired(str(root), None, None)
    assert [len(side) for side in found.train] == [38, 1]
    assert [len(side) for side in found.validation] == [3, 0]
    assert set(found.train[0]).isdisjoint(found.validation[0])


def test_unpaired_images_without_sides_are_refused(tree: Tree) -> None:
    root = tree("1.jpg")
    with pytest.raises(UsageError, match="neither trainA/ and trainB/ nor A/ and B/: name two folders"):
        find_unpaired(str(root), None, None)


def test_at_most_50_images_are_for_validation(tree: Tree) -> None:
    root = tree(*(f"{part}{side}/{n}.jpg" for part in ("train", "test") for side in "AB" for n in range(60)))
    assert [len(side) for side in find_unpaired(str(root), None, None).validation] == [50, 50]
    assert len(find_paired(str(root), None, None).validation) == 50


@pytest.mark.parametrize("find", [find_paired, find_unpaired])
class TestRefused:
    def test_no_folder_at_all(self, find) -> None:
        with pytest.raises(UsageError, match="no data: give --data DIR, or --domainA"):
            find(None, None, None)

    def test_a_folder_that_is_not_there(self, find, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tree("datasets/horses/1.jpg"))
        with pytest.raises(UsageError, match=r"no folder 'horse'.*did you mean 'horses'\?"):
            find("horse", None, None)

    def test_a_file_in_the_place_of_a_folder(self, find, tree: Tree) -> None:
        with pytest.raises(UsageError, match=r"1\.jpg is a file: give the folder"):
            find(str(tree("1.jpg") / "1.jpg"), None, None)

    @pytest.mark.parametrize("empty", ["A", "B"])
    def test_an_empty_folder(self, find, empty: str, tree: Tree) -> None:
        root = tree("A/1.jpg", "B/1.jpg")
        (root / empty / "1.jpg").unlink()
        with pytest.raises(UsageError, match=f"{empty} holds no images"):
            find(str(root), None, None)

    def test_the_same_folder_twice(self, find, tree: Tree) -> None:
        root = tree("A/1.jpg")
        (root / "link").symlink_to("A")
        with pytest.raises(UsageError, match="same folder"):
            find(None, str(root / "A"), str(root / "link"))

    @pytest.mark.parametrize(("a", "b", "missing"), [("A", None, "domainA"), (None, "B", "domainB")])
    def test_one_domain_alone(self, find, a: str | None, b: str | None, missing: str) -> None:
        with pytest.raises(UsageError, match=f"only --{missing} is given"):
            find(None, a, b)

    def test_data_and_domains_together(self, find) -> None:
        with pytest.raises(UsageError, match="give one of them"):
            find("data", "A", "B")


def test_a_flat_folder_of_photos_is_split(tree: Tree) -> None:
    photos = find_photos(str(tree(*numbered("{}.jpg", 40))))
    assert (len(photos.train), len(photos.validation)) == (38, 2)
    assert photos.summary == "38 photos to train on, 2 held out"


def test_a_val_folder_of_photos_is_for_validation_and_not_trained_on(tree: Tree) -> None:
    root = tree("a.jpg", "b.jpg", "val/c.jpg")
    photos = find_photos(str(root))
    assert [path.name for path in photos.train] == ["a.jpg", "b.jpg"]
    assert photos.validation == [root / "val" / "c.jpg"]


def test_a_name_under_datasets_will_do(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree("datasets/pets/A/1.jpg", "datasets/pets/B/1.jpg", "datasets/x/1.jpg"))
    assert find_paired("pets", None, None).train == [
        Pair(Path("datasets/pets/A/1.jpg"), Path("datasets/pets/B/1.jpg"))
    ]
    assert find_unpaired(None, "pets", "x").train[1] == [Path("datasets/x/1.jpg")]


def test_a_folder_of_that_name_here_comes_first(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree("pets/1.jpg", "datasets/pets/2.jpg"))
    assert find_paired("pets", None, None).train == [Pair(Path("pets/1.jpg"))]


def test_the_fingerprint_knows_the_images_and_not_where_they_lie(tree: Tree) -> None:
    a, b, c = Path("a.jpg"), Path("b.jpg"), Path("c.jpg")
    moved = Pair(Path("elsewhere/a.jpg"), Path("elsewhere/b.jpg"))
    assert fingerprint(PairedImages([Pair(a, b)], [])) == fingerprint(PairedImages([moved], [], ["a note"]))
    assert fingerprint(PairedImages([Pair(a, b)], [])) != fingerprint(PairedImages([Pair(a, c)], []))
    assert fingerprint(UnpairedImages(([a], [b]), ([], []))) != fingerprint(
        UnpairedImages(([a], [c]), ([], []))
    )
