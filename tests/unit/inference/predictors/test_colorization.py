"""Colorization: a and b from the network, the lightness from the photo, at any size and bit depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from torch import Tensor

from tests.unit.inference.making import noise, scene
from translate.images import Array, Frame
from translate.images.color.lab import AB_RANGE, lab_to_rgb
from translate.inference.predictors.colorization import colorize

WHITE = {np.uint8: 255, np.uint16: 65535, np.float32: 1}
DTYPES = list(WHITE)
Network = Callable[[Tensor], Tensor]


def paint(a: float, b: float) -> Network:
    """Return a network whose output is one colour, in units of Lab."""
    return lambda x: torch.tensor([a, b]).view(1, 2, 1, 1).expand(1, 2, *x.shape[2:]) / AB_RANGE


def varied_color(x: Tensor) -> Tensor:
    """Return colours that vary over the image and with its lightness."""
    rows, columns = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in x.shape[2:]), indexing="ij")
    return 0.4 * torch.stack([rows * columns + 0.2 * x[0, 0], columns - 0.3 * x[0, 0]])[None]


def colorize_pixels(
    pixels: Array, network: Network = varied_color, working_size: int = 32, **options: Any
) -> Array:
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    return colorize(Frame(pixels=planes), network, working_size=working_size, multiple=32, **options).pixels


def lab(pixels: Array) -> Array:
    """Convert RGB or gray to Lab, (H, W, 3), by scikit-image."""
    planes = pixels if pixels.ndim == 3 and pixels.shape[2] == 3 else np.dstack([pixels] * 3)
    return rgb2lab(planes / WHITE[pixels.dtype.type])


def to_dtype(pixels: Array, dtype: type) -> Array:
    """Convert uint8 to another bit depth."""
    return pixels if dtype is np.uint8 else (pixels * (WHITE[dtype] / 255)).astype(dtype)


def ramp(dtype: type = np.uint8) -> Array:
    """Return a gradient from black to white, (16, 64)."""
    return (np.linspace(0, 1, 16 * 64).reshape(16, 64) * WHITE[dtype]).astype(dtype)


# Lightness, alpha and bit depth


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", [paint(30, -20), paint(-50, 60), paint(110, 110), varied_color])
def test_the_lightness_of_the_photo_is_kept(network: Network, dtype: type) -> None:
    limit = 0.5 if dtype is np.uint8 else 0.005
    for photo in (ramp(dtype), to_dtype(noise(40, 50), dtype), to_dtype(scene(40, 50), dtype)):
        assert np.abs(lab(colorize_pixels(photo, network))[..., 0] - lab(photo)[..., 0]).max() < limit


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_output_has_three_channels_and_the_bit_depth_of_the_photo(channels: int, dtype: type) -> None:
    out = colorize_pixels(to_dtype(noise(20, 30, channels), dtype))
    assert out.shape == (20, 30, 3)
    assert out.dtype == dtype
    assert out.max() <= WHITE[dtype]


def test_16_bit_photos_keep_more_than_256_levels() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    out = colorize_pixels(levels, paint(3, 5))
    assert min(len(np.unique(out[..., channel])) for channel in range(3)) > 60000


def test_the_input_is_not_changed() -> None:
    for dtype in DTYPES:
        photo = to_dtype(noise(40, 50), dtype)
        before = photo.copy()
        colorize_pixels(photo)
        assert np.array_equal(photo, before)


# Colour


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("color", [(20, 15), (-20, 10), (5, -30)])
def test_the_colour_is_that_of_the_network(color: tuple[float, float], dtype: type) -> None:
    photo = to_dtype(np.full((40, 50), 130, np.uint8), dtype)
    limit = 0.5 if dtype is np.uint8 else 0.01
    assert np.abs(lab(colorize_pixels(photo, paint(*color)))[..., 1:] - color).max() < limit


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_colour_of_the_photo_is_ignored(dtype: type) -> None:
    photo = to_dtype(scene(40, 50), dtype)
    out = lab(colorize_pixels(photo, paint(0, 0)))
    assert np.abs(out[..., 1:]).max() < (0.6 if dtype is np.uint8 else 0.01)


def test_saturation_is_a_factor_of_the_chroma() -> None:
    photo = np.full((40, 50), 0.5, np.float32)
    for saturation in (0.0, 0.5, 1.0, 2.0):
        chroma = lab(colorize_pixels(photo, paint(10, -12), saturation=saturation))[..., 1:]
        assert np.abs(chroma - saturation * np.array([10, -12])).max() < 0.01
    gray = colorize_pixels(scene(40, 50), saturation=0)
    assert np.ptp(gray, axis=2).max() <= 1


@pytest.mark.parametrize("color", [(110, 110), (-110, 90), (10, -110), (110, -60)])
def test_a_colour_out_of_the_srgb_gamut_loses_chroma_and_keeps_its_hue(color: tuple[float, float]) -> None:
    photo = ramp(np.float32)
    output = lab(colorize_pixels(photo, paint(*color)))
    assert np.abs(output[..., 0] - lab(photo)[..., 0]).max() < 0.005
    requested = np.hypot(*color)
    hue = np.array(color) / requested
    chroma, hue_error = output[..., 1:] @ hue, output[..., 1:] @ (hue[1], -hue[0])
    assert np.abs(hue_error).max() < 0.01
    assert chroma.min() > -0.01
    assert chroma[8].max() < 0.95 * requested
    # No more chroma is lost than necessary: with 2% of the requested chroma more, it is out of the gamut.
    more = output[..., 1:] + 0.02 * requested * hue
    rgb = lab_to_rgb(torch.from_numpy(np.dstack([output[..., :1], more])).permute(2, 0, 1)[None])
    assert ((rgb.abs() > 1).any(dim=1) | torch.from_numpy(chroma > requested - 0.01)).all()


def test_black_and_white_are_kept() -> None:
    for dtype in DTYPES:
        out = colorize_pixels(np.array([[0, WHITE[dtype]]] * 9, dtype), paint(80, -80))
        assert (out[:, 0] <= WHITE[dtype] * 0.002).all()
        assert (out[:, 1] >= WHITE[dtype] * 0.998).all()


# Sizes


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 500), (257, 511), (2000, 16), (7, 7), (31, 33)])
def test_the_output_has_the_size_of_the_photo(size: tuple[int, int]) -> None:
    photo = scene(*size)
    out = colorize_pixels(photo, paint(20, 10))
    assert out.shape == (*size, 3)
    assert np.abs(lab(out)[..., 0] - lab(photo)[..., 0]).max() < 0.5
    middle = (lab(photo)[..., 0] > 30) & (lab(photo)[..., 0] < 80)
    assert np.abs(lab(out)[middle][:, 1:] - (20, 10)).max(initial=0) < 1


class RecordingNetwork:
    """A network that records its inputs."""

    def __init__(self) -> None:
        self.inputs: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.inputs.append(x)
        return varied_color(x)


@pytest.mark.parametrize(
    ("size", "input_size"),
    [
        ((20, 40), (32, 64)),  # smaller than the working size: padded to the size multiple
        ((64, 96), (64, 96)),
        ((640, 320), (128, 64)),
        ((133, 400), (64, 192)),
        ((640, 64), (640, 64)),
        ((64, 3000), (32, 1024)),  # a panorama: its longer side is at most 16 times the working size
    ],
)
def test_the_network_sees_the_photo_at_the_working_size_and_a_quarter_larger(
    size: tuple[int, int], input_size: tuple[int, int]
) -> None:
    network = RecordingNetwork()
    colorize_pixels(scene(*size), network, working_size=64)
    larger = tuple(round(1.25 * side / 32) * 32 for side in input_size)
    assert [tuple(x.shape[2:]) for x in network.inputs] == [input_size, input_size, larger, larger]


def test_the_network_sees_lightness() -> None:
    network = RecordingNetwork()
    colorize_pixels(scene(64, 96), network, working_size=64)
    expected = lab(scene(64, 96))[..., 0] / 50 - 1
    unflipped, flipped, larger, _ = (x[0, 0].numpy() for x in network.inputs)
    assert np.abs(unflipped - expected).max() < 1e-3
    assert np.abs(flipped - expected[:, ::-1]).max() < 1e-3
    assert abs(larger.mean() - expected.mean()) < 0.02
    network = RecordingNetwork()
    colorize_pixels(np.kron(noise(64, 96), np.ones((4, 4, 1), np.uint8)), network, working_size=64)
    assert np.abs(network.inputs[0][0, 0].numpy() - (lab(noise(64, 96))[..., 0] / 50 - 1)).max() < 1e-3


def test_the_outputs_of_test_time_augmentation_are_averaged() -> None:
    """A network that paints the left half red, flipped or not, has learnt nothing from the photo."""

    def left_red(x: Tensor) -> Tensor:
        chroma = torch.zeros(1, 2, *x.shape[2:])
        chroma[:, 0, :, : x.shape[3] // 2] = 0.3
        return chroma

    a = lab(colorize_pixels(np.full((64, 64), 128, np.uint8), left_red, working_size=64))[..., 1]
    assert np.abs(a[:, :20] - 16.5).max() < 1.5
    assert np.abs(a[:, -20:] - 16.5).max() < 1.5


def test_padding_to_the_size_multiple_neither_shifts_nor_stretches_the_colours() -> None:
    """The padding to the right and below is cropped again."""
    photo = np.full((40, 40), 116, np.uint8)
    photo[:, :20] = 140

    def bright_is_red(x: Tensor) -> Tensor:
        return torch.cat([0.3 * (x > 0.005), 0 * x], dim=1)

    a = lab(colorize_pixels(photo, bright_is_red, working_size=40))[..., 1]
    assert a[:, :10].min() > 30
    assert a[:, 30:].max() < 1
    assert a[20, 19:21].mean() == pytest.approx(16.5, abs=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_strips_leave_no_seam(dtype: type) -> None:
    photo = to_dtype(scene(20, 40), dtype)
    expected = colorize_pixels(photo)
    for strip_pixels in (1, 7 * 40, 13 * 40 + 3):
        output = colorize_pixels(photo, strip_pixels=strip_pixels)
        limit = 1e-5 * WHITE[dtype] + (dtype is not np.float32)
        assert np.abs(output.astype(np.float64) - expected).max() <= limit


def test_the_guided_filter_ends_colours_at_the_edges_of_the_photo() -> None:
    """The network sees an eighth of the size: bilinear upsampling would spill the red over the edge."""
    photo = np.full((256, 256), 60, np.uint8)
    photo[:, 131:] = 190

    def dark_is_red(x: Tensor) -> Tensor:
        return torch.cat([0.3 * (x < 0).float(), 0 * x], dim=1)

    a = lab(colorize_pixels(photo, dark_is_red, working_size=32))[128, :, 1]
    assert a[40] > 25
    assert a[216] < 3
    assert a[126] - a[135] > 0.8 * (a[40] - a[216])
