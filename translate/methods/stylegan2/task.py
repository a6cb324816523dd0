"""The task of StyleGAN2."""

from __future__ import annotations

from translate.methods.noise import noise_task
from translate.methods.stylegan2.trainer import StyleGAN2

TASK = noise_task(StyleGAN2)
