"""Horses and zebras, drawn: the built-in synthetic data set, with nothing to download.

Each scene is one horse in a meadow, in two coats: brown, and striped like a zebra. The stripes are
fixed to the body, so the zebra follows from the horse and there is a true answer to measure against.
The silhouette and the textures of the ground ship inside scikit-image.

Colours are 0-255 floats until the last step; places and lengths in the background are fractions of
the picture's side, those on the body fractions of the body's width.
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

FINE = 4  # the body is drawn on a grid this much finer than the picture, then averaged down
SMALLEST, LARGEST = 0.54, 0.66  # the body's width in picture widths
PERIOD = 0.125 / SMALLEST  # of the stripes, in body widths: an eighth of the picture or more
SEAM_X, SEAM_TOP, SEAM_BOTTOM = 0.53, 0.20, 0.48  # mid-trunk line the stripes keep their distance from

CHESTNUT, BAY, TAN, LIVER = (146, 78, 42), (104, 62, 36), (150, 108, 66), (80, 50, 36)
COATS = np.array([CHESTNUT, BAY, TAN, LIVER], np.float32)
WHITE_STRIPE, DARK_STRIPE = (217, 238), (22, 42)  # gray levels, from the hooves to the top of the head

# Pairs of colours; a scene takes one in between.
GRASS, GRAVEL = ((82, 124, 50), (152, 160, 84)), ((158, 154, 150), (200, 178, 142))
ZENITH, HAZE, SUN = ((70, 120, 195), (125, 170, 230)), ((190, 208, 226), (246, 226, 212)), (255, 244, 205)


@dataclass(frozen=True, eq=False)
class Scene:
    """One animal in two coats; outside `mask` the two pictures are the same.

    `horse` and `zebra` are (size, size, 3) uint8 RGB. `mask` is (size, size) bool, True wherever any
    of the body shows, the soft rim included.
    """

    horse: NDArray[np.uint8]
    zebra: NDArray[np.uint8]
    mask: NDArray[np.bool_]


class _Pose(NamedTuple):
    """Where the body's box lies, in fine pixels, and whether the head looks left."""

    left: int
    top: int
    width: int
    height: int
    mirrored: bool


def scene(seed: int, index: int, size: int) -> Scene:
    """Draw scene `index` of the data set `seed`, `size` pixels a side; the same arguments, the same scene."""
    rng = np.random.default_rng([seed, index])
    pose = _pose(rng, size)
    background = _shadowed(_background(rng, size), pose)
    light = np.repeat(1 - _fractions(pose.height)[:, None], pose.width, axis=1)
    horse = _layer(_brown(rng, light), pose, size)
    zebra = _layer(_striped(light), pose, size)
    return Scene(_over(horse, background), _over(zebra, background), zebra[..., 3] > 0)


def write_demo(folder: Path, *, size: int = 64, train: int = 200, test: int = 40, seed: int = 0) -> None:
    """Write trainA/ trainB/ testA/ testB/ below `folder`: PNG, A the horses, B the zebras.

    The two coats of a scene share a file name, the scene's index; the test scenes follow the
    `train` training scenes. `size` is the side in pixels.
    """
    for index in range(train + test):
        split = "train" if index < train else "test"
        drawn = scene(seed, index, size)
        _save(drawn.horse, folder / f"{split}A" / f"{index:04d}.png")
        _save(drawn.zebra, folder / f"{split}B" / f"{index:04d}.png")


def _save(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a PNG under a temporary name, then rename: no half-written file bears the true name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    Image.fromarray(picture).save(part, format="PNG")
    part.replace(path)


# The body


@cache
def _silhouette() -> NDArray[np.bool_]:
    """The horse, head to the right, cropped to its body: True on the horse."""
    body: NDArray[np.bool_] = _shipped("horse") == 0
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    return body[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _pose(rng: np.random.Generator, size: int) -> _Pose:
    """A random place, wholly inside the picture, the hooves in its lowest fifth."""
    side = size * FINE
    rows, columns = _silhouette().shape
    width = int(np.ceil(rng.uniform(SMALLEST, LARGEST) * side))
    height = round(width * rows / columns)
    left = int(rng.uniform(0.02 * side, 0.98 * side - width))
    top = int(rng.uniform(0.82, 0.96) * side) - height
    return _Pose(left, top, width, height, bool(rng.random() < 0.5))


def _brown(rng: np.random.Generator, light: Floats) -> Floats:
    """A brown coat, brighter where `light` (0 to 1) is: (height, width, 3)."""
    tint = rng.choice(COATS) * rng.uniform(0.9, 1.1) * rng.uniform(0.96, 1.04, size=3)
    return np.asarray(tint * (0.7 + 0.4 * light[..., None]), np.float32)


def _striped(light: Floats) -> Floats:
    """The zebra's coat, head to the right: (height, width, 3).

    A stripe is a band of equal distance from a short upright seam in the trunk: upright on the
    trunk, level on the legs, across the neck. Distance grows at the same pace everywhere, so the
    period is the same everywhere.
    """
    height, width = light.shape
    x, y = _fractions(width)[None, :], _fractions(height)[:, None] * (height / width)
    distance = np.hypot(x - SEAM_X, y - np.clip(y, SEAM_TOP, SEAM_BOTTOM))
    dark = np.cos(2 * np.pi * distance / PERIOD) > 0
    gray = np.where(dark, _between(DARK_STRIPE, light), _between(WHITE_STRIPE, light))
    return np.repeat(gray[..., None], 3, axis=2)


def _layer(coat: Floats, pose: _Pose, size: int) -> Floats:
    """The body alone in `coat`, in its place: (size, size, 4), colours times coverage, coverage 0 to 1."""
    rows, columns = _silhouette().shape
    row = (_fractions(pose.height) * rows).astype(int)
    column = (_fractions(pose.width) * columns).astype(int)
    opaque = np.concatenate([coat, np.ones_like(coat[..., :1])], axis=2)
    body = opaque * _silhouette()[np.ix_(row, column)][..., None]
    fine = np.zeros((size * FINE, size * FINE, 4), np.float32)
    fine[pose.top :, pose.left :][: pose.height, : pose.width] = body[:, ::-1] if pose.mirrored else body
    return np.asarray(fine.reshape(size, FINE, size, FINE, 4).mean(axis=1).mean(axis=2))


def _over(layer: Floats, background: Floats) -> NDArray[np.uint8]:
    """Lay the body over the background: (size, size, 3) uint8."""
    picture = layer[..., :3] + background * (1 - layer[..., 3:])
    return picture.round().clip(0, 255).astype(np.uint8)


# The background


def _background(rng: np.random.Generator, size: int) -> Floats:
    """Sky, a range of hills and the ground, from top to bottom: (size, size, 3)."""
    y, x = _fractions(size)[:, None], _fractions(size)[None, :]
    horizon = rng.uniform(0.4, 0.62)
    waves = np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * x + rng.random()))
    ridge = horizon - rng.uniform(0, 0.12) * (1 + waves) / 2
    sky, ground = _sky(rng, y / horizon, x), _ground(rng, size)
    hills = (ground.mean(axis=(0, 1)) + sky[-1].mean(axis=0)) / 2
    return _between((_between((sky, hills), _below(ridge, y)), ground), _below(horizon, y))


def _sky(rng: np.random.Generator, y: Floats, x: Floats) -> Floats:
    """Blue above, pale at the horizon (`y` = 1), in half of the scenes with a soft sun."""
    zenith, haze = _tint(rng, ZENITH), _tint(rng, HAZE)
    sky = _between((zenith, haze), np.minimum(y, 1)[..., None] + 0 * x[..., None])
    distance = np.hypot(x - rng.uniform(0.1, 0.9), y / 2 - rng.uniform(0.05, 0.35))
    glow = (rng.random() < 0.5) * np.exp(-((distance / 0.09) ** 2))
    return _between((sky, SUN), glow[..., None])


def _ground(rng: np.random.Generator, size: int) -> Floats:
    """Tinted grass or gravel that fills the picture: (size, size, 3)."""
    name, ends = (("grass", GRASS), ("gravel", GRAVEL))[rng.integers(2)]
    return _tint(rng, ends) * rng.uniform(0.8, 1.1) * _relief(rng, name, size)[..., None]


def _relief(rng: np.random.Generator, name: str, size: int) -> Floats:
    """A random piece of a texture, softened, its mean about 1: (size, size); reduced for small pictures."""
    texture = _shipped(name)
    side, reduce = len(texture), max(1, len(texture) // 2 // size)
    row, column = rng.integers(max(1, side - size * reduce), size=(2, 1)) + np.arange(size * reduce)
    piece = texture[np.ix_(row % side, column % side)].reshape(size, reduce, size, reduce)
    return np.asarray(0.5 + 0.5 * piece.mean(axis=(1, 3)) / texture.mean(), np.float32)


def _shadowed(background: Floats, pose: _Pose) -> Floats:
    """The background, darker in a soft ellipse about the hooves."""
    size = len(background)
    place = _fractions(size) * size * FINE
    across = (place[None, :] - pose.left - pose.width / 2) / (0.45 * pose.width)
    along = (place[:, None] - pose.top - pose.height) / (0.07 * pose.width)
    brightness = 1 - 0.45 * np.exp(-(across**4) - along**2)
    return np.asarray(background * brightness[..., None], np.float32)


# Small helpers


@cache
def _shipped(name: str) -> NDArray[np.uint8]:
    """The gray picture `name` of those inside scikit-image: (height, width)."""
    from skimage import data

    return np.asarray(getattr(data, name)(), np.uint8)


def _fractions(count: int) -> Floats:
    """The middles of `count` pixels, from 0 to 1."""
    return np.asarray((np.arange(count) + 0.5) / count, np.float32)


def _tint(rng: np.random.Generator, ends: tuple[Colour, Colour]) -> Floats:
    """A random colour between two: (3,)."""
    return _between(ends, rng.random())


def _between(ends: tuple[ArrayLike, ArrayLike], share: ArrayLike) -> Floats:
    """From `ends[0]` at share 0 to `ends[1]` at share 1."""
    first, last, part = (np.asarray(value, np.float32) for value in (*ends, share))
    return first + (last - first) * part


def _below(edge: Floats | float, y: Floats) -> Floats:
    """1 below `edge`, 0 above, a pixel wide in between: (size, size or 1, 1)."""
    return np.asarray(np.clip((y - edge) * len(y) + 0.5, 0, 1)[..., None], np.float32)
