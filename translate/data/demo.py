"""The built-in synthetic dataset, horses and zebras, which needs no download.

Each scene is one animal in a meadow with two coats: brown, and striped like a zebra. The stripes are fixed to
the body, so the zebra follows from the horse, and there is a ground truth to measure a translation by. For
translation between several domains, there is a black coat as well. The silhouette of the horse and the ground
textures come with scikit-image.

Colors are floats from 0 to 255 until the last step. Positions and lengths in the background are fractions of
the image's side; those on the body are fractions of the body's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from translate.errors import UsageError
from translate.images import read_rgb
from translate.storage import atomic_path

Floats = NDArray[np.float32]
Color = tuple[int, int, int]
ColorRange = tuple[Color, Color]  # a scene gets a random color between the two

SUPERSAMPLING = 4  # The body is drawn on a grid this many times finer than the image, then averaged.
MIN_BODY_WIDTH, MAX_BODY_WIDTH = 0.54, 0.66  # In image widths.
STRIPE_PERIOD = 0.125 / MIN_BODY_WIDTH  # In body widths: at least an eighth of the image.
SEAM_X, SEAM_TOP, SEAM_BOTTOM = 0.53, 0.20, 0.48  # A vertical line in the trunk that the stripes surround.

CHESTNUT, BAY, TAN, LIVER = (146, 78, 42), (104, 62, 36), (150, 108, 66), (80, 50, 36)
BLACK = (26, 26, 30)
BROWN_COATS = np.array([CHESTNUT, BAY, TAN, LIVER], np.float32)
COATS = ("black", "brown", "striped")
WHITE_STRIPE, DARK_STRIPE = (217, 238), (22, 42)  # Gray levels, from the hooves to the top of the head.

GRASS: ColorRange = ((82, 124, 50), (152, 160, 84))
GRAVEL: ColorRange = ((158, 154, 150), (200, 178, 142))
ZENITH: ColorRange = ((70, 120, 195), (125, 170, 230))
HAZE: ColorRange = ((190, 208, 226), (246, 226, 212))
SUN: Color = (255, 244, 205)


@dataclass(frozen=True, eq=False)
class Scene:
    """An animal with two coats. The two images are equal outside of `mask`.

    Attributes:
        horse: (size, size, 3) uint8 RGB.
        zebra: (size, size, 3) uint8 RGB.
        mask: (size, size) bool, True where any part of the body is visible, its soft edge included.
    """

    horse: NDArray[np.uint8]
    zebra: NDArray[np.uint8]
    mask: NDArray[np.bool_]


class _Pose(NamedTuple):
    """The bounding box of the body, in pixels of the fine grid, and whether the body is mirrored."""

    left: int
    top: int
    width: int
    height: int
    mirrored: bool


def draw_scene(seed: int, index: int, size: int) -> Scene:
    """Draw a scene of the dataset with this seed. The same arguments give the same scene.

    Args:
        size: the side of the images in pixels.
    """
    rng, pose, background, light = _draw_surroundings(seed, index, size)
    horse = _draw_body(_brown_coat(rng, light), pose, size)
    zebra = _draw_body(_striped_coat(light), pose, size)
    return Scene(_composite(horse, background), _composite(zebra, background), zebra[..., 3] > 0)


def draw_coats(seed: int, index: int, size: int) -> dict[str, NDArray[np.uint8]]:
    """Draw the scene of `draw_scene` with each of the coats, by its name, (size, size, 3) uint8 each.

    The brown image is that of the horse, and the striped one that of the zebra.
    """
    rng, pose, background, light = _draw_surroundings(seed, index, size)
    coats = {
        "black": _lit(np.array(BLACK, np.float32), light),
        "brown": _brown_coat(rng, light),
        "striped": _striped_coat(light),
    }
    return {name: _composite(_draw_body(coat, pose, size), background) for name, coat in coats.items()}


def _draw_surroundings(seed: int, index: int, size: int) -> tuple[np.random.Generator, _Pose, Floats, Floats]:
    """Draw all of a scene but the animal.

    Returns:
        The scene's random generator, the pose of the animal, the background, (size, size, 3), and the light
        on the body, from 0 to 1, (height, width).
    """
    rng = np.random.default_rng([seed, index])
    pose = _random_pose(rng, size)
    background = _add_shadow(_draw_background(rng, size), pose)
    return rng, pose, background, np.repeat(1 - _pixel_centers(pose.height)[:, None], pose.width, axis=1)


def write_demo(folder: Path, *, size: int = 64, train: int = 200, test: int = 40, seed: int = 0) -> None:
    """Write the dataset as PNG files into trainA/, trainB/, testA/ and testB/: A are horses, B zebras.

    The two images of a scene have the same file name, the index of the scene. The test scenes follow the
    training scenes.

    Args:
        size: the side of the images in pixels.
        train: the number of training scenes.
        test: the number of test scenes.
    """
    for index in range(train + test):
        split = "train" if index < train else "test"
        scene = draw_scene(seed, index, size)
        _save(scene.horse, folder / f"{split}A" / f"{index:04d}.png")
        _save(scene.zebra, folder / f"{split}B" / f"{index:04d}.png")


def write_coats(folder: Path, *, size: int = 64, train: int = 200, test: int = 40, seed: int = 0) -> None:
    """Write horses in three coats as PNG files into train/black/, train/brown/, ..., test/striped/.

    The images of a scene have the same file name. The arguments are those of `write_demo`, whose scenes these
    are.
    """
    for index in range(train + test):
        split = "train" if index < train else "test"
        for coat, image in draw_coats(seed, index, size).items():
            _save(image, folder / split / coat / f"{index:04d}.png")


def _save(image: NDArray[np.uint8], path: Path) -> None:
    """Write an image, but not over another one."""
    if path.exists() and not np.array_equal(read_rgb(path), image):
        raise UsageError(f"{path} holds another image: give another DIR, or remove it")
    with atomic_path(path, sync=False) as part:
        Image.fromarray(image).save(part, format="PNG")


# The body


@cache
def _silhouette() -> NDArray[np.bool_]:
    """Return the silhouette of the horse, head to the right, cropped to its bounding box, as booleans."""
    body: NDArray[np.bool_] = _skimage_image("horse") == 0
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    return body[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _random_pose(rng: np.random.Generator, size: int) -> _Pose:
    """Draw a random pose that is completely inside the image, with the hooves in the lowest fifth."""
    side = size * SUPERSAMPLING
    rows, columns = _silhouette().shape
    width = int(np.ceil(rng.uniform(MIN_BODY_WIDTH, MAX_BODY_WIDTH) * side))
    height = round(width * rows / columns)
    left = int(rng.uniform(0.02 * side, 0.98 * side - width))
    top = int(rng.uniform(0.82, 0.96) * side) - height
    return _Pose(left, top, width, height, bool(rng.random() < 0.5))


def _brown_coat(rng: np.random.Generator, light: Floats) -> Floats:
    """Return a brown coat, (height, width, 3), brighter where `light`, from 0 to 1, is higher."""
    return _lit(rng.choice(BROWN_COATS) * rng.uniform(0.9, 1.1) * rng.uniform(0.96, 1.04, size=3), light)


def _lit(color: NDArray[np.floating], light: Floats) -> Floats:
    """Return a coat of one color, (height, width, 3), brighter where `light` is higher."""
    return np.asarray(color * (0.7 + 0.4 * light[..., None]), np.float32)


def _striped_coat(light: Floats) -> Floats:
    """Return the coat of a zebra, (height, width, 3), head to the right.

    A stripe is a band of constant distance from a short vertical seam in the trunk: vertical on the trunk,
    horizontal on the legs, and across the neck. The period is the same everywhere, because distance is.
    """
    height, width = light.shape
    x, y = _pixel_centers(width)[None, :], _pixel_centers(height)[:, None] * (height / width)
    distance = np.hypot(x - SEAM_X, y - np.clip(y, SEAM_TOP, SEAM_BOTTOM))
    dark = np.cos(2 * np.pi * distance / STRIPE_PERIOD) > 0
    gray = np.where(dark, _interpolate(DARK_STRIPE, light), _interpolate(WHITE_STRIPE, light))
    return np.repeat(gray[..., None], 3, axis=2)


def _draw_body(coat: Floats, pose: _Pose, size: int) -> Floats:
    """Draw the body with a coat: (size, size, 4), premultiplied color and an alpha from 0 to 1."""
    rows, columns = _silhouette().shape
    row = (_pixel_centers(pose.height) * rows).astype(int)
    column = (_pixel_centers(pose.width) * columns).astype(int)
    opaque = np.concatenate([coat, np.ones_like(coat[..., :1])], axis=2)
    body = opaque * _silhouette()[np.ix_(row, column)][..., None]
    fine = np.zeros((size * SUPERSAMPLING, size * SUPERSAMPLING, 4), np.float32)
    fine[pose.top :, pose.left :][: pose.height, : pose.width] = body[:, ::-1] if pose.mirrored else body
    return np.asarray(fine.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 4).mean(axis=1).mean(axis=2))


def _composite(body: Floats, background: Floats) -> NDArray[np.uint8]:
    """Composite the body over the background: (size, size, 3) uint8."""
    image = body[..., :3] + background * (1 - body[..., 3:])
    return image.round().clip(0, 255).astype(np.uint8)


# The background


def _draw_background(rng: np.random.Generator, size: int) -> Floats:
    """Draw the sky, hills and the ground: (size, size, 3)."""
    y, x = _pixel_centers(size)[:, None], _pixel_centers(size)[None, :]
    horizon = rng.uniform(0.4, 0.62)
    waves = np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * x + rng.random()))
    ridge = horizon - rng.uniform(0, 0.12) * (1 + waves) / 2
    sky, ground = _draw_sky(rng, y / horizon, x), _draw_ground(rng, size)
    hills = (ground.mean(axis=(0, 1)) + sky[-1].mean(axis=0)) / 2
    hills_and_sky = _interpolate((sky, hills), _mask_below(ridge, y))
    return _interpolate((hills_and_sky, ground), _mask_below(horizon, y))


def _draw_sky(rng: np.random.Generator, y: Floats, x: Floats) -> Floats:
    """Draw a blue sky that is hazy at the horizon (`y` = 1), and in half of the scenes a soft sun."""
    zenith, haze = _random_color(rng, ZENITH), _random_color(rng, HAZE)
    sky = _interpolate((zenith, haze), np.minimum(y, 1)[..., None] + 0 * x[..., None])
    distance = np.hypot(x - rng.uniform(0.1, 0.9), y / 2 - rng.uniform(0.05, 0.35))
    glow = (rng.random() < 0.5) * np.exp(-((distance / 0.09) ** 2))
    return _interpolate((sky, SUN), glow[..., None])


def _draw_ground(rng: np.random.Generator, size: int) -> Floats:
    """Draw tinted grass or gravel that fills the image: (size, size, 3)."""
    name, colors = (("grass", GRASS), ("gravel", GRAVEL))[rng.integers(2)]
    return _random_color(rng, colors) * rng.uniform(0.8, 1.1) * _texture(rng, name, size)[..., None]


def _texture(rng: np.random.Generator, name: str, size: int) -> Floats:
    """Return a random crop of a texture with reduced contrast and a mean of about 1: (size, size).

    For small images the texture is reduced by averaging.
    """
    texture = _skimage_image(name)
    side, factor = len(texture), max(1, len(texture) // 2 // size)
    row, column = rng.integers(max(1, side - size * factor), size=(2, 1)) + np.arange(size * factor)
    crop = texture[np.ix_(row % side, column % side)].reshape(size, factor, size, factor)
    return np.asarray(0.5 + 0.5 * crop.mean(axis=(1, 3)) / texture.mean(), np.float32)


def _add_shadow(background: Floats, pose: _Pose) -> Floats:
    """Darken the background in a soft ellipse around the hooves."""
    size = len(background)
    position = _pixel_centers(size) * size * SUPERSAMPLING
    x = (position[None, :] - pose.left - pose.width / 2) / (0.45 * pose.width)
    y = (position[:, None] - pose.top - pose.height) / (0.07 * pose.width)
    brightness = 1 - 0.45 * np.exp(-(x**4) - y**2)
    return np.asarray(background * brightness[..., None], np.float32)


# Helpers


@cache
def _skimage_image(name: str) -> NDArray[np.uint8]:
    """Load a gray image that comes with scikit-image: (height, width)."""
    from skimage import data

    return np.asarray(getattr(data, name)(), np.uint8)


def _pixel_centers(count: int) -> Floats:
    """Return the centers of `count` pixels as fractions from 0 to 1."""
    return np.asarray((np.arange(count) + 0.5) / count, np.float32)


def _random_color(rng: np.random.Generator, colors: ColorRange) -> Floats:
    """Draw a random color between two: (3,)."""
    return _interpolate(colors, rng.random())


def _interpolate(ends: tuple[ArrayLike, ArrayLike], weight: ArrayLike) -> Floats:
    """Interpolate linearly from `ends[0]` at weight 0 to `ends[1]` at weight 1."""
    first, last, fraction = (np.asarray(value, np.float32) for value in (*ends, weight))
    return first + (last - first) * fraction


def _mask_below(edge: Floats | float, y: Floats) -> Floats:
    """Return 1 below `edge` and 0 above, with a transition of one pixel: (size, size or 1, 1)."""
    return np.asarray(np.clip((y - edge) * len(y) + 0.5, 0, 1)[..., None], np.float32)
