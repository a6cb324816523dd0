"""Images of several domains, or with attributes: where they are found, and what is refused in one line."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.images import noise
from translate.config.model import check_domain_names
from translate.data.datasets.photos import MultiDomainDataset
from translate.data.datasets.samples import SampleKey
from translate.data.discovery.labels import MultiDomainImages, find_multidomain
from translate.errors import TranslateError
from translate.methods.stargan.config import StarGANConfig

COATS = ("black", "brown", "striped")


def write(root: Path, *folders: str, count: int = 4) -> Path:
    """Write images of noise into folders; return the root."""
    for number, folder in enumerate(folders):
        for index in range(count):
            noise(root / folder / f"{index}.png", 8, 8, seed=10 * number + index)
    return root


def names(images: MultiDomainImages, domain: str, *, train: bool = True) -> set[str]:
    """Return the last two parts of the paths of the images that have a domain."""
    files = images.train if train else images.validation
    return {"/".join(str(path).split("/")[-2:]) for path in images.with_label(files, domain)}


LAYOUTS = {
    "flat": [*COATS],
    "wrapped": [f"coats/{coat}" for coat in COATS],
    "subset first": [f"{subset}/{coat}" for coat in COATS for subset in ("train", "val")],
    "subset last": [f"{coat}/{subset}" for coat in COATS for subset in ("train", "test")],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sub_folders_are_domains(layout: str, tmp_path: Path) -> None:
    images = find_multidomain(str(write(tmp_path, *LAYOUTS[layout])))
    assert (images.domains, images.exclusive) == ([*COATS], True)
    held_out = 4 if "subset" in layout else 1
    for number, coat in enumerate(COATS):
        has = [images.labels[file][number] for file in images.files() if f"/{coat}/" in str(file)]
        assert has == [1] * (4 + held_out if held_out == 4 else 4)
        assert len(images.with_label(images.validation, coat)) == held_out
    assert all(sum(label) == 1 for label in images.labels.values())
    assert not set(images.train) & set(images.validation)


def test_the_folders_of_two_domains_are_domains_too(tmp_path: Path) -> None:
    images = find_multidomain(str(write(tmp_path, "trainA", "trainB", "testA", "testB")))
    assert images.domains == ["A", "B"]
    assert names(images, "B", train=False) == {f"testB/{index}.png" for index in range(4)}


def test_the_first_validation_images_have_different_domains(tmp_path: Path) -> None:
    images = find_multidomain(str(write(tmp_path, *LAYOUTS["subset first"])))
    assert [images.labels[file].index(1) for file in images.validation[:3]] == [0, 1, 2]


def test_every_domain_has_a_validation_image_and_all_have_at_most_fifty(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for index in range(1100):  # Only the names count.
        (tmp_path / "many" / f"{index}.png").touch()
    images = find_multidomain(str(write(tmp_path, "few", count=2)))
    assert len(images.with_label(images.validation, "few")) == 1
    assert len(images.with_label(images.validation, "many")) == 25
    again = find_multidomain(str(write(tmp_path, "other", count=2)))
    assert set(images.with_label(images.validation, "many")) >= set(
        again.with_label(again.validation, "many")
    )


def test_tar_files_have_domains_in_cls_files(tmp_path: Path) -> None:
    files = tmp_path / "files"
    for number in range(8):
        noise(files / f"{number}.png", 8, 8, seed=number)
        (files / f"{number}.cls").write_text("cat" if number % 2 else "dog")
    with tarfile.open(tmp_path / "pets.tar", "w") as tar:
        for path in sorted(files.iterdir()):
            tar.add(path, path.name)
    images = find_multidomain(str(tmp_path / "pets.tar"))
    assert images.domains == ["cat", "dog"]
    assert len(images.with_label(images.files(), "cat")) == 4
    with pytest.raises(TranslateError, match=r"--labels.*\.cls"):
        find_multidomain(str(tmp_path / "pets.tar"), str(table(tmp_path, "0.png,1\n")))


def test_what_is_not_validated_is_said(tmp_path: Path) -> None:
    write(tmp_path, "train/black", "train/brown", "val/black")
    images = find_multidomain(str(tmp_path))
    assert images.messages[-1] == "no validation images of brown: only images of other domains are validated"
    (tmp_path / "val" / "black").rename(tmp_path / "val" / "Black")  # No domain of the training images.
    images = find_multidomain(str(tmp_path))
    assert "of a domain without training images" in images.messages[-2]
    assert images.messages[-1].startswith("no validation images: the scores and the sample sheet are of tr")


def test_a_domain_with_one_image_besides_that_for_validation_is_said(tmp_path: Path) -> None:
    write(tmp_path, "black", count=2)
    images = find_multidomain(str(write(tmp_path, "brown")))
    assert [line.partition(",")[0] for line in images.messages] == ["1 image of black to train on"]


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Return a folder of six images, 0.png to 5.png."""
    return write(tmp_path / "faces", "", count=6)


ROWS = [(f"{i}.png", 1 if i < 2 else -1, 1 if i % 2 else -1, -1 if i else 1) for i in range(6)]
CSV = "name,blond,young,male\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS)
CELEBA = "6\nblond young male\n" + "".join("{}  {:2d} {:2d} {:2d}\n".format(*row) for row in ROWS)
ATTRIBUTES = {
    "csv": CSV,
    "zeros": CSV.replace("-1", "0"),
    "celeba": CELEBA,
    "celeba of a larger set": CELEBA + "more.png -1 -1 -1\n",
    "semicolons": CSV.replace(",", ";"),
    "tabs": CSV.replace(",", "\t"),
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_a_table_gives_attributes(kind: str, faces: Path) -> None:
    labels = table(faces.parent, ATTRIBUTES[kind], "list_attr_celeba.txt")
    images = find_multidomain(str(faces), str(labels), ["young", "blond"])
    assert (images.domains, images.exclusive) == (["young", "blond"], False)
    found = {file.name: images.labels[file] for file in images.files()}
    assert found == {name: (int(young == 1), int(blond == 1)) for name, blond, young, _ in ROWS}
    assert len(images.validation) == 1
    assert ("more.png" in ATTRIBUTES[kind]) == any("not there" in note for note in images.notes)


@pytest.mark.parametrize(("header", "separator"), [("", ","), ("file,domain\n", ","), ("", ";")])
def test_a_table_gives_domains(header: str, separator: str, faces: Path) -> None:
    rows = "".join(f"{i}.png{separator}{'cat' if i < 3 else 'dog'}\n" for i in range(6))
    images = find_multidomain(str(faces), str(table(faces.parent, header + rows)))
    assert (images.domains, images.exclusive) == (["cat", "dog"], True)
    assert {file.name for file in images.with_label(images.files(), "cat")} == {"0.png", "1.png", "2.png"}


def test_images_that_are_not_in_the_table_are_left_out_with_a_note(faces: Path) -> None:
    noise(faces / "new.png")
    images = find_multidomain(str(faces), str(table(faces.parent, CSV)))
    assert "new.png" not in {file.name for file in images.files()}
    assert any("new.png" in note for note in images.notes)


def small(root: Path) -> None:
    write(root, "black", "brown")
    write(root, "striped", count=1)


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "one image": (small, r"'striped' has one training image .*striped/0\.png.* 2 or more.*add images"),
    "one domain": (lambda root: write(root, "train/black"), r"one domain, 'black'.* 2 or more: add"),
    "no domain": (lambda root: write(root, ""), r"has no domains: put .* sub-folder.*--labels"),
    "name of the target for all": (lambda root: write(root, "All", "b"), r"domain 'All'.*rename"),
    "comma": (lambda root: write(root, "a,b", "b"), r"domain 'a,b' has a ','.*rename"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_unusable_folders_are_refused_in_one_line(case: str, tmp_path: Path) -> None:
    make, message = FOLDERS[case]
    make(tmp_path)
    with pytest.raises(TranslateError, match=message) as raised:
        find_multidomain(str(tmp_path))
    assert "\n" not in str(raised.value)


TABLES = {
    "unknown file": (CSV + "nobody.png,1,1,1\n", r"row 8: no image 'nobody\.png' in .*faces: remove the row"),
    "value": (CSV.replace("1.png,1,1", "1.png,2,1"), r"row 3: blond of '1\.png' is '2'.*write 1"),
    "empty value": (CSV.replace("1.png,1,1", "1.png,,1"), r"row 3: blond of '1\.png' is ''.*write 1"),
    "missing value": (CSV + "6.png,1\n", r"row 8: '6\.png' has 1 values, but there are 3"),
    "two rows": (CSV + "1.png,1,1,1\n", r"more than one row for '1\.png'"),
    "two meanings": (CSV.replace("0.png,1,-1", "0.png,1,0"), r"both 0 and -1"),
    "no header": (CSV.partition("\n")[2], r"no header"),
    "no names": ("name,blond,young\na.png,1,-1\n", r"names no image of .*'0\.png'"),
    "case": ("0.png,Cat\n1.png,cat\n2.png,dog\n", r"'cat' is there more than once: rename or merge them"),
    "no domain": ("0.png,cat\n1.png,\n", r"row 2: '1\.png' has no domain"),
    "empty": ("", r"no labels: write"),
    "first row of a domain": ("zz,cat\n0.png,cat\n1.png,dog\n", r"row 1: no image 'zz' in"),
    "first row of an image": ("zz.png,bird\n0.png,cat\n1.png,dog\n", r"row 1: no image 'zz\.png' in"),
}


@pytest.mark.parametrize("case", TABLES)
def test_unusable_tables_are_refused_in_one_line(case: str, faces: Path) -> None:
    text, message = TABLES[case]
    with pytest.raises(TranslateError, match=message) as raised:
        find_multidomain(str(faces), str(table(faces.parent, text)))
    assert "\n" not in str(raised.value)


AMBIGUOUS = {
    "two images": ("0.png,cat\n", r"row 1: '0\.png' is the name of 2 images: write 'a/0\.png' or 'b/0\.png'"),
    "two rows": ("only.png,cat\na/0.png,cat\na/only.png,dog\n", r"rows 1 and 3 are both of 'a/only\.png'"),
    "celeba": ("1\nblond\n0.png 1\n", r"row 3: '0\.png' is the name of 2 images"),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_rows_that_do_not_name_one_image_each_are_refused(case: str, tmp_path: Path) -> None:
    text, message = AMBIGUOUS[case]
    folder = write(tmp_path / "photos", "a", "b", count=2)
    noise(folder / "a" / "only.png", 8, 8, seed=90)
    with pytest.raises(TranslateError, match=message):
        find_multidomain(str(folder), str(table(tmp_path, text)))


def test_the_path_of_an_image_counts_before_the_name_of_another_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "photos", "", "b")
    rows = "".join(f"{i}.png,cat\nb/{i}.png,dog\n" for i in range(4))
    images = find_multidomain(str(folder), str(table(tmp_path, rows)))
    assert len(images.with_label(images.files(), "dog")) == 4
    assert all(file.parent.name == "b" for file in images.with_label(images.files(), "dog"))


def test_attributes_that_cannot_be_trained_are_refused(faces: Path) -> None:
    labels = table(faces.parent, CSV.replace("name", "name,bald").replace("png,", "png,-1,"))
    with pytest.raises(TranslateError, match=r"no attribute 'yuong'; did you mean 'young'"):
        find_multidomain(str(faces), str(labels), ["yuong"])
    with pytest.raises(TranslateError, match=r"'bald' is on for none of the 5 training.*--attributes"):
        find_multidomain(str(faces), str(labels), ["blond", "bald"]).require_varied_labels()
    domains = table(faces.parent, "0.png,cat\n1.png,cat\n2.png,dog\n3.png,dog\n", "domains.csv")
    with pytest.raises(TranslateError, match=r"domains\.csv gives each image one domain.*blond.*--labels"):
        find_multidomain(str(faces), str(domains), ["blond"])
    with pytest.raises(TranslateError, match=r"attributes blond need a table.*--labels"):
        find_multidomain(str(write(faces, "a", "b")), None, ["blond"])


@pytest.mark.parametrize("name", ["", " a", "..", "a/b", "a\\b", "a\nb"])
def test_a_domain_is_a_name_for_a_folder(name: str) -> None:
    with pytest.raises(TranslateError, match="domain"):
        check_domain_names(["fine", name])


def test_samples_have_a_label_and_the_channels_of_the_settings(tmp_path: Path) -> None:
    images = find_multidomain(str(write(tmp_path, *COATS)))
    c = StarGANConfig(image_size=8, load_size=8)
    data = MultiDomainDataset(images.train, images.labels, c, channels=1, training=True)
    for index, file in enumerate(images.train):
        sample = data[SampleKey(0, index)]
        assert sample["photo"].shape == (1, 8, 8)
        assert COATS[int(sample["label"].argmax())] == file.parent.name
        assert np.array_equal(data.labels()["label"][index], sample["label"])
