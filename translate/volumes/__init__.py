"""Read files of voxels and meshes as volumes, and render volumes and write their surfaces as meshes.

A volume is an array of occupancy with the axes x, y and z, and y points up. As a tensor it is
(N, 1, X, Y, Z), NCDHW. Other than images inside this package, it is in [0, 1] (arXiv:1610.07584), not in
[-1, 1]. No other package opens a file of a volume.
"""

from translate.volumes.files import EXTRA, MESH_SUFFIXES, SUFFIXES, Volume, VolumeFile, read_volume
from translate.volumes.meshes import surface_mesh, write_mesh
from translate.volumes.rendering import render

__all__ = [
    "EXTRA",
    "MESH_SUFFIXES",
    "SUFFIXES",
    "Volume",
    "VolumeFile",
    "read_volume",
    "render",
    "surface_mesh",
    "write_mesh",
]
