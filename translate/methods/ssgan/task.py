"""The task of SSGAN."""

from __future__ import annotations

from translate.methods.noise import noise_task
from translate.methods.ssgan.trainer import SSGAN

TASK = noise_task(SSGAN)
