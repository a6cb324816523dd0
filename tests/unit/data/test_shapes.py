"""The built-in synthetic shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from translate.data.shapes import KINDS, draw_shape, write_shapes
from translate.errors import UsageError
from translate.metrics.volumes import is_connected


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_a_shape_is_one_part_that_stands_in_the_cube(kind: str, size: int) -> None:
    for index in range(40):
        volume = draw_shape(kind, 0, index, size)
        assert volume.shape == 3 * (size,)
        assert volume.dtype == np.uint8
        used = np.argwhere(volume)
        assert volume.max() == 1
        assert 0.005 < volume.mean() < 0.2
        assert used.min() > 0
        assert used.max() < size - 1, "there is a margin"
        assert used[:, 1].min() < 0.1 * size, "it stands on the floor"
        assert abs(used[:, 0].min() + used[:, 0].max() - (size - 1)) <= 1, "it is centred"
        assert is_connected(volume > 0)


def test_the_same_arguments_draw_the_same_shape_and_others_another() -> None:
    shape = draw_shape("chairs", 3, 7, 32)
    assert np.array_equal(shape, draw_shape("chairs", 3, 7, 32))
    for arguments in (("chairs", 3, 8), ("chairs", 4, 7), ("tables", 3, 7)):
        assert not np.array_equal(shape, draw_shape(*arguments, 32))


@pytest.mark.parametrize("kind", KINDS)
def test_the_shapes_of_a_kind_differ(kind: str) -> None:
    shapes = {draw_shape(kind, 0, index, 32).tobytes() for index in range(50)}
    assert len(shapes) > 40


def test_the_files_are_written_again_but_not_over_others(tmp_path: Path) -> None:
    for _ in range(2):
        write_shapes(tmp_path, count=2)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.npy"))
    assert names == sorted(f"{kind}/{index:04d}.npy" for kind in KINDS for index in range(2))
    assert np.array_equal(np.load(tmp_path / "lamps" / "0001.npy"), draw_shape("lamps", 0, 1, 32))
    with pytest.raises(UsageError, match=r"0000\.npy holds another shape"):
        write_shapes(tmp_path, count=2, size=64)
