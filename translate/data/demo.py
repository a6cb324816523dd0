"""Horses and zebras, drawn: the built-in synthetic data set, with nothing to download.

Each scene is one horse in a meadow, in two coats: brown, and striped like a zebra. The stripes are
fixed to the body, so the zebra follows from the horse and there is a true answer to measure against.
The silhouette and the textures of the ground ship inside scikit-image.

Colours are 0-255 floats until the last step; positions and lengths in the background are fractions of
the image's side, those on the body fractions of the body's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Floats = NDArray[np.float32]
Colour = tuple[int, int, int]

FINE = 4  # the body is drawn on a grid this much finer than the image, then averaged down
SMALLEST, LARGEST = 0.54, 0.66  # the body's width in image widths
PERIOD = 0.125 / SMALLEST  # of the stripes, in body widths: an eighth of the image or more
SEAM_X, SEAM_TOP, SEAM_BOTTOM = 0.53, 0.20, 0.48  # mid-trunk line the stripes keep their distance from

CHESTNUT, BAY, TAN, LIVER = (146, 78, 42), (104, 62, 36), (150, 108, 66), (80, 50, 36)
COATS = np.array([CHESTNUT, BAY, TAN, LIVER], np.float32)
WHITE_STRIPE, DARK_STRIPE = (217, 238), (22, 42)  # gray levels, from the hooves to the top of the head

# Pairs of colours; a scene takes one in between.
GRASS, GRAVEL = ((82, 124, 50), (152, 160, 84)), ((158, 154, 150), (200, 178, 142))
ZENITH, HAZE, SUN = ((70, 120, 195), (125, 170, 230)), ((190, 208, 226), (246, 226, 212)), (255, 244, 205)


@dataclass(frozen=True, eq=False)
class Scene:
    """One animal in two coats; outside `mask` the two images are the same.

    `horse` and `zebra` are (size, size, 3) uint8 RGB. `mask` is (size, size) bool, True wherever any
    of the body shows, the soft rim included.
    """

    horse: NDArray[np.uint8]
    zebra: NDArray[np.uint8]
    mask: NDArray[np.bool_]


class _Pose(NamedTuple):
    """The box of the body, in fine pixels, and whether the head looks left."""

    left: int
    top: int
    width: int
    height: int
    mirrored: bool


def draw_scene(seed: int, index: int, size: int) -> Scene:
    """Draw scene `index` of the data set `seed`, `size` pixels a side; the same each time."""
    rng = np.random.default_rng([seed, index])
    pose = _random_pose(rng, size)
    background = _add_shadow(_draw_background(rng, size), pose)
    light = np.repeat(1 - _fractions(pose.height)[:, None], pose.width, axis=1)
    horse = _place_body(_brown_coat(rng, light), pose, size)
    zebra = _place_body(_striped_coat(light), pose, size)
    return Scene(_composite(horse, background), _composite(zebra, background), zebra[..., 3] > 0)


def write_demo(folder: Path, *, size: int = 64, train: int = 200, test: int = 40, seed: int = 0) -> None:
    """Write trainA/ trainB/ testA/ testB/ below `folder`: PNG, A the horses, B the zebras.

    The two coats of a scene share a file name, the scene's index; the test scenes follow the
    `train` training scenes. `size` is the side in pixels.
    """
    for index in range(train + test):
        split = "train" if index < train else "test"
        scene = draw_scene(seed, index, size)
        _save(scene.horse, folder / f"{split}A" / f"{index:04d}.png")
        _save(scene.zebra, folder / f"{split}B" / f"{index:04d}.png")


def _save(image: NDArray[np.uint8], path: Path) -> None:
    """Write a PNG under a temporary name, then rename it, so that no half-written file has the true name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    Image.fromarray(image).save(part, format="PNG")
    part.replace(path)


# The body


@cache
def _silhouette() -> NDArray[np.bool_]:
    """Return the horse, head to the right, cropped to its body: True on the horse."""
    body: NDArray[np.bool_] = _skimage_image("horse") == 0
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    return body[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _random_pose(rng: np.random.Generator, size: int) -> _Pose:
    """Draw a place wholly inside the image, the hooves in its lowest fifth."""
    side = size * FINE
    rows, columns = _silhouette().shape
    width = int(np.ceil(rng.uniform(SMALLEST, LARGEST) * side))
    height = round(width * rows / columns)
    left = int(rng.uniform(0.02 * side, 0.98 * side - width))
    top = int(rng.uniform(0.82, 0.96) * side) - height
    return _Pose(left, top, width, height, bool(rng.random() < 0.5))


def _brown_coat(rng: np.random.Generator, light: Floats) -> Floats:
    """Return a brown coat, brighter where `light` (0 to 1) is: (height, width, 3)."""
    tint = rng.choice(COATS) * rng.uniform(0.9, 1.1) * rng.uniform(0.96, 1.04, size=3)
    return np.asarray(tint * (0.7 + 0.4 * light[..., None]), np.float32)


def _striped_coat(light: Floats) -> Floats:
    """Return the zebra's coat, head to the right: (height, width, 3).

    A stripe is a band of equal distance from a short upright seam in the trunk: upright on the
    trunk, level on the legs, across the neck. Distance grows at the same pace everywhere, so the
    period is the same everywhere.
    """
    height, width = light.shape
    x, y = _fractions(width)[None, :], _fractions(height)[:, None] * (height / width)
    distance = np.hypot(x - SEAM_X, y - np.clip(y, SEAM_TOP, SEAM_BOTTOM))
    dark = np.cos(2 * np.pi * distance / PERIOD) > 0
    gray = np.where(dark, _mix(DARK_STRIPE, light), _mix(WHITE_STRIPE, light))
    return np.repeat(gray[..., None], 3, axis=2)


def _place_body(coat: Floats, pose: _Pose, size: int) -> Floats:
    """Draw the body in `coat`, in its place: (size, size, 4), colours times coverage, coverage 0 to 1."""
    rows, columns = _silhouette().shape
    row = (_fractions(pose.height) * rows).astype(int)
    column = (_fractions(pose.width) * columns).astype(int)
    opaque = np.concatenate([coat, np.ones_like(coat[..., :1])], axis=2)
    body = opaque * _silhouette()[np.ix_(row, column)][..., None]
    fine = np.zeros((size * FINE, size * FINE, 4), np.float32)
    fine[pose.top :, pose.left :][: pose.height, : pose.width] = body[:, ::-1] if pose.mirrored else body
    return np.asarray(fine.reshape(size, FINE, size, FINE, 4).mean(axis=1).mean(axis=2))


def _composite(body: Floats, background: Floats) -> NDArray[np.uint8]:
    """Lay the body over the background: (size, size, 3) uint8."""
    image = body[..., :3] + background * (1 - body[..., 3:])
    return image.round().clip(0, 255).astype(np.uint8)


# The background


def _draw_background(rng: np.random.Generator, size: int) -> Floats:
    """Draw sky, a range of hills and the ground, from top to bottom: (size, size, 3)."""
    y, x = _fractions(size)[:, None], _fractions(size)[None, :]
    horizon = rng.uniform(0.4, 0.62)
    waves = np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * x + rng.random()))
    ridge = horizon - rng.uniform(0, 0.12) * (1 + waves) / 2
    sky, ground = _draw_sky(rng, y / horizon, x), _draw_ground(rng, size)
    hills = (ground.mean(axis=(0, 1)) + sky[-1].mean(axis=0)) / 2
    return _mix((_mix((sky, hills), _mask_below(ridge, y)), ground), _mask_below(horizon, y))


def _draw_sky(rng: np.random.Generator, y: Floats, x: Floats) -> Floats:
    """Draw a sky that is blue above, pale at the horizon (`y` = 1), in half of the scenes with a soft sun."""
    zenith, haze = _tint(rng, ZENITH), _tint(rng, HAZE)
    sky = _mix((zenith, haze), np.minimum(y, 1)[..., None] + 0 * x[..., None])
    distance = np.hypot(x - rng.uniform(0.1, 0.9), y / 2 - rng.uniform(0.05, 0.35))
    glow = (rng.random() < 0.5) * np.exp(-((distance / 0.09) ** 2))
    return _mix((sky, SUN), glow[..., None])


def _draw_ground(rng: np.random.Generator, size: int) -> Floats:
    """Draw tinted grass or gravel that fills the image: (size, size, 3)."""
    name, ends = (("grass", GRASS), ("gravel", GRAVEL))[rng.integers(2)]
    return _tint(rng, ends) * rng.uniform(0.8, 1.1) * _texture(rng, name, size)[..., None]


def _texture(rng: np.random.Generator, name: str, size: int) -> Floats:
    """Cut a random piece of a texture, softened, its mean about 1: (size, size); reduced for small images."""
    texture = _skimage_image(name)
    side, reduce = len(texture), max(1, len(texture) // 2 // size)
    row, column = rng.integers(max(1, side - size * reduce), size=(2, 1)) + np.arange(size * reduce)
    piece = texture[np.ix_(row % side, column % side)].reshape(size, reduce, size, reduce)
    return np.asarray(0.5 + 0.5 * piece.mean(axis=(1, 3)) / texture.mean(), np.float32)


def _add_shadow(background: Floats, pose: _Pose) -> Floats:
    """Darken the background in a soft ellipse about the hooves."""
    size = len(background)
    position = _fractions(size) * size * FINE
    across = (position[None, :] - pose.left - pose.width / 2) / (0.45 * pose.width)
    along = (position[:, None] - pose.top - pose.height) / (0.07 * pose.width)
    brightness = 1 - 0.45 * np.exp(-(across**4) - along**2)
    return np.asarray(background * brightness[..., None], np.float32)


# Small helpers


@cache
def _skimage_image(name: str) -> NDArray[np.uint8]:
    """Load a gray image that ships inside scikit-image: (height, width)."""
    from skimage import data

    return np.asarray(getattr(data, name)(), np.uint8)


def _fractions(count: int) -> Floats:
    """Return the centers of `count` pixels, from 0 to 1."""
    return np.asarray((np.arange(count) + 0.5) / count, np.float32)


def _tint(rng: np.random.Generator, ends: tuple[Colour, Colour]) -> Floats:
    """Draw a random colour between two: (3,)."""
    return _mix(ends, rng.random())


def _mix(ends: tuple[ArrayLike, ArrayLike], share: ArrayLike) -> Floats:
    """Interpolate from `ends[0]` at share 0 to `ends[1]` at share 1."""
    first, last, part = (np.asarray(value, np.float32) for value in (*ends, share))
    return first + (last - first) * part


def _mask_below(edge: Floats | float, y: Floats) -> Floats:
    """Return 1 below `edge`, 0 above, a pixel wide in between: (size, size or 1, 1)."""
    return np.asarray(np.clip((y - edge) * len(y) + 0.5, 0, 1)[..., None], np.float32)
