"""Tile blending: windows cover an axis once, and blended tiles give the image back."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from translate.inference.predictors.tile_blending import (
    Window,
    blend_tiles,
    blend_weights,
    choose_windows,
    mirror_indices,
)


class Split(NamedTuple):
    """Windows, and the arguments that they were chosen by."""

    windows: list[Window]
    length: int
    core: int
    overlap: int
    multiple: int


@st.composite
def splits(draw: st.DrawFn) -> Split:
    multiple = draw(st.sampled_from([1, 2, 4, 8, 32]))
    length, core = (draw(st.integers(1, 40)) * multiple for _ in range(2))
    overlap = draw(st.integers(1, 8)) * multiple
    return Split(choose_windows(length, core, overlap, multiple), length, core, overlap, multiple)


@given(splits())
def test_cores_cover_the_axis_exactly_once(split: Split) -> None:
    windows = split.windows
    assert windows[0].core_start == 0
    assert windows[-1].core_stop == split.length
    assert all(left.core_stop == right.core_start for left, right in pairwise(windows))
    assert all(0 < window.core_stop - window.core_start <= split.core for window in windows)


@given(splits())
def test_windows_have_one_length_and_start_at_multiples(split: Split) -> None:
    assert len({window.stop - window.start for window in split.windows}) == 1
    for window in split.windows:
        assert 0 <= window.start <= window.core_start < window.core_stop <= window.stop <= split.length
        assert window.start % split.multiple == window.stop % split.multiple == 0


@given(splits())
def test_a_window_extends_beyond_its_core_by_the_overlap_except_at_the_border(split: Split) -> None:
    for window in split.windows:
        assert window.start <= max(window.core_start - split.overlap, 0)
        assert window.stop >= min(window.core_stop + split.overlap, split.length)


@given(splits())
def test_blend_weights_add_up_to_one_at_each_pixel(split: Split) -> None:
    total = np.zeros(split.length, np.float64)
    for window, weights in zip(split.windows, blend_weights(split.windows, split.overlap), strict=True):
        assert weights.dtype == np.float32
        assert weights.min() >= 0
        total[window.start : window.stop] += weights
    assert np.abs(total - 1).max() < 1e-6


@given(splits())
def test_pixels_at_the_border_of_a_window_weigh_nothing(split: Split) -> None:
    overlap = split.overlap
    for window, weights in zip(split.windows, blend_weights(split.windows, overlap), strict=True):
        outer = overlap - max(overlap // 2, 1)  # the part of the overlap outside of the linear ramp
        assert window.start == 0 or not weights[:outer].any()
        assert window.stop == split.length or not weights[len(weights) - outer :].any()


@given(st.integers(1, 50), st.integers(0, 200))
def test_a_padded_axis_mirrors_the_image(length: int, padding: int) -> None:
    expected = np.pad(np.arange(length), (0, padding), mode="symmetric")
    assert np.array_equal(mirror_indices(length, length + padding), expected)


SIDES = st.integers(1, 40)


@given(SIDES, SIDES, SIDES, SIDES, st.integers(1, 8), st.sampled_from([1, 4]), st.sampled_from([1, 3]))
def test_unchanged_tiles_blend_to_the_image(
    height: int, width: int, core_rows: int, core_columns: int, overlap: int, multiple: int, channels: int
) -> None:
    height, width, core_rows, core_columns, overlap = (
        n * multiple for n in (height, width, core_rows, core_columns, overlap)
    )
    image = np.random.default_rng(0).random((height, width, channels), dtype=np.float32)
    strips: list[np.ndarray] = []

    def write_rows(top: int, values: np.ndarray) -> None:
        assert top == sum(map(len, strips))
        strips.append(values.copy())

    rows = choose_windows(height, core_rows, overlap, multiple)
    columns = choose_windows(width, core_columns, overlap, multiple)
    tiles = [image[row.start : row.stop, column.start : column.stop] for row in rows for column in columns]
    blend_tiles((height, width), rows, columns, overlap, tiles, write_rows)
    output = np.concatenate(strips)
    assert output.shape == image.shape
    assert np.abs(output - image).max() < 1e-5


def test_rows_are_written_as_soon_as_no_later_tile_changes_them() -> None:
    """So that memory holds one row of tiles, whatever the height of the image."""
    rows, columns = choose_windows(96, 16, 8, 8), choose_windows(64, 16, 8, 8)
    events: list[str] = []

    def predict(row: Window, column: Window) -> np.ndarray:
        events.append("tile")
        return np.zeros((row.stop - row.start, column.stop - column.start, 1), np.float32)

    def write_rows(top: int, values: np.ndarray) -> None:
        events.append(f"rows {top} to {top + len(values)}")

    tiles = (predict(row, column) for row in rows for column in columns)
    blend_tiles((96, 64), rows, columns, 8, tiles, write_rows)
    assert events[: len(columns) + 1] == ["tile"] * len(columns) + ["rows 0 to 8"]
    assert events.count("tile") == len(rows) * len(columns)
