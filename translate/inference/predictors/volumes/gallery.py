"""Write generated volumes as files: voxels, meshes, turntables, and a grid of pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from translate.errors import DataError
from translate.images import Frame, ImageFile, image_grid, printable_path, write, write_rgb
from translate.inference.predictors.gallery import GRID_SUFFIXES, check_output
from translate.inference.predictors.volumes.sampler import OCCUPIED, VolumeSampler
from translate.progress import track
from translate.storage import atomic_write
from translate.volumes import render, surface_mesh, write_mesh
from translate.volumes.turntable import require_matplotlib, turntable

MESHES, TURNTABLES = ("obj", "stl"), ("gif", "webp")
PICTURE_SIDE = 128  # Of a picture in a grid, in pixels.
FRAME_MILLISECONDS = 80

Occupancy = NDArray[np.float32]


def save_volumes(
    sampler: VolumeSampler,
    noise: Tensor,
    out: Path,
    *,
    mesh: str = "obj",
    turntable_format: str | None = None,
    overwrite: bool,
) -> str:
    """Write volumes as files of a folder, or one grid of their pictures if `out` has the suffix of an image.

    A volume of which no voxel is occupied gets neither a mesh nor a turntable.

    Args:
        noise: (N, latent).
        mesh: `obj` or `stl`.
        turntable_format: `gif` or `webp` for an animation of each volume; None for no animation.

    Returns:
        A line for the user about what was written.

    Raises:
        UsageError: the suffix is not that of an image, a file exists, or matplotlib is not installed.
    """
    count = "1 volume" if len(noise) == 1 else f"{len(noise)} volumes"
    if out.suffix:
        check_output(out, GRID_SUFFIXES, overwrite=overwrite)
        pictures = [render(volume >= OCCUPIED, PICTURE_SIDE) for volume in _generate(sampler, noise)]
        write_rgb(image_grid(pictures, ceil(sqrt(len(pictures)))), out)
        return f"{count} in {out}"
    if turntable_format:
        require_matplotlib()
    suffixes = ["npy", mesh, *([turntable_format] if turntable_format else [])]
    digits = max(4, len(str(len(noise) - 1)))
    stems = [f"{index:0{digits}d}" for index in range(len(noise))]
    for path in (out / f"{stem}.{suffix}" for stem in stems for suffix in suffixes):
        check_output(path, (path.suffix,), overwrite=overwrite)
    empty = []
    for stem, volume in zip(stems, _generate(sampler, noise), strict=True):
        if not _save(volume, out / stem, mesh, turntable_format):
            empty.append(stem)
    note = f"; no voxel is occupied, so there is no mesh, of {', '.join(empty[:5])}" if empty else ""
    more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
    return f"{count} in {out}{note}{more}"


def _generate(sampler: VolumeSampler, noise: Tensor) -> Iterator[Occupancy]:
    """Generate volumes one by one, (S, S, S) each, with progress."""
    return track((sampler(z[None])[0] for z in noise), len(noise), "sampling", "volumes")


def _save(volume: Occupancy, path: Path, mesh: str, turntable_format: str | None) -> bool:
    """Write the files of a volume, whose names begin with `path`; return whether any voxel is occupied."""
    voxels = io.BytesIO()
    np.save(voxels, (volume >= OCCUPIED).astype(np.uint8))
    try:
        atomic_write(path.with_suffix(".npy"), voxels.getvalue())
    except OSError as error:
        raise DataError(f"{printable_path(path)}.npy: cannot be written: {error.strerror}") from None
    surface = surface_mesh(volume)
    if surface is None:
        return False
    write_mesh(surface, path.with_suffix(f".{mesh}"))
    if turntable_format:
        frames = [Frame(pixels=picture) for picture in turntable(surface)]
        timing = {"duration": [FRAME_MILLISECONDS] * len(frames), "loop": 0}
        file = ImageFile(format=turntable_format.upper(), frames=frames, encoder_settings=timing)
        write(file, path.with_suffix(f".{turntable_format}"))
    return True
