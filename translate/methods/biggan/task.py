"""The task of BigGAN."""

from __future__ import annotations

from translate.methods.biggan.trainer import BigGAN
from translate.methods.noise import noise_task

TASK = noise_task(BigGAN)
