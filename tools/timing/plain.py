"""The plain PyTorch recipe that this package is timed against: float32, eager, NCHW, unfused, images by PIL.

The networks and the arithmetic are those of this package, written as in a tutorial, without any optimization.
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

from translate.losses import multilayer_patch_nce
from translate.methods.cut.config import CUTConfig
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.gan.config import DCGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.trainer import Trainer
from translate.networks import draw_positions
from translate.networks.blocks import InstanceNorm

CreateOptimizer = Callable[..., Optimizer]
Step = Callable[[dict[str, Tensor]], None]  # a training step on a batch of float32 images in [-1, 1]


class PlainInstanceNorm(nn.Module):
    """Instance norm by torch's own function."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each channel of each image."""
        return F.instance_norm(x)


class PlainImagePool:
    """The image pool of the authors' code: a list of images, chosen by Python's random numbers."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def query(self, images: Tensor) -> Tensor:
        """Exchange generated images, (N, C, H, W), for older ones half of the time."""
        chosen = []
        for image in images.detach().unsqueeze(1):
            if len(self.images) < self.size:
                self.images.append(image)
                chosen.append(image)
            elif random.random() < 0.5:
                index = random.randrange(self.size)
                chosen.append(self.images[index])
                self.images[index] = image
            else:
                chosen.append(image)
        return torch.cat(chosen)


def plain_copy(network: nn.Module) -> nn.Module:
    """Copy a network and its weights, with torch's instance norm in place of this package's."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, InstanceNorm) and child.weight is None:
                setattr(parent, name, PlainInstanceNorm())
    return network


def trainable_copy(trainer: Trainer, name: str) -> nn.Module:
    """Copy a network of a trainer as `plain_copy` does, ready to be trained."""
    return plain_copy(getattr(trainer, name)).requires_grad_(True)


def cyclegan_step(trainer: Trainer, c: CycleGANConfig, adam: CreateOptimizer = Adam) -> Step:
    """Return a training step of CycleGAN with least squares and the identity loss."""
    g_ab, g_ba, d_a, d_b = (trainable_copy(trainer, name) for name in ("g_ab", "g_ba", "d_a", "d_b"))
    adam_g = adam([*g_ab.parameters(), *g_ba.parameters()], lr=c.lr, betas=(c.beta1, c.beta2))
    adam_d = adam([*d_a.parameters(), *d_b.parameters()], lr=c.lr, betas=(c.beta1, c.beta2))
    pool_a, pool_b = PlainImagePool(c.pool_size), PlainImagePool(c.pool_size)

    def gan_loss(scores: Tensor, target: float) -> Tensor:
        return F.mse_loss(scores, torch.full_like(scores, target))

    def step(batch: dict[str, Tensor]) -> None:
        a, b = batch["a"], batch["b"]
        fake_b, fake_a = g_ab(a), g_ba(b)
        d_a.requires_grad_(False)
        d_b.requires_grad_(False)
        loss = gan_loss(d_b(fake_b), 1) + gan_loss(d_a(fake_a), 1)
        loss = loss + c.lambda_a * F.l1_loss(g_ba(fake_b), a) + c.lambda_b * F.l1_loss(g_ab(fake_a), b)
        identity = c.lambda_b * F.l1_loss(g_ab(b), b) + c.lambda_a * F.l1_loss(g_ba(a), a)
        adam_g.zero_grad()
        (loss + c.lambda_identity * identity).backward()  # type: ignore[no-untyped-call]
        adam_g.step()

        d_a.requires_grad_(True)
        d_b.requires_grad_(True)
        adam_d.zero_grad()
        for d, real, fake in ((d_a, a, pool_a.query(fake_a)), (d_b, b, pool_b.query(fake_b))):
            ((gan_loss(d(real), 1) + gan_loss(d(fake), 0)) / 2).backward()  # type: ignore[no-untyped-call]
        adam_d.step()

    return step


def pix2pix_step(trainer: Trainer, c: Pix2PixConfig, adam: CreateOptimizer = Adam) -> Step:
    """Return a training step of pix2pix with the cross-entropy loss of the original GAN, or least squares."""
    g, d = trainable_copy(trainer, "g"), trainable_copy(trainer, "d")
    adam_g, adam_d = (adam(network.parameters(), lr=c.lr, betas=(c.beta1, c.beta2)) for network in (g, d))
    criterion = F.binary_cross_entropy_with_logits if c.gan_loss == "vanilla" else F.mse_loss

    def gan_loss(scores: Tensor, target: float) -> Tensor:
        return criterion(scores, torch.full_like(scores, target))

    def step(batch: dict[str, Tensor]) -> None:
        a, b = batch["a"], batch["b"]
        fake = g(a)
        adam_d.zero_grad()
        real_loss = gan_loss(d(torch.cat([a, b], 1)), 1)
        fake_loss = gan_loss(d(torch.cat([a, fake.detach()], 1)), 0)
        ((real_loss + fake_loss) / 2).backward()  # type: ignore[no-untyped-call]
        adam_d.step()

        d.requires_grad_(False)
        adam_g.zero_grad()
        loss = gan_loss(d(torch.cat([a, fake], 1)), 1) + c.lambda_l1 * F.l1_loss(fake, b)
        loss.backward()  # type: ignore[no-untyped-call]
        adam_g.step()
        d.requires_grad_(True)

    return step


def cut_step(trainer: Trainer, c: CUTConfig, adam: CreateOptimizer = Adam) -> Step:
    """Return a training step of CUT or FastCUT, with forward passes of their own for the keys."""
    g, d, f = (trainable_copy(trainer, name) for name in ("g", "d", "f"))
    adam_g, adam_d, adam_f = (adam(n.parameters(), lr=c.lr, betas=(c.beta1, c.beta2)) for n in (g, d, f))

    def gan_loss(scores: Tensor, target: float) -> Tensor:
        return F.mse_loss(scores, torch.full_like(scores, target))

    def nce_loss(x: Tensor, translation: Tensor, flip: Tensor | None) -> Tensor:
        queries = [flip_where(flip, q) for q in g(translation, c.feature_layers, decode=False)]
        keys = g(x, c.feature_layers, decode=False)
        positions = draw_positions(keys, c.nce_patches)
        loss = multilayer_patch_nce(f(queries, positions), f(keys, positions), temperature=c.nce_temperature)
        return c.lambda_nce * loss

    def step(batch: dict[str, Tensor]) -> None:
        a, b = batch["a"], batch["b"]
        images = torch.cat([a, b]) if c.nce_identity else a
        flip = torch.rand((), device=a.device) < 0.5 if c.flip_equivariance else None
        fake, *identity = g(flip_where(flip, images)).split(len(a))
        adam_d.zero_grad()
        ((gan_loss(d(b), 1) + gan_loss(d(fake.detach()), 0)) / 2).backward()  # type: ignore[no-untyped-call]
        adam_d.step()

        d.requires_grad_(False)
        adam_g.zero_grad()
        adam_f.zero_grad()
        nce = nce_loss(a, fake, flip)
        if identity:
            nce = (nce + nce_loss(b, identity[0], flip)) / 2
        (c.lambda_gan * gan_loss(d(fake), 1) + nce).backward()  # type: ignore[no-untyped-call]
        adam_g.step()
        adam_f.step()
        d.requires_grad_(True)

    return step


def flip_where(flip: Tensor | None, x: Tensor) -> Tensor:
    """Mirror (N, C, H, W) images if `flip` is true."""
    return x if flip is None else torch.where(flip, x.flip(3), x)


def dcgan_step(trainer: Trainer, c: DCGANConfig, adam: CreateOptimizer = Adam) -> Step:
    """Return a training step of DCGAN."""
    g, d = trainable_copy(trainer, "g"), trainable_copy(trainer, "d")
    adam_g, adam_d = (adam(network.parameters(), lr=c.lr, betas=(c.beta1, c.beta2)) for network in (g, d))

    def gan_loss(scores: Tensor, target: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    def step(batch: dict[str, Tensor]) -> None:
        x = batch["image"]
        adam_d.zero_grad()
        fake = g(torch.randn(len(x), c.latent, device=x.device)).detach()
        (gan_loss(d(x), 1) + gan_loss(d(fake), 0)).backward()  # type: ignore[no-untyped-call]
        adam_d.step()

        d.requires_grad_(False)
        adam_g.zero_grad()
        fake = g(torch.randn(len(x), c.latent, device=x.device))
        gan_loss(d(fake), 1).backward()  # type: ignore[no-untyped-call]
        adam_g.step()
        d.requires_grad_(True)

    return step


STEPS: dict[str, Callable[..., Step]] = {
    "cyclegan": cyclegan_step,
    "cut": cut_step,
    "fastcut": cut_step,
    "pix2pix": pix2pix_step,
    "dcgan": dcgan_step,
}


class NoOpOptimizer(Optimizer):
    """An optimizer that leaves the weights alone, to count the FLOPs of the networks only."""

    def __init__(self, weights: Any, **settings: Any) -> None:
        super().__init__(weights, settings)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Do nothing: Adam's step reads values of tensors, which have none on the meta device."""


class PlainPhotos(Dataset[Tensor]):
    """A dataset of photos in [-1, 1], decoded, resized (bicubic), randomly cropped and flipped by PIL."""

    def __init__(self, files: list[Path], load_size: int, crop_size: int) -> None:
        self.files, self.load_size, self.crop_size = files, load_size, crop_size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        image = Image.open(self.files[index]).convert("RGB")
        image = image.resize((self.load_size, self.load_size), Image.Resampling.BICUBIC)
        left, top = (random.randint(0, self.load_size - self.crop_size) for _ in range(2))
        image = image.crop((left, top, left + self.crop_size, top + self.crop_size))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


def infinite_batches(photos: PlainPhotos, batch_size: int, workers: int, device: torch.device) -> Any:
    """Yield batches on a device, epoch after epoch.

    The workers are persistent, because starting them would take most of an epoch of a small dataset.
    """
    batches = DataLoader(
        photos,
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=True,
        pin_memory=device.type == "cuda",
    )
    while True:
        for batch in batches:
            yield batch.to(device, non_blocking=True)


def set_tf32(enabled: bool) -> None:
    """Set whether a GPU computes float32 in TF32; torch's default is to do so for convolutions."""
    torch.backends.cudnn.allow_tf32 = enabled
    torch.backends.cuda.matmul.allow_tf32 = enabled


def translate_image(network: nn.Module, path: Path) -> Image.Image:
    """Translate an image file: float32, eager, batch size 1, PIL."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        y = network(x.to(next(network.parameters()).device))[0]
    levels = ((y.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()
    return Image.fromarray(levels.permute(1, 2, 0).numpy())
