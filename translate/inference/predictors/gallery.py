"""Write generated images as files: single images, a sample grid, an interpolation video, traversals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from translate.config import GenerationModelConfig
from translate.errors import UsageError
from translate.images import Frame, ImageFile, Pixels, image_grid, write, write_rgb
from translate.images.codecs.video import write_mp4
from translate.images.sheet import GAP
from translate.inference.predictors.generation import Sampler, interpolate_latents
from translate.inference.predictors.styles.mixing import mix_styles
from translate.progress import track

GRID_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MAX_GRID_SIDE = {".png": 30_000, ".jpg": 30_000, ".jpeg": 30_000, ".webp": 16_383}  # In pixels.
GRID_COLUMNS = 8  # The approximate number of columns of a grid in which each class has columns of its own.
ANIMATION_SUFFIXES = (".gif", ".webp", ".mp4")
STEPS = 16  # The number of images of an animation from one sample to the next.
FRAME_MILLISECONDS = 60


def save_samples(sampler: Sampler, inputs: Tensor, out: Path, *, overwrite: bool) -> str:
    """Write samples as files of a folder, or as one grid if `out` has the suffix of an image.

    Args:
        inputs: the inputs of the generator, (N, inputs).

    Returns:
        A line for the user about what was written.

    Raises:
        UsageError: the suffix is not that of an image, or the file exists.
    """
    if not out.suffix:
        return _save_each(sampler, inputs, out, overwrite=overwrite)
    check_output(out, GRID_SUFFIXES, overwrite=overwrite)
    columns = grid_columns(sampler.config, len(inputs))
    cell = sampler.config.image_size + GAP
    side = max(columns, ceil(len(inputs) / columns)) * cell + GAP
    if side > (max_side := MAX_GRID_SIDE[out.suffix.lower()]):
        raise UsageError(
            f"{out} would be {side} pixels a side, and {out.suffix} allows {max_side}:"
            " give a folder with -o, or a smaller -n"
        )
    _write(sampler, image_grid(list(_generate(sampler, inputs)), columns), out)
    return f"{_describe_count(inputs)} in {out}"


def grid_columns(config: GenerationModelConfig, count: int) -> int:
    """Return the columns of a grid of `count` samples; each class or category keeps to columns of its own."""
    kinds = len(config.classes) or config.categories
    return min(count, kinds * max(1, GRID_COLUMNS // kinds) if kinds else ceil(sqrt(count)))


def _describe_count(inputs: Tensor) -> str:
    return "1 image" if len(inputs) == 1 else f"{len(inputs)} images"


def _generate(sampler: Sampler, inputs: Tensor) -> Iterator[Pixels]:
    """Generate images one by one, (H, W, 3) uint8, with progress."""
    return track((sampler(x[None])[0] for x in inputs), len(inputs), "sampling")


def _save_each(sampler: Sampler, inputs: Tensor, out: Path, *, overwrite: bool) -> str:
    digits = max(4, len(str(len(inputs) - 1)))
    paths = [out / f"{index:0{digits}d}.png" for index in range(len(inputs))]
    for path in paths:
        check_output(path, (".png",), overwrite=overwrite)
    for path, image in zip(paths, _generate(sampler, inputs), strict=True):
        _write(sampler, image, path)
    return f"{_describe_count(inputs)} in {out}"


def save_interpolation(sampler: Sampler, keyframes: Tensor, out: Path, *, overwrite: bool) -> str:
    """Write an endless animation: latent interpolation from each sample to the next and back to the first.

    Args:
        keyframes: inputs of the generator, (N, inputs), N at least 2.

    Returns:
        A line for the user about what was written.

    Raises:
        UsageError: the suffix is not that of an animation, or the file exists.
    """
    check_output(out, ANIMATION_SUFFIXES, overwrite=overwrite)
    images = list(_generate(sampler, interpolate_latents(keyframes, sampler.config.latent, STEPS)))
    if out.suffix.lower() == ".mp4":
        write_mp4(images, out, per_second=1000 / FRAME_MILLISECONDS)
    else:
        frames = [Frame(pixels=image[..., : sampler.config.out_channels]) for image in images]
        timing = {"duration": [FRAME_MILLISECONDS] * len(frames), "loop": 0}
        write(ImageFile(format=out.suffix[1:].upper(), frames=frames, encoder_settings=timing), out)
    return f"an interpolation of {len(keyframes)} images in {out}"


def save_mix(sampler: Sampler, coarse: Tensor, fine: Tensor, out: Path, *, overwrite: bool) -> str:
    """Write a grid of mixed styles, beside the images that give them.

    Args:
        coarse: styles of the first column's images, (R, layers, w), which give shapes and poses.
        fine: styles of the first row's images, (C, layers, w), which give colours and details.

    Returns:
        A line for the user about what was written.

    Raises:
        UsageError: the suffix is not that of an image, or the file exists.
    """
    check_output(out, GRID_SUFFIXES, overwrite=overwrite)
    rows, columns = len(coarse), len(fine)
    mixed = list(_generate(sampler, torch.cat([fine, coarse, mix_styles(coarse, fine).flatten(0, 1)])))
    top, left, inner = mixed[:columns], mixed[columns : columns + rows], mixed[columns + rows :]
    images = [np.full_like(top[0], 255), *top]
    for row in range(rows):
        images += [left[row], *inner[row * columns : (row + 1) * columns]]
    _write(sampler, image_grid(images, columns + 1), out)
    return f"{rows} x {columns} mixed images in {out}: shapes of the first column, colours of the first row"


def save_traversals(sampler: Sampler, grids: Mapping[str, Tensor], out: Path, *, overwrite: bool) -> str:
    """Write a grid for each code, with the values of the code from left to right.

    Args:
        grids: inputs of the generator by the name of the code, (rows, values, inputs).

    Returns:
        A line for the user about what was written.

    Raises:
        UsageError: `out` has a suffix, or a file exists.
    """
    if out.suffix:
        raise UsageError(f"{out}: the grids go into a folder: give a name without {out.suffix} with -o")
    paths = {name: out / f"{name}.png" for name in grids}
    for path in paths.values():
        check_output(path, GRID_SUFFIXES, overwrite=overwrite)
    for name, inputs in grids.items():
        images = list(_generate(sampler, inputs.flatten(0, 1)))
        _write(sampler, image_grid(images, inputs.shape[1]), paths[name])
    return f"traversals of {', '.join(grids)} in {out}"


def _write(sampler: Sampler, pixels: Pixels, path: Path) -> None:
    """Write samples, (H, W, 3), as a gray image if the model was trained on gray images."""
    write_rgb(pixels[..., : sampler.config.out_channels], path)


def check_output(out: Path, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    """Check that a file can be written: it has one of the suffixes, and does not exist yet.

    Raises:
        UsageError: it cannot.
    """
    suffix = out.suffix.lower()
    if suffix not in suffixes:
        is_animation = suffixes == GRID_SUFFIXES and suffix in ANIMATION_SUFFIXES
        hint = ", or --interpolate N for an animation" if is_animation else ""
        *others, last = suffixes
        names = f"{', '.join(others)} or {last}" if others else last
        raise UsageError(f"{out}: the suffix must be {names}{hint}")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} already exists: give another -o, or --overwrite")
