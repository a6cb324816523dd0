"""Photos coloured and repaired by the models that come installed, as a person does it."""

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


def saved(pixels: Pixels, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """A gray photo, 512 x 512."""
    return saved(data.camera(), tmp_path / "camera.png")


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    """A photo in colour, 451 x 300."""
    return saved(data.chelsea(), tmp_path / "cat.png")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A mask for the cat: a scratch across it, and a spot."""
    mask = np.zeros((300, 451), np.uint8)
    mask[140:146, 20:430] = 255
    mask[40:80, 300:350] = 255
    return saved(mask, tmp_path / "scratch.png")


def test_a_gray_photo_gets_colours_and_keeps_its_lightness(
    translate: Command, camera: Path, tmp_path: Path
) -> None:
    result = translate("colorize", "camera.png", "-o", "out")
    assert result.stdout == "1 image in out\n"
    colored = read_rgb(tmp_path / "out" / "camera.png")
    before, after = rgb2lab(read_rgb(camera)), rgb2lab(colored)
    assert np.abs(after[..., 0] - before[..., 0]).max() < 0.5
    assert np.abs(after[..., 1:]).mean() > 4


def test_apply_with_an_installed_model_is_the_same_thing(within: Command, cat: Path, tmp_path: Path) -> None:
    within("colorize", "cat.png", "-o", "one", "--saturation", "0.7")
    within("apply", "colorize", "cat.png", "-o", "two", "--saturation", "0.7")
    assert (tmp_path / "one" / "cat.png").read_bytes() == (tmp_path / "two" / "cat.png").read_bytes()


def test_a_hole_is_filled_and_all_else_is_to_the_bit(
    translate: Command, cat: Path, scratch: Path, tmp_path: Path
) -> None:
    translate("inpaint", "cat.png", "--mask", "scratch.png", "-o", "out")
    photo, filled = read_rgb(cat), read_rgb(tmp_path / "out" / "cat.png")
    hole = read_rgb(scratch)[..., 0] > 127
    assert np.array_equal(filled[~hole], photo[~hole])
    error = np.abs(filled[hole].astype(int) - photo[hole])
    assert error.mean() < 15, "a scratch in fur is nearly made good"


def test_what_the_hole_held_is_not_looked_at(
    within: Command, cat: Path, scratch: Path, tmp_path: Path
) -> None:
    hole = read_rgb(scratch)[..., 0] > 127
    painted = read_rgb(cat).copy()
    painted[hole] = (255, 0, 255)
    saved(painted, tmp_path / "painted.png")
    within("inpaint", "cat.png", "painted.png", "--mask", "scratch.png", "-o", "out")
    assert np.array_equal(read_rgb(tmp_path / "out" / "cat.png"), read_rgb(tmp_path / "out" / "painted.png"))


def test_masks_that_are_wrong_are_told_in_a_line(
    within: Command, cat: Path, scratch: Path, tmp_path: Path
) -> None:
    saved(np.zeros((300, 451), np.uint8), tmp_path / "empty.png")
    saved(np.full((300, 451), 255, np.uint8), tmp_path / "full.png")
    saved(np.zeros((99, 451), np.uint8), tmp_path / "flat.png")
    saved(np.zeros((30, 45), np.uint8), tmp_path / "masks" / "dog.png")

    def told(*arguments: str, code: int) -> str:
        lines = within("inpaint", "cat.png", "-o", "out", "--overwrite", *arguments, code=code).stderr
        return str(lines.splitlines()[0])

    assert told("--mask", "empty.png", code=0) == "note: cat.png: the mask is empty"
    assert np.array_equal(read_rgb(tmp_path / "out" / "cat.png"), read_rgb(cat))
    assert told("--mask", "full.png", code=3) == (
        "failed: cat.png: all of the image is hole: leave black what is to be kept (--invert swaps the two)"
    )
    assert told("--mask", "flat.png", code=3) == (
        "failed: cat.png: flat.png: a mask of 451x99 for an image of 451x300: give it the image's size"
    )
    assert told("--mask", "masks", code=3) == (
        "failed: cat.png: no mask of the stem 'cat' in masks: add one (all black fills nothing)"
    )
    assert told(code=3).startswith("failed: cat.png: no mask, and nothing in it is transparent")
    assert told("--mask", "none.png", code=2).startswith("error: no mask 'none.png': give a file")
    refused = within("colorize", "cat.png", "-o", "out", "--model", "inpaint", code=2).stderr
    assert "inpaint is no model of colorize: leave --model out, or use translate apply inpaint" in refused
    refused = within("colorize", "cat.png", "-o", "out", "--model", "nobody", code=2).stderr
    assert "no model 'nobody': give a run, a model folder, or the name of an installed model" in refused
    assert (
        "--mask" in within("apply", "colorize", "cat.png", "--mask", "full.png", "-o", "out", code=2).stderr
    )


def test_the_installed_models_are_listed_with_what_they_are_for(within: Command) -> None:
    lines = within("models").stdout.splitlines()
    assert [line.split()[0] for line in lines[::2]] == ["colorize", "inpaint"]
    assert "Colour for gray photos" in lines[0]
    assert all(Path(line.strip()).is_file() for line in lines[1::2])


def test_the_installed_models_are_small_and_tell_no_path() -> None:
    for folder in installed_models().values():
        assert (folder / "model.safetensors").stat().st_size <= 12_000_000
        assert "/" not in (folder / "config.json").read_text()


def tool(name: str, *arguments: str | Path) -> str:
    command = [sys.executable, TOOLS / name, *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout


def test_an_album_is_coloured_where_it_lacks_colour(tmp_path: Path) -> None:
    gray = data.camera()[::4, ::4]
    sepia = (gray[..., None] * [1.0, 0.87, 0.69]).astype(np.uint8)
    saved(gray, tmp_path / "album" / "gray.png")
    saved(np.repeat(gray[..., None], 3, axis=2), tmp_path / "album" / "gray-in-rgb.jpg")
    saved(sepia, tmp_path / "album" / "sub" / "sepia.jpg")
    saved(gray.astype(np.uint16) * 257, tmp_path / "album" / "scan.png")
    saved(data.chelsea(), tmp_path / "album" / "cat.png")
    (tmp_path / "album" / "broken.png").write_bytes((tmp_path / "album" / "cat.png").read_bytes()[:9000])
    assert "5 of 6 photos are without colour" in tool(
        "colorize_photos.py", tmp_path / "album", "-o", tmp_path / "out"
    )
    out = tmp_path / "out"
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {"gray.png", "gray-in-rgb.jpg", "sub/sepia.jpg", "scan.png", "cat.png"}
    np.testing.assert_array_equal(read_rgb(out / "cat.png"), data.chelsea())


def test_scratches_are_found_and_repaired(tmp_path: Path) -> None:
    photo = data.chelsea()[50:250, 50:350]
    scratched = photo.copy()
    scratched[100:102, 20:280] = 255
    saved(scratched, tmp_path / "scans" / "cat.png")
    (tmp_path / "scans" / "broken.png").write_bytes((tmp_path / "scans" / "cat.png").read_bytes()[:9000])
    tool("inpaint_photos.py", tmp_path / "scans", "-o", tmp_path / "out", "--masks", tmp_path / "masks")
    found = read_rgb(tmp_path / "masks" / "cat.png")[..., 0] > 0
    assert found[100:102, 20:280].mean() > 0.95
    assert found.mean() < 0.08
    before, after = (
        np.abs(pixels[100:102, 20:280].astype(int) - photo[100:102, 20:280]).mean()
        for pixels in (scratched, read_rgb(tmp_path / "out" / "cat.png"))
    )
    assert after < before / 5
