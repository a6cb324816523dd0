"""The properties of the built-in synthetic dataset, and the folders that it is written to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.morphology import isotropic_erosion, isotropic_opening

from translate.data.demo import COATS, Scene, draw_coats, draw_scene, write_coats, write_demo
from translate.errors import UsageError

SIZE = 64


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(0, index, SIZE) for index in range(32)]


def bounding_box(scene: Scene) -> tuple[slice, slice]:
    """Return the rows and columns that the body spans."""
    rows, columns = np.flatnonzero(scene.mask.any(axis=1)), np.flatnonzero(scene.mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def sample_body(scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the zebra's gray levels and the mask on a grid that is fixed to the body, head to the right."""
    rows, columns = bounding_box(scene)
    gray, mask = scene.zebra[rows, columns, 0], scene.mask[rows, columns]
    head_right = mask[: len(mask) // 8, mask.shape[1] // 2 :].any()
    step = 1 if head_right else -1
    row, column = ((np.arange(32) + 0.5) / 32 * side for side in mask.shape)
    grid = np.ix_(row.astype(int), column.astype(int))
    return gray[:, ::step][grid], mask[:, ::step][grid]


def edge_positions(line: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return where the gray levels of a line cross mid-gray, in pixels, with subpixel precision."""
    level = line - 127.5
    left = np.flatnonzero((level[:-1] < 0) != (level[1:] < 0))
    return left - level[left] / (level[left + 1] - level[left])


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("size", [16, 50, 515])
def test_a_scene_has_the_requested_size(size: int) -> None:
    scene = draw_scene(0, 0, size)
    assert scene.horse.shape == scene.zebra.shape == (size, size, 3)
    assert scene.horse.dtype == scene.zebra.dtype == np.uint8
    assert scene.mask.shape == (size, size)
    assert scene.mask.dtype == np.bool_


def test_the_same_arguments_draw_the_same_scene() -> None:
    first, second = draw_scene(3, 7, SIZE), draw_scene(3, 7, SIZE)
    np.testing.assert_array_equal(first.horse, second.horse)
    np.testing.assert_array_equal(first.zebra, second.zebra)
    np.testing.assert_array_equal(first.mask, second.mask)


@pytest.mark.parametrize("arguments", [(3, 8), (4, 7), (7, 3)])
def test_another_index_or_seed_draws_another_scene(arguments: tuple[int, int]) -> None:
    assert (draw_scene(3, 7, SIZE).horse != draw_scene(*arguments, SIZE).horse).any()


def test_the_two_images_differ_only_in_the_coat(scenes: list[Scene]) -> None:
    for scene in scenes:
        np.testing.assert_array_equal(scene.horse[~scene.mask], scene.zebra[~scene.mask])
        assert (scene.horse != scene.zebra).any(axis=2)[scene.mask].mean() > 0.95


def test_the_body_is_large_and_completely_inside_the_image(scenes: list[Scene]) -> None:
    for scene in scenes:
        borders = (scene.mask[0], scene.mask[-1], scene.mask[:, 0], scene.mask[:, -1])
        assert not any(border.any() for border in borders)
        _, columns = bounding_box(scene)
        assert 0.5 * SIZE <= columns.stop - columns.start <= 0.75 * SIZE


def test_heads_look_to_both_sides(scenes: list[Scene]) -> None:
    def head_right(scene: Scene) -> bool:
        rows, columns = bounding_box(scene)
        crown = scene.mask[rows, columns][0]
        return bool(np.flatnonzero(crown).mean() > len(crown) / 2)

    assert 0.25 < np.mean([head_right(scene) for scene in scenes]) < 0.75


def test_horses_are_brown_and_zebras_are_black_and_white(scenes: list[Scene]) -> None:
    for scene in scenes:
        red, green, blue = scene.horse[scene.mask].mean(axis=0)
        assert 160 > red > green > blue
        dark, white = np.quantile(scene.zebra[scene.mask], [0.1, 0.9])
        assert 20 <= dark <= 45
        assert 215 <= white <= 240


@pytest.mark.parametrize(("size", "count"), [(64, 24), (256, 4)])
def test_the_stripe_period_is_at_least_an_eighth_of_the_image(size: int, count: int) -> None:
    for index in range(count):
        scene = draw_scene(0, index, size)
        rows, columns = bounding_box(scene)
        width = columns.stop - columns.start
        # The stripes are vertical on the trunk, so a horizontal line crosses them.
        trunk = scene.zebra[rows, columns, 0][round(0.35 * width), width // 4 : -width // 4]
        edges = edge_positions(trunk)
        periods = edges[2:] - edges[:-2]
        assert len(periods) >= 2
        assert periods.min() >= size / 8 - 0.25


def test_no_stripe_is_narrower_than_half_a_period() -> None:
    """A disc nearly as wide as a stripe fits everywhere into it, except at the edge of the body."""
    for index in range(3):
        scene = draw_scene(0, index, 256)
        inside = isotropic_erosion(scene.mask, 2)
        dark = scene.zebra[..., 0] < 128
        for stripe in (dark, ~dark):
            covered = isotropic_opening(stripe | ~inside, 256 / 32 - 1)
            assert (stripe & ~covered)[inside].mean() < 0.01  # single pixels in the corners of the body


def test_the_stripes_are_fixed_to_the_body(scenes: list[Scene]) -> None:
    samples = [sample_body(scene) for scene in scenes]
    inside = np.all([mask for _, mask in samples], axis=0)
    dark = np.array([gray < 128 for gray, _ in samples])[:, inside]
    majority = dark.mean(axis=0) > 0.5
    assert (dark == majority).mean() > 0.9


def test_a_gray_body_has_the_score_of_chance(scenes: list[Scene]) -> None:
    """The baseline for a trained model: half of the pixels on the right side of mid-gray, about 18.8 dB."""
    white = [(scene.zebra[scene.mask] > 127).mean() for scene in scenes]
    errors = [np.where(scene.mask[..., None], scene.zebra - 127.5, 0) for scene in scenes]
    psnr = [20 * np.log10(255) - 10 * np.log10((error**2).mean()) for error in errors]
    assert np.mean(white) == pytest.approx(0.5, abs=0.04)
    assert np.mean(psnr) == pytest.approx(18.8, abs=0.4)


def test_the_images_of_a_scene_have_the_same_file_name(tmp_path: Path) -> None:
    root = tmp_path / "new" / "demo"
    write_demo(root, size=32, train=3, test=2, seed=5)
    train, test = {"0000.png", "0001.png", "0002.png"}, {"0003.png", "0004.png"}
    names = {folder.name: {path.name for path in folder.iterdir()} for folder in root.iterdir()}
    assert names == {"trainA": train, "trainB": train, "testA": test, "testB": test}


def test_written_images_are_the_scenes(tmp_path: Path) -> None:
    write_demo(tmp_path, size=32, train=1, test=1, seed=5)
    for subset, index in (("train", 0), ("test", 1)):
        scene = draw_scene(5, index, 32)
        for domain, image in (("A", scene.horse), ("B", scene.zebra)):
            with Image.open(tmp_path / f"{subset}{domain}" / f"{index:04d}.png") as file:
                np.testing.assert_array_equal(np.asarray(file), image)


def test_train_and_test_share_no_image(tmp_path: Path) -> None:
    write_demo(tmp_path, size=32, train=12, test=6)
    assert len(set(read_files(tmp_path).values())) == 2 * (12 + 6)


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    write_demo(tmp_path, size=32, train=3, test=2, seed=1)
    first = read_files(tmp_path)
    write_demo(tmp_path, size=32, train=3, test=2, seed=1)
    assert read_files(tmp_path) == first


def test_writing_does_not_replace_another_image(tmp_path: Path) -> None:
    write_demo(tmp_path, size=16, train=1, test=1)
    first = read_files(tmp_path)
    with pytest.raises(UsageError, match=r"trainA/0000\.png holds another image: give another DIR"):
        write_demo(tmp_path, size=32, train=1, test=1)
    assert read_files(tmp_path) == first


def test_the_coats_of_a_scene_differ_on_the_body_only(scenes: list[Scene]) -> None:
    for index, scene in enumerate(scenes):
        coats = draw_coats(0, index, SIZE)
        assert tuple(coats) == COATS
        assert np.array_equal(coats["brown"], scene.horse)
        assert np.array_equal(coats["striped"], scene.zebra)
        assert np.array_equal(coats["black"][~scene.mask], scene.horse[~scene.mask])
        inside = isotropic_erosion(scene.mask, 2)
        black, brown = (coats[name][inside].mean(axis=0) for name in ("black", "brown"))
        assert (black + 15 < brown).any()
        assert black.max() < 40


def test_the_images_of_a_scene_in_three_coats_share_a_name(tmp_path: Path) -> None:
    write_coats(tmp_path, size=16, train=2, test=1)
    expected = {f"{folder}/{coat}" for folder in ("train", "test") for coat in COATS}
    assert {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")} == expected
    for coat in COATS:
        assert [path.name for path in sorted((tmp_path / "train" / coat).iterdir())] == [
            "0000.png",
            "0001.png",
        ]
        assert [path.name for path in (tmp_path / "test" / coat).iterdir()] == ["0002.png"]
