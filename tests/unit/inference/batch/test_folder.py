"""A tree in, the same tree out: no file lost, none overwritten, the bad ones told."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from torch import Tensor

from tests.images import noise
from tests.unit.inference.making import Company, Negative, lively, load, predictor_of
from translate.errors import UsageError
from translate.images import read_rgb
from translate.inference import Outcome, Predictor, translate_folder
from translate.inference.batch import folder
from translate.inference.predictors import translation
from translate.models import Model
from translate.networks.generators.identity import Identity

DATE, GPS, LATITUDE = 0x0132, 0x8825, 2


@pytest.fixture
def negative() -> Predictor:
    """Turns images into their negatives."""
    return predictor_of(Negative())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def apply(predictor: Predictor, root: Path, out: Path, **options: Any) -> dict[str, Outcome]:
    """Translate a folder: what became of each file, by its path in it."""
    outcomes = translate_folder(predictor, [root], out, **options)
    return {str(outcome.source.relative_to(root)): outcome for outcome in outcomes}


def names(out: Path) -> list[str]:
    """All files of a folder, hidden ones too."""
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir())


def test_each_image_is_translated(root: Path, out: Path, negative: Predictor) -> None:
    for number, name in enumerate(["a.png", "sub/b.bmp"]):
        noise(root / name, seed=number)
    outcomes = apply(negative, root, out)
    assert names(out) == ["a.png", "sub/b.bmp"]
    for name, outcome in outcomes.items():
        assert (outcome.failure, outcome.skipped, outcome.note) == ("", "", "")
        assert outcome.size == (32, 24)
        assert outcome.seconds > 0
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))


def test_bad_files_are_told_by_name_and_the_others_are_done(
    root: Path, out: Path, negative: Predictor
) -> None:
    for name in ("a.png", "z.png"):
        noise(root / name)
    (root / "empty.png").touch()
    (root / "gone.png").symlink_to(root / "nowhere")
    (root / "loop.png").symlink_to("loop.png")
    (root / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (root / "text.png").write_text("no image")
    cut_off = noise(root / "half.jpg", 64, 64).read_bytes()
    (root / "half.jpg").write_bytes(cut_off[:600])
    outcomes = apply(negative, root, out)
    failures = {name: outcome.failure for name, outcome in outcomes.items() if outcome.failure}
    for name, reason in {
        "empty.png": "the file is empty",
        "gone.png": "No such file or directory",
        "half.jpg": "cannot be decoded: ",
        "loop.png": "Too many levels of symbolic links",
        "phone.HEIC": ".heic files are not read: convert it to JPEG, PNG or TIFF",
        "text.png": "not an image of a known format",
    }.items():
        assert failures.pop(name).startswith(f"{root / name}: {reason}")
    assert not failures
    assert names(out) == ["a.png", "z.png"]


@pytest.mark.parametrize("workers", [0, 3])
def test_outcomes_come_in_the_order_of_the_files(
    workers: int, root: Path, out: Path, negative: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "LARGE", 50 * 50)
    for number in range(30):
        side = 20 + number % 3 if number % 7 else 60
        noise(root / f"{number:02}.png", side, side)
    for number in (3, 14, 29):
        (root / f"{number:02}.png").write_text("no image")
    noise(out / "11.png")
    outcomes = apply(negative, root, out, workers=workers)
    assert list(outcomes) == [f"{number:02}.png" for number in range(30)]
    assert [name for name, outcome in outcomes.items() if outcome.failure] == ["03.png", "14.png", "29.png"]
    assert [name for name, outcome in outcomes.items() if outcome.skipped] == ["11.png"]


def test_a_warning_of_the_callers_between_two_outcomes_is_seen(
    root: Path, out: Path, negative: Predictor
) -> None:
    for number in range(3):
        noise(root / f"{number}.png")
    for _ in translate_folder(negative, [root], out):
        with pytest.raises(UserWarning, match="the caller's"):  # in tests, warnings are errors
            warnings.warn("the caller's", stacklevel=1)


# The same image, whatever else there is

ALIKE: dict[str, Callable[[], Predictor]] = {
    "one at a time": lambda: load(lively(depth=1)),
    "together": lambda: load(lively("unet", norm="batch", statistics="running")),
    "together in bfloat16": lambda: load(
        lively("unet", norm="batch", statistics="running"), precision="bf16"
    ),
    "dependent on company": lambda: predictor_of(Company()),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_an_image_becomes_the_same_file_alone_first_and_last_with_any_workers(
    kind: str, root: Path, tmp_path: Path
) -> None:
    assert (ALIKE[kind]().runner.max_batch_size > 1) == (kind != "one at a time")
    frame = noise(tmp_path / "alone" / "p.png", 40, 48, seed=99)
    expected = tmp_path / "of alone"
    apply(ALIKE[kind](), frame.parent, expected)
    for number in range(11):
        noise(root / f"m{number:02}.png", 40, 48, seed=number)
    noise(root / "m05.png", 33, 48)
    for name in ("a.png", "m03b.png", "z.png"):
        shutil.copy(frame, root / name)
    answers = []
    for workers in (0, 4):
        out = tmp_path / f"out{workers}"
        apply(ALIKE[kind](), root, out, workers=workers)
        answers.append({name: (out / name).read_bytes() for name in names(out)})
    assert answers[0] == answers[1]
    assert len(answers[0]) == 14
    for name in ("a.png", "m03b.png", "z.png"):
        assert answers[0][name] == (expected / "p.png").read_bytes()


def test_a_large_image_goes_through_the_pipeline_alone(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    class Seen(Identity):
        def forward(self, x: Tensor) -> Tensor:
            events.append("network")
            return x

    def told(event: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            events.append(event)
            return result

        return call

    monkeypatch.setattr(folder, "LARGE", 1)
    monkeypatch.setattr(translation, "MAX_BATCH_PIXELS", 1)
    monkeypatch.setattr(folder, "read", told("read", folder.read))
    monkeypatch.setattr(folder, "write", told("written", folder.write))
    for number in range(3):
        noise(root / f"{number}.png")
    assert not any(outcome.failure for outcome in apply(predictor_of(Seen()), root, out).values())
    assert events == ["read", "network", "written"] * 3


# A second run


def state(out: Path) -> dict[str, tuple[int, int]]:
    """By which a file is known not to have been written again."""
    return {name: ((out / name).stat().st_ino, (out / name).stat().st_mtime_ns) for name in names(out)}


def test_a_second_run_does_only_what_is_not_done(root: Path, out: Path, negative: Predictor) -> None:
    for name in ("a.png", "b.png", "sub/c.png"):
        noise(root / name)
    apply(negative, root, out)
    (out / "b.png").unlink()
    before = state(out)
    noise(root / "new.png")
    outcomes = apply(predictor_of(Negative()), root, out)
    assert {name: outcome.skipped for name, outcome in outcomes.items()} == {
        "a.png": "done before",
        "b.png": "",
        "new.png": "",
        "sub/c.png": "done before",
    }
    assert before.items() <= state(out).items()
    assert names(out) == ["a.png", "b.png", "new.png", "sub/c.png"]


def test_a_changed_image_another_model_and_other_settings_are_done_anew(
    root: Path, out: Path, negative: Predictor
) -> None:
    noise(root / "a.png", seed=0)
    noise(root / "b.png")
    apply(negative, root, out)
    noise(root / "a.png", seed=1)
    outcomes = apply(negative, root, out)
    assert [outcome.skipped for outcome in outcomes.values()] == ["", "done before"]
    assert np.array_equal(read_rgb(out / "a.png"), 255 - read_rgb(root / "a.png"))
    one, other = (load(Model(model.config, dict(model.generators))) for model in (lively(), lively(depth=1)))
    for change in ({"predictor": one}, {"predictor": other}, {"predictor": other, "keep_metadata": True}):
        outcomes = apply(**{"root": root, "out": out, **change})
        assert [outcome.skipped for outcome in outcomes.values()] == ["", ""]
    assert all(outcome.skipped for outcome in apply(other, root, out, keep_metadata=True).values())


def test_a_file_that_is_not_ours_is_left_alone_and_told(root: Path, out: Path, negative: Predictor) -> None:
    for name in ("a.png", "b.png"):
        noise(root / name, seed=0)
    noise(out / "a.png", seed=1)
    apply(negative, root, out)
    noise(out / "b.png", seed=2)  # edited by hand, after it was done
    before = state(out)
    outcomes = apply(negative, root, out)
    assert {outcome.skipped for outcome in outcomes.values()} == {
        "there already, and not known to come from this image"
    }
    assert state(out) == before
    outcomes = apply(negative, root, out, overwrite=True)
    assert not any(outcome.skipped for outcome in outcomes.values())
    for name in ("a.png", "b.png"):
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))
    assert {outcome.skipped for outcome in apply(negative, root, out).values()} == {"done before"}


def test_without_a_cache_folder_images_are_translated_all_the_same(
    root: Path, out: Path, negative: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "file" / "cache"))
    noise(root / "a.png")
    (outcome,) = apply(negative, root, out).values()
    assert not outcome.failure
    (outcome,) = apply(negative, root, out).values()
    assert outcome.skipped.startswith("there already")


class Meddling(Identity):
    """Does something while an image is being translated."""

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__()
        self.action = action

    def forward(self, x: Tensor) -> Tensor:
        self.action()
        return -x


def test_an_image_that_changes_while_it_is_translated_is_not_done(
    root: Path, out: Path, negative: Predictor
) -> None:
    noise(root / "a.png", seed=0)
    apply(predictor_of(Meddling(lambda: noise(root / "a.png", seed=1))), root, out)
    (outcome,) = apply(negative, root, out).values()
    assert not outcome.skipped
    assert np.array_equal(read_rgb(out / "a.png"), 255 - read_rgb(root / "a.png"))


def test_an_image_that_vanishes_is_told(root: Path, out: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        noise(root / name, 24, 32 + ord(name[0]))
    network = Meddling(lambda: (root / "c.png").unlink(missing_ok=True))
    outcomes = apply(predictor_of(network), root, out, workers=0)
    assert outcomes["c.png"].failure == f"{root / 'c.png'}: No such file or directory"
    assert names(out) == ["a.png", "b.png"]


def test_who_stops_in_the_middle_finds_whole_files_and_no_others(
    root: Path, out: Path, negative: Predictor
) -> None:
    for number in range(20):
        noise(root / f"{number:02}.png", seed=number)
    outcomes = translate_folder(negative, [root], out)
    next(outcomes)
    outcomes.close()
    done = names(out)
    assert 1 <= len(done) < 20
    for name in done:
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))
    before = state(out)
    again = apply(negative, root, out)
    assert [name for name, outcome in again.items() if outcome.skipped] == done
    assert before.items() <= state(out).items()


def test_what_a_killed_process_left_half_written_is_removed(
    root: Path, out: Path, negative: Predictor
) -> None:
    gone = 2**22 + 1  # more than a process's number can be
    noise(root / "sub" / "a.png")
    (out / "sub").mkdir(parents=True)
    for pid in (gone, os.getppid()):
        (out / "sub" / f".translate-{pid}-1.part").write_bytes(b"half")
    (out / "sub" / ".translate-notes.part").write_bytes(b"of somebody else")
    apply(negative, root, out)
    assert names(out) == [
        "sub/.translate-" + rest for rest in sorted((f"{os.getppid()}-1.part", "notes.part"))
    ] + ["sub/a.png"]


# What cannot be


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate")])
def test_an_image_too_large_for_the_memory_is_told(
    error: Exception, root: Path, out: Path, negative: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    noise(root / "a.png")
    monkeypatch.setattr(negative, "predict", fail)
    (outcome,) = apply(negative, root, out).values()
    assert outcome.failure == (
        f"{root / 'a.png'}: too large for this machine's memory: use --tile 512, or less"
    )


def test_where_images_do_not_fit_together_they_go_alone(root: Path, out: Path) -> None:
    class Small(Identity):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) > 1:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return -x

    for number in range(5):
        noise(root / f"{number}.png", seed=number)
    outcomes = apply(predictor_of(Small()), root, out)
    assert not any(outcome.failure for outcome in outcomes.values())
    for name in outcomes:
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))


def test_a_bug_is_no_failed_image(
    root: Path, out: Path, negative: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("shape mismatch")

    noise(root / "a.png")
    monkeypatch.setattr(negative, "predict", fail)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        apply(negative, root, out)
    assert not out.exists()


def test_an_output_folder_that_is_a_file_is_told(root: Path, out: Path, negative: Predictor) -> None:
    noise(root / "a.png")
    out.touch()
    with pytest.raises(UsageError, match="is a file: give a folder"):
        apply(negative, root, out)


def test_an_image_of_too_many_pixels_is_told(root: Path, out: Path, negative: Predictor) -> None:
    noise(root / "a.png", 100, 100)
    noise(root / "b.png", 100, 101)
    outcomes = apply(negative, root, out, max_pixels=10_000)
    assert not outcomes["a.png"].failure
    assert "101x100 are 0.0 megapixels, over the limit of 0.01" in outcomes["b.png"].failure


# Formats


@pytest.mark.parametrize("name", ["naïve\nname.gif", "x" * 251 + ".gif", "字" * 83 + "ab.gif"])
def test_a_name_with_a_longer_suffix_can_be_written(
    name: str, root: Path, out: Path, negative: Predictor
) -> None:
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(root / name)
    (outcome,) = apply(negative, root, out, format="webp").values()
    assert not outcome.failure
    assert outcome.target.suffix == ".webp"
    assert read_rgb(outcome.target).min() == 255


def animation(path: Path) -> Path:
    frames = [Image.new("RGB", (16, 16), color) for color in ("black", "red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=2)
    return path


def test_what_is_transparent_is_white_in_a_jpeg(root: Path, out: Path, negative: Predictor) -> None:
    pixels = np.dstack(
        [np.full((16, 16, 3), 255, np.uint8), np.repeat([[0], [255]], 8, axis=0).repeat(16, 1)]
    )
    Image.fromarray(pixels.astype(np.uint8)).save(root / "a.png")
    apply(negative, root, out, format="jpg")
    assert names(out) == ["a.jpg"]
    with Image.open(out / "a.jpg") as image:
        assert image.format == "JPEG"
    written = read_rgb(out / "a.jpg")
    assert written[:7].min() > 245
    assert written[9:].max() < 10


def test_an_animation_keeps_its_frames_where_the_format_has_them(
    root: Path, out: Path, negative: Predictor
) -> None:
    animation(root / "a.gif")
    for format in ("keep", "webp", "png"):
        (outcome,) = apply(negative, root, out, format=format).values()
        with Image.open(outcome.target) as image:
            assert image.n_frames == 3
            assert image.info["loop"] == 2
            colors = [frame.convert("RGB").getpixel((8, 8)) for frame in ImageSequence.Iterator(image)]
            assert np.abs(np.subtract(colors, [(255, 255, 255), (0, 255, 255), (255, 255, 0)])).max() < 12
            durations = []
            for number in range(3):
                image.seek(number)
                image.load()
                durations.append(image.info["duration"])
            assert durations == [100, 200, 300]
    (outcome,) = apply(negative, root, out, format="jpg").values()
    assert outcome.failure == f"{root / 'a.gif'}: 3 frames, which JPEG cannot hold: use --format keep"
    assert not (out / "a.jpg").exists()


def test_pages_stay_in_their_format(root: Path, out: Path, negative: Predictor) -> None:
    pages = [Image.new("RGB", (16, 12 + number), color) for number, color in enumerate(("black", "white"))]
    pages[0].save(root / "a.tif", save_all=True, append_images=pages[1:])
    apply(negative, root, out)
    with Image.open(out / "a.tif") as image:
        assert image.n_frames == 2
    for format, kind in (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")):
        (outcome,) = apply(negative, root, out, format=format).values()
        reason = f"2 pages, which {kind} cannot hold: use --format keep"
        assert outcome.failure == f"{root / 'a.tif'}: {reason}"
    assert names(out) == ["a.tif"]


def test_a_file_named_for_another_format_keeps_its_own_unless_asked(
    root: Path, out: Path, negative: Predictor
) -> None:
    noise(root / "a.jpg").rename(root / "a.png")
    for format, kind in (("keep", "JPEG"), ("png", "PNG")):
        apply(negative, root, out, format=format)
        with Image.open(out / "a.png") as image:
            assert image.format == kind


def test_the_place_comes_along_only_if_asked(root: Path, out: Path, negative: Predictor) -> None:
    exif = Image.Exif()
    exif[DATE] = "2024:05:06 07:08:09"
    exif.get_ifd(GPS)[LATITUDE] = (52.0, 31.0, 12.0)
    Image.new("RGB", (16, 16)).save(root / "a.jpg", exif=exif)
    for keep in (False, True):
        apply(negative, root, out, keep_metadata=keep)
        with Image.open(out / "a.jpg") as image:
            written = image.getexif()
            assert written[DATE] == "2024:05:06 07:08:09"
            assert (LATITUDE in written.get_ifd(GPS)) == keep


def test_an_image_added_later_takes_its_name_and_the_other_moves(
    root: Path, out: Path, negative: Predictor
) -> None:
    noise(root / "a.bmp", seed=1)
    apply(negative, root, out, format="png")
    noise(root / "a.png", seed=2)
    assert not any(outcome.skipped for outcome in apply(negative, root, out, format="png").values())
    assert np.array_equal(read_rgb(out / "a.png"), 255 - read_rgb(root / "a.png"))
    assert np.array_equal(read_rgb(out / "a-2.png"), 255 - read_rgb(root / "a.bmp"))
    assert all(outcome.skipped for outcome in apply(negative, root, out, format="png").values())


def test_what_another_input_became_is_left_alone(root: Path, out: Path, negative: Predictor) -> None:
    for name in ("one", "two"):
        noise(root / name / "a.png", seed=ord(name[0]))
    apply(negative, root / "one", out)
    before = (out / "a.png").read_bytes()
    (outcome,) = apply(negative, root / "two", out).values()
    assert outcome.skipped
    assert (out / "a.png").read_bytes() == before
