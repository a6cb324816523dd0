"""`translate colorize` and `translate inpaint` with the installed models, and the tools for photo albums."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from tests.integration.conftest import Command, environment
from translate.images import Pixels, read_rgb
from translate.models import installed_models

TOOLS = Path(__file__).parents[2] / "tools"


def save_image(pixels: Pixels, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """Write a gray photo, 512 x 512."""
    return save_image(data.camera(), tmp_path / "camera.png")


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    """Write a colour photo, 451 x 300."""
    return save_image(data.chelsea(), tmp_path / "cat.png")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Write a mask for the cat: a scratch across it, and a spot."""
    mask = np.zeros((300, 451), np.uint8)
    mask[140:146, 20:430] = 255
    mask[40:80, 300:350] = 255
    return save_image(mask, tmp_path / "scratch.png")


def test_colorizing_a_gray_photo_keeps_its_lightness(
    translate: Command, camera: Path, tmp_path: Path
) -> None:
    result = translate("colorize", "camera.png", "-o", "out")
    assert result.stdout == "1 image written to out\n"
    colored = read_rgb(tmp_path / "out" / "camera.png")
    before, after = rgb2lab(read_rgb(camera)), rgb2lab(colored)
    assert np.abs(after[..., 0] - before[..., 0]).max() < 0.5
    assert np.abs(after[..., 1:]).mean() > 4


def test_colorize_and_apply_with_the_installed_model_write_the_same(
    within: Command, cat: Path, tmp_path: Path
) -> None:
    within("colorize", "cat.png", "-o", "colorized", "--saturation", "0.7")
    within("apply", "colorize", "cat.png", "-o", "applied", "--saturation", "0.7")
    colorized = (tmp_path / "colorized" / "cat.png").read_bytes()
    assert colorized == (tmp_path / "applied" / "cat.png").read_bytes()
    within("colorize", "cat.png", "-o", "vivid", "--saturation", "1.5")
    assert colorized != (tmp_path / "vivid" / "cat.png").read_bytes()


def test_inpainting_fills_the_hole_and_keeps_all_other_pixels(
    translate: Command, cat: Path, scratch: Path, tmp_path: Path
) -> None:
    translate("inpaint", "cat.png", "--mask", "scratch.png", "-o", "out")
    photo, filled = read_rgb(cat), read_rgb(tmp_path / "out" / "cat.png")
    hole = read_rgb(scratch)[..., 0] > 127
    assert np.array_equal(filled[~hole], photo[~hole])
    error = np.abs(filled[hole].astype(int) - photo[hole])
    assert error.mean() < 15


def test_the_pixels_in_the_hole_have_no_influence(
    within: Command, cat: Path, scratch: Path, tmp_path: Path
) -> None:
    hole = read_rgb(scratch)[..., 0] > 127
    painted = read_rgb(cat).copy()
    painted[hole] = (255, 0, 255)
    save_image(painted, tmp_path / "painted.png")
    within("inpaint", "cat.png", "painted.png", "--mask", "scratch.png", "-o", "out")
    assert np.array_equal(read_rgb(tmp_path / "out" / "cat.png"), read_rgb(tmp_path / "out" / "painted.png"))


def test_a_wrong_mask_is_reported_in_one_line(
    within: Command, cat: Path, scratch: Path, tmp_path: Path
) -> None:
    save_image(np.zeros((300, 451), np.uint8), tmp_path / "empty.png")
    save_image(np.full((300, 451), 255, np.uint8), tmp_path / "full.png")
    save_image(np.zeros((99, 451), np.uint8), tmp_path / "flat.png")
    save_image(np.zeros((30, 45), np.uint8), tmp_path / "masks" / "dog.png")

    for mask, code, start, words in (
        ("empty.png", 3, "failed: cat.png: ", ["empty.png", "only 0 (135300 pixels)"]),
        ("full.png", 3, "failed: cat.png: ", ["--invert"]),
        ("flat.png", 3, "failed: cat.png: ", ["flat.png", "451x99", "451x300"]),
        ("masks", 3, "failed: cat.png: ", ["masks", "'cat'"]),
        ("", 3, "failed: cat.png: ", ["no mask", "transparent"]),
        ("none.png", 2, "error: ", ["'none.png'"]),
    ):
        flags = ("--mask", mask) if mask else ()
        lines = within("inpaint", "cat.png", "-o", "out", "--overwrite", *flags, code=code).stderr
        line = lines.splitlines()[0]
        assert line.startswith(start)
        assert all(word in line for word in words), line
    assert not (tmp_path / "out").exists()


def test_masks_in_the_folder_of_their_photos_are_found_and_named(
    within: Command, cat: Path, scratch: Path, tmp_path: Path
) -> None:
    (tmp_path / "album").mkdir()
    cat.rename(tmp_path / "album" / "cat.png")
    hole = read_rgb(scratch)[..., 0] > 127
    save_image(hole.astype(np.uint8), tmp_path / "album" / "cat_mask.png")  # of 0 and 1
    done = within("inpaint", "album", "-o", "out")
    assert "cat_mask.png is the mask of cat.png" in done.stderr
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["cat.png"]
    before, after = read_rgb(tmp_path / "album" / "cat.png"), read_rgb(tmp_path / "out" / "cat.png")
    assert (before != after).any(axis=2)[hole].mean() > 0.9
    assert np.array_equal(before[~hole], after[~hole])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["colorize", "cat.png", "--model", "inpaint"], ["colorize", "--model", "translate apply inpaint"]),
        (["colorize", "cat.png", "--model", "nobody"], ["'nobody'"]),
        (["apply", "colorize", "cat.png", "--mask", "scratch.png"], ["--mask"]),
        (["apply", "inpaint", "cat.png", "--saturation", "0.5"], ["saturation"]),
    ],
)
def test_a_model_of_another_kind_is_refused(
    arguments: list[str], words: list[str], within: Command, cat: Path, scratch: Path, tmp_path: Path
) -> None:
    (error,) = within(*arguments, "-o", "out", code=2).stderr.splitlines()
    assert error.startswith("error: ")
    assert all(word in error for word in words), error
    assert not (tmp_path / "out").exists()


def test_the_installed_models_are_listed_with_their_purpose(within: Command) -> None:
    lines = within("models").stdout.splitlines()
    assert [line.split()[0] for line in lines[::2]] == ["colorize", "inpaint"]
    assert "Colorizes gray photos" in lines[0]
    assert all(Path(line.strip()).is_file() for line in lines[1::2])


def test_the_installed_models_are_small_and_contain_no_path() -> None:
    for folder in installed_models().values():
        assert (folder / "model.safetensors").stat().st_size <= 12_000_000
        assert "/" not in (folder / "config.json").read_text()


def run_tool(name: str, *arguments: str | Path) -> str:
    """Run a script of tools/, and return what it prints."""
    command = [sys.executable, TOOLS / name, *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout


def test_the_gray_photos_of_an_album_are_colorized(tmp_path: Path) -> None:
    gray = data.camera()[::4, ::4]
    sepia = (gray[..., None] * [1.0, 0.87, 0.69]).astype(np.uint8)
    save_image(gray, tmp_path / "album" / "gray.png")
    save_image(np.repeat(gray[..., None], 3, axis=2), tmp_path / "album" / "gray-in-rgb.jpg")
    save_image(sepia, tmp_path / "album" / "sub" / "sepia.jpg")
    save_image(gray.astype(np.uint16) * 257, tmp_path / "album" / "scan.png")
    save_image(data.chelsea(), tmp_path / "album" / "cat.png")
    (tmp_path / "album" / "broken.png").write_bytes((tmp_path / "album" / "cat.png").read_bytes()[:9000])
    output = run_tool("colorize_photos.py", tmp_path / "album", "-o", tmp_path / "out")
    assert "5 of 6 photos" in output
    out = tmp_path / "out"
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {"gray.png", "gray-in-rgb.jpg", "sub/sepia.jpg", "scan.png", "cat.png"}
    np.testing.assert_array_equal(read_rgb(out / "cat.png"), data.chelsea())


def test_scratches_are_detected_and_repaired(tmp_path: Path) -> None:
    photo = data.chelsea()[50:250, 50:350]
    scratched = photo.copy()
    scratched[100:102, 20:280] = 255
    save_image(scratched, tmp_path / "scans" / "cat.png")
    (tmp_path / "scans" / "broken.png").write_bytes((tmp_path / "scans" / "cat.png").read_bytes()[:9000])
    run_tool("inpaint_photos.py", tmp_path / "scans", "-o", tmp_path / "out", "--masks", tmp_path / "masks")
    detected = read_rgb(tmp_path / "masks" / "cat.png")[..., 0] > 0
    assert detected[100:102, 20:280].mean() > 0.95
    assert detected.mean() < 0.08
    before, after = (
        np.abs(pixels[100:102, 20:280].astype(int) - photo[100:102, 20:280]).mean()
        for pixels in (scratched, read_rgb(tmp_path / "out" / "cat.png"))
    )
    assert after < before / 5
