"""Measure what pix2pix --align gains on pairs that do not quite align: the built-in horses and zebras, bent.

python tools/misalign.py runs/misalign --seeds 0,1,2 --minutes 20
python tools/misalign.py runs/misalign --seeds 0 --steps 2000 --variants aligned,align
python tools/misalign.py runs/misalign --score-only

In the misaligned set each zebra of the training part is shifted by up to half of --pixels along each axis,
rotated, and warped smoothly, together by at most --pixels; the mean over the set is zero. The test part is
aligned. Three variants train for the same time: `aligned` on the true pairs, and `plain` and `align` on the
misaligned ones. The table has the PSNR of their translations to the true zebras less that of the horses,
and this gain as a share of what aligned pairs give.

Given again, it continues the run that was interrupted, and skips what is finished.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import mean
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray

import translate
from translate.data.demo import write_demo
from translate.images import find_images, read_rgb, write_rgb
from translate.images.frame import Pixels
from translate.metrics import psnr

TRAIN, TEST = 200, 40  # Scenes.
VARIANTS = {"aligned": ("aligned", False), "plain": ("misaligned", False), "align": ("misaligned", True)}
SETTINGS: dict[str, Any] = {  # Small networks; an instance norm, for batches of 4 are few for a batch norm.
    "batch_size": 4,
    "ngf": 32,
    "ndf": 32,
    "norm": "instance",
    "workers": 0,
}
SHIFT, TURN, BEND = 0.5, 0.3, 0.3  # The largest shift along an axis, rotation and warp, of all `pixels`.

Field = NDArray[np.float32]


def draw_field(rng: np.random.Generator, size: int, pixels: float) -> Field:
    """Draw a displacement field of a shift, a rotation and a smooth warp, (2, size, size) in pixels.

    Args:
        pixels: no displacement is longer.
    """
    shift = rng.uniform(-SHIFT, SHIFT, size=(2, 1, 1)) * pixels
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    angle = rng.uniform(-TURN, TURN) * pixels / np.hypot(x, y).max()
    cos, sin = np.cos(angle) - 1, np.sin(angle)
    rotation = np.stack([cos * x - sin * y, sin * x + cos * y])
    noise = [cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), size / 8) for _ in range(2)]
    bend = np.stack(noise) * rng.uniform(0, BEND) * pixels / np.hypot(*noise).max()
    field = shift + rotation + bend
    return np.asarray(field * min(1, pixels / np.hypot(*field).max()), np.float32)


def bend_image(image: Pixels, field: Field) -> Pixels:
    """Take each pixel of an image from where the field points; the image is mirrored at its border."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    bent = cv2.remap(image, x + field[0], y + field[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(bent, np.uint8)


def write_pairs(folder: Path, size: int, pixels: float) -> None:
    """Write the built-in pairs, and misalign the zebras of the training part by at most `pixels`.

    The field of every second scene is that of the scene before it with the other sign. A set that was left
    half written is replaced.
    """
    shutil.rmtree(folder, ignore_errors=True)
    write_demo(folder, size=size, train=TRAIN, test=TEST)
    rng, field = np.random.default_rng(7), np.zeros((2, size, size), np.float32)
    for number, path in enumerate(find_images(folder / "trainB") if pixels else []):
        field = -field if number % 2 else draw_field(rng, size, pixels)
        write_rgb(bend_image(read_rgb(path), field), path)
    (folder / "written").touch()


def gain(run: Path, data: Path, device: str) -> float:
    """Return the mean PSNR of translated horses to their zebras less that of the horses themselves, in dB."""
    # The newest model, not the best so far, which these scenes have chosen.
    translator = translate.load(run / "model", engine="torch", device=device)
    gains = []
    for path in find_images(data / "testA"):
        horse, zebra = read_rgb(path), read_rgb(data / "testB" / path.name)
        scores = [psnr(image, zebra, data_range=255) for image in (translator(horse), horse)]
        gains.append(scores[0] - scores[1])
    return mean(gains)


def print_table(gains: dict[str, dict[int, float]]) -> None:
    """Print the gain of each run, and the mean of each variant as a share of what aligned pairs give."""
    click.echo(f"{'variant':12}{'gain in dB by seed':30}{'mean':>8}{'of aligned':>12}")
    shares = {}
    aligned = gains.get("aligned", {})
    for variant, by_seed in gains.items():
        both = aligned.keys() & by_seed.keys()
        if both:
            shares[variant] = mean(by_seed[s] for s in both) / mean(aligned[s] for s in both)
        text = "  ".join(f"{seed}: {value:.2f}" for seed, value in sorted(by_seed.items()))
        share = f"{shares[variant]:.0%}" if both else "-"
        click.echo(f"{variant:12}{text:30}{mean(by_seed.values()):8.2f}{share:>12}")
    if {"plain", "align"} <= shares.keys():
        click.echo(f"--align is {100 * (shares['align'] - shares['plain']):.0f} points above plain pix2pix")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--variants", default=",".join(VARIANTS), show_default=True)
@click.option("--seeds", default="0,1,2", show_default=True)
@click.option("--minutes", type=float, help="length of each run [default: 20]")
@click.option("--steps", type=int, help="length of each run in steps, instead of --minutes")
@click.option("--size", default=64, show_default=True, help="side of the images, in pixels")
@click.option("--pixels", default=10.0, show_default=True, help="largest displacement")
@click.option("--generator", default="unet", show_default=True, type=click.Choice(["unet", "resnet"]))
@click.option("--device", default="auto", show_default=True)
@click.option("--score-only", is_flag=True, help="print the table of the runs that are finished")
def main(
    folder: Path,
    variants: str,
    seeds: str,
    minutes: float | None,
    steps: int | None,
    size: int,
    pixels: float,
    generator: str,
    device: str,
    score_only: bool,
) -> None:
    """Train the variants with each of the seeds in FOLDER, and print what each gains."""
    names = variants.split(",")
    if unknown := set(names) - set(VARIANTS):
        raise click.UsageError(f"variants {', '.join(sorted(unknown))}: must be of {', '.join(VARIANTS)}")
    length = {"steps": steps} if steps else {"minutes": minutes or 20.0}
    gains: dict[str, dict[int, float]] = {}
    for seed in map(int, seeds.split(",")):
        for name in names:
            data_name, align = VARIANTS[name]
            data, run = folder / f"{data_name}-{size}", folder / f"{name}-{size}-seed{seed}"
            if not score_only:
                if not (data / "written").exists():
                    write_pairs(data, size, pixels if data_name == "misaligned" else 0)
                click.echo(f"{run}", err=True)
                settings = {**SETTINGS, **length, "image_size": size, "load_size": size, "seed": seed}
                settings |= {"generator": generator, "align": align, "device": device}
                settings |= {"data": str(data), "out": str(run)}
                translate.train("pix2pix", resume=True, **settings)
            if (run / "model").exists():
                gains.setdefault(name, {})[seed] = gain(run, data, device)
    if not gains:
        raise click.UsageError(f"{folder} has no runs: leave out --score-only to train them")
    print_table(gains)


if __name__ == "__main__":
    main()
