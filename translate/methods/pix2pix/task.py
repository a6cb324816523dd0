"""pix2pix: pairs, and how near translations come to the truth."""

from __future__ import annotations

from translate.data.datasets.samples import Sample
from translate.methods.data import paired_data
from translate.methods.models import translation_model
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.task import BestScore, Task
from translate.methods.validation import SCORED, Generators, Shown, Validation
from translate.metrics import l1, psnr


def _show(generators: Generators, batch: Sample) -> Shown:
    (generator,) = generators.values()
    return {"input": batch["a"], "translated": generator(batch["a"]), "truth": batch["b"]}


def _score(shown: Shown) -> dict[str, float]:
    return {
        "val_l1": l1(shown["translated"], shown["truth"]),
        "val_psnr": psnr(shown["translated"], shown["truth"]),
    }


TASK = Task(
    trainer=Pix2Pix,
    data=paired_data,
    validate=Validation(_show, _score, SCORED),
    model=translation_model(paired=True),
    best=BestScore("val_l1"),
)
