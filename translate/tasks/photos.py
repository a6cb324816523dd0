"""Colour for gray photos, and holes filled."""

from __future__ import annotations

import torch

from translate.config import ColorizeConfig, InpaintConfig, PhotoTrainConfig
from translate.data.check import without_unreadable
from translate.data.layouts import find_photos, fingerprint
from translate.data.sets import HoledSet, PhotoSet, Sample, decoded, pack_of
from translate.images.lab import join_lab, split_lab
from translate.metrics import l1, psnr
from translate.tasks.looking import Generators, OneByOne, Shown
from translate.tasks.task import Data, Task
from translate.trainers.colorization import Colorization
from translate.trainers.inpainting import Inpainting


def _photo_data(kind: type[PhotoSet], c: PhotoTrainConfig) -> Data:
    found = find_photos(c.data, cache_size=c.cache_size)
    pack = pack_of(found.train, c)
    found = without_unreadable(found, decoded(pack))
    return Data(
        train=kind(found.train, c, training=True, pack=pack),
        held_out=kind(found.held_out or found.train, c, training=False),
        summary=found.summary,
        notes=found.notes,
        fingerprint=fingerprint(found),
    )


def _colorize_data(c: ColorizeConfig) -> Data:
    return _photo_data(PhotoSet, c)


def _inpaint_data(c: InpaintConfig) -> Data:
    return _photo_data(HoledSet, c)


def _show_colorized(generators: Generators, batch: Sample) -> Shown:
    (generator,) = generators.values()
    light, _ = split_lab(batch["photo"])
    chroma = generator(light).to(light)
    colored = join_lab(light, chroma).clamp(-1, 1)
    return {"gray": join_lab(light, 0 * chroma), "colorized": colored, "truth": batch["photo"]}


def _score_colorized(shown: Shown) -> dict[str, float]:
    return {
        "val_l1": l1(shown["colorized"], shown["truth"]),
        "val_psnr": psnr(shown["colorized"], shown["truth"]),
    }


def _show_inpainted(generators: Generators, batch: Sample) -> Shown:
    (generator,) = generators.values()
    photo, mask = batch["photo"], batch["mask"]
    known = photo.masked_fill(mask > 0, 1.0)
    drawn = generator(torch.cat([known, mask], dim=1)).to(photo).clamp(-1, 1)
    return {"holed": known, "inpainted": torch.where(mask > 0, drawn, photo), "truth": photo}


def _score_inpainted(shown: Shown) -> dict[str, float]:
    return {
        "val_l1": l1(shown["inpainted"], shown["truth"]),
        "val_psnr": psnr(shown["inpainted"], shown["truth"]),
    }


# What is least wrong on the mean is gray or blurred: no score here tells the best checkpoint.
COLORIZE = Task(Colorization, _colorize_data, OneByOne(_show_colorized, _score_colorized), best=None)
INPAINT = Task(Inpainting, _inpaint_data, OneByOne(_show_inpainted, _score_inpainted), best=None)
