"""Inpainting: holes are filled at any size and bit depth, and no other pixel changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.unit.inference.making import noise, scene
from translate.images import Array, Frame, Hole
from translate.inference.predictors.inpainting import MAX_HOLE_WIDTH, MAX_TILE, OVERLAP, inpaint
from translate.networks.generators.inpainter import fill_smoothly

WHITE = {np.uint8: 255, np.uint16: 65535, np.float32: 1}
DTYPES = list(WHITE)
Network = Callable[[Tensor], Tensor]


def continue_smoothly(x: Tensor) -> Tensor:
    """Continue the surroundings of a hole smoothly into it."""
    return fill_smoothly(x[:, :-1], (x[:, -1:] > 0).float())


def return_noise(x: Tensor) -> Tensor:
    """Return noise, outside of the hole as well, and beyond the range."""
    return 3 * torch.rand(x[:, :-1].shape, generator=torch.Generator().manual_seed(0)) - 1.5


def depend_on_all_pixels(x: Tensor) -> Tensor:
    """Return a value that depends on each pixel of the input."""
    weights = torch.linspace(0.5, 1.5, x[0].numel()).view_as(x)
    return (0.3 * torch.sin(50 * (x * weights).mean())).expand_as(x[:, :-1])


class RecordingNetwork:
    """A network that records its inputs."""

    def __init__(self, function: Network = continue_smoothly) -> None:
        self.inputs: list[Tensor] = []
        self.function = function

    def __call__(self, x: Tensor) -> Tensor:
        self.inputs.append(x)
        return self.function(x)

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        return [tuple(x.shape[2:]) for x in self.inputs]


def inpaint_pixels(
    pixels: Array, hole: Hole, network: Network = continue_smoothly, multiple: int = 32
) -> Array:
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    return inpaint(Frame(pixels=planes), hole, network, multiple=multiple).pixels


def to_dtype(pixels: Array, dtype: type) -> Array:
    """Convert uint8 to another bit depth."""
    return pixels if dtype is np.uint8 else (pixels * (WHITE[dtype] / 255)).astype(dtype)


def box(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Hole:
    """Return a hole of boxes, each given as top, bottom, left and right."""
    hole = np.zeros(size, bool)
    for top, bottom, left, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


def scattered_pixels(size: tuple[int, int], probability: float = 0.3, seed: int = 0) -> Hole:
    return np.random.default_rng(seed).random(size) < probability


HOLES = {
    "a box": box((50, 70), (10, 30, 20, 50)),
    "many": scattered_pixels((50, 70)),
    "at the border": box((50, 70), (0, 10, 0, 70), (40, 50, 60, 70)),
    "a side": box((50, 70), (0, 50, 30, 70)),
    "a corner is known": ~box((50, 70), (0, 1, 0, 1)),
    "none": box((50, 70)),
}


# Pixels outside of the hole


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_pixels_outside_of_the_hole_stay_the_same_to_the_bit(dtype: type, hole: Hole) -> None:
    for channels in (1, 3):
        photo = to_dtype(noise(50, 70, channels), dtype)
        before = photo.copy()
        out = inpaint_pixels(photo, hole, return_noise)
        assert out.shape == photo.shape
        assert out.dtype == dtype
        assert np.array_equal(out[~hole], photo[~hole])
        assert not hole.any() or not np.array_equal(out[hole], photo[hole])
        assert np.array_equal(photo, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "hole", [scattered_pixels((40, 560)), box((540, 530), (20, 520, 60, 500))], ids=["tiled", "downscaled"]
)
def test_pixels_outside_of_the_hole_stay_the_same_in_tiled_and_in_downscaled_images(
    hole: Hole, dtype: type
) -> None:
    photo = to_dtype(noise(*hole.shape), dtype)
    out = inpaint_pixels(photo, hole, return_noise)
    assert np.array_equal(out[~hole], photo[~hole])


@pytest.mark.parametrize("dtype", DTYPES)
def test_alpha_is_kept_and_opaque_in_the_hole(dtype: type) -> None:
    hole, alpha = HOLES["many"], to_dtype(noise(50, 70, seed=1)[..., 0], dtype)
    for channels in (1, 3):
        frame = Frame(pixels=to_dtype(noise(50, 70, channels), dtype), alpha=alpha.copy())
        out = inpaint(frame, hole, continue_smoothly, multiple=32)
        assert out.alpha is not None
        assert out.alpha.dtype == dtype
        assert np.array_equal(out.alpha[~hole], alpha[~hole])
        assert (out.alpha[hole] == WHITE[dtype]).all()
        assert out.pixels.shape[2] == channels


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (2, 3), (257, 51), (33, 31), (3, 700)])
def test_an_image_of_any_size_is_inpainted(size: tuple[int, int]) -> None:
    photo = scene(*size)
    for hole in (scattered_pixels(size, 0.4), box(size), box(size, (0, size[0] // 2, 0, size[1]))):
        hole[-1, -1] = False
        out = inpaint_pixels(photo, hole, return_noise)
        assert np.array_equal(out[~hole], photo[~hole])
        assert not hole.any() or not np.array_equal(out[hole], photo[hole])


@pytest.mark.parametrize("size", [(50, 70), (40, 700)])
def test_the_network_does_not_run_without_a_hole(size: tuple[int, int]) -> None:
    network = RecordingNetwork()
    assert np.array_equal(inpaint_pixels(noise(*size), box(size), network), noise(*size))
    assert network.inputs == []


# Pixels in the hole


@pytest.mark.parametrize(
    ("size", "dtype"),
    [*(((50, 70), dtype) for dtype in DTYPES), ((560, 80), np.uint8), ((540, 530), np.uint16)],
)
def test_the_content_of_the_hole_has_no_influence(size: tuple[int, int], dtype: type) -> None:
    height, width = size
    hole = box(size, (height // 8, height - height // 8, width // 8, width - width // 8))
    photo = to_dtype(scene(*size), dtype)
    outputs = []
    for content in (0, WHITE[dtype], to_dtype(noise(*size), dtype)):
        outputs.append(
            inpaint_pixels(
                np.where(hole[..., None], content, photo).astype(dtype), hole, depend_on_all_pixels
            )
        )
    assert np.array_equal(outputs[0], outputs[1])
    assert np.array_equal(outputs[0], outputs[2])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", [0, 100, 255])
def test_an_image_of_one_colour_stays_of_one_colour(level: int, dtype: type) -> None:
    for size, holes in (
        ((50, 70), list(HOLES.values())),
        ((640, 660), [box((640, 660), (90, 550, 50, 600))]),
    ):
        photo = to_dtype(np.full((*size, 3), level, np.uint8), dtype)
        for hole in holes:
            out = inpaint_pixels(photo, hole)
            assert np.abs(out.astype(np.float64) - photo).max() <= (1e-5 if dtype is np.float32 else 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gray_image_is_filled_with_the_luminance_of_the_output(dtype: type) -> None:
    def red(x: Tensor) -> Tensor:
        return torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, *x.shape[2:])

    photo = to_dtype(np.full((200, 200, 1), 128, np.uint8), dtype)
    out = inpaint_pixels(photo, box((200, 200), (20, 180, 20, 180)), red)
    assert out.shape == (200, 200, 1)
    assert out[100, 100, 0] / WHITE[dtype] == pytest.approx(0.299, abs=0.005)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_output_keeps_channels_positions_and_range(dtype: type) -> None:
    """Coordinates as colours show where each value of the output ends up."""

    def ramp(x: Tensor) -> Tensor:
        rows, columns = torch.meshgrid(*(torch.arange(n) / 100 - 0.5 for n in x.shape[2:]), indexing="ij")
        return torch.stack([rows, columns, 0 * rows - 0.2])[None]

    rows, columns = np.mgrid[:64, :96]
    truth = np.dstack([rows / 100 - 0.5, columns / 100 - 0.5, np.full((64, 96), -0.2)]) / 2 + 0.5
    photo = (truth * WHITE[dtype]).astype(dtype)
    hole = box((64, 96), (5, 55, 10, 80))
    out = inpaint_pixels(np.where(hole[..., None], 0, photo).astype(dtype), hole, ramp)
    assert np.abs(out / WHITE[dtype] - truth).max() < (0.005 if dtype is np.uint8 else 0.001)


# Seams


def test_an_offset_of_the_network_fades_in_from_the_border_of_the_hole() -> None:
    photo = np.full((120, 120, 1), 0.4, np.float32)
    offset = 0.3
    out = inpaint_pixels(
        photo, box((120, 120), (20, 100, 20, 100)), lambda x: continue_smoothly(x) + 2 * offset
    )[60, :, 0]
    steps = np.diff(out)
    assert np.abs(steps).max() < 0.15 * offset
    assert out[20] - 0.4 < 0.15 * offset
    assert out[60] - 0.4 == pytest.approx(offset, rel=0.02)
    assert (steps[20:59] > -1e-6).all()


def test_tiles_that_disagree_fade_into_each_other() -> None:
    """A scratch of 1200 pixels, filled by a network that returns the mean of each tile."""
    photo = np.repeat(np.linspace(0.2, 0.8, 1300, dtype=np.float32)[None, :, None], 200, axis=0)
    network = RecordingNetwork(lambda x: x[:, :-1].mean().expand_as(x[:, :-1]))
    out = inpaint_pixels(photo, box((200, 1300), (20, 180, 50, 1250)), network)[100, :, 0]
    assert len(network.inputs) == 4
    levels = [float(x[:, :-1].mean()) / 2 + 0.5 for x in network.inputs]
    difference = max(np.diff(levels))
    assert difference > 0.05
    assert np.abs(np.diff(out[100:1200])).max() < difference / OVERLAP * 1.5
    assert out.min() > 0.15


def test_tiles_that_agree_leave_no_seam() -> None:
    columns = np.linspace(0, 6, 1300)
    photo = np.repeat((0.5 + 0.3 * np.sin(columns)).astype(np.float32)[None, :, None], 200, axis=0)
    hole = box((200, 1300), (20, 180, 50, 1250))

    def first_row(x: Tensor) -> Tensor:
        return x[:, :-1, :1].expand_as(x[:, :-1])

    out = inpaint_pixels(np.where(hole[..., None], np.float32(0), photo), hole, first_row)
    assert np.abs(out - photo).max() < 1e-4


def test_distant_holes_have_no_influence() -> None:
    photo, near = scene(100, 1400), (30, 70, 40, 90)
    alone = inpaint_pixels(photo, box((100, 1400), near), depend_on_all_pixels)
    among = inpaint_pixels(
        photo, box((100, 1400), near, (10, 60, 900, 1000), (20, 60, 1300, 1390)), depend_on_all_pixels
    )
    assert np.array_equal(alone[:, :400], among[:, :400])
    assert not np.array_equal(alone, among)


# Tiles and downscaling


@pytest.mark.parametrize("size", [(MAX_TILE, MAX_TILE), (40, MAX_TILE), (100, 33)])
def test_a_small_image_runs_in_one_piece_whatever_the_hole(size: tuple[int, int]) -> None:
    network = RecordingNetwork()
    inpaint_pixels(noise(*size), ~box(size, (0, 5, 0, 5)), network)
    assert network.sizes == [tuple(-(-side // 32) * 32 for side in size)]


def test_the_network_gets_the_image_with_0_in_the_hole_and_the_mask() -> None:
    photo, hole, network = noise(40, 64), box((40, 64), (5, 20, 10, 50)), RecordingNetwork()
    inpaint_pixels(photo, hole, network)
    (window,) = network.inputs
    assert window.shape == (1, 4, 64, 64)
    assert set(window[:, 3].unique().tolist()) == {-1.0, 1.0}
    assert np.array_equal(window[0, 3, :40] > 0, hole)
    expected = np.where(hole, 0, photo.transpose(2, 0, 1) / 127.5 - 1)
    assert np.abs(window[0, :3, :40].numpy() - expected).max() < 1e-6
    # The padding mirrors the image with its hole.
    assert torch.equal(window[:, :, 40:], window[:, :, 16:40].flip(2))


@pytest.mark.parametrize("multiple", [4, 32, 128, 256])
@pytest.mark.parametrize("size", [(60, 100), (700, 90), (90, 1300)])
def test_the_inputs_of_the_network_have_its_size_multiple(size: tuple[int, int], multiple: int) -> None:
    network = RecordingNetwork(lambda x: 0 * x[:, :-1])
    inpaint_pixels(noise(*size), scattered_pixels(size, 0.001), network, multiple)
    assert network.inputs
    assert all(side % multiple == 0 for size in network.sizes for side in size)


@pytest.mark.parametrize(
    ("hole_width", "factor"), [(MAX_HOLE_WIDTH - 8, 1), (MAX_HOLE_WIDTH + 20, 2), (400, 4)]
)
def test_a_wide_hole_is_filled_on_a_downscaled_image(hole_width: int, factor: int) -> None:
    size, network = (640, 768), RecordingNetwork()
    hole = box(size, (50, 50 + hole_width, 100, 700))
    inpaint_pixels(noise(*size), hole, network)
    if factor == 1:
        assert all(max(shape) <= MAX_TILE for shape in network.sizes)
        assert len(network.inputs) == 4
    else:
        assert network.sizes == [(640 // factor, 768 // factor)]
        assert (network.inputs[0][0, 3] > 0).sum() == pytest.approx(hole.sum() / factor**2, rel=0.05)


def test_wide_holes_are_filled_first_and_narrow_ones_see_the_result() -> None:
    size, network = (640, 640), RecordingNetwork()
    inpaint_pixels(
        np.full((*size, 3), 50, np.uint8), box(size, (40, 500, 40, 450), (300, 310, 500, 560)), network
    )
    first, *rest = network.inputs
    assert first.shape[2:] == (160, 160)
    fractions_unfilled = [float((x[0, 3] > 0).float().mean()) for x in rest]
    assert rest
    assert max(fractions_unfilled) < 0.01  # only the narrow hole is still unfilled
    for x in rest:
        known = x[:, :3][:, :, x[0, 3] < 0]
        assert (known - (50 / 127.5 - 1)).abs().max() < 0.02


@pytest.mark.parametrize("size", [(512, 1024), (513, 1025), (601, 801), (777, 1333)])
def test_the_hole_of_a_downscaled_image_is_exact_at_any_size(size: tuple[int, int]) -> None:
    """A pixel of the downscaled image is in the hole exactly if any of its original pixels is."""
    network = RecordingNetwork()
    inpaint_pixels(np.full((*size, 3), 200, np.uint8), box(size, (40, 480, 28, 500)), network)
    (window,) = network.inputs
    hole = window[0, 3, : -(-size[0] // 4), : -(-size[1] // 4)] > 0
    assert 110 * 118 <= hole.sum() <= 112 * 120


@pytest.mark.parametrize("width", [1024, 1025, 1027])
def test_a_line_continues_through_a_wide_hole_at_its_position(width: int) -> None:
    size, edge = (700, width), width - 60
    photo = np.full((*size, 3), 40, np.uint8)
    photo[:, edge:] = 210
    hole = box(size, (60, 640, 400, width - 20))
    out = inpaint_pixels(photo, hole, lambda x: x[:, :-1, :1].expand_as(x[:, :-1]))
    bright = (out[350, :, 0].astype(float) - 40) / 170
    assert width - bright.sum() == pytest.approx(edge, abs=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_upscaled_output_stays_in_range(dtype: type) -> None:
    photo = to_dtype(np.full((640, 640, 3), 255, np.uint8), dtype)
    photo[:, :320] = 0

    def halves(x: Tensor) -> Tensor:
        output = torch.ones_like(x[:, :-1])
        output[..., : output.shape[3] // 2] = -1
        return output

    out = inpaint_pixels(photo, box((640, 640), (100, 540, 100, 540)), halves)
    assert 0 <= out.min() <= out.max() <= WHITE[dtype]
    # Integers do not wrap around either.
    assert out[:, :300].max() < 0.1 * WHITE[dtype]
    assert out[:, 340:].min() > 0.9 * WHITE[dtype]


def test_progress_rises_to_one() -> None:
    fractions: list[float] = []
    size = (640, 640)
    hole = box(size, (40, 500, 40, 450), (300, 310, 500, 560))
    inpaint(Frame(pixels=noise(*size)), hole, continue_smoothly, multiple=32, progress=fractions.append)
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < 1
    assert fractions[-1] == 1
