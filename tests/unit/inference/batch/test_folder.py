"""Translate folders: no file is lost, none is overwritten, and each failure is reported."""

from __future__ import annotations

import os
import re
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from torch import Tensor

from tests.images import noise
from tests.unit.inference.making import BatchDependent, Negative, load, predictor_of, random_model
from translate.errors import UsageError
from translate.images import read, read_rgb
from translate.inference import Outcome, Predictor, translate_folder
from translate.networks.generators.identity import Identity
from translate.storage import atomic_path

DATE, GPS, LATITUDE = 0x0132, 0x8825, 2


@pytest.fixture
def negative() -> Predictor:
    """Return a predictor that inverts images."""
    return predictor_of(Negative())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def apply(predictor: Predictor, root: Path, out: Path, **options: Any) -> dict[str, Outcome]:
    """Translate a folder; return the outcome of each file by its path in the folder."""
    outcomes = translate_folder(predictor, [root], out, **options)
    return {str(outcome.source.relative_to(root)): outcome for outcome in outcomes}


def all_files(out: Path) -> list[str]:
    """Return all files of a folder, hidden ones too."""
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir())


def test_each_image_is_translated(root: Path, out: Path, negative: Predictor) -> None:
    for number, name in enumerate(["a.png", "sub/b.bmp"]):
        noise(root / name, seed=number)
    outcomes = apply(negative, root, out)
    assert all_files(out) == ["a.png", "sub/b.bmp"]
    for name, outcome in outcomes.items():
        assert (outcome.failure, outcome.skipped, outcome.note) == ("", "", "")
        assert outcome.size == (32, 24)
        assert outcome.seconds > 0
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))


def test_unreadable_files_fail_by_name_and_the_others_are_written(
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
        "empty.png": "empty",
        "gone.png": "No such file",
        "half.jpg": "the file is damaged",
        "loop.png": "symbolic links",
        "phone.HEIC": ".heic",
        "text.png": "not an image",
    }.items():
        failure = failures.pop(name)
        assert failure.startswith(f"{root / name}: ")
        assert reason in failure
    assert not failures
    assert all_files(out) == ["a.png", "z.png"]


class RunsAction(Identity):
    """A network that runs an action in its forward, and inverts the image."""

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__()
        self.action = action

    def forward(self, x: Tensor) -> Tensor:
        self.action()
        return -x


def large_image(path: Path) -> Path:
    """Write a gray image of more than 16 megapixels, which has the pipeline to itself."""
    Image.new("L", (4001, 4000), 77).save(path)
    return path


@pytest.mark.parametrize("workers", [0, 3])
def test_outcomes_come_in_the_order_of_the_files(workers: int, root: Path, out: Path) -> None:
    for number in range(30):
        side = 20 + number % 3
        noise(root / f"{number:02}.png", side, side)
    large_image(root / "14.png")
    for number in (3, 15, 29):
        (root / f"{number:02}.png").write_text("no image")
    noise(out / "11.png")
    outcomes = apply(predictor_of(Negative(), channels=1, tile="off"), root, out, workers=workers)
    assert list(outcomes) == [f"{number:02}.png" for number in range(30)]
    assert [name for name, outcome in outcomes.items() if outcome.failure] == ["03.png", "15.png", "29.png"]
    assert [name for name, outcome in outcomes.items() if outcome.skipped] == ["11.png"]
    assert (read(out / "14.png").frames[0].pixels == 255 - 77).all()


def test_warnings_of_the_caller_are_not_suppressed_between_outcomes(
    root: Path, out: Path, negative: Predictor
) -> None:
    for number in range(3):
        noise(root / f"{number}.png")
    for _ in translate_folder(negative, [root], out):
        with pytest.raises(UserWarning, match="the caller's"):  # in tests, warnings are errors
            warnings.warn("the caller's", stacklevel=1)


# The same output for the same image, whatever else is in the folder

PREDICTORS: dict[str, Callable[[], Predictor]] = {
    "one by one": lambda: load(random_model(depth=1)),
    "in batches": lambda: load(random_model("unet", norm="batch", statistics="running")),
    "in batches in bfloat16": lambda: load(
        random_model("unet", norm="batch", statistics="running"), precision="bf16"
    ),
    "dependent on the batch": lambda: predictor_of(BatchDependent()),
}


@pytest.mark.parametrize("kind", PREDICTORS)
def test_an_image_becomes_the_same_file_alone_and_at_any_position_with_any_workers(
    kind: str, root: Path, tmp_path: Path
) -> None:
    assert (PREDICTORS[kind]().runner.max_batch_size > 1) == (kind != "one by one")
    frame = noise(tmp_path / "alone" / "p.png", 40, 48, seed=99)
    expected = tmp_path / "expected"
    apply(PREDICTORS[kind](), frame.parent, expected)
    for number in range(11):
        noise(root / f"m{number:02}.png", 40, 48, seed=number)
    noise(root / "m05.png", 33, 48)
    for name in ("a.png", "m03b.png", "z.png"):
        shutil.copy(frame, root / name)
    outputs = []
    for workers in (0, 4):
        out = tmp_path / f"out{workers}"
        apply(PREDICTORS[kind](), root, out, workers=workers)
        outputs.append({name: (out / name).read_bytes() for name in all_files(out)})
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 14
    for name in ("a.png", "m03b.png", "z.png"):
        assert outputs[0][name] == (expected / "p.png").read_bytes()


def test_a_large_image_has_the_pipeline_to_itself(root: Path, out: Path) -> None:
    """While it runs, all images before it are written, and the next one is not read yet."""
    for name in ("a.png", "c.png"):
        noise(root / name)
    large_image(root / "b.png")
    written: list[list[str]] = []

    def remove_next() -> None:
        written.append(sorted(path.name for path in out.glob("*.png")))
        if len(written) == 2:
            (root / "c.png").unlink()

    predictor = predictor_of(RunsAction(remove_next), channels=1, tile="off")
    outcomes = apply(predictor, root, out, workers=2)
    assert written == [[], ["a.png"]]
    assert [bool(outcome.failure) for outcome in outcomes.values()] == [False, False, True]


# A second run


def file_ids(out: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of each file: if they are the same, the file was not written again."""
    return {name: ((out / name).stat().st_ino, (out / name).stat().st_mtime_ns) for name in all_files(out)}


def test_a_second_run_writes_only_what_is_missing(root: Path, out: Path, negative: Predictor) -> None:
    for name in ("a.png", "b.png", "sub/c.png"):
        noise(root / name)
    apply(negative, root, out)
    (out / "b.png").unlink()
    before = file_ids(out)
    noise(root / "new.png")
    outcomes = apply(predictor_of(Negative()), root, out)
    assert {name: outcome.skipped for name, outcome in outcomes.items()} == {
        "a.png": "done before",
        "b.png": "",
        "new.png": "",
        "sub/c.png": "done before",
    }
    assert before.items() <= file_ids(out).items()
    assert all_files(out) == ["a.png", "b.png", "new.png", "sub/c.png"]


def test_images_are_written_again_after_a_change_of_source_model_or_settings(
    root: Path, out: Path, negative: Predictor
) -> None:
    noise(root / "a.png", seed=0)
    noise(root / "b.png")
    apply(negative, root, out)
    noise(root / "a.png", seed=1)
    outcomes = apply(negative, root, out)
    assert [outcome.skipped for outcome in outcomes.values()] == ["", "done before"]
    assert np.array_equal(read_rgb(out / "a.png"), 255 - read_rgb(root / "a.png"))
    first, second = (load(model) for model in (random_model(), random_model(depth=1)))
    for change in ({"predictor": first}, {"predictor": second}, {"predictor": second, "keep_metadata": True}):
        outcomes = apply(**{"root": root, "out": out, **change})
        assert [outcome.skipped for outcome in outcomes.values()] == ["", ""]
    assert all(outcome.skipped for outcome in apply(second, root, out, keep_metadata=True).values())


def test_a_file_of_other_origin_is_skipped_unless_overwrite(
    root: Path, out: Path, negative: Predictor
) -> None:
    for name in ("a.png", "b.png"):
        noise(root / name, seed=0)
    noise(out / "a.png", seed=1)
    apply(negative, root, out)
    noise(out / "b.png", seed=2)  # edited by the user afterwards
    before = file_ids(out)
    outcomes = apply(negative, root, out)
    assert {outcome.skipped for outcome in outcomes.values()} == {
        "exists, and was not made from these images: give another -o, or --overwrite to replace it"
    }
    assert file_ids(out) == before
    outcomes = apply(negative, root, out, overwrite=True)
    assert not any(outcome.skipped for outcome in outcomes.values())
    for name in ("a.png", "b.png"):
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))
    assert {outcome.skipped for outcome in apply(negative, root, out).values()} == {"done before"}


def test_images_are_translated_without_a_cache_folder(
    root: Path, out: Path, negative: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "file" / "cache"))
    noise(root / "a.png")
    (outcome,) = apply(negative, root, out).values()
    assert not outcome.failure
    (outcome,) = apply(negative, root, out).values()
    assert outcome.skipped.startswith("exists")


def test_an_image_that_changes_while_it_is_translated_is_written_again(
    root: Path, out: Path, negative: Predictor
) -> None:
    noise(root / "a.png", seed=0)
    apply(predictor_of(RunsAction(lambda: noise(root / "a.png", seed=1))), root, out)
    (outcome,) = apply(negative, root, out).values()
    assert not outcome.skipped
    assert np.array_equal(read_rgb(out / "a.png"), 255 - read_rgb(root / "a.png"))


def test_an_image_that_disappears_fails(root: Path, out: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        noise(root / name, 24, 32 + ord(name[0]))
    network = RunsAction(lambda: (root / "c.png").unlink(missing_ok=True))
    outcomes = apply(predictor_of(network), root, out, workers=0)
    assert outcomes["c.png"].failure.startswith(str(root / "c.png"))
    assert all_files(out) == ["a.png", "b.png"]


def test_a_run_that_is_stopped_leaves_only_complete_files(root: Path, out: Path, negative: Predictor) -> None:
    for number in range(20):
        noise(root / f"{number:02}.png", seed=number)
    outcomes = translate_folder(negative, [root], out)
    next(outcomes)
    outcomes.close()
    done = all_files(out)
    assert 1 <= len(done) < 20
    for name in done:
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))
    before = file_ids(out)
    again = apply(negative, root, out)
    assert [name for name, outcome in again.items() if outcome.skipped] == done
    assert before.items() <= file_ids(out).items()


def test_temporary_files_of_a_killed_process_are_removed(root: Path, out: Path, negative: Predictor) -> None:
    noise(root / "sub" / "a.png")
    abandoned = out / "sub" / ".translate-killed.part"
    abandoned.mkdir(parents=True)
    (abandoned / "a.png").write_bytes(b"half")
    (out / "sub" / ".translate-notes.part").write_bytes(b"a file of the user")
    with atomic_path(out / "sub" / "b.png") as part:  # a process that is still writing
        part.write_bytes(b"half")
        for folder in (abandoned, part.parent):
            os.utime(folder, (0, 0))
        apply(negative, root, out)
        assert part.read_bytes() == b"half"
    assert all_files(out) == ["sub/.translate-notes.part", "sub/a.png", "sub/b.png"]


# Failures


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate")])
def test_an_image_too_large_for_the_memory_fails_with_a_remedy(
    error: Exception, root: Path, out: Path
) -> None:
    def fail() -> None:
        raise error

    noise(root / "a.png")
    (outcome,) = apply(predictor_of(RunsAction(fail)), root, out).values()
    assert outcome.failure.startswith(str(root / "a.png"))
    assert "--tile 512" in outcome.failure


def test_a_batch_that_does_not_fit_into_memory_runs_one_by_one(root: Path, out: Path) -> None:
    class FitsOneImage(Identity):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) > 1:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return -x

    for number in range(5):
        noise(root / f"{number}.png", seed=number)
    outcomes = apply(predictor_of(FitsOneImage()), root, out)
    assert not any(outcome.failure for outcome in outcomes.values())
    for name in outcomes:
        assert np.array_equal(read_rgb(out / name), 255 - read_rgb(root / name))


def test_a_bug_is_raised_and_not_reported_as_a_failed_image(root: Path, out: Path) -> None:
    def fail() -> None:
        raise RuntimeError("shape mismatch")

    noise(root / "a.png")
    with pytest.raises(RuntimeError, match="shape mismatch"):
        apply(predictor_of(RunsAction(fail)), root, out)
    assert not out.exists()


def test_an_output_folder_that_is_a_file_is_refused(root: Path, out: Path, negative: Predictor) -> None:
    noise(root / "a.png")
    out.touch()
    with pytest.raises(UsageError, match=re.escape(str(out))):
        apply(negative, root, out)


def test_an_image_of_too_many_pixels_fails(root: Path, out: Path, negative: Predictor) -> None:
    noise(root / "a.png", 100, 100)
    noise(root / "b.png", 100, 101)
    outcomes = apply(negative, root, out, max_megapixels=0.01)
    assert not outcomes["a.png"].failure
    assert "101x100" in outcomes["b.png"].failure


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


def test_transparent_pixels_are_white_in_a_jpeg(root: Path, out: Path, negative: Predictor) -> None:
    pixels = np.dstack(
        [np.full((16, 16, 3), 255, np.uint8), np.repeat([[0], [255]], 8, axis=0).repeat(16, 1)]
    )
    Image.fromarray(pixels.astype(np.uint8)).save(root / "a.png")
    apply(negative, root, out, format="jpg")
    assert all_files(out) == ["a.jpg"]
    with Image.open(out / "a.jpg") as image:
        assert image.format == "JPEG"
    written = read_rgb(out / "a.jpg")
    assert written[:7].min() > 245
    assert written[9:].max() < 10


def test_an_animation_keeps_its_frames_if_the_format_can_hold_them(
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
    assert "3 frames, which JPEG cannot hold" in outcome.failure
    assert not (out / "a.jpg").exists()


def test_pages_of_a_tiff_stay_in_their_format(root: Path, out: Path, negative: Predictor) -> None:
    pages = [Image.new("RGB", (16, 12 + number), color) for number, color in enumerate(("black", "white"))]
    pages[0].save(root / "a.tif", save_all=True, append_images=pages[1:])
    apply(negative, root, out)
    with Image.open(out / "a.tif") as image:
        assert image.n_frames == 2
    for format, kind in (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")):
        (outcome,) = apply(negative, root, out, format=format).values()
        assert f"2 pages, which {kind} cannot hold" in outcome.failure
    assert all_files(out) == ["a.tif"]


def test_a_file_with_the_suffix_of_another_format_keeps_its_own_format(
    root: Path, out: Path, negative: Predictor
) -> None:
    noise(root / "a.jpg").rename(root / "a.png")
    for format, kind in (("keep", "JPEG"), ("png", "PNG")):
        apply(negative, root, out, format=format)
        with Image.open(out / "a.png") as image:
            assert image.format == kind


def test_the_gps_position_is_kept_only_with_keep_metadata(root: Path, out: Path, negative: Predictor) -> None:
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


def test_an_image_added_later_takes_its_name_and_the_other_gets_a_number(
    root: Path, out: Path, negative: Predictor
) -> None:
    noise(root / "a.bmp", seed=1)
    apply(negative, root, out, format="png")
    noise(root / "a.png", seed=2)
    assert not any(outcome.skipped for outcome in apply(negative, root, out, format="png").values())
    assert np.array_equal(read_rgb(out / "a.png"), 255 - read_rgb(root / "a.png"))
    assert np.array_equal(read_rgb(out / "a-2.png"), 255 - read_rgb(root / "a.bmp"))
    assert all(outcome.skipped for outcome in apply(negative, root, out, format="png").values())


def test_the_output_of_another_input_is_skipped(root: Path, out: Path, negative: Predictor) -> None:
    for name in ("one", "two"):
        noise(root / name / "a.png", seed=ord(name[0]))
    apply(negative, root / "one", out)
    before = (out / "a.png").read_bytes()
    (outcome,) = apply(negative, root / "two", out).values()
    assert outcome.skipped
    assert (out / "a.png").read_bytes() == before


def test_two_runs_at_once_into_one_folder_know_each_others_images(
    root: Path, out: Path, negative: Predictor
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        noise(root / name)
    first, second = (translate_folder(negative, [root], out) for _ in range(2))
    assert not any(outcome.skipped for outcome in first)
    assert {outcome.skipped for outcome in second} == {"done before"}


def test_a_run_does_not_replace_what_another_one_makes_of_another_image_in_the_meantime(
    root: Path, out: Path, negative: Predictor, tmp_path: Path
) -> None:
    names = [f"{number}.png" for number in range(8)]
    for seed, folder in enumerate((root, tmp_path / "other")):
        for name in names:
            noise(folder / name, seed=seed)
    first = translate_folder(negative, [root], out, workers=1)
    outcomes = [next(first)]
    time.sleep(0.3)  # The first run has read several images by now, and written some of them.
    outcomes += apply(negative, tmp_path / "other", out).values()
    outcomes += first
    written = [outcome.source for outcome in outcomes if not (outcome.failure or outcome.skipped)]
    assert sorted(source.name for source in written) == names, "each is of one run, and the other says so"
    for source in written:
        assert np.array_equal(read_rgb(out / source.name), 255 - read_rgb(source))
