"""Render a mesh from all sides by matplotlib, without OpenGL and without a display."""

from __future__ import annotations

import importlib.util

import numpy as np

from translate.errors import require_packages
from translate.images import Pixels
from translate.volumes.files import EXTRA
from translate.volumes.meshes import Mesh
from translate.volumes.rendering import AZIMUTH, ELEVATION

VIEWS = 24  # Pictures of a whole turn.
SIDE_INCHES, DOTS_PER_INCH = 2.4, 100
COLOR = (0.45, 0.6, 0.85)


def has_matplotlib() -> bool:
    """Return whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def require_matplotlib() -> None:
    """Check that matplotlib is installed.

    Raises:
        UsageError: it is not; the message has the command that installs it.
    """
    require_packages(EXTRA, "a turntable", "matplotlib")


def turntable(mesh: Mesh, views: int = VIEWS) -> list[Pixels]:
    """Render a mesh in the cube from 0 to 1, whose y points up, from equally many degrees around.

    Returns:
        (240, 240, 3) uint8 each.

    Raises:
        UsageError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    figure = Figure(figsize=(SIDE_INCHES, SIDE_INCHES), dpi=DOTS_PER_INCH)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), projection="3d", proj_type="ortho")
    corners, triangles = mesh
    # The axis that points up is z there: (z, x, y) is (x, y, z) turned.
    faces = corners[:, [2, 0, 1]][triangles]
    axes.add_collection3d(Poly3DCollection(faces, shade=True, facecolors=COLOR, linewidths=0.2))
    axes.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1))
    axes.set_box_aspect((1, 1, 1), zoom=1.3)
    axes.set_axis_off()
    pictures = []
    for azimuth in AZIMUTH + np.arange(views) * 360 / views:
        axes.view_init(ELEVATION, azimuth)
        canvas.draw()
        pictures.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return pictures
