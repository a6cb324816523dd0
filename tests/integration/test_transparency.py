"""Transparent images: apply sees them on white, as training does, and keeps or drops the alpha."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import translate
from tests.integration.conftest import Command
from tests.unit.inference.making import random_model, scene
from translate.images import Frame, ImageFile, read, read_rgb, write

SIZE = (40, 56)  # Height and width.
STROKES = np.zeros(SIZE, np.uint8)
STROKES[8:32, 10:14] = STROKES[20:24, 10:44] = 255  # Opaque strokes ...
STROKES[19, 10:44] = 96  # ... with a smooth edge.


def drawing(kind: str, hidden: int) -> ImageFile:
    """Return line art on transparency: dark strokes, and `hidden`, the colour of the transparent pixels."""
    if kind == "PNG, 16 bits":
        pixels = np.where(STROKES[..., None] > 0, [5140, 2570, 2570], hidden * 257).astype(np.uint16)
        return ImageFile(format="PNG", frames=[Frame(pixels=pixels, alpha=STROKES.astype(np.uint16) * 257)])
    ink = [20] if kind == "PNG, gray" else [20, 10, 10]
    pixels = np.where(STROKES[..., None] > 0, ink, hidden).astype(np.uint8)
    frames = [
        Frame(pixels=pixels, alpha=np.roll(STROKES, shift)) for shift in range(2 if "GIF" in kind else 1)
    ]
    return ImageFile(format=kind.partition(",")[0], frames=frames)


KINDS = {"PNG, gray": ".png", "PNG, colour": ".png", "PNG, 16 bits": ".png", "TIFF": ".tif", "GIF": ".gif"}
TOLERANCE = {"GIF": 16}  # In levels: it has a palette of 256 colours.


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small ResNet whose output is different everywhere."""
    folder = tmp_path_factory.mktemp("model")
    random_model().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_apply_sees_what_training_sees(kind: str, model: Path, within: Command, tmp_path: Path) -> None:
    source = tmp_path / f"x{KINDS[kind]}"
    write(drawing(kind, hidden=0), source)
    flat = [frame.flatten_on_white() for frame in read(source).frames]
    assert np.array_equal(flat[0].to_bit_depth(np.uint8).rgb(), read_rgb(source))  # What training reads.
    expected = [translate.load(model, device="cpu", engine="torch")(frame.pixels) for frame in flat]

    for alpha in ("keep", "drop"):
        within("apply", model, source, "-o", alpha, "--alpha", alpha, "--engine", "torch", "--format", "keep")
    dropped = [frame.flatten_on_white() for frame in read(tmp_path / "drop" / source.name).frames]
    kept = read(tmp_path / "keep" / source.name).frames
    for out, wanted in zip(dropped, expected, strict=True):
        assert np.abs(out.rgb().astype(int) - wanted).mean() <= TOLERANCE.get(kind, 0)
    assert dropped[0].pixels.std() > 2  # Not one constant colour, as of a black image.
    for before, after, wanted in zip(read(source).frames, kept, expected, strict=True):
        assert before.alpha is not None
        assert np.array_equal(np.asarray(after.alpha), before.alpha)
        opaque = before.alpha == before.white
        assert np.abs(after.rgb()[opaque].astype(int) - wanted[opaque]).mean() <= TOLERANCE.get(kind, 0)


@pytest.mark.parametrize("kind", ["PNG, colour", "PNG, 16 bits"])
def test_colours_that_do_not_show_change_nothing(kind: str, model: Path, tmp_path: Path) -> None:
    images = []
    for hidden in (0, 90, 255):
        write(drawing(kind, hidden), tmp_path / "x.png")
        translate.load(model, device="cpu", engine="torch").folder(tmp_path / "x.png", tmp_path / f"{hidden}")
        images.append(read(tmp_path / f"{hidden}" / "x.png").frames[0])
    visible = [image.pixels[np.asarray(image.alpha) > 0] for image in images]
    assert all(np.array_equal(visible[0], pixels) for pixels in visible)


def test_a_soft_edge_keeps_the_look_of_the_output(model: Path) -> None:
    rgba = np.dstack([scene(*SIZE), np.full(SIZE, 200, np.uint8)])
    on_cpu = {"device": "cpu", "engine": "torch"}
    kept, dropped = (translate.load(model, alpha=alpha, **on_cpu)(rgba) for alpha in ("keep", "drop"))
    on_white = Frame(pixels=kept[..., :3], alpha=kept[..., 3]).flatten_on_white().pixels
    # The darkest that a colour can look on white is limited by the alpha.
    assert np.abs(on_white.astype(int) - np.maximum(dropped, 55)).max() <= 1


def test_colorize_sees_a_transparent_drawing_on_white(within: Command, tmp_path: Path) -> None:
    gray = np.where(STROKES[..., None] > 0, 60, 0).astype(np.uint8)
    write(ImageFile(format="PNG", frames=[Frame(pixels=gray, alpha=STROKES)]), tmp_path / "x.png")
    within("colorize", "x.png", "-o", "out", "--alpha", "drop")
    with Image.open(tmp_path / "out" / "x.png") as image:
        assert image.mode == "RGB"
        assert np.abs(np.asarray(image.convert("L"), int)[STROKES == 0] - 255).max() <= 2


def test_inpainting_keeps_the_colours_under_the_alpha(tmp_path: Path) -> None:
    rgba = np.dstack([scene(*SIZE), STROKES // 2 + 60])
    mask = np.zeros(SIZE, np.uint8)
    mask[4:8, 4:8] = 255
    out = translate.load("inpaint", device="cpu")(rgba, mask)
    assert np.array_equal(out[mask == 0], rgba[mask == 0])
    assert translate.load("inpaint", alpha="drop", device="cpu")(rgba, mask).shape == (*SIZE, 3)
