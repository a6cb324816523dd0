"""Holes filled at any size and depth, and nothing else touched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.unit.inference.making import noise, scene
from translate.images import Array, Frame, Hole
from translate.inference.predictors.inpainting import CORE, REACH, THICKEST, fill
from translate.networks.generators.inpainter import fill_smoothly

WHITE = {np.uint8: 255, np.uint16: 65535, np.float32: 1}
KINDS = list(WHITE)
WHOLE = CORE + 2 * REACH  # the longest side that the network sees at once
Stub = Callable[[Tensor], Tensor]


def smooth(x: Tensor) -> Tensor:
    """The network that only continues what surrounds a hole."""
    return fill_smoothly(x[:, :-1], (x[:, -1:] > 0).float())


def anything(x: Tensor) -> Tensor:
    """A network that answers noise, outside of the hole as well, and beyond the range."""
    return 3 * torch.rand(x[:, :-1].shape, generator=torch.Generator().manual_seed(0)) - 1.5


def knowing(x: Tensor) -> Tensor:
    """A network whose answer depends on each pixel that it sees."""
    place = torch.linspace(0.5, 1.5, x[0].numel()).view_as(x)
    return (0.3 * torch.sin(50 * (x * place).mean())).expand_as(x[:, :-1])


class Seen:
    """A network that remembers what it was shown."""

    def __init__(self, answer: Stub = smooth) -> None:
        self.windows: list[Tensor] = []
        self.answer = answer

    def __call__(self, x: Tensor) -> Tensor:
        self.windows.append(x)
        return self.answer(x)

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        return [tuple(x.shape[2:]) for x in self.windows]


def filled(pixels: Array, hole: Hole, network: Stub = smooth, multiple: int = 32) -> Array:
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    return fill(Frame(pixels=planes), hole, network, multiple=multiple).pixels


def as_kind(pixels: Array, kind: type) -> Array:
    """uint8 at another depth."""
    return pixels if kind is np.uint8 else (pixels * (WHITE[kind] / 255)).astype(kind)


def box(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Hole:
    """True in boxes of top, bottom, left and right."""
    hole = np.zeros(size, bool)
    for top, bottom, left, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


def scattered(size: tuple[int, int], share: float = 0.3, seed: int = 0) -> Hole:
    return np.random.default_rng(seed).random(size) < share


HOLES = {
    "a box": box((50, 70), (10, 30, 20, 50)),
    "many": scattered((50, 70)),
    "at the border": box((50, 70), (0, 10, 0, 70), (40, 50, 60, 70)),
    "a side": box((50, 70), (0, 50, 30, 70)),
    "a corner is known": ~box((50, 70), (0, 1, 0, 1)),
    "none": box((50, 70)),
}


# What is not hole


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("kind", KINDS)
def test_all_outside_of_the_hole_is_its_own_to_the_bit(kind: type, hole: Hole) -> None:
    for channels in (1, 3):
        photo = as_kind(noise(50, 70, channels), kind)
        before = photo.copy()
        out = filled(photo, hole, anything)
        assert out.shape == photo.shape
        assert out.dtype == kind
        assert np.array_equal(out[~hole], photo[~hole])
        assert not hole.any() or not np.array_equal(out[hole], photo[hole])
        assert np.array_equal(photo, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "hole", [scattered((40, 560)), box((540, 530), (20, 520, 60, 500))], ids=["windows", "reduced"]
)
def test_so_it_is_in_an_image_of_several_windows_and_in_one_that_is_reduced(hole: Hole, kind: type) -> None:
    photo = as_kind(noise(*hole.shape), kind)
    out = filled(photo, hole, anything)
    assert np.array_equal(out[~hole], photo[~hole])


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_is_kept_and_opaque_in_the_hole(kind: type) -> None:
    hole, alpha = HOLES["many"], as_kind(noise(50, 70, seed=1)[..., 0], kind)
    for channels in (1, 3):
        frame = Frame(pixels=as_kind(noise(50, 70, channels), kind), alpha=alpha.copy())
        out = fill(frame, hole, smooth, multiple=32)
        assert out.alpha is not None
        assert out.alpha.dtype == kind
        assert np.array_equal(out.alpha[~hole], alpha[~hole])
        assert (out.alpha[hole] == WHITE[kind]).all()
        assert out.pixels.shape[2] == channels


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (2, 3), (257, 51), (33, 31), (3, 700)])
def test_an_image_of_any_size_will_do(size: tuple[int, int]) -> None:
    photo = scene(*size)
    for hole in (scattered(size, 0.4), box(size), box(size, (0, size[0] // 2, 0, size[1]))):
        hole[-1, -1] = False
        out = filled(photo, hole, anything)
        assert np.array_equal(out[~hole], photo[~hole])


@pytest.mark.parametrize("size", [(50, 70), (40, 700)])
def test_without_a_hole_the_network_is_not_asked(size: tuple[int, int]) -> None:
    network = Seen()
    assert np.array_equal(filled(noise(*size), box(size), network), noise(*size))
    assert network.windows == []


# What is in the hole


@pytest.mark.parametrize(
    ("size", "kind"), [*(((50, 70), kind) for kind in KINDS), ((560, 80), np.uint8), ((540, 530), np.uint16)]
)
def test_what_the_hole_holds_has_no_influence(size: tuple[int, int], kind: type) -> None:
    height, width = size
    hole = box(size, (height // 8, height - height // 8, width // 8, width - width // 8))
    photo = as_kind(scene(*size), kind)
    answers = []
    for held in (0, WHITE[kind], as_kind(noise(*size), kind)):
        answers.append(filled(np.where(hole[..., None], held, photo).astype(kind), hole, knowing))
    assert np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], answers[2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0, 100, 255])
def test_an_image_of_one_colour_stays_so(level: int, kind: type) -> None:
    for size, holes in (
        ((50, 70), list(HOLES.values())),
        ((640, 660), [box((640, 660), (90, 550, 50, 600))]),
    ):
        photo = as_kind(np.full((*size, 3), level, np.uint8), kind)
        for hole in holes:
            out = filled(photo, hole)
            assert np.abs(out.astype(np.float64) - photo).max() <= (1e-5 if kind is np.float32 else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_gray_is_filled_with_the_luminance_of_the_answer(kind: type) -> None:
    def red(x: Tensor) -> Tensor:
        return torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, *x.shape[2:])

    photo = as_kind(np.full((200, 200, 1), 128, np.uint8), kind)
    out = filled(photo, box((200, 200), (20, 180, 20, 180)), red)
    assert out.shape == (200, 200, 1)
    assert out[100, 100, 0] / WHITE[kind] == pytest.approx(0.299, abs=0.005)


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_goes_to_where_it_belongs(kind: type) -> None:
    """Each colour in its channel, each pixel in its place, on the network's scale."""

    def told(x: Tensor) -> Tensor:
        rows, columns = torch.meshgrid(*(torch.arange(n) / 100 - 0.5 for n in x.shape[2:]), indexing="ij")
        return torch.stack([rows, columns, 0 * rows - 0.2])[None]

    rows, columns = np.mgrid[:64, :96]
    truth = np.dstack([rows / 100 - 0.5, columns / 100 - 0.5, np.full((64, 96), -0.2)]) / 2 + 0.5
    photo = (truth * WHITE[kind]).astype(kind)
    hole = box((64, 96), (5, 55, 10, 80))
    out = filled(np.where(hole[..., None], 0, photo).astype(kind), hole, told)
    assert np.abs(out / WHITE[kind] - truth).max() < (0.005 if kind is np.uint8 else 0.001)


# Seams


def test_a_network_that_is_off_leaves_a_small_step_and_has_its_way_inside() -> None:
    photo = np.full((120, 120, 1), 0.4, np.float32)
    off = 0.3
    out = filled(photo, box((120, 120), (20, 100, 20, 100)), lambda x: smooth(x) + 2 * off)[60, :, 0]
    steps = np.diff(out)
    assert np.abs(steps).max() < 0.15 * off
    assert out[20] - 0.4 < 0.15 * off
    assert out[60] - 0.4 == pytest.approx(off, rel=0.02)
    assert (steps[20:59] > -1e-6).all()


def test_windows_that_disagree_fade_into_each_other() -> None:
    """Of a scratch of 1200 pixels, by a network that takes each window for darker or brighter as a whole."""
    photo = np.repeat(np.linspace(0.2, 0.8, 1300, dtype=np.float32)[None, :, None], 200, axis=0)
    network = Seen(lambda x: x[:, :-1].mean().expand_as(x[:, :-1]))
    out = filled(photo, box((200, 1300), (20, 180, 50, 1250)), network)[100, :, 0]
    assert len(network.windows) == 4
    levels = [float(x[:, :-1].mean()) / 2 + 0.5 for x in network.windows]
    difference = max(np.diff(levels))
    assert difference > 0.05
    assert np.abs(np.diff(out[100:1200])).max() < difference / REACH * 1.5
    assert out.min() > 0.15


def test_windows_that_agree_leave_no_seam() -> None:
    columns = np.linspace(0, 6, 1300)
    photo = np.repeat((0.5 + 0.3 * np.sin(columns)).astype(np.float32)[None, :, None], 200, axis=0)
    hole = box((200, 1300), (20, 180, 50, 1250))

    def first_row(x: Tensor) -> Tensor:
        return x[:, :-1, :1].expand_as(x[:, :-1])

    out = filled(np.where(hole[..., None], np.float32(0), photo), hole, first_row)
    assert np.abs(out - photo).max() < 1e-4


def test_holes_far_away_have_no_influence() -> None:
    photo, near = scene(100, 1400), (30, 70, 40, 90)
    alone = filled(photo, box((100, 1400), near), knowing)
    among = filled(photo, box((100, 1400), near, (10, 60, 900, 1000), (20, 60, 1300, 1390)), knowing)
    assert np.array_equal(alone[:, :400], among[:, :400])
    assert not np.array_equal(alone, among)


# Windows and scales


@pytest.mark.parametrize("size", [(WHOLE, WHOLE), (40, WHOLE), (100, 33)])
def test_an_image_that_fits_is_seen_as_a_whole_whatever_the_hole(size: tuple[int, int]) -> None:
    network = Seen()
    filled(noise(*size), ~box(size, (0, 5, 0, 5)), network)
    assert network.sizes == [tuple(-(-side // 32) * 32 for side in size)]


def test_the_network_sees_the_image_the_mask_and_0_in_the_hole() -> None:
    photo, hole, network = noise(40, 64), box((40, 64), (5, 20, 10, 50)), Seen()
    filled(photo, hole, network)
    (window,) = network.windows
    assert window.shape == (1, 4, 64, 64)
    assert set(window[:, 3].unique().tolist()) == {-1.0, 1.0}
    assert np.array_equal(window[0, 3, :40] > 0, hole)
    expected = np.where(hole, 0, photo.transpose(2, 0, 1) / 127.5 - 1)
    assert np.abs(window[0, :3, :40].numpy() - expected).max() < 1e-6
    # Beyond the image it is mirrored, hole and all.
    assert torch.equal(window[:, :, 40:], window[:, :, 16:40].flip(2))


@pytest.mark.parametrize("multiple", [4, 32, 128, 256])
@pytest.mark.parametrize("size", [(60, 100), (700, 90), (90, 1300)])
def test_windows_are_of_the_multiple_that_the_network_needs(size: tuple[int, int], multiple: int) -> None:
    network = Seen(lambda x: 0 * x[:, :-1])
    filled(noise(*size), scattered(size, 0.001), network, multiple)
    assert network.windows
    assert all(side % multiple == 0 for shown in network.sizes for side in shown)


@pytest.mark.parametrize(("thick", "factor"), [(THICKEST - 8, 1), (THICKEST + 20, 2), (400, 4)])
def test_a_thick_hole_is_filled_on_a_reduced_image(thick: int, factor: int) -> None:
    size, network = (640, 768), Seen()
    hole = box(size, (50, 50 + thick, 100, 700))
    filled(noise(*size), hole, network)
    if factor == 1:
        assert all(max(shown) <= WHOLE for shown in network.sizes)
        assert len(network.windows) == 4
    else:
        assert network.sizes == [(640 // factor, 768 // factor)]
        assert (network.windows[0][0, 3] > 0).sum() == pytest.approx(hole.sum() / factor**2, rel=0.05)


def test_thick_holes_are_filled_first_and_known_to_the_thin_ones() -> None:
    size, network = (640, 640), Seen()
    filled(np.full((*size, 3), 50, np.uint8), box(size, (40, 500, 40, 450), (300, 310, 500, 560)), network)
    first, *others = network.windows
    assert first.shape[2:] == (160, 160)
    shares = [float((x[0, 3] > 0).float().mean()) for x in others]
    assert others
    assert max(shares) < 0.01  # the thin one alone is still open
    for x in others:
        known = x[:, :3][:, :, x[0, 3] < 0]
        assert (known - (50 / 127.5 - 1)).abs().max() < 0.02


@pytest.mark.parametrize("size", [(512, 1024), (513, 1025), (601, 801), (777, 1333)])
def test_what_surrounds_a_thick_hole_is_known_at_any_size(size: tuple[int, int]) -> None:
    """A pixel of the reduced image is hole if any of its own are, and no other."""
    network = Seen()
    filled(np.full((*size, 3), 200, np.uint8), box(size, (40, 480, 28, 500)), network)
    (window,) = network.windows
    hole = window[0, 3, : -(-size[0] // 4), : -(-size[1] // 4)] > 0
    assert 110 * 118 <= hole.sum() <= 112 * 120


@pytest.mark.parametrize("width", [1024, 1025, 1027])
def test_a_line_goes_on_through_a_thick_hole_at_its_place(width: int) -> None:
    size, place = (700, width), width - 60
    photo = np.full((*size, 3), 40, np.uint8)
    photo[:, place:] = 210
    hole = box(size, (60, 640, 400, width - 20))
    out = filled(photo, hole, lambda x: x[:, :-1, :1].expand_as(x[:, :-1]))
    bright = (out[350, :, 0].astype(float) - 40) / 170
    assert width - bright.sum() == pytest.approx(place, abs=1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_enlarged_answer_stays_between_black_and_white(kind: type) -> None:
    photo = as_kind(np.full((640, 640, 3), 255, np.uint8), kind)
    photo[:, :320] = 0

    def halves(x: Tensor) -> Tensor:
        answer = torch.ones_like(x[:, :-1])
        answer[..., : answer.shape[3] // 2] = -1
        return answer

    out = filled(photo, box((640, 640), (100, 540, 100, 540)), halves)
    assert 0 <= out.min() <= out.max() <= WHITE[kind]
    # Neither do whole numbers wrap around.
    assert out[:, :300].max() < 0.1 * WHITE[kind]
    assert out[:, 340:].min() > 0.9 * WHITE[kind]


def test_progress_is_told_up_to_the_end() -> None:
    told: list[float] = []
    size = (640, 640)
    hole = box(size, (40, 500, 40, 450), (300, 310, 500, 560))
    fill(Frame(pixels=noise(*size)), hole, smooth, multiple=32, progress=told.append)
    assert told == sorted(told)
    assert 0 < told[0] < 1
    assert told[-1] == 1
