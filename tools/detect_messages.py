"""Measure how well a steganalyser finds hidden messages in real images, and in those of a model of SSGAN.

python tools/detect_messages.py runs/ssgan --data photos
python tools/detect_messages.py runs/ssgan --data photos --payload 1 --seeds 1

For each seed, one steganalyser is trained on real images and another on images of the model, with and without
a message. Each is scored on images that neither has seen, half of them with a message by LSB matching in the
share `--payload` of their values; 50% is guessing. It is the network that SSGAN trains against, from new
weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.cli.options import DEVICE
from translate.images import Pixels, find_images, read_rgb, resize_and_center_crop, to_tensor
from translate.inference import Sampler
from translate.methods.ssgan.trainer import embed_random_bits
from translate.models import Model
from translate.models.device import pick_device
from translate.networks.discriminators.steganalyser import Steganalyser
from translate.progress import track

HELD_OUT = 0.2  # The share of the images that score.
BATCH, LR = 32, 1e-3  # Images in a batch, each once with and once without a message; Adam's learning rate.


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="real images")
@click.option("--payload", default=0.4, show_default=True, help="share of the values that carry a bit")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1, 100))
@click.option("--steps", default=2000, show_default=True, help="training steps of a steganalyser")
@DEVICE
def main(model: str, data: Path, payload: float, seeds: int, steps: int, device: str) -> None:
    """Print the accuracy of steganalysers on real images, and on those of MODEL."""
    sampler = Sampler(Model.from_pretrained(model), device=device)
    side = sampler.config.image_size
    real = np.stack([resize_and_center_crop(read_rgb(path), side) for path in find_images(data)])
    generated = np.stack(sampler(sampler.draw(len(real))))
    sets: dict[str, Pixels] = {"real": real, "generated": generated}
    held_out = int(HELD_OUT * len(real))
    click.echo(
        f"{len(real)} images of {side} x {side} each, {held_out} of them held out; payload {payload:g};"
        f" {steps} steps; seeds 0 to {seeds - 1}"
    )
    for trained_on in sets:
        accuracies: dict[str, list[float]] = {name: [] for name in sets}
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(real))
            train, test = order[held_out:], order[:held_out]
            label = f"{trained_on}, seed {seed}"
            steganalyser = train_steganalyser(sets[trained_on][train], payload, steps, seed, device, label)
            for name, images in sets.items():
                accuracies[name].append(score(steganalyser, images[test], payload, seed))
        scores = ", ".join(f"on {name} images {_summary(each)}" for name, each in accuracies.items())
        click.echo(f"trained on {trained_on} images: {scores}")


def train_steganalyser(
    images: Pixels, payload: float, steps: int, seed: int, device: str, label: str
) -> Steganalyser:
    """Train a new steganalyser on (N, H, H, 3) images, with a learning rate that decays to 0."""
    torch.manual_seed(seed)
    steganalyser = Steganalyser(3, image_size=images.shape[1]).to(pick_device(device))
    adam = torch.optim.Adam(steganalyser.parameters(), LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    random = np.random.default_rng(seed)
    for _ in track(iter(range(steps)), steps, label, unit="steps"):
        cover = _tensor(images[random.choice(len(images), BATCH)], steganalyser)
        cover = cover.flip([axis for axis in (2, 3) if random.random() < 0.5])
        logits, has_message = _judge(steganalyser, cover, payload)
        adam.zero_grad()
        torch.autograd.backward(F.binary_cross_entropy_with_logits(logits, has_message))
        adam.step()
        schedule.step()
    return steganalyser.eval()


@torch.no_grad()
def score(steganalyser: Steganalyser, images: Pixels, payload: float, seed: int) -> float:
    """Return the accuracy on (N, H, H, 3) images, each of them once with and once without a message."""
    torch.manual_seed(seed)
    judged = [
        _judge(steganalyser, _tensor(images[start : start + BATCH], steganalyser), payload)
        for start in range(0, len(images), BATCH)
    ]
    right = [(logits > 0) == (has_message > 0) for logits, has_message in judged]
    return torch.cat(right).float().mean().item()


def _judge(steganalyser: Steganalyser, cover: Tensor, payload: float) -> tuple[Tensor, Tensor]:
    """Return the logits of covers and of the same with a message, and which of them have one, (2 N,) each."""
    logits = steganalyser(torch.cat([cover, embed_random_bits(cover, payload)]))
    return logits, (torch.arange(len(logits), device=logits.device) >= len(cover)).to(logits.dtype)


def _tensor(images: Pixels, like: Steganalyser) -> Tensor:
    """Return (N, H, W, 3) images as (N, 3, H, W) in [-1, 1]."""
    return to_tensor(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(like.kernel.device))


def _summary(accuracies: Sequence[float]) -> str:
    """Return the mean of the seeds, and each of them."""
    return f"{np.mean(accuracies):.1%} ({', '.join(f'{each:.1%}' for each in accuracies)})"


if __name__ == "__main__":
    main()
