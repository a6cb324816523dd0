"""Colour of the network's choice on the photo's own lightness, at any size and depth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from torch import Tensor

from tests.unit.inference.making import noise, scene
from translate.images import Array, Frame
from translate.images.color.lab import CHROMATIC, lab_to_rgb
from translate.inference.predictors import colorization
from translate.inference.predictors.colorization import LONGEST, colorize

WHITE = {np.uint8: 255, np.uint16: 65535, np.float32: 1}
KINDS = list(WHITE)
Stub = Callable[[Tensor], Tensor]


def paint(a: float, b: float) -> Stub:
    """A network that gives all one colour, in units of Lab."""
    return lambda x: torch.tensor([a, b]).view(1, 2, 1, 1).expand(1, 2, *x.shape[2:]) / CHROMATIC


def lively(x: Tensor) -> Tensor:
    """A network whose colours change over the image, and with its light."""
    rows, columns = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in x.shape[2:]), indexing="ij")
    return 0.4 * torch.stack([rows * columns + 0.2 * x[0, 0], columns - 0.3 * x[0, 0]])[None]


def colored(pixels: Array, network: Stub = lively, side: int = 32, **options: float) -> Array:
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    return colorize(Frame(pixels=planes), network, side=side, multiple=32, **options).pixels


def lab(pixels: Array) -> Array:
    """(H, W, 3) in Lab, by scikit-image."""
    planes = pixels if pixels.ndim == 3 and pixels.shape[2] == 3 else np.dstack([pixels] * 3)
    return rgb2lab(planes / WHITE[pixels.dtype.type])


def as_kind(pixels: Array, kind: type) -> Array:
    """uint8 at another depth."""
    return pixels if kind is np.uint8 else (pixels * (WHITE[kind] / 255)).astype(kind)


def ramp(kind: type = np.uint8) -> Array:
    """(16, 64) from black to white."""
    return (np.linspace(0, 1, 16 * 64).reshape(16, 64) * WHITE[kind]).astype(kind)


# Lightness, alpha and depth


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("network", [paint(30, -20), paint(-50, 60), paint(110, 110), lively])
def test_lightness_is_the_photos_own(network: Stub, kind: type) -> None:
    limit = 0.5 if kind is np.uint8 else 0.005
    for photo in (ramp(kind), as_kind(noise(40, 50), kind), as_kind(scene(40, 50), kind)):
        assert np.abs(lab(colored(photo, network))[..., 0] - lab(photo)[..., 0]).max() < limit


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_answer_has_three_channels_of_the_photos_depth(channels: int, kind: type) -> None:
    out = colored(as_kind(noise(20, 30, channels), kind))
    assert out.shape == (20, 30, 3)
    assert out.dtype == kind
    assert out.max() <= WHITE[kind]


def test_deep_photos_keep_more_than_256_levels() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    out = colored(levels, paint(3, 5))
    assert min(len(np.unique(out[..., channel])) for channel in range(3)) > 60000


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_is_kept_to_the_bit(kind: type) -> None:
    alpha = as_kind(noise(40, 50, seed=3)[..., 0], kind)
    frame = Frame(pixels=as_kind(scene(40, 50), kind), alpha=alpha.copy())
    out = colorize(frame, lively, side=32, multiple=32)
    assert out.alpha is not None
    assert out.alpha.dtype == kind
    assert np.array_equal(out.alpha, alpha)


def test_what_is_given_stays_as_it_was() -> None:
    for kind in KINDS:
        photo = as_kind(noise(40, 50), kind)
        before = photo.copy()
        colored(photo)
        assert np.array_equal(photo, before)


# Colour


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("color", [(20, 15), (-20, 10), (5, -30)])
def test_the_colour_is_the_networks(color: tuple[float, float], kind: type) -> None:
    photo = as_kind(np.full((40, 50), 130, np.uint8), kind)
    limit = 0.5 if kind is np.uint8 else 0.01
    assert np.abs(lab(colored(photo, paint(*color)))[..., 1:] - color).max() < limit


@pytest.mark.parametrize("kind", KINDS)
def test_the_photos_own_colour_counts_for_nothing(kind: type) -> None:
    photo = as_kind(scene(40, 50), kind)
    out = lab(colored(photo, paint(0, 0)))
    assert np.abs(out[..., 1:]).max() < (0.6 if kind is np.uint8 else 0.01)


def test_saturation_is_a_factor_of_the_chroma() -> None:
    photo = np.full((40, 50), 0.5, np.float32)
    for saturation in (0.0, 0.5, 1.0, 2.0):
        chroma = lab(colored(photo, paint(10, -12), saturation=saturation))[..., 1:]
        assert np.abs(chroma - saturation * np.array([10, -12])).max() < 0.01
    gray = colored(scene(40, 50), saturation=0)
    assert np.ptp(gray, axis=2).max() <= 1


@pytest.mark.parametrize("color", [(110, 110), (-110, 90), (10, -110), (110, -60)])
def test_a_colour_that_srgb_lacks_loses_chroma_and_keeps_its_hue(color: tuple[float, float]) -> None:
    photo = ramp(np.float32)
    found = lab(colored(photo, paint(*color)))
    assert np.abs(found[..., 0] - lab(photo)[..., 0]).max() < 0.005
    asked = np.hypot(*color)
    hue = np.array(color) / asked
    along, across = found[..., 1:] @ hue, found[..., 1:] @ (hue[1], -hue[0])
    assert np.abs(across).max() < 0.01
    assert along.min() > -0.01
    assert along[8].max() < 0.95 * asked
    # No more is lost than must be, up to a hundredth of what is asked for: with so much more it is outside.
    more = found[..., 1:] + 0.02 * asked * hue
    rgb = lab_to_rgb(torch.from_numpy(np.dstack([found[..., :1], more])).permute(2, 0, 1)[None])
    assert ((rgb.abs() > 1).any(dim=1) | torch.from_numpy(along > asked - 0.01)).all()


def test_black_and_white_stay_what_they_are() -> None:
    for kind in KINDS:
        out = colored(np.array([[0, WHITE[kind]]] * 9, kind), paint(80, -80))
        assert (out[:, 0] <= WHITE[kind] * 0.002).all()
        assert (out[:, 1] >= WHITE[kind] * 0.998).all()


# Sizes


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 500), (257, 511), (2000, 16), (7, 7), (31, 33)])
def test_a_photo_of_any_size_comes_back_at_its_size(size: tuple[int, int]) -> None:
    photo = scene(*size)
    out = colored(photo, paint(20, 10))
    assert out.shape == (*size, 3)
    assert np.abs(lab(out)[..., 0] - lab(photo)[..., 0]).max() < 0.5
    middle = (lab(photo)[..., 0] > 30) & (lab(photo)[..., 0] < 80)
    assert np.abs(lab(out)[middle][:, 1:] - (20, 10)).max(initial=0) < 1


class Seen:
    """A network that remembers what it was shown."""

    def __init__(self) -> None:
        self.lights: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.lights.append(x)
        return lively(x)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((20, 40), (32, 64)),  # its own size, up to the next multiple
        ((64, 96), (64, 96)),
        ((640, 320), (128, 64)),
        ((133, 400), (64, 192)),
        ((640, 64), (640, 64)),
        ((64, 3000), (32, 1024)),  # a panorama, no longer than 16 times the side
    ],
)
def test_the_network_sees_a_shorter_side_of_so_many_pixels(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    network = Seen()
    colored(scene(*size), network, side=64)
    larger = tuple(round(1.25 * side / 32) * 32 for side in shown)
    assert [tuple(light.shape[2:]) for light in network.lights] == [shown, shown, larger, larger]
    assert max(shown) <= LONGEST * 64


def test_the_network_sees_lightness() -> None:
    network = Seen()
    colored(scene(64, 96), network, side=64)
    expected = lab(scene(64, 96))[..., 0] / 50 - 1
    as_it_is, mirrored, larger, _ = (light[0, 0].numpy() for light in network.lights)
    assert np.abs(as_it_is - expected).max() < 1e-3
    assert np.abs(mirrored - expected[:, ::-1]).max() < 1e-3
    assert abs(larger.mean() - expected.mean()) < 0.02
    network = Seen()
    colored(np.kron(noise(64, 96), np.ones((4, 4, 1), np.uint8)), network, side=64)
    assert np.abs(network.lights[0][0, 0].numpy() - (lab(noise(64, 96))[..., 0] / 50 - 1)).max() < 1e-3


def test_answers_that_differ_between_looks_are_averaged() -> None:
    """What stands on the left of the image however it is turned is no knowledge of the photo."""

    def left_red(x: Tensor) -> Tensor:
        chroma = torch.zeros(1, 2, *x.shape[2:])
        chroma[:, 0, :, : x.shape[3] // 2] = 0.3
        return chroma

    a = lab(colored(np.full((64, 64), 128, np.uint8), left_red, side=64))[..., 1]
    assert np.abs(a[:, :20] - 16.5).max() < 1.5
    assert np.abs(a[:, -20:] - 16.5).max() < 1.5


def test_what_is_added_to_reach_a_multiple_does_not_show() -> None:
    """The mirrored rest to the right and below is cut off again: nothing is shifted or stretched."""
    photo = np.full((40, 40), 116, np.uint8)
    photo[:, :20] = 140

    def bright_is_red(x: Tensor) -> Tensor:
        return torch.cat([0.3 * (x > 0.005), 0 * x], dim=1)

    a = lab(colored(photo, bright_is_red, side=40))[..., 1]
    assert a[:, :10].min() > 30
    assert a[:, 30:].max() < 1
    assert a[20, 19:21].mean() == pytest.approx(16.5, abs=1)


@pytest.mark.parametrize("kind", KINDS)
def test_strips_leave_no_seam(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = as_kind(scene(20, 40), kind)
    whole = colored(photo)
    for strip in (1, 7 * 40, 13 * 40 + 3):
        monkeypatch.setattr(colorization, "STRIP", strip)
        cut = colored(photo)
        assert np.abs(cut.astype(np.float64) - whole).max() <= 1e-5 * WHITE[kind] + (kind is not np.float32)


def test_colours_end_where_the_photo_has_an_edge() -> None:
    """A network that colours what is dark at an eighth of the size: plain enlarging would spill over."""
    photo = np.full((256, 256), 60, np.uint8)
    photo[:, 131:] = 190
    a = lab(colored(photo, lambda x: torch.cat([0.3 * (x < 0).float(), 0 * x], dim=1), side=32))[128, :, 1]
    assert a[40] > 25
    assert a[216] < 3
    assert a[126] - a[135] > 0.8 * (a[40] - a[216])
