"""The timings of `benchmark.py`: each task by the plain PyTorch recipe and by this package."""
