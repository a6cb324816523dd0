"""The plain recipe: float32, eager, NCHW, unfused, PIL. The same networks and the same arithmetic, written as
a person would who knows torch and has not measured.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.utils.data import DataLoader, Dataset

from translate.losses import ImagePool
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.cyclegan.trainer import pooled
from translate.methods.gan.config import DCGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.trainer import Trainer
from translate.networks.blocks import InstanceNorm

MakeOptimizer = Callable[..., Optimizer]
Step = Callable[[dict[str, Tensor]], None]  # of a batch of float32 in [-1, 1]


class PlainInstanceNorm(nn.Module):
    """Instance norm as torch calls it."""

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x)


def plain(network: nn.Module) -> nn.Module:
    """The same network and weights with torch's own instance norm."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, InstanceNorm) and child.weight is None:
                setattr(parent, name, PlainInstanceNorm())
    return network


def trainable(trainer: Trainer, name: str) -> nn.Module:
    """A plain copy of a trainer's network."""
    return plain(getattr(trainer, name)).requires_grad_(True)


def cyclegan(trainer: Trainer, c: CycleGANConfig, adam: MakeOptimizer = Adam) -> Step:
    """CycleGAN with the identity loss."""
    g_ab, g_ba, d_a, d_b = (trainable(trainer, name) for name in ("g_ab", "g_ba", "d_a", "d_b"))
    adam_g = adam([*g_ab.parameters(), *g_ba.parameters()], lr=c.lr, betas=(c.beta1, c.beta2))
    adam_d = adam([*d_a.parameters(), *d_b.parameters()], lr=c.lr, betas=(c.beta1, c.beta2))
    pool_a, pool_b = ImagePool(c.pool_size), ImagePool(c.pool_size)

    def towards(scores: Tensor, target: float) -> Tensor:
        return F.mse_loss(scores, torch.full_like(scores, target))

    def step(batch: dict[str, Tensor]) -> None:
        a, b = batch["a"], batch["b"]
        fake_b, fake_a = g_ab(a), g_ba(b)
        d_a.requires_grad_(False)
        d_b.requires_grad_(False)
        loss = towards(d_b(fake_b), 1) + towards(d_a(fake_a), 1)
        loss = loss + c.lambda_a * F.l1_loss(g_ba(fake_b), a) + c.lambda_b * F.l1_loss(g_ab(fake_a), b)
        same = c.lambda_b * F.l1_loss(g_ab(b), b) + c.lambda_a * F.l1_loss(g_ba(a), a)
        adam_g.zero_grad()
        (loss + c.lambda_identity * same).backward()  # type: ignore[no-untyped-call]
        adam_g.step()

        d_a.requires_grad_(True)
        d_b.requires_grad_(True)
        adam_d.zero_grad()
        for d, real, fake in ((d_a, a, pooled(pool_a, fake_a)), (d_b, b, pooled(pool_b, fake_b))):
            ((towards(d(real), 1) + towards(d(fake), 0)) / 2).backward()  # type: ignore[no-untyped-call]
        adam_d.step()

    return step


def pix2pix(trainer: Trainer, c: Pix2PixConfig, adam: MakeOptimizer = Adam) -> Step:
    """pix2pix with the loss of the original GAN, or with least squares."""
    g, d = trainable(trainer, "g"), trainable(trainer, "d")
    adam_g, adam_d = (adam(net.parameters(), lr=c.lr, betas=(c.beta1, c.beta2)) for net in (g, d))
    measure = F.binary_cross_entropy_with_logits if c.gan_loss == "vanilla" else F.mse_loss

    def towards(scores: Tensor, target: float) -> Tensor:
        return measure(scores, torch.full_like(scores, target))

    def step(batch: dict[str, Tensor]) -> None:
        a, b = batch["a"], batch["b"]
        fake = g(a)
        adam_d.zero_grad()
        real_loss = towards(d(torch.cat([a, b], 1)), 1)
        fake_loss = towards(d(torch.cat([a, fake.detach()], 1)), 0)
        ((real_loss + fake_loss) / 2).backward()  # type: ignore[no-untyped-call]
        adam_d.step()

        d.requires_grad_(False)
        adam_g.zero_grad()
        loss = towards(d(torch.cat([a, fake], 1)), 1) + c.lambda_l1 * F.l1_loss(fake, b)
        loss.backward()  # type: ignore[no-untyped-call]
        adam_g.step()
        d.requires_grad_(True)

    return step


def dcgan(trainer: Trainer, c: DCGANConfig, adam: MakeOptimizer = Adam) -> Step:
    """DCGAN."""
    g, d = trainable(trainer, "g"), trainable(trainer, "d")
    adam_g, adam_d = (adam(net.parameters(), lr=c.lr, betas=(c.beta1, c.beta2)) for net in (g, d))

    def towards(scores: Tensor, target: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    def step(batch: dict[str, Tensor]) -> None:
        x = batch["image"]
        adam_d.zero_grad()
        fake = g(torch.randn(len(x), c.latent, device=x.device)).detach()
        (towards(d(x), 1) + towards(d(fake), 0)).backward()  # type: ignore[no-untyped-call]
        adam_d.step()

        d.requires_grad_(False)
        adam_g.zero_grad()
        towards(d(g(torch.randn(len(x), c.latent, device=x.device))), 1).backward()  # type: ignore[no-untyped-call]
        adam_g.step()
        d.requires_grad_(True)

    return step


class NoStep(Optimizer):
    """An optimizer that moves nothing: where only the networks' operations are counted."""

    def __init__(self, weights: Any, **settings: Any) -> None:
        super().__init__(weights, settings)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Do nothing: Adam's step reads tensors, which on the meta device have no content."""


STEPS: dict[str, Callable[..., Step]] = {"cyclegan": cyclegan, "pix2pix": pix2pix, "dcgan": dcgan}


class PlainPhotos(Dataset[Tensor]):
    """Photos by PIL: resized by the bicubic filter, cropped and flipped at random, in [-1, 1]."""

    def __init__(self, files: list[Path], load_size: int, side: int) -> None:
        self.files, self.load_size, self.side = files, load_size, side

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> Tensor:
        image = Image.open(self.files[number]).convert("RGB")
        image = image.resize((self.load_size, self.load_size), Image.Resampling.BICUBIC)
        left, top = (random.randint(0, self.load_size - self.side) for _ in range(2))
        image = image.crop((left, top, left + self.side, top + self.side))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


def loader(photos: PlainPhotos, batch_size: int, workers: int) -> Any:
    """Epochs without end. The workers stay: starting them anew would take most of a small set's time."""
    batches = DataLoader(
        photos, batch_size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=True
    )
    while True:
        yield from batches


def image(network: nn.Module, path: Path) -> Image.Image:
    """One image through a network: float32, eager, batch 1, PIL."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        y = network(x)[0]
    levels = ((y.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).numpy())
