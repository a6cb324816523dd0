"""The task of pix2pix: a dataset of pairs, and validation by the distance to the targets."""

from __future__ import annotations

from translate.data.datasets.samples import Sample
from translate.methods.data import paired_data
from translate.methods.models import translation_model
from translate.methods.pix2pix.trainer import REGISTRATION, Pix2Pix
from translate.methods.task import BestScore, Task
from translate.methods.validation import SCORED_IMAGES, Columns, Generators, Validation
from translate.metrics import l1, psnr
from translate.networks.registration import average, warp

WARPED = "warped"  # The column of translations that --align warps onto their targets.


def _make_columns(generators: Generators, batch: Sample) -> Columns:
    (generator,) = (network for name, network in generators.items() if name != REGISTRATION)
    translated, truth = generator(batch["a"]), batch["b"]
    if REGISTRATION not in generators:
        return {"input": batch["a"], "translated": translated, "truth": truth}
    field = average(generators[REGISTRATION](batch["a"], truth), batch["a"], truth)
    warped = warp(translated, field, mode="bicubic").clamp(-1, 1)
    return {"input": batch["a"], "translated": translated, WARPED: warped, "truth": truth}


def _score(columns: Columns) -> dict[str, float]:
    """Compare translations with their targets; with --align, after they are warped onto them, and before."""
    translated, truth = columns["translated"], columns["truth"]
    image = columns.get(WARPED, translated)
    scores = {"val_l1": l1(image, truth), "val_psnr": psnr(image, truth, data_range=2)}
    if WARPED in columns:
        unaligned = l1(translated, truth), psnr(translated, truth, data_range=2)
        scores |= {"val_l1_unaligned": unaligned[0], "val_psnr_unaligned": unaligned[1]}
    return scores


TASK = Task(
    trainer=Pix2Pix,
    data=paired_data,
    validate=Validation(_make_columns, _score, SCORED_IMAGES),
    model=translation_model(paired=True),
    best=BestScore("val_l1"),
)
