"""Planning: each image gets a file of its own, and no original is overwritten."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.errors import UsageError
from translate.inference.batch.plan import Job, plan_jobs, scan_inputs


def create_files(root: Path, *names: str) -> Path:
    """Create empty files in a folder, and return the folder."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def plan(inputs: list[Path], out: Path, *, format: str = "keep") -> list[Job]:
    """Find the images of files and folders, and plan their jobs."""
    return plan_jobs(scan_inputs(inputs, out).paths, out, format=format)


def target_names(inputs: list[Path], out: Path, format: str = "keep") -> list[str]:
    """Plan the inputs, and return the targets relative to the output folder."""
    return [str(job.target.relative_to(out)) for job in plan(inputs, out, format=format)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_the_folder_tree_is_kept(root: Path, out: Path) -> None:
    names = ["a.png", "sub/a.png", "sub/deep/b.JPG"]
    assert target_names([create_files(root, *names)], out) == names


def test_names_that_differ_by_suffix_or_case_never_share_a_file(root: Path, out: Path) -> None:
    names = ["A.PNG", "a-2.png", "a.gif", "a.gif.png", "a.jpg", "a.png"]
    assert target_names([create_files(root, *names)], out) == names


def test_every_format_keeps_its_suffix(root: Path, out: Path) -> None:
    names = ["a.PGM", "a.bmp", "a.gif", "a.heic", "a.jfif", "a.tiff", "a.webp"]
    assert target_names([create_files(root, *names)], out) == names


def test_equal_names_of_two_folders_never_share_a_file(root: Path, out: Path) -> None:
    first, second = create_files(root / "1", "a.png"), create_files(root / "2", "a.png")
    assert target_names([first, second, first / "a.png"], out) == ["a.png", "a-2.png"]


def test_an_input_file_is_written_to_the_top_of_the_output_folder(root: Path, out: Path) -> None:
    assert target_names([create_files(root, "sub/a.png", "b") / "sub" / "a.png", root / "b"], out) == [
        "a.png",
        "b",
    ]


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
    assert target_names([create_files(root, *names)], out, format) == targets


def test_a_file_with_the_name_of_a_folder_of_another_input_gets_a_number(root: Path, out: Path) -> None:
    first, second = (
        create_files(root / "1", "a.png"),
        create_files(root / "2", "a.png/b.png", "a.png/a-2.png"),
    )
    assert target_names([first, second], out) == ["a-2.png", "a.png/a-2.png", "a.png/b.png"]
    assert target_names([second, first], out) == ["a.png/a-2.png", "a.png/b.png", "a-2.png"]


@pytest.mark.parametrize("name", ["ü" * 125 + "a.gif", "x" * 251 + ".gif", "字" * 83 + "ab.gif"])
def test_a_name_with_a_longer_suffix_or_a_number_is_short_enough_for_the_file_system(
    name: str, root: Path, out: Path
) -> None:
    create_files(root / "1", name)
    create_files(root / "2", name)
    for format in ("webp", "keep"):
        for target in target_names([root / "1", root / "2"], out, format):
            assert len(os.fsencode(target)) <= 255
            assert target.endswith({"webp": ".webp", "keep": ".gif"}[format])
            assert target[:80] == name[:80]
    assert len(set(target_names([root / "1", root / "2"], out, "webp"))) == 2


@pytest.mark.skipif(os.name != "posix", reason="names of other systems are text")
def test_a_name_that_is_not_valid_text_keeps_its_bytes(root: Path, out: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    assert target_names([create_files(root, f"{name}.gif")], out, "png") == [f"{name}.png"]


@given(st.lists(st.sampled_from(["a.png", "A.PNG", "a.jpg", "a-2.png", "a-2.jpg", "a.gif", "a.png/b.png"])))
@settings(max_examples=50)
def test_any_names_from_several_inputs_get_files_of_their_own(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        out, inputs = Path(folder, "out"), [Path(folder, str(number)) for number in range(len(names))]
        for path, name in zip(inputs, names, strict=True):
            create_files(path, name)
        targets = [job.target for job in plan(inputs, out)]
    assert len(set(targets)) == len(targets) == len(names)
    folders = {parent for target in targets for parent in target.parents}
    assert not folders & set(targets)


def test_names_do_not_collide_on_a_file_system_that_ignores_case(root: Path, out: Path) -> None:
    """A link from OUT to the folder `out` looks as on a file system that takes both names for the same."""
    out.mkdir()
    (out.parent / "OUT").symlink_to(out)
    assert target_names([create_files(root, "A.PNG", "a.png", "\u00e9.png", "e\u0301.png")], out) == [
        *("A.PNG", "a-2.png", "e\u0301.png", "\u00e9-2.png")
    ]


def test_an_output_folder_inside_the_input_is_not_read(root: Path) -> None:
    create_files(root, "a.png", "out/a.png", "sub/out/b.png")
    assert target_names([root], root / "out") == ["a.png", "sub/out/b.png"]


def test_a_loop_of_links_is_not_followed(root: Path, out: Path) -> None:
    create_files(root, "a.png", "sub/b.png")
    (root / "sub" / "loop").symlink_to(root)
    (root / "loop.png").symlink_to("loop.png")
    assert target_names([root], out) == ["a.png", "loop.png", "sub/b.png"]


def test_the_input_folder_is_refused_as_output_folder(root: Path, tmp_path: Path) -> None:
    create_files(root, "a.png")
    (tmp_path / "link").symlink_to(root)
    for out in (root, root / ".." / "in", tmp_path / "link"):
        with pytest.raises(UsageError, match="is the input folder"):
            plan([root], out)
        with pytest.raises(UsageError, match=r"-o .* give another"):
            plan([root / "a.png"], out)


def test_no_image_is_written_over_another_input(root: Path) -> None:
    create_files(root, "sub/a.png", "sub/sub/a.png")
    jobs = plan([root / "sub"], root)
    assert {job.target.resolve() for job in jobs}.isdisjoint(job.source.resolve() for job in jobs)


def test_no_image_is_written_through_a_link_to_another_input(root: Path, out: Path) -> None:
    create_files(root, "a.png")
    out.mkdir()
    (out / "a.png").symlink_to(root / "a.png")
    assert target_names([root], out) == ["a-2.png"]


@pytest.mark.parametrize("out", ["out", ".", "../here/out", "out/deeper"])
def test_paths_may_be_relative(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_files(tmp_path / "here" / "in", "a.png")
    monkeypatch.chdir(tmp_path / "here")
    assert target_names([Path("in")], Path(out)) == ["a.png"]
    assert plan([Path("in/a.png")], Path("/"))[0].target == Path("/a.png")


def test_missing_and_empty_inputs_are_refused(root: Path, out: Path) -> None:
    create_files(root, "notes.txt", ".hidden.png")
    with pytest.raises(UsageError, match="in holds no images"):
        plan([root], out)
    with pytest.raises(UsageError, match=r"no file or folder '.*none\.png'"):
        plan([root / "none.png"], out)


def test_a_path_that_is_too_long_is_refused(root: Path, out: Path) -> None:
    create_files(root, "a.png")
    for inputs, target in (([root / ("x" * 300)], out), ([root], root / ("x" * 300))):
        with pytest.raises(UsageError, match="x: File name too long"):
            plan(inputs, target)
