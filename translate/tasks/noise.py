"""Pictures from noise."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from translate.config import CGANConfig, NoiseTrainConfig
from translate.data.classes import Classed, find_classed
from translate.data.kept import KeptSet
from translate.data.layouts import fingerprint
from translate.data.sets import Draw, SampleSet
from translate.errors import DataError, UsageError
from translate.images import Pixels, picture_grid, to_tensor
from translate.inference import Sampler
from translate.inference.gallery import columns_for
from translate.metrics.diversity import Diversity
from translate.models import Model, Precision
from translate.networks import Colorizer
from translate.tasks.task import Data, Look, Looks, Task
from translate.trainers import cgan, gan, infogan, wgan

SHOWN = 64
SEED = 0  # of the pictures that are shown
ALIKE = 0.5  # of the data's diversity, under which a person is told
FALLEN = 0.75  # of the most that it was, the same
EARLY = 500  # steps before which samples are alike because nothing is learnt yet
REMEDY = (
    "the generator repeats itself (mode collapse): wgan-gp seldom does; for a small set try --diffaugment,"
    " for dcgan a lower --lr"
)


def _data(c: NoiseTrainConfig) -> Data:
    return _kept(find_classed(c.data, with_classes=False, cache_size=c.cache_size), c)


def _data_with_classes(c: CGANConfig) -> Data:
    found = find_classed(c.data, c.labels, with_classes=True, cache_size=c.cache_size)
    if c.classes not in (None, len(found.classes)):
        raise UsageError(f"classes {c.classes}, but the data has {len(found.classes)}: leave --classes out")
    return _kept(found, c)


def _kept(found: Classed, c: NoiseTrainConfig) -> Data:
    kept = KeptSet(found, c)
    if len(kept) < 2:
        raise DataError(f"{c.data} holds one picture, of which no others can be learnt: give 2 or more")
    settles = {"channels": kept.channels} | ({"classes": len(found.classes)} if found.classes else {})
    return Data(
        train=kept,
        held_out=kept,
        summary=kept.found.summary,
        notes=kept.found.notes,
        fingerprint=fingerprint(kept.found),
        settles=settles,
        facts={"classes": found.classes} if found.classes else {},
    )


def look(model: Model, data: SampleSet, precision: Precision) -> Look:
    """A grid of samples, the same noise each time, and how diverse they are beside the data."""
    sampler = Sampler(model, device=str(precision.device), precision="fp32")
    columns = columns_for(model.config, SHOWN)
    pictures = sampler(sampler.draw(SHOWN - SHOWN % columns, SEED))
    share = _diversity(pictures) / max(_diversity_of(data), 1e-6)
    return Look(picture_grid(pictures, columns), {"diversity": share})


def remarks(looks: Looks) -> list[str]:
    """A warning where samples are alike, or more alike than they were."""
    shares = [min(1.0, look["diversity"]) for look in looks if look["step"] >= EARLY]
    if shares and shares[-1] < ALIKE:
        return [f"the samples are alike: {shares[-1]:.0%} of the diversity of the data; {REMEDY}"]
    if shares and shares[-1] < FALLEN * max(shares):
        how = f"{shares[-1]:.0%} of the diversity of the data, after {max(shares):.0%}"
        return [f"the samples grow alike: {how}; {REMEDY}"]
    return []


def _diversity(pictures: list[Pixels]) -> float:
    return _measure()(torch.cat([to_tensor(picture) for picture in pictures]))


def _diversity_of(data: SampleSet) -> float:
    """Of as many of the data's pictures, evenly taken from all."""
    items = np.linspace(0, len(data) - 1, min(SHOWN, len(data))).astype(int)
    return _measure()(to_tensor(torch.stack([data[Draw(0, int(item))]["picture"] for item in items])))


@cache
def _measure() -> Diversity:
    colorizer = Model.from_pretrained("colorize").generator()
    assert isinstance(colorizer, Colorizer)
    return Diversity(colorizer.backbone)


GAN = Task(gan.GAN, _data, look, best=None, remarks=remarks)
CGAN = Task(cgan.CGAN, _data_with_classes, look, best=None, remarks=remarks)
WGAN = Task(wgan.WGAN, _data, look, best=None, remarks=remarks)
WGANGP = Task(wgan.WGANGP, _data, look, best=None, remarks=remarks)
INFOGAN = Task(infogan.InfoGAN, _data, look, best=None, remarks=remarks)
