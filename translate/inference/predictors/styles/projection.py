"""Project an image into the latent space of StyleGAN2: find the w whose image is nearest to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from translate.errors import UsageError
from translate.images import Pixels, resize_and_center_crop, to_tensor
from translate.inference.predictors.generation import Sampler
from translate.losses import PerceptualLoss
from translate.networks import StyleGAN2Generator
from translate.networks.backbones import load_backbone
from translate.progress import track

BACKBONE = "mobilenet_v2"  # Whose features tell how near two images are.
STEPS = 500  # The paper takes 1000.
LEARNING_RATE, RAMP_UP, RAMP_DOWN = 0.1, 0.05, 0.25  # The ramps are shares of the steps.
W_SAMPLES = 1000  # Samples of w, whose mean is the start, and whose deviation scales the noise.
NOISE, NOISE_SHARE = 0.05, 0.75  # Of the deviation of w, and until this share of the steps.


@dataclass(frozen=True)
class Projection:
    """Styles that `find_styles` found, and how near their image is.

    Attributes:
        styles: w of each layer, (1, layers, w), which `Sampler` takes.
        start, distance: the distance to the image before and after, a relative L1 distance of features.
    """

    styles: Tensor
    start: float
    distance: float


def find_styles(sampler: Sampler, image: Pixels, *, seed: int = 0, steps: int = STEPS) -> Projection:
    """Find the w whose image is nearest to an image, by gradient descent (arXiv:1912.04958, appendix D).

    It starts from the mean w. Noise is added to w, which falls to 0 within three quarters of the steps, so
    that it does not end at the first optimum. Other than in the paper, the noise inputs of the generator stay
    as they are, so that the found w alone gives the image.

    Args:
        image: (H, W, 3) uint8; its centre is cropped to the size of the model.

    Raises:
        UsageError: the model has no styles.
        TranslateError: the weights of the feature network cannot be downloaded.
    """
    if not sampler.config.styles:
        raise UsageError(
            f"a model of {sampler.config.method} has no styles to find: give a model of stylegan2"
        )
    backbone = load_backbone(
        BACKBONE, purpose="projecting an image", alternative="project where there is a connection"
    )
    distance = PerceptualLoss(backbone).to(sampler.device)
    target = _target(sampler, image)
    generator = sampler.generator
    assert isinstance(generator, StyleGAN2Generator)
    samples = sampler.draw(W_SAMPLES, seed)[:, 0].to(sampler.device)

    def distance_of(w: Tensor) -> Tensor:
        out: Tensor = distance(generator(w=w[None, None].expand(1, generator.layers, -1)), target)
        return out

    start = samples.mean(dim=0)
    found = _descend(distance_of, start, samples, steps, seed)
    styles = found[None, None].expand(1, generator.layers, -1).cpu().clone()
    with torch.no_grad():
        return Projection(styles, distance_of(start).item(), distance_of(found).item())


def _descend(
    distance_of: Callable[[Tensor], Tensor], start: Tensor, samples: Tensor, steps: int, seed: int
) -> Tensor:
    """Return the w at which gradient descent ends, (w,).

    Args:
        samples: of w, (N, w), whose deviation scales the noise.
    """
    deviation = (samples - samples.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    w = start.clone().requires_grad_()
    adam = torch.optim.Adam([w], betas=(0.9, 0.999))
    random = torch.Generator().manual_seed(seed)
    for step in track(iter(range(steps)), steps, "projecting", unit="steps"):
        share = step / steps
        adam.param_groups[0]["lr"] = LEARNING_RATE * _ramps(share)
        strength = NOISE * deviation * max(0.0, 1 - share / NOISE_SHARE) ** 2
        noise = torch.randn(w.shape, generator=random).to(w.device)
        (w.grad,) = torch.autograd.grad(distance_of(w + strength * noise), w)
        adam.step()
    return w.detach()


def _target(sampler: Sampler, image: Pixels) -> Tensor:
    """Return an image as the model would generate it, (1, C, H, H) in [-1, 1]."""
    square = resize_and_center_crop(image, sampler.config.image_size)
    if sampler.config.out_channels == 1:
        square = np.asarray(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    return to_tensor(torch.from_numpy(square.transpose(2, 0, 1)[None].copy())).to(sampler.device)


def _ramps(share: float) -> float:
    """Return the factor of the learning rate: a linear ramp up, and half a cosine down."""
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / RAMP_DOWN))
    return min(1.0, share / RAMP_UP) * down
