"""Images are found in every layout of folders, paired, and split; files that cannot be used are reported."""

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

CreateFiles = Callable[..., Path]


@pytest.fixture
def create_files(tmp_path: Path) -> CreateFiles:
    """A function that creates empty files, because only their names matter, and returns their root."""

    def create(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return create


def numbered(pattern: str, count: int = 3) -> list[str]:
    return [pattern.format(number) for number in range(count)]


def names_of(root: Path, pairs: list[Pair]) -> list[str]:
    return ["+".join(str(file.relative_to(root)) for file in pair.files) for pair in pairs]


def all_pairs(images: PairedImages) -> list[Pair]:
    return sorted(images.train + images.validation, key=lambda pair: pair.a)


def test_a_flat_folder_has_joined_pairs(create_files: CreateFiles) -> None:
    root = create_files("0.jpg", "1.png", "sub/0.jpg", ".hidden.jpg", ".cache/0.jpg", "notes.txt")
    images = find_paired(str(root), None, None)
    assert names_of(root, all_pairs(images)) == ["0.jpg", "1.png", "sub/0.jpg"]
    assert all(pair.b is None for pair in all_pairs(images))


def test_train_and_val_have_joined_pairs(create_files: CreateFiles) -> None:
    root = create_files(*numbered("train/{}.jpg"), "val/8.jpg", "test/9.jpg")
    images = find_paired(str(root), None, None)
    assert names_of(root, images.train) == numbered("train/{}.jpg")
    assert names_of(root, images.validation) == ["val/8.jpg"]
    assert images.summary.startswith("3 training pairs, 1 validation pairs")


def test_without_val_the_test_folder_is_the_validation_set(create_files: CreateFiles) -> None:
    root = create_files(*numbered("train/{}.jpg"), "test/9.jpg")
    assert names_of(root, find_paired(str(root), None, None).validation) == ["test/9.jpg"]


def test_joined_pairs_in_a_val_folder_beside_others_are_not_for_training(create_files: CreateFiles) -> None:
    root = create_files(*numbered("{}.jpg"), "val/8.jpg")
    images = find_paired(str(root), None, None)
    assert names_of(root, images.train) == numbered("{}.jpg")
    assert names_of(root, images.validation) == ["val/8.jpg"]


@pytest.mark.parametrize("subset", ["", "train"])
def test_two_folders_are_paired_by_path_and_stem(subset: str, create_files: CreateFiles) -> None:
    a, b = f"{subset}A", f"{subset}B"
    root = create_files(f"{a}/0.jpg", f"{b}/0.png", f"{a}/sub/0.jpg", f"{b}/sub/0.jpg")
    images = find_paired(str(root), None, None)
    assert names_of(root, all_pairs(images)) == [f"{a}/0.jpg+{b}/0.png", f"{a}/sub/0.jpg+{b}/sub/0.jpg"]
    assert images.notes == []


def test_the_folders_of_two_domains_are_paired(create_files: CreateFiles) -> None:
    root = create_files("day/1.jpg", "day/2.jpg", "night/1.jpg", "night/2.jpg")
    images = find_paired(None, str(root / "day"), str(root / "night"))
    assert names_of(root, all_pairs(images)) == ["day/1.jpg+night/1.jpg", "day/2.jpg+night/2.jpg"]


def test_images_without_a_partner_are_excluded_with_a_note(create_files: CreateFiles) -> None:
    root = create_files("A/1.jpg", "A/2.jpg", "A/3.jpg", "B/2.jpg", "B/4.jpg")
    images = find_paired(str(root), None, None)
    assert names_of(root, all_pairs(images)) == ["A/2.jpg+B/2.jpg"]
    assert len(images.notes) == 2
    assert f"{root / 'A/1.jpg'}, {root / 'A/3.jpg'}" in images.notes[0]
    assert str(root / "B/4.jpg") in images.notes[1]


def test_a_note_on_many_images_lists_some_and_counts_the_others(create_files: CreateFiles) -> None:
    root = create_files("A/x.jpg", "B/x.jpg", *numbered("A/{}.jpg", 8))
    (note,) = find_paired(str(root), None, None).notes
    assert note.endswith("4.jpg and 3 more")


def test_folders_without_a_common_stem_are_refused(create_files: CreateFiles) -> None:
    root = create_files("A/1.jpg", "B/2.jpg")
    with pytest.raises(UsageError, match=r"A has a partner in .*B: .* the same stem"):
        find_paired(str(root), None, None)


def test_two_files_with_the_same_stem_are_refused(create_files: CreateFiles) -> None:
    root = create_files("A/1.jpg", "A/1.png", "B/1.jpg")
    with pytest.raises(UsageError, match=r"1\.png and 1\.jpg share a stem"):
        find_paired(str(root), None, None)


def test_a_domain_without_the_other_is_not_a_folder_of_joined_pairs(create_files: CreateFiles) -> None:
    root = create_files(*numbered("trainA/{}.jpg"))
    with pytest.raises(UsageError, match="no trainB/"):
        find_paired(str(root), None, None)


@pytest.mark.parametrize("subset", ["", "train"])
def test_unpaired_domains_may_differ_in_size(subset: str, create_files: CreateFiles) -> None:
    root = create_files(
        *numbered(subset + "A/{}.jpg", 4), *numbered(subset + "B/{}.png", 2), "testA/8.jpg", "testB/9.jpg"
    )
    images = find_unpaired(str(root), None, None)
    assert [len(domain) for domain in images.train] == [4, 2]
    assert [[file.name for file in domain] for domain in images.validation] == [["8.jpg"], ["9.jpg"]]
    assert images.summary == "4 + 2 training images, 1 + 1 validation images"


def test_unpaired_domains_without_a_validation_folder_are_split(create_files: CreateFiles) -> None:
    root = create_files(*numbered("A/{}.jpg", 41), *numbered("B/{}.jpg", 1))
    images = find_unpaired(str(root), None, None)
    assert [len(domain) for domain in images.train] == [38, 1]
    assert [len(domain) for domain in images.validation] == [3, 0]
    assert set(images.train[0]).isdisjoint(images.validation[0])


def test_a_folder_without_domains_is_refused_as_unpaired(create_files: CreateFiles) -> None:
    root = create_files("1.jpg")
    with pytest.raises(UsageError, match=r"trainA/ and trainB/ nor A/ and B/: .*--domainA"):
        find_unpaired(str(root), None, None)


def test_at_most_50_images_of_each_domain_are_for_validation(create_files: CreateFiles) -> None:
    root = create_files(
        *(f"{subset}{domain}/{n}.jpg" for subset in ("train", "test") for domain in "AB" for n in range(60))
    )
    assert [len(domain) for domain in find_unpaired(str(root), None, None).validation] == [50, 50]
    assert len(find_paired(str(root), None, None).validation) == 50


@pytest.mark.parametrize("find", [find_paired, find_unpaired])
class TestRefused:
    def test_no_data(self, find) -> None:
        with pytest.raises(UsageError, match="no data: give --data DIR, or --domainA"):
            find(None, None, None)

    def test_a_missing_folder(self, find, create_files: CreateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(create_files("datasets/horses/1.jpg"))
        with pytest.raises(UsageError, match=r"no folder 'horse'.*did you mean 'horses'\?"):
            find("horse", None, None)

    def test_a_file_in_place_of_a_folder(self, find, create_files: CreateFiles) -> None:
        with pytest.raises(UsageError, match=r"1\.jpg is a file: give the folder"):
            find(str(create_files("1.jpg") / "1.jpg"), None, None)

    @pytest.mark.parametrize("empty", ["A", "B"])
    def test_an_empty_folder(self, find, empty: str, create_files: CreateFiles) -> None:
        root = create_files("A/1.jpg", "B/1.jpg")
        (root / empty / "1.jpg").unlink()
        with pytest.raises(UsageError, match=f"{empty} holds no images"):
            find(str(root), None, None)

    def test_the_same_folder_twice(self, find, create_files: CreateFiles) -> None:
        root = create_files("A/1.jpg")
        (root / "link").symlink_to("A")
        with pytest.raises(UsageError, match="same folder"):
            find(None, str(root / "A"), str(root / "link"))

    @pytest.mark.parametrize(("a", "b", "missing"), [("A", None, "--domainB"), (None, "B", "--domainA")])
    def test_a_single_domain(self, find, a: str | None, b: str | None, missing: str) -> None:
        with pytest.raises(UsageError, match=f"give {missing}"):
            find(None, a, b)

    def test_data_and_domains(self, find) -> None:
        with pytest.raises(UsageError, match="--data and --domainA/--domainB"):
            find("data", "A", "B")


def test_a_flat_folder_of_photos_is_split(create_files: CreateFiles) -> None:
    photos = find_photos(str(create_files(*numbered("{}.jpg", 40))))
    assert (len(photos.train), len(photos.validation)) == (38, 2)
    assert set(photos.train).isdisjoint(photos.validation)
    assert photos.summary == "38 training photos, 2 validation photos"


def test_photos_in_a_val_folder_are_for_validation_and_not_for_training(create_files: CreateFiles) -> None:
    root = create_files("a.jpg", "b.jpg", "val/c.jpg")
    photos = find_photos(str(root))
    assert [path.name for path in photos.train] == ["a.jpg", "b.jpg"]
    assert photos.validation == [root / "val" / "c.jpg"]


def test_data_may_be_a_name_under_datasets(
    create_files: CreateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(create_files("datasets/pets/A/1.jpg", "datasets/pets/B/1.jpg", "datasets/x/1.jpg"))
    assert find_paired("pets", None, None).train == [
        Pair(Path("datasets/pets/A/1.jpg"), Path("datasets/pets/B/1.jpg"))
    ]
    assert find_unpaired(None, "pets", "x").train[1] == [Path("datasets/x/1.jpg")]


def test_a_path_has_precedence_over_a_name_under_datasets(
    create_files: CreateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(create_files("pets/1.jpg", "datasets/pets/2.jpg"))
    assert find_paired("pets", None, None).train == [Pair(Path("pets/1.jpg"))]


def test_the_fingerprint_depends_on_the_file_names_and_not_on_the_folder() -> None:
    a, b, c = Path("a.jpg"), Path("b.jpg"), Path("c.jpg")
    moved = Pair(Path("elsewhere/a.jpg"), Path("elsewhere/b.jpg"))
    assert fingerprint(PairedImages([Pair(a, b)], [])) == fingerprint(PairedImages([moved], [], ["a note"]))
    assert fingerprint(PairedImages([Pair(a, b)], [])) != fingerprint(PairedImages([Pair(a, c)], []))
    assert fingerprint(UnpairedImages(([a], [b]), ([], []))) != fingerprint(
        UnpairedImages(([a], [c]), ([], []))
    )
