"""Each image gets a file of its own, and no original is written over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.errors import UsageError
from translate.inference.batch import plan as module
from translate.inference.batch.plan import plan


def touched(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def planned(inputs: list[Path], out: Path, format: str = "keep") -> list[str]:
    return [str(job.target.relative_to(out)) for job in plan(inputs, out, format=format)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_the_tree_is_kept(root: Path, out: Path) -> None:
    names = ["a.png", "sub/a.png", "sub/deep/b.JPG"]
    assert planned([touched(root, *names)], out) == names


def test_names_that_differ_by_suffix_or_case_never_share_a_file(root: Path, out: Path) -> None:
    names = ["A.PNG", "a-2.png", "a.gif", "a.gif.png", "a.jpg", "a.png"]
    assert planned([touched(root, *names)], out) == names


def test_every_kind_keeps_its_suffix(root: Path, out: Path) -> None:
    names = ["a.PGM", "a.bmp", "a.gif", "a.heic", "a.jfif", "a.tiff", "a.webp"]
    assert planned([touched(root, *names)], out) == names


def test_equal_names_of_two_folders_never_share_a_file(root: Path, out: Path) -> None:
    one, two = touched(root / "1", "a.png"), touched(root / "2", "a.png")
    assert planned([one, two, one / "a.png"], out) == ["a.png", "a-2.png"]


def test_a_file_goes_straight_into_the_output_folder(root: Path, out: Path) -> None:
    assert planned([touched(root, "sub/a.png", "b") / "sub" / "a.png", root / "b"], out) == ["a.png", "b"]


@pytest.mark.parametrize(
    ("format", "names", "targets"),
    [
        ("png", ["a.jpg", "a.png", "b.JPEG"], ["a-2.png", "a.png", "b.png"]),
        ("png", ["A.PNG", "a-2.png", "a.jpg", "a.tif"], ["A.PNG", "a-2.png", "a.png", "a-3.png"]),
        ("jpg", ["a.JPG", "a.jpeg", "a.jpg", "a.png"], ["a.JPG", "a.jpeg", "a.jpg", "a-2.jpg"]),
        (
            "webp",
            ["a.gif", "a.heic", "a.tar.png", "sub/a.gif"],
            ["a.webp", "a.heic.webp", "a.tar.webp", "sub/a.webp"],
        ),
    ],
)
def test_a_format_changes_the_suffix_and_nothing_collides(
    format: str, names: list[str], targets: list[str], root: Path, out: Path
) -> None:
    assert planned([touched(root, *names)], out, format) == targets


def test_a_file_beside_another_inputs_folder_of_its_name_is_numbered(root: Path, out: Path) -> None:
    one, two = touched(root / "1", "a.png"), touched(root / "2", "a.png/b.png", "a.png/a-2.png")
    assert planned([one, two], out) == ["a-2.png", "a.png/a-2.png", "a.png/b.png"]
    assert planned([two, one], out) == ["a.png/a-2.png", "a.png/b.png", "a-2.png"]


@pytest.mark.parametrize("name", ["ü" * 125 + "a.gif", "x" * 251 + ".gif", "字" * 83 + "ab.gif"])
def test_a_longer_suffix_or_a_number_is_within_what_a_file_system_takes(
    name: str, root: Path, out: Path
) -> None:
    touched(root / "1", name)
    touched(root / "2", name)
    for format in ("webp", "keep"):
        for target in planned([root / "1", root / "2"], out, format):
            assert len(os.fsencode(target)) <= 255
            assert target.endswith({"webp": ".webp", "keep": ".gif"}[format])
            assert target[:80] == name[:80]
    assert len(set(planned([root / "1", root / "2"], out, "webp"))) == 2


@pytest.mark.skipif(os.name != "posix", reason="names of other systems are text")
def test_a_name_that_is_no_text_keeps_its_bytes(root: Path, out: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    assert planned([touched(root, f"{name}.gif")], out, "png") == [f"{name}.png"]


@given(st.lists(st.sampled_from(["a.png", "A.PNG", "a.jpg", "a-2.png", "a-2.jpg", "a.gif", "a.png/b.png"])))
def test_however_names_meet_each_image_has_a_file_and_no_file_is_a_folder(names: list[str]) -> None:
    """On plain paths: each name comes from an input folder of its own."""
    used = module._UsedPaths(Path("out"), [], [Path(name) for name in names])
    targets = [used.free(Path(name)) for name in names]
    assert len(set(targets)) == len(targets)
    folders = {parent for target in targets for parent in target.parents}
    assert not folders & set(targets)


def test_where_case_makes_no_difference_names_do_not_meet(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ignores_case", lambda _: True)
    assert planned([touched(root, "A.PNG", "a.png", "\u00e9.png", "e\u0301.png")], out) == [
        *("A.PNG", "a-2.png", "e\u0301.png", "\u00e9-2.png")
    ]


def test_an_output_folder_inside_the_input_is_left_out(root: Path) -> None:
    touched(root, "a.png", "out/a.png", "sub/out/b.png")
    assert planned([root], root / "out") == ["a.png", "sub/out/b.png"]


def test_a_loop_of_links_is_not_walked(root: Path, out: Path) -> None:
    touched(root, "a.png", "sub/b.png")
    (root / "sub" / "loop").symlink_to(root)
    (root / "loop.png").symlink_to("loop.png")
    assert planned([root], out) == ["a.png", "loop.png", "sub/b.png"]


def test_the_input_folder_is_no_output_folder(root: Path, tmp_path: Path) -> None:
    touched(root, "a.png")
    (tmp_path / "link").symlink_to(root)
    for out in (root, root / ".." / "in", tmp_path / "link"):
        with pytest.raises(UsageError, match="is the input folder itself"):
            plan([root], out)
        with pytest.raises(UsageError, match="itself lies"):
            plan([root / "a.png"], out)


def test_no_image_is_written_over_another_input(root: Path) -> None:
    touched(root, "sub/a.png", "sub/sub/a.png")
    jobs = plan([root / "sub"], root)
    assert {job.target.resolve() for job in jobs}.isdisjoint(job.source.resolve() for job in jobs)


def test_no_image_is_written_through_a_link_to_another_input(root: Path, out: Path) -> None:
    touched(root, "a.png")
    out.mkdir()
    (out / "a.png").symlink_to(root / "a.png")
    assert planned([root], out) == ["a-2.png"]


@pytest.mark.parametrize("out", ["out", ".", "../here/out", "out/deeper"])
def test_paths_may_be_relative(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(tmp_path / "here" / "in", "a.png")
    monkeypatch.chdir(tmp_path / "here")
    assert planned([Path("in")], Path(out)) == ["a.png"]
    assert plan([Path("in/a.png")], Path("/"))[0].target == Path("/a.png")


def test_missing_and_empty_inputs_are_refused(root: Path, out: Path) -> None:
    touched(root, "notes.txt", ".hidden.png")
    with pytest.raises(UsageError, match="in holds no images"):
        plan([root], out)
    with pytest.raises(UsageError, match=r"no file or folder '.*none\.png'"):
        plan([root / "none.png"], out)


def test_a_path_that_the_system_does_not_take_is_refused(root: Path, out: Path) -> None:
    touched(root, "a.png")
    for inputs, target in (([root / ("x" * 300)], out), ([root], root / ("x" * 300))):
        with pytest.raises(UsageError, match="x: File name too long: give another"):
            plan(inputs, target)
