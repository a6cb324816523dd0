"""Pictures of volumes, and turntables of meshes."""

from __future__ import annotations

import numpy as np
import pytest

from translate.data.shapes import draw_shape
from translate.errors import UsageError
from translate.volumes import render, surface_mesh
from translate.volumes.turntable import turntable


def test_up_is_up_and_the_front_is_in_front() -> None:
    volume = np.zeros((32, 32, 32), bool)
    volume[14:18, 24:, 14:18] = True
    rows = np.flatnonzero((render(volume, 64) < 255).any(axis=(1, 2)))
    assert rows.mean() < 32
    wall = np.zeros((32, 32, 32), bool)
    wall[:, :, 28] = True
    hidden = wall.copy()
    hidden[12:20, 12:20, 10:14] = True
    assert np.array_equal(render(wall, 64, azimuth=0), render(hidden, 64, azimuth=0))
    assert not np.array_equal(render(wall, 64, azimuth=180), render(hidden, 64, azimuth=180))


def test_a_full_cube_fits_into_the_picture_from_all_sides() -> None:
    for azimuth in (0, 20, 45):
        picture = render(np.ones((32, 32, 32), bool), 96, azimuth)
        assert picture.shape == (96, 96, 3)
        assert (picture < 255).mean() > 0.3
        assert (picture[0] == 255).all()
        assert (picture[:, [0, -1]] == 255).all()


def test_an_empty_volume_is_white() -> None:
    assert (render(np.zeros((32, 32, 32), bool)) == 255).all()


def test_a_turntable_shows_all_sides() -> None:
    pytest.importorskip(
        "matplotlib", reason="matplotlib is not installed: pip install 'translate-images[volumes]'"
    )
    mesh = surface_mesh(draw_shape("chairs", 0, 1, 32).astype(np.float32))
    pictures = turntable(mesh, views=3)
    assert [picture.shape for picture in pictures] == 3 * [(240, 240, 3)]
    assert all(0.02 < (picture < 250).any(axis=2).mean() < 0.6 for picture in pictures)
    assert not np.array_equal(pictures[0], pictures[1])


def test_without_matplotlib_a_turntable_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    mesh = surface_mesh(draw_shape("lamps", 0, 0, 32).astype(np.float32))
    with pytest.raises(UsageError, match=r"matplotlib.*translate-images\[volumes\]"):
        turntable(mesh)
