"""Generate volumes from noise, and write them as voxels, meshes and pictures."""
