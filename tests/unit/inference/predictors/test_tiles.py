"""Windows cover an image once, and put together they are the image again."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from translate.inference.predictors.tiles import Span, blend, blend_weights, cut, mirror_indices


class Cut(NamedTuple):
    """Spans, and what they were cut with."""

    spans: list[Span]
    length: int
    core: int
    overlap: int
    multiple: int


@st.composite
def cuts(draw: st.DrawFn) -> Cut:
    multiple = draw(st.sampled_from([1, 2, 4, 8, 32]))
    length, core = (draw(st.integers(1, 40)) * multiple for _ in range(2))
    overlap = draw(st.integers(1, 8)) * multiple
    return Cut(cut(length, core, overlap, multiple), length, core, overlap, multiple)


@given(cuts())
def test_cores_cover_the_side_exactly_once(made: Cut) -> None:
    spans, length = made.spans, made.length
    assert spans[0].core_start == 0
    assert spans[-1].core_stop == length
    assert all(left.core_stop == right.core_start for left, right in pairwise(spans))
    assert all(0 < span.core_stop - span.core_start <= made.core for span in spans)


@given(cuts())
def test_windows_lie_within_are_of_one_length_and_start_at_multiples(made: Cut) -> None:
    spans, length, multiple = made.spans, made.length, made.multiple
    assert len({span.stop - span.start for span in spans}) == 1
    for span in spans:
        assert 0 <= span.start <= span.core_start < span.core_stop <= span.stop <= length
        assert span.start % multiple == span.stop % multiple == 0


@given(cuts())
def test_a_window_sees_the_overlap_beyond_its_core_but_for_the_border(made: Cut) -> None:
    spans, length, overlap = made.spans, made.length, made.overlap
    for span in spans:
        assert span.start <= max(span.core_start - overlap, 0)
        assert span.stop >= min(span.core_stop + overlap, length)


@given(cuts())
def test_the_weights_at_each_pixel_add_up_to_one(made: Cut) -> None:
    spans, length, overlap = made.spans, made.length, made.overlap
    total = np.zeros(length, np.float64)
    for span, share in zip(spans, blend_weights(spans, overlap), strict=True):
        assert share.dtype == np.float32
        assert share.min() >= 0
        total[span.start : span.stop] += share
    assert np.abs(total - 1).max() < 1e-6


@given(cuts())
def test_what_a_window_sees_worst_counts_nothing(made: Cut) -> None:
    spans, length, overlap = made.spans, made.length, made.overlap
    for span, share in zip(spans, blend_weights(spans, overlap), strict=True):
        far = overlap - max(overlap // 2, 1)  # the fade ends so far before the window does
        assert span.start == 0 or not share[:far].any()
        assert span.stop == length or not share[len(share) - far :].any()


@given(st.integers(1, 50), st.integers(0, 200))
def test_a_padded_side_repeats_the_image_mirrored(length: int, more: int) -> None:
    expected = np.pad(np.arange(length), (0, more), mode="symmetric")
    assert np.array_equal(mirror_indices(length, length + more), expected)


SIDES = st.integers(1, 40)


@given(SIDES, SIDES, SIDES, SIDES, st.integers(1, 8), st.sampled_from([1, 4]), st.sampled_from([1, 3]))
def test_windows_that_nothing_changes_blend_to_the_image(
    height: int, width: int, down: int, across: int, overlap: int, multiple: int, channels: int
) -> None:
    height, width, down, across, overlap = (n * multiple for n in (height, width, down, across, overlap))
    frame = np.random.default_rng(0).random((height, width, channels), dtype=np.float32)
    done: list[np.ndarray] = []

    def finish(top: int, values: np.ndarray) -> None:
        assert top == sum(map(len, done))
        done.append(values.copy())

    blend(
        (height, width),
        cut(height, down, overlap, multiple),
        cut(width, across, overlap, multiple),
        overlap,
        lambda row, column: frame[row.start : row.stop, column.start : column.stop],
        finish,
    )
    out = np.concatenate(done)
    assert out.shape == frame.shape
    assert np.abs(out - frame).max() < 1e-5


def test_rows_are_finished_as_soon_as_no_window_changes_them() -> None:
    rows, columns = cut(96, 16, 8, 8), cut(64, 16, 8, 8)
    seen: list[str] = []

    def translate(row: Span, column: Span) -> np.ndarray:
        seen.append("window")
        return np.zeros((row.stop - row.start, column.stop - column.start, 1), np.float32)

    blend((96, 64), rows, columns, 8, translate, lambda top, values: seen.append(f"{top}+{len(values)}"))
    assert seen[: len(columns) + 1] == ["window"] * len(columns) + ["0+8"]
    assert seen.count("window") == len(rows) * len(columns)
