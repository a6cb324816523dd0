"""Write samples as files: single images, a grid, a walk that moves, a grid for each code."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt
from pathlib import Path

from torch import Tensor

from translate.config import GenerationModelConfig
from translate.errors import UsageError
from translate.images import Frame, ImageFile, image_grid, write, write_rgb
from translate.images.codecs.video import write_mp4
from translate.images.sheet import GAP
from translate.inference.predictors.generation import Sampler, walk

GRIDS = (".png", ".jpg", ".jpeg", ".webp")
LARGEST = {".png": 30_000, ".jpg": 30_000, ".jpeg": 30_000, ".webp": 16_383}  # pixels a side of a grid
COLUMNS = 8  # of a grid by class or category, about
WALKS = (".gif", ".webp", ".mp4")
STEPS = 16  # images from one stop of a walk to the next
MILLISECONDS = 60  # that each of them is shown


def save_samples(sampler: Sampler, inputs: Tensor, out: Path, *, overwrite: bool) -> str:
    """Write samples as files of a folder, or as one grid where `out` is an image's name.

    Args:
        inputs: of the generator, (N, inputs).

    Returns:
        What was written, in words.

    Raises:
        UsageError: the suffix is none of an image's, or there is something already.
    """
    if not out.suffix:
        return _save_each(sampler, inputs, out, overwrite=overwrite)
    refuse(out, GRIDS, overwrite=overwrite)
    columns = columns_for(sampler.config, len(inputs))
    each = sampler.config.image_size + GAP
    side = max(columns, ceil(len(inputs) / columns)) * each + GAP
    if side > (most := LARGEST[out.suffix.lower()]):
        raise UsageError(f"{out} would be {side} pixels a side, {most} are the most: give a folder by -o")
    write_rgb(image_grid(sampler(inputs), columns), out)
    return f"{_count(inputs)} in {out}"


def columns_for(c: GenerationModelConfig, count: int) -> int:
    """Return the columns of a grid of so many samples of `draw`: each class or category keeps to its own."""
    kinds = len(c.classes) or c.categories
    return min(count, kinds * max(1, COLUMNS // kinds) if kinds else ceil(sqrt(count)))


def _count(inputs: Tensor) -> str:
    return "1 image" if len(inputs) == 1 else f"{len(inputs)} images"


def _save_each(sampler: Sampler, inputs: Tensor, out: Path, *, overwrite: bool) -> str:
    digits = max(4, len(str(len(inputs) - 1)))
    places = [out / f"{number:0{digits}d}.png" for number in range(len(inputs))]
    for place in places:
        refuse(place, (".png",), overwrite=overwrite)
    for place, row in zip(places, inputs, strict=True):
        write_rgb(sampler(row[None])[0], place)
    return f"{_count(inputs)} in {out}"


def save_walk(sampler: Sampler, stops: Tensor, out: Path, *, overwrite: bool) -> str:
    """Write a walk through samples and back to the first, that goes round.

    Args:
        stops: inputs of the generator, (N, inputs), N at least 2.

    Returns:
        What was written, in words.

    Raises:
        UsageError: the suffix is none of what moves, or there is something already.
    """
    refuse(out, WALKS, overwrite=overwrite)
    images = sampler(walk(stops, sampler.config.latent, STEPS))
    if out.suffix.lower() == ".mp4":
        write_mp4(images, out, per_second=1000 / MILLISECONDS)
    else:
        frames = [Frame(pixels=image) for image in images]
        times = {"duration": [MILLISECONDS] * len(frames), "loop": 0}
        write(ImageFile(format=out.suffix[1:].upper(), frames=frames, settings=times), out)
    return f"a walk through {len(stops)} images in {out}"


def save_traversals(sampler: Sampler, codes: Mapping[str, Tensor], out: Path, *, overwrite: bool) -> str:
    """Write a grid for each code, its values from left to right.

    Args:
        codes: by name, (rows, values, inputs).

    Returns:
        What was written, in words.

    Raises:
        UsageError: `out` is no folder's name, or there is something already.
    """
    if out.suffix:
        raise UsageError(f"{out}: the grids go into a folder: give -o a name without {out.suffix}")
    places = {name: out / f"{name}.png" for name in codes}
    for place in places.values():
        refuse(place, GRIDS, overwrite=overwrite)
    for name, inputs in codes.items():
        write_rgb(image_grid(sampler(inputs.flatten(0, 1)), inputs.shape[1]), places[name])
    return f"what {', '.join(codes)} do: {out}"


def refuse(out: Path, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    """Refuse a name of another kind of file, and one that is there already.

    Raises:
        UsageError: with the remedy.
    """
    if out.suffix.lower() not in suffixes:
        hint = ", or --interpolate N for a walk" if suffixes == GRIDS and out.suffix.lower() in WALKS else ""
        raise UsageError(f"{out}: give -o a suffix of {', '.join(suffixes)}{hint}")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} is there already: give another -o, or --overwrite")
