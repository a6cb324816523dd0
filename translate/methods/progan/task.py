"""The task of ProGAN: that of all methods from noise, with small images and large batches at first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from translate.config.model import BASE_SIDE
from translate.distributed import world_size
from translate.methods.noise import noise_data, noise_task
from translate.methods.progan.config import ProGANConfig
from translate.methods.progan.schedule import phase_index, plan_phases
from translate.methods.progan.trainer import ProGAN
from translate.methods.task import TaskData
from translate.methods.trainer import StepProgress


def _data(c: ProGANConfig) -> TaskData:
    """Find a dataset of images; no batch is to be larger than it."""
    data = noise_data(c)
    largest = min(c.max_batch_size, max(1, len(data.train) // world_size()))
    return replace(data, settings={**data.settings, "max_batch_size": largest})


def _settings_at(c: ProGANConfig, progress: StepProgress) -> Mapping[str, Any]:
    """Return the image and batch size of the level that trains; for the last level, those of the run."""
    phases = plan_phases(c)
    level = phases[phase_index(phases, progress.fraction)].level
    if level == c.depth:
        return {}
    return {"image_size": BASE_SIDE * 2**level, "batch_size": c.batch_size_at(level)}


TASK = replace(noise_task(ProGAN), data=_data, settings_at=_settings_at)
