"""The task of pix2pix: a dataset of pairs, and validation by the distance to the targets."""

from __future__ import annotations

from translate.data.datasets.samples import Sample
from translate.methods.data import paired_data
from translate.methods.models import translation_model
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.task import BestScore, Task
from translate.methods.validation import SCORED_IMAGES, Columns, Generators, Validation
from translate.metrics import l1, psnr


def _make_columns(generators: Generators, batch: Sample) -> Columns:
    (generator,) = generators.values()
    return {"input": batch["a"], "translated": generator(batch["a"]), "truth": batch["b"]}


def _score(columns: Columns) -> dict[str, float]:
    return {
        "val_l1": l1(columns["translated"], columns["truth"]),
        "val_psnr": psnr(columns["translated"], columns["truth"], data_range=2),
    }


TASK = Task(
    trainer=Pix2Pix,
    data=paired_data,
    validate=Validation(_make_columns, _score, SCORED_IMAGES),
    model=translation_model(paired=True),
    best=BestScore("val_l1"),
)
