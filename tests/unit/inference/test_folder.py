"""A tree in, the same tree out: no file lost, none overwritten, the bad ones told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from tests.pictures import noise
from translate.config import ModelConfig
from translate.errors import UsageError
from translate.images import read_rgb
from translate.inference import Translator, translate_files
from translate.inference.folder import plan
from translate.models import Model


class Negative(nn.Module):
    def forward(self, x):
        return -x


@pytest.fixture
def translator() -> Translator:
    """Turns pictures into their negatives."""
    return Translator(Model(ModelConfig(), {"AtoB": Negative()}), device="cpu", precision="fp32")


def touched(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def planned(inputs: list[Path], out: Path) -> list[str]:
    return [str(target.relative_to(out)) for target in plan(inputs, out).values()]


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
    names = ["a.jpg", "a.png", "A.PNG", "a-2.png", "a.gif.png"]
    assert set(planned([touched(root, *names, "a.gif")], out)) == {*names, "a.gif-2.png"}


def test_equal_names_of_two_folders_never_share_a_file(root: Path, tmp_path: Path, out: Path) -> None:
    one, two = touched(root / "1", "a.png"), touched(root / "2", "a.png")
    assert planned([one, two, one / "a.png"], out) == ["a.png", "a-2.png"]


@pytest.mark.parametrize(("name", "target"), [("a.gif", "a.gif.png"), ("a.PGM", "a.PGM.png")])
def test_a_format_that_cannot_be_written_becomes_png(name: str, target: str, root: Path, out: Path) -> None:
    assert planned([touched(root, name)], out) == [target]


def test_a_file_goes_straight_into_the_output_folder(root: Path, out: Path) -> None:
    assert planned([touched(root, "sub/a.png") / "sub" / "a.png"], out) == ["a.png"]


def test_an_output_folder_inside_the_input_is_left_out(root: Path) -> None:
    touched(root, "a.png", "out/a.png", "sub/out/b.png")
    assert planned([root], root / "out") == ["a.png", "sub/out/b.png"]


def test_the_input_folder_is_no_output_folder(root: Path, tmp_path: Path) -> None:
    touched(root, "a.png")
    (tmp_path / "link").symlink_to(root)
    for out in (root, root / ".." / "in", tmp_path / "link"):
        with pytest.raises(UsageError, match="is the input folder itself"):
            plan([root], out)
        with pytest.raises(UsageError, match="itself lies"):
            plan([root / "a.png"], out)


def test_no_picture_is_written_over_another_input(root: Path) -> None:
    touched(root, "sub/a.png", "sub/sub/a.png")
    targets = plan([root / "sub"], root)
    assert {path.resolve() for path in targets.values()}.isdisjoint(path.resolve() for path in targets)


def test_missing_and_empty_inputs_are_refused(root: Path, out: Path) -> None:
    touched(root, "notes.txt")
    with pytest.raises(UsageError, match="in holds no pictures"):
        plan([root], out)
    with pytest.raises(UsageError, match=r"no file or folder '.*none\.png'"):
        plan([root / "none.png"], out)


def test_each_picture_is_translated(root: Path, out: Path, translator: Translator) -> None:
    for number, name in enumerate(["a.png", "sub/b.png"]):
        noise(root / name, seed=number)
    outcomes = list(translate_files(translator, plan([root], out)))
    assert not any(outcome.failure or outcome.skipped for outcome in outcomes)
    for name in ("a.png", "sub/b.png"):
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))


def test_a_bad_file_is_told_and_the_others_are_done(root: Path, out: Path, translator: Translator) -> None:
    for name in ("a.png", "c.png"):
        noise(root / name)
    touched(root, "b.png")
    (root / "d.png").symlink_to(root / "nowhere")
    outcomes = {o.source.name: o for o in translate_files(translator, plan([root], out))}
    assert outcomes["b.png"].failure == f"{root / 'b.png'}: the file is empty"
    assert outcomes["d.png"].failure == f"{root / 'd.png'}: No such file or directory"
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "c.png"]


def test_a_name_too_long_to_be_written_does_not_stop_the_others(
    root: Path, out: Path, translator: Translator
) -> None:
    noise(root / "z.png").rename(root / ("b" * 251 + ".gif"))  # whose `.gif.png` passes 255 bytes
    for name in ("a.png", "c.png"):
        noise(root / name)
    first, last, long = translate_files(translator, plan([root], out))
    assert "name too long" in long.failure
    assert not first.failure
    assert not last.failure


def test_a_link_that_leads_to_itself_is_told(root: Path, out: Path, translator: Translator) -> None:
    noise(root / "a.png")
    (root / "loop.png").symlink_to("loop.png")
    for inputs in ([root], [root / "a.png", root / "loop.png"]):
        failures = [o.failure for o in translate_files(translator, plan(inputs, out), overwrite=True)]
        assert failures == ["", f"{root / 'loop.png'}: Too many levels of symbolic links"]


def test_what_is_there_is_kept_unless_it_is_to_be_overwritten(
    root: Path, out: Path, translator: Translator
) -> None:
    noise(root / "a.png", seed=0)
    noise(out / "a.png", seed=1)
    before = (out / "a.png").read_bytes()
    (outcome,) = translate_files(translator, plan([root], out))
    assert outcome.skipped
    assert (out / "a.png").read_bytes() == before
    (outcome,) = translate_files(translator, plan([root], out), overwrite=True)
    assert not outcome.skipped
    assert np.array_equal(read_rgb(out / "a.png"), 255 - read_rgb(root / "a.png"))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate")])
def test_a_picture_too_large_for_the_memory_is_told(
    error: Exception, root: Path, out: Path, translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    noise(root / "a.png")
    monkeypatch.setattr(translator, "picture", fail)
    (outcome,) = translate_files(translator, plan([root], out))
    assert outcome.failure == f"{root / 'a.png'}: too large for this machine's memory"


def test_a_bug_is_no_failed_picture(
    root: Path, out: Path, translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("shape mismatch")

    noise(root / "a.png")
    monkeypatch.setattr(translator, "picture", fail)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        list(translate_files(translator, plan([root], out)))


def test_an_output_folder_that_is_a_file_is_told(root: Path, out: Path, translator: Translator) -> None:
    noise(root / "a.png")
    out.touch()
    (outcome,) = translate_files(translator, plan([root], out))
    assert "cannot be written" in outcome.failure
